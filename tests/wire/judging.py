# SPDX-License-Identifier: Apache-2.0
"""weir label before a server whose provider plays the models and the judge.
Every test's name is a sentence."""
from rig import *


class Player(http.server.BaseHTTPRequestHandler):
    """small and large repeat the question; judge reads what it is shown."""
    protocol_version = "HTTP/1.1"
    delay = 0
    seen = []
    now, most = 0, 0  # calls of the judge at once
    lock = threading.Lock()

    def log_message(self, *a):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        said = "the answer of " + body["model"] + " to: " + text
        if body["model"] == "judge-up":
            with Player.lock:
                Player.now += 1
                Player.most = max(Player.most, Player.now)
            time.sleep(Player.delay)
            with Player.lock:
                Player.now -= 1
            Player.seen.append(body)
            said = judgement(body["messages"][0]["content"], text)
        data = json.dumps({
            "id": "x", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def judgement(system, text):
    if "SCORE" in system:
        return ("I do not know." if "mumble" in text else
                "It is wrong.\n**SCORE: 1**" if "poor" in text else "Right.\nSCORE: 5")
    a, b = text.split("<<<answer A", 1)[1].split("<<<answer B", 1)
    if "biased" in text:
        return "VERDICT: A"
    if "equal" in text:
        return "Both do.\nVERDICT: TIE"
    if "hopeless" in text:
        return "VERDICT: NEITHER."
    if "mumble" in text:
        return "A is good. VERDICT: perhaps"
    return "VERDICT: " + ("A" if "large-up" in a else "B")


player = Server(("127.0.0.1", 0), Player)
threading.Thread(target=player.serve_forever, daemon=True).start()
JUDGE = 100 * 2e-6  # USD an answer of the judge


class Served(Weir):
    prompts = "full"

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 2
classifier: none
log: {{path: {self.db}, flush: 50ms, prompts: {self.prompts}}}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{player.server_port}/v1", api_key: "${{PROVIDER_KEY}}"}}
models:
  small: {{provider: p, name: small-up, tier: economy, context: 100000, price: {{input: 1, output: 1}}}}
  large: {{provider: p, name: large-up, tier: frontier, context: 100000, price: {{input: 10, output: 10}}}}
  judge: {{provider: p, name: judge-up, tier: frontier, context: 100000, price: {{input: 2, output: 2}}}}
routes:
  auto: {{arms: [small, large], reference: small}}
  paired: {{arms: [small, large], reference: small, shadow: {{rate: 1, budget: 1000}}}}
""")

    def asked(self, *texts, model="auto"):
        ids = [self.chat(t, model)[2]["x-weir-request-id"] for t in texts]
        for _ in range(200):
            time.sleep(0.05)
            if len(self.sql("SELECT id FROM requests")) >= len(ids):
                return ids
        raise AssertionError("no rows")

    def sql(self, what, *args):
        db = sqlite3.connect(self.db, timeout=10)
        try:
            out = db.execute(what, args).fetchall()
            db.commit()
        finally:
            db.close()
        return out

    def shadowed(self, *texts):
        """The clients' ids, and the shadow rows' by them."""
        ids = self.asked(*texts, model="paired")
        for _ in range(200):
            pairs = dict(self.sql("SELECT parent, id FROM requests WHERE purpose='shadow'"))
            if len(pairs) == len(ids):
                return ids, pairs
            time.sleep(0.05)
        raise AssertionError("no shadows")

    def command(self, *options):
        return [WEIR, "label", "--judge", "judge", "--log", self.db, "--url",
                f"http://127.0.0.1:{self.port}", "--json", *options]

    def label(self, *options, status=0):
        r = subprocess.run(self.command(*options), capture_output=True, text=True, timeout=60)
        want("exit status: " + r.stderr, r.returncode, status)
        return json.loads(r.stdout) if status == 0 else r.stderr

    def labels(self):
        return self.sql("SELECT request_id, score, confidence, comment FROM labels WHERE"
                        " source='judge' ORDER BY request_id")


def answers_get_scores_and_what_does_not_parse_gets_none():
    w = Served()
    good, poor, mumble = w.asked("good one", "poor one", "mumble")
    out = w.label()
    want("counts", (out["rows"], out["calls"], out["judged"], out["labels"], out["unparsed"]),
         (3, 3, 2, 2, 1))
    want("cost", round(out["cost_usd"], 9), round(3 * JUDGE, 9))
    want("labels", w.labels(), sorted([(good, 1.0, 0.6, "judge=judge; alone; 5 of 5"),
                                       (poor, 0.0, 0.6, "judge=judge; alone; 1 of 5")]))
    time.sleep(0.3)
    want("its rows", w.sql("SELECT purpose, key_name, arm, count(*), count(DISTINCT parent) FROM"
                           " requests WHERE purpose IS NOT NULL"), [("judge", "weir", "judge", 3, 3)])
    out = w.label()
    want("only what has none is asked again", (out["rows"], out["labels"], out["unparsed"]), (1, 0, 1))
    w.stop()


def pairs_are_asked_in_both_orders_and_only_agreement_counts():
    w = Served()
    (better, biased, equal, hopeless, mumble), other = w.shadowed(
        "which", "biased", "equal", "hopeless", "mumble")
    out = w.label("--pairs")
    want("counts", {k: out[k] for k in ("rows", "calls", "judged", "labels", "split", "unparsed")},
         {"rows": 5, "calls": 10, "judged": 4, "labels": 8, "split": 1, "unparsed": 1})
    found = {i: (s, c, t) for i, s, c, t in w.labels()}
    want("better", (found[better], found[other[better]]),
         ((0.0, 0.9, "judge=judge; pair; worse than large"),
          (1.0, 0.9, "judge=judge; pair; better than small")))
    for one, score, confidence in ((biased, 1.0, 0.5), (equal, 1.0, 0.8), (hopeless, 0.0, 0.8)):
        for i in (one, other[one]):
            want("both", found[i][:2], (score, confidence))
    if mumble in found or other[mumble] in found:
        raise AssertionError(str(found))
    first, second = [m["messages"][1]["content"] for m in Player.seen
                     if "which" in m["messages"][1]["content"]]
    if (first.index("small-up") < first.index("large-up")) == \
            (second.index("small-up") < second.index("large-up")):
        raise AssertionError("the order was the same")
    want("again", w.label("--pairs")["rows"], 1)
    w.stop()


def judges_never_cost_more_than_their_day_has():
    w = Served()
    w.asked(*[f"question {i}" for i in range(12)])
    out = w.label("--budget", "0.006", "--max-tokens", "64")
    if not out["budget_used_up"] or not 1 <= out["judged"] < 12:
        raise AssertionError(str(out))
    time.sleep(0.3)
    usd = w.sql("SELECT sum(cost_pico) FROM requests WHERE purpose='judge'")[0][0] / 1e12
    want("what it says it cost", round(out["cost_usd"], 9), round(usd, 9))
    if usd > 0.006:
        raise AssertionError(str(usd))
    out2 = w.label("--budget", "0.006", "--max-tokens", "64")
    want("the same day again", (out2["budget_used_up"], out2["calls"]), (True, 0))
    out3 = w.label("--budget", "1")
    want("with more the rest", (out3["judged"], len(w.labels())), (12 - out["judged"], 12))
    w.stop()


def several_are_asked_at_once_and_each_row_once():
    w = Served()
    ids = w.asked(*[f"question {i}" for i in range(23)], "mumble")
    Player.delay, Player.most = 0.2, 0
    began = time.time()
    out = w.label("--parallel", "8")
    took = time.time() - began
    Player.delay = 0
    want("counts", {k: out[k] for k in ("rows", "calls", "judged", "labels", "unparsed", "failed")},
         {"rows": 24, "calls": 24, "judged": 23, "labels": 23, "unparsed": 1, "failed": 0})
    want("cost", round(out["cost_usd"], 9), round(24 * JUDGE, 9))
    want("each once", [i for i, _, _, _ in w.labels()], sorted(ids[:23]))
    if not 3 <= Player.most <= 8 or took > 24 * 0.2:
        raise AssertionError(f"{Player.most} at once, {took} s")
    Player.most = 0
    w.asked(*[f"another {i}" for i in range(5)])
    w.label("--limit", "3")
    want("one by one", Player.most, 1)
    for n in ("0", "65"):
        want("bounds", "wanted 1 to 64" in w.label("--parallel", n, status=2), True)
    w.stop()


def pairs_at_once_are_asked_in_both_orders_too():
    w = Served()
    ids, other = w.shadowed(*["which"] * 9, "biased")
    out = w.label("--pairs", "--parallel", "4")
    want("counts", {k: out[k] for k in ("rows", "calls", "judged", "labels", "split")},
         {"rows": 10, "calls": 20, "judged": 10, "labels": 20, "split": 1})
    found = {i: s for i, s, _, _ in w.labels()}
    want("better", [(found[i], found[other[i]]) for i in ids[:9]], [(0.0, 1.0)] * 9)
    w.stop()


def at_once_they_cost_no_cent_more_either():
    w = Served()
    w.asked(*[f"question {i}" for i in range(40)])
    Player.delay = 0.05
    out = w.label("--budget", "0.015", "--max-tokens", "64", "--parallel", "16")
    Player.delay = 0
    if not out["budget_used_up"] or not 1 <= out["judged"] < 40:
        raise AssertionError(str(out))
    time.sleep(0.3)
    usd = w.sql("SELECT sum(cost_pico) FROM requests WHERE purpose='judge'")[0][0] / 1e12
    want("what it says it cost", round(out["cost_usd"], 9), round(usd, 9))
    if usd > 0.015:
        raise AssertionError(str(usd))
    want("all that were paid for are labels", len(w.labels()), round(usd / JUDGE))
    out2 = w.label("--budget", "1", "--parallel", "16")
    want("with more the rest", (out2["judged"], len(w.labels())), (40 - out["judged"], 40))
    w.stop()


def a_server_that_is_away_ends_all_that_run():
    w = Served()
    w.asked(*[f"question {i}" for i in range(20)])
    w.stop()
    began = time.time()
    want("why", "refused" in w.label("--parallel", "8", status=1).lower(), True)
    if time.time() - began > 20:
        raise AssertionError("it took too long")


def killed_it_goes_on_where_it_was():
    w = Served()
    ids = w.asked(*[f"question {i}" for i in range(8)])
    Player.delay = 0.15
    for least, more in ((2, ()), (4, ("--parallel", "2"))):
        p = subprocess.Popen(w.command(*more), stdout=subprocess.DEVNULL)
        for _ in range(400):
            time.sleep(0.02)
            if len(w.labels()) >= least:
                break
        p.kill()
        p.wait()
    Player.delay = 0
    before = len(w.labels())
    if not 4 <= before < 8:
        raise AssertionError(str(before))
    out = w.label()
    want("the rest", out["judged"], 8 - before)
    want("each once", [i for i, _, _, _ in w.labels()], sorted(ids))
    w.stop()


def those_come_first_on_which_arms_disagree():
    w = Served()
    ids = w.asked(*[f"question {i}" for i in range(48)])
    for k, i in enumerate(ids):
        q = (0.05, 0.95) if k % 2 else (0.5, 0.5)
        w.sql("UPDATE requests SET arms=? WHERE id=?", json.dumps(
            [{"arm": a, "quality": x, "dropped": None} for a, x in zip(("small", "large"), q)]), i)
    w.label("--limit", "24")  # drawn by chance: 12 of each kind, were it blind
    first = {i for i, _, _, _ in w.labels()}
    n = len(first & set(ids[1::2]))
    if len(first) != 24 or n < 17:
        raise AssertionError(f"{n} of {len(first)}")
    w.stop()


def what_it_cannot_do_it_says():
    Served.prompts = "features"
    w = Served()
    Served.prompts = "full"
    w.asked("a", "b")
    for more, words in (((), "log.prompts: full"), (("--pairs",), "routes.NAME.shadow")):
        err = w.label(*more, status=1)
        if words not in err or "2 requests" not in err:
            raise AssertionError(err)
    w.stop()
    w = Served()
    w.asked("a")
    for options, words in ((("--judge", "nobody"), "nobody"), (("--log", w.db + ".no"), ".no"),
                           (("--url", "http://127.0.0.1:1"), "127.0.0.1:1")):
        err = w.label(*options, status=1)
        if words not in err:
            raise AssertionError(err)
    want("a budget that is none", "--budget" in w.label("--budget", "-1", status=2), True)
    w.stop()
    w.sql("PRAGMA user_version=99")
    if "schema version 99" not in w.label(status=1):
        raise AssertionError("a newer log")


run(globals())
