# SPDX-License-Identifier: Apache-2.0
"""weir serve: shadow answers.  Every test's name is a sentence."""
from concurrent.futures import ThreadPoolExecutor

from rig import *


class Player(http.server.BaseHTTPRequestHandler):
    """Small answers at once, large after `delay`; plays streams."""
    protocol_version = "HTTP/1.1"
    delay = 0
    status = 200
    seen = []

    def log_message(self, *a):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        large = body["model"] == "large-up"
        if large:
            Player.seen.append(body)
            time.sleep(Player.delay)
        said = "said by " + body["model"]
        usage = {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}
        if body.get("stream"):
            frames = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": said}}]},
                      {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                      {"choices": [], "usage": usage}]
            data = b"".join(b"data: " + json.dumps(dict(f, id="x", object="chat.completion.chunk",
                                                        model="m")).encode() + b"\n\n"
                            for f in frames) + b"data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            data = json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [
                {"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": said}}], "usage": usage}).encode()
            kind = "application/json"
        try:
            self.send_response(Player.status if large else 200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass


player = Server(("127.0.0.1", 0), Player)
threading.Thread(target=player.serve_forever, daemon=True).start()
ONE = 100 * 10e-6  # USD, an answer of large


class Served(Weir):
    shadow = "{rate: 1, budget: 100}"
    planned = "{rate: 1, each: true, budget: 100}"
    workers = 1

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: {self.workers}
classifier: none
log: {{path: {self.db}, flush: 50ms, prompts: full}}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{player.server_port}/v1", api_key: "${{PROVIDER_KEY}}"}}
models:
  small: {{provider: p, name: small-up, tier: economy, context: 100000, price: {{input: 1, output: 1}}}}
  large: {{provider: p, name: large-up, tier: frontier, context: 100000, price: {{input: 10, output: 10}}}}
  middle: {{provider: p, name: middle-up, tier: workhorse, context: 100000, price: {{input: 2, output: 2}}}}
plans:
  checked: {{kind: verify, draft: middle, check: small, else: large}}
  drafted: {{kind: cascade, draft: middle, else: large}}
  reviewed: {{kind: panel, model: middle, review: large}}
routes:
  planned: {{arms: [small, checked, drafted, reviewed], reference: small, shadow: {self.planned}}}
  all: {{arms: [small, middle, large], reference: small, shadow: {{rate: 1, each: true, arms: [large, middle], budget: 9}}}}
  one: {{arms: [small, middle, large], reference: small, shadow: {{rate: 1, arms: [large, middle], budget: 9}}}}
  auto: {{arms: [small, large], reference: small, shadow: {self.shadow}, hedge: 1s}}
""")

    def sql(self, what):
        db = sqlite3.connect(self.db, timeout=10)
        try:
            return db.execute(what).fetchall()
        finally:
            db.close()

    def wait_for(self, n):
        for _ in range(300):
            rows = self.sql("SELECT parent, arm, status, answer, stream, key_name, reason, cost_pico,"
                            " propensity, messages FROM requests WHERE purpose='shadow'")
            if len(rows) >= n:
                return rows
            time.sleep(0.05)
        raise AssertionError(f"{len(rows)} of {n} shadows")

    def ask_planned(self, stream=False):
        return self.ask("POST", "/v1/chat/completions", {
            "model": "planned", "max_tokens": 40, "stream": stream,
            "messages": [{"role": "user", "content": "hi"}]})

    def ask_large(self, stream=False, text="hi", **headers):
        return self.ask("POST", "/v1/chat/completions", {
            "model": "auto", "max_tokens": 40, "stream": stream,
            "messages": [{"role": "user", "content": text}]}, **headers)


def another_arm_answers_too_and_nobody_sees_it():
    w = Served()
    Player.seen.clear()
    for stream in (False, True):
        s, body, h = w.ask_large(stream)
        want("status", s, 200)
        if b"small-up" not in body or b"large" in body:
            raise AssertionError(body)
        rows = w.wait_for(2 if stream else 1)
        row = next(r for r in rows if r[0] == h["x-weir-request-id"])
        want("row", row[1:9], ("large", 200, "said by large-up", 0, "weir", "shadow",
                               round(ONE * 1e12), None))
        want("messages", json.loads(row[9])[0]["content"], "hi")
        want("whole", [Player.seen[-1].get("stream"), Player.seen[-1].get("stream_options"),
                       Player.seen[-1]["max_tokens"]], [None, None, 40])
    want("clients' rows", w.sql("SELECT count(*), min(arm), max(arm) FROM requests WHERE purpose IS"
                                " NULL"), [(2, "small", "small")])
    want("requests", w.metric('weir_requests_total{route="auto",arm="small",status="2xx"}'), 2)
    want("shadows", w.metric('weir_shadows_total{route="auto",result="answered"}'), 2)
    w.stop()


def each_other_arm_may_answer_for_the_same_request():
    w = Served()
    body = {"model": "all", "messages": [{"role": "user", "content": "hi"}]}
    ids = [w.ask("POST", "/v1/chat/completions", body)[2]["x-weir-request-id"] for _ in range(3)]
    rows = w.wait_for(6)
    want("arms", sorted((r[0], r[1]) for r in rows),
         sorted((i, a) for i in ids for a in ("large", "middle")))
    w.ask("POST", "/v1/chat/completions", dict(body, model="one"))
    want("one is drawn", len(w.wait_for(7)), 7)
    time.sleep(0.3)
    want("and no more", len(w.wait_for(7)), 7)
    w.stop()


def a_client_waits_no_longer_and_ends_nothing_by_leaving():
    w = Served()
    Player.delay = 1.5
    Player.seen.clear()
    began = time.time()
    s, _, h = w.ask_large()
    took = time.time() - began
    Player.delay = 0
    want("status", s, 200)
    if took > 0.75:
        raise AssertionError(f"{took} s")
    want("its connection is closed, the shadow's row came", w.wait_for(1)[0][0],
         h["x-weir-request-id"])
    want("asked once, however slow", len(Player.seen), 1)
    w.stop()


def shadows_cost_no_more_than_their_day_has():
    Served.shadow, Served.workers = "{rate: 1, budget: 0.05}", 4
    w = Served()
    Served.shadow, Served.workers = "{rate: 1, budget: 100}", 1
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: w.ask_large(), range(200)))
    for _ in range(120):  # one after the other, until none fits any more
        w.ask_large()
    time.sleep(1)
    n, usd = w.sql("SELECT count(*), sum(cost_pico)/1e12 FROM requests WHERE purpose='shadow'")[0]
    if not 0.05 - 0.016 < usd <= 0.05 or abs(usd - n * ONE) > 1e-9:
        raise AssertionError(f"{n} for {usd}")
    want("no row without a call", w.sql("SELECT count(*) FROM requests WHERE purpose='shadow' AND"
                                        " status<>200"), [(0,)])
    if not w.metric('weir_shadows_total{route="auto",result="no_money"}'):
        raise AssertionError("no_money")
    w.stop()


def a_plan_answers_too_and_its_members_are_one_row():
    w = Served()
    asked = [w.ask_planned(stream) for stream in (False, True)]
    want("the client's", [(s, h["x-weir-arm"], "x-weir-plan" in h) for s, _, h in asked],
         [(200, "small", False)] * 2)
    w.wait_for(6)
    for _, _, h in asked:
        rows = w.sql("SELECT arm, status, answer, cost_pico, model, plan FROM requests WHERE"
                     f" purpose='shadow' AND parent='{h['x-weir-request-id']}' ORDER BY arm")
        want("arms", [r[0] for r in rows], ["checked", "drafted", "reviewed"])
        plans = [json.loads(r[5]) for r in rows]
        want("status", [r[1] for r in rows], [200] * 3)
        want("answers", [r[2] for r in rows],
             ["said by large-up", "said by middle-up", "said by middle-up"])
        want("verdicts", [(p["kind"], p["verdict"], [m["arm"] for m in p["members"]]) for p in plans],
             [("verify", "escalated", ["middle", "small", "large"]),
              ("cascade", "accepted", ["middle"]), ("panel", "accepted", ["middle", "large"])])
        for r, p in zip(rows, plans):
            want("sum of " + r[0], r[3], round(1e12 * sum(m["cost_usd"] for m in p["members"])))
        want("costs", [r[3] for r in rows], [1300000000, 200000000, 1200000000])
    want("no row of a member", w.sql("SELECT count(*) FROM requests"), [(8,)])
    want("tokens of clients alone", w.metric('weir_tokens_total{arm="small",kind="input"}'), 120)
    want("and none of plans'", w.metric('weir_tokens_total{arm="large",kind="input"}'), 0)
    w.stop()


def a_plan_whose_money_ends_takes_no_cent_more():
    Served.planned, Served.workers = "{rate: 1, arms: [checked], budget: 0.05}", 4
    w = Served()
    Served.planned, Served.workers = "{rate: 1, each: true, budget: 100}", 1
    with ThreadPoolExecutor(16) as pool:
        want("clients", set(pool.map(lambda i: w.ask_planned()[0], range(160))), {200})
    for _ in range(80):
        w.ask_planned()
    time.sleep(1)
    n, usd = w.sql("SELECT count(*), sum(cost_pico)/1e12 FROM requests WHERE purpose='shadow'")[0]
    if not 0.05 - 0.016 < usd <= 0.05 or n < 20:
        raise AssertionError(f"{n} for {usd}")
    whole = w.sql("SELECT count(*) FROM requests WHERE purpose='shadow' AND status=200"
                  " AND plan LIKE '%escalated%' AND cost_pico=1300000000")[0][0]
    want("none is begun that could not be ended", whole, n)
    if not w.metric('weir_shadows_total{route="planned",result="no_money"}'):
        raise AssertionError("no_money")
    w.stop()


def they_are_bounded_in_flight():
    w = Served()
    Player.delay = 1
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda i: w.ask_large()[0], range(80)))
    Player.delay = 0
    want("all answered", set(got), {200})
    none = w.metric('weir_shadows_total{route="auto",result="no_room"}')
    if not 20 <= none <= 48:
        raise AssertionError(str(none))
    w.wait_for(80 - int(none))
    w.stop()


def what_fails_there_is_a_row_and_nobodys_trouble():
    w = Served()
    Player.status = 500
    s, _, h = w.ask_large()
    want("status", s, 200)
    row = w.wait_for(1)[0]
    Player.status = 200
    want("row", (row[0], row[1], row[2]), (h["x-weir-request-id"], "large", 500))
    w.stop()


def an_end_of_the_server_waits_for_none():
    w = Served()
    Player.delay = 5
    w.ask_large()
    time.sleep(0.2)
    began = time.time()
    want("exit status", w.stop(), 0)
    Player.delay = 0
    if time.time() - began > 4:
        raise AssertionError(f"{time.time() - began} s")
    want("row", w.sql("SELECT arm, status, error FROM requests WHERE purpose='shadow'"),
         [("large", 499, "client_gone")])


def an_end_in_the_middle_of_a_plan_is_a_row_with_what_it_had_cost():
    Served.planned = "{rate: 1, arms: [checked], budget: 1}"
    w = Served()
    Served.planned = "{rate: 1, each: true, budget: 100}"
    Player.delay = 5
    w.ask_planned()
    time.sleep(0.4)
    began = time.time()
    want("exit status", w.stop(), 0)
    Player.delay = 0
    if time.time() - began > 4:
        raise AssertionError(f"{time.time() - began} s")
    arm, status, plan = w.sql("SELECT arm, status, plan FROM requests WHERE purpose='shadow'")[0]
    want("row", (arm, status), ("checked", 499))
    want("members", [m["cost_usd"] for m in json.loads(plan)["members"]][:2], [0.0002, 0.0001])


def what_is_no_budget_or_arm_is_said():
    for shadow, words in (("{rate: 0.1}", "wanted a budget with the rate"),
                          ("{rate: 0.1, budget: 1, arms: [none]}", "one of the route's arms")):
        Served.shadow = shadow
        w = Served()
        w.p.wait(20)
        if words not in open(w.base + ".err").read():
            raise AssertionError(open(w.base + ".err").read())
    Served.shadow = "{rate: 1, budget: 100}"


run(globals())
