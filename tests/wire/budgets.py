# SPDX-License-Identifier: Apache-2.0
"""weir serve: what a key may spend in a day, and exploration.  An answer of
the provider costs 100 tokens, 60 of them input.  Every test's name is a
sentence."""
from concurrent.futures import ThreadPoolExecutor

from rig import *

CI, CI_HASH = keygen("ci")
TEAM, TEAM_HASH = keygen("team")
PRICE = {"small": 1e-6, "large": 10e-6}  # USD a token, in and out alike
ANSWER = 100 * PRICE["small"]


lock = threading.Lock()


class Bank(Weir):
    """Four workers; small answers, large is explored."""
    sent = 0

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 4
classifier: none
log: {{path: {self.db}, flush: 50ms, prompts: full}}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{provider.server_port}/v1", api_key: "${{PROVIDER_KEY}}"}}
models:
  small: {{provider: p, tier: economy, context: 100000, price: {{input: 1, output: 1}}}}
  large: {{provider: p, tier: frontier, context: 100000, price: {{input: 10, output: 10}}}}
  other: {{provider: p, tier: economy, context: 100000, price: {{input: 2, output: 2}}}}
plans:
  checked: {{kind: verify, draft: small, check: other, else: large}}
routes:
  auto: {{arms: [small, large], reference: small}}
  curious: {{arms: [small, large], reference: small, explore: 0.5, explore_budget: 0.02,
            high_risk: {{tasks: [legal], header: x-risk}}}}
""")

    def send(self, model="auto", key=None, max_tokens=40, path="/v1/chat/completions", **headers):
        if key:
            headers["authorization"] = "Bearer " + key
        with lock:
            self.sent += 1
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        if max_tokens:
            body["max_tokens"] = max_tokens
        return self.ask("POST", path, body, **headers)

    def settle(self):
        """All rows are in the database."""
        for _ in range(200):
            time.sleep(0.1)
            if self.metric('weir_log_rows_total{state="written"}') >= self.sent:
                return

    def spent(self, where="1"):
        self.settle()
        db = sqlite3.connect(self.db)
        n, pico = db.execute("SELECT count(*), sum(cost_pico) FROM requests WHERE cost_pico>0 AND "
                             + where).fetchone()
        db.close()
        return n, (pico or 0) / 1e12


def keys(usd, more=""):
    return f"""
keys:
  ci: {{hash: "{CI_HASH}", budget: {usd}}}
  team: {{hash: "{TEAM_HASH}"}}
{more}"""


def near(a, b, by=1e-9):
    if abs(a - b) > by:
        raise AssertionError(f"wanted {b}, got {a}")


def a_key_never_spends_more_than_its_day_has():
    w = Bank(keys(0.01))
    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(lambda i: w.send(key=CI), range(400)))
    statuses = [s for s, _, _ in got]
    want("statuses", set(statuses), {200, 429})
    while w.send(key=CI)[0] == 200:  # what the many had set aside is free again
        statuses.append(200)
    n, usd = w.spent("key_name='ci'")
    want("rows", n, statuses.count(200))
    near(usd, n * ANSWER)
    if not 0.01 - 0.0015 < usd <= 0.01:
        raise AssertionError(f"spent {usd}")
    s, body, h = next(g for g in got if g[0] == 429)
    e = json.loads(body)["error"]
    want("code", (e["type"], e["code"]), ("insufficient_quota", "insufficient_quota"))
    left = 86400 - time.time() % 86400
    if abs(int(h["retry-after"]) - left) > 60 or h["x-should-retry"] != "false":
        raise AssertionError(str((h, left)))
    want("the other key", w.send(key=TEAM)[0], 200)
    near(w.metric('weir_budget_spent_usd{kind="key",name="ci"}'), usd, 1e-5)
    w.stop()


def a_key_never_spends_more_on_plans_of_several_models():
    w = Bank(keys(0.02))
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda i: w.send("checked", key=CI), range(120)))
    want("statuses", {s for s, _, _ in got} - {200, 429}, set())
    accepted = [h for s, _, h in got if "verdict=accepted" in h.get("x-weir-plan", "")]
    while w.send("checked", key=CI)[0] == 200:
        pass
    n, usd = w.spent("key_name='ci'")
    if not (0.01 < usd <= 0.02 and accepted):
        raise AssertionError(f"spent {usd}, accepted {len(accepted)}")
    near(float(accepted[0]["x-weir-cost-usd"]), 3 * ANSWER)
    near(w.metric('weir_budget_spent_usd{kind="key",name="ci"}'), usd, 1e-5)
    w.stop()


def it_is_said_in_the_dialect_of_the_client():
    w = Bank(keys(0.0001))
    s, body, _ = w.ask("POST", "/v1/messages", {
        "model": "auto", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]},
        x_api_key=CI)
    want("anthropic", (s, json.loads(body)["error"]["type"]), (429, "rate_limit_error"))
    s, body, _ = w.ask("POST", "/v1beta/models/auto:generateContent", {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, x_goog_api_key=CI)
    want("gemini", (s, json.loads(body)["error"]["status"]), (429, "RESOURCE_EXHAUSTED"))
    want("nothing was called", w.spent()[0], 0)
    w.stop()


def what_could_cost_too_much_is_refused_before_it_is_asked():
    w = Bank(keys(0.05))
    want("without a limit the window counts", w.send(key=CI, max_tokens=None)[0], 429)
    for n in (10 ** 6, 2 ** 53 - 1):
        want("answers without end", w.ask("POST", "/v1/chat/completions", {
            "model": "auto", "n": n,
            "messages": [{"role": "user", "content": "hi"}]}, authorization="Bearer " + CI)[0], 429)
    want("with one it fits", w.send(key=CI)[0], 200)
    w.stop()


def a_restart_and_a_reload_do_not_forget_the_day():
    w = Bank(keys(0.003))
    while w.send(key=CI)[0] == 200:
        pass
    usd = w.spent("key_name='ci'")[1]
    want("reloaded", w.ask("POST", "/v1/weir/reload", {}, authorization="Bearer " + CI)[0], 200)
    want("after the reload", w.send(key=CI)[0], 429)
    w.stop()
    again = Bank.__new__(Bank)
    again.__dict__.update(w.__dict__)
    again.p = None
    port = w.base + ".port"
    os.unlink(port)
    again.err = open(w.base + ".err2", "wb")
    again.p = subprocess.Popen([WEIR, "serve", "--config", w.config, "--port-file", port],
                               stderr=again.err, stdout=again.err,
                               env=dict(os.environ, PROVIDER_KEY=SECRET))
    for _ in range(1000):
        if os.path.exists(port) and open(port).read().strip():
            break
        time.sleep(0.01)
    again.port = int(open(port).read())
    want("after the restart", again.send(key=CI)[0], 429)
    near(again.metric('weir_budget_spent_usd{kind="key",name="ci"}'), usd, 1e-5)
    want("the other key", again.send(key=TEAM)[0], 200)
    again.stop()


def explored(w):
    w.settle()
    db = sqlite3.connect(w.db)
    rows = db.execute("SELECT reason, arm, arms, propensity FROM requests WHERE route='curious'"
                      ).fetchall()
    db.close()
    extra, capped = 0, 0
    for reason, arm, arms, propensity in rows:
        arms = {a["arm"]: a for a in json.loads(arms)}
        near(sum(a["propensity"] for a in arms.values()), 1, 1e-6)
        near(arms[arm]["propensity"], propensity, 1e-6)
        if reason == "explored":
            want("explored arm", arm, "large")
            extra += arms["large"]["cost_usd"] - arms["small"]["cost_usd"]
        capped += propensity == 1
    return extra, capped, len(rows)


def exploring_costs_no_more_than_its_day_has():
    w = Bank()
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda i: w.send("curious"), range(400)))
    want("all answered", {s for s, _, _ in got}, {200})
    extra, capped, n = explored(w)
    want("rows", n, 400)
    one = 50 * (PRICE["large"] - PRICE["small"])  # about what one costs more
    if not 0.02 - 2 * one < extra <= 0.02 or capped < 100:
        raise AssertionError(str((extra, capped)))
    near(w.metric('weir_budget_spent_usd{kind="explore",name="curious"}'), extra, 1e-5)
    w.stop()


def risky_requests_keep_their_arm():
    w = Bank()
    for i in range(12):
        for h in ({"x_risk": "1"}, {"x_weir_task": "legal"}):
            s, _, headers = w.send("curious", **h)
            want("arm", (s, headers["x-weir-arm"]), (200, "small"))
    want("propensities", explored(w), (0, 24, 24))
    w.stop()


def judges_have_a_purse_of_their_own():
    w = Bank(keys(0.0001))
    got = [w.send("small", key=TEAM, x_weir_purpose="judge", x_weir_parent="req_1",
                  x_weir_budget="0.002") for _ in range(20)]
    ok = [s for s, _, _ in got].count(200)
    if not 3 < ok < 20:
        raise AssertionError(str(ok))
    n, usd = w.spent("purpose='judge'")
    want("rows", n, ok)
    if usd > 0.002:
        raise AssertionError(str(usd))
    want("row", w.rows("DISTINCT purpose, parent, key_name"), [("judge", "req_1", "weir")])
    want("a word that is none", w.send("small", key=TEAM, x_weir_purpose="fun")[0], 400)
    want("a budget that is none", w.send("small", key=TEAM, x_weir_purpose="judge",
                                         x_weir_budget="nan")[0], 400)
    want("a page in a browser", w.send("small", key=TEAM, x_weir_purpose="judge",
                                       origin="http://a.example")[0], 403)
    w.stop()


run(globals())
