# SPDX-License-Identifier: Apache-2.0
"""weir serve: requests that may be computed in some regions only go nowhere
else, whatever fails.  Every test's name is a sentence."""
from rig import *


class Far(Provider):
    """A provider that must not be called: counts who does."""
    calls = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        Far.calls.append(self.path)
        data = json.dumps({
            "id": "x", "object": "chat.completion", "model": "far", "choices": [
                {"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "far"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "input_tokens": 77}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Near(Provider):
    """Fails as the text says: a status, silence, a cut, nonsense."""
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        text = json.loads(body)["messages"][-1]["content"]
        if text == "cut":
            self.connection.close()
            return
        if text == "slow":
            time.sleep(0.5)
        status = int(text) if text.isdigit() else 200
        out = {"id": "x", "object": "chat.completion", "model": "near", "choices": [
            {"index": 0, "finish_reason": "stop",
             "message": {"role": "assistant", "content": "near"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
        if status != 200:
            out = {"error": {"message": "no", "type": "x", "code": "context_length_exceeded"
                             if status == 400 else None}}
        data = b"nonsense" if text == "nonsense" else json.dumps(out).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


far, near = Server(("127.0.0.1", 0), Far), Server(("127.0.0.1", 0), Near)
for s in (far, near):
    threading.Thread(target=s.serve_forever, daemon=True).start()
ANYWHERE, HASH_ANYWHERE = keygen("anywhere")
EU, HASH_EU = keygen("eu")


class Bound(Weir):
    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 1
classifier: none
log: {{path: {self.db}, level: debug}}
keys:
  anywhere: {{hash: "{HASH_ANYWHERE}"}}
  eu: {{hash: "{HASH_EU}", regions: [eu]}}
providers:
  near: {{dialect: openai, base_url: "http://127.0.0.1:{near.server_port}/v1", api_key: k, region: eu-west-1}}
  far: {{dialect: openai, base_url: "http://127.0.0.1:{far.server_port}/v1", api_key: k, region: us}}
  nowhere: {{dialect: openai, base_url: "http://127.0.0.1:{far.server_port}/v1", api_key: k}}
  count: {{dialect: anthropic, base_url: "http://127.0.0.1:{far.server_port}", api_key: k, region: us}}
models:
  us: {{provider: far, price: {{input: 1, output: 1}}, context: 1000000}}
  unsaid: {{provider: nowhere, price: {{input: 1, output: 1}}, context: 1000000}}
  eu: {{provider: near, price: {{input: 2, output: 2}}, context: 5000}}
  both: {{provider: far, price: {{input: 3, output: 3}}, context: 5000,
         deployments: {{here: {{provider: near}}, there: {{provider: nowhere}}}}}}
  claude: {{provider: count, price: {{input: 1, output: 1}}}}
plans:
  over: {{kind: cascade, draft: us, else: eu}}
routes:
  planned: {{arms: [over, eu], policy: fixed, reference: over, regions: [eu]}}
  bound: {{arms: [us, unsaid, eu, both], policy: fixed, reference: eu, regions: [eu], hedge: 100ms,
          hedge_share: 1, attempts: 8, deadline: 3s, retry: {{wait: 1ms, server: again, rate_limit: again}}}}
  free: {{arms: [us, unsaid, eu, both], policy: fixed, reference: both, attempts: 8, deadline: 3s}}
  shaded: {{arms: [eu, both, us, over], policy: fixed, reference: eu,
           shadow: {{rate: 1, each: true, budget: 9}}}}
  walled: {{arms: [eu, both, us, over], policy: fixed, reference: eu, regions: [eu],
           shadow: {{rate: 1, each: true, budget: 9}}}}
  talk: {{arms: [claude, eu], policy: fixed, reference: claude}}
{extra}
""")


FAULTS = ["slow", "500", "503", "429", "401", "403", "404", "400", "cut", "nonsense"]


def nothing_is_sent_abroad_whatever_fails():
    w = Bound()
    Far.calls.clear()
    for text in ["hi"] + FAULTS:
        for _ in range(3):
            status, data, h = w.chat(text, "bound", ANYWHERE)
            if text in ("hi", "slow"):
                want(text, (status, h["x-weir-arm"] in ("eu", "both")), (200, True))
    want("calls", Far.calls, [])
    want("hedged", w.metric('weir_hedges_total{route="bound",won="first"}') +
         w.metric('weir_hedges_total{route="bound",won="second"}') > 0, True)
    dropped = {a["arm"]: a["dropped"] for a in json.loads(w.rows("arms")[0][0])}
    want("dropped", dropped, {"us": "region", "unsaid": "region", "eu": None, "both": None})
    w.stop()


def a_plan_with_a_member_abroad_is_no_arm():
    w = Bound()
    Far.calls.clear()
    status, _, h = w.chat("hi", "planned", ANYWHERE)
    want("answered", (status, h["x-weir-arm"]), (200, "eu"))
    want("calls", Far.calls, [])
    dropped = {a["arm"]: a["dropped"] for a in json.loads(w.rows("arms")[0][0])}
    want("dropped", dropped["over"], "region")
    w.stop()


def a_wish_for_an_arm_abroad_is_refused():
    w = Bound()
    Far.calls.clear()
    status, data, _ = w.chat("hi", "bound", ANYWHERE, x_weir_arm="us")
    want("refused", (status // 100, b"no region that is allowed" in data), (4, True))
    want("calls", Far.calls, [])
    w.stop()


def a_keys_regions_hold_on_every_route_and_model():
    w = Bound()
    Far.calls.clear()
    for model, texts in (("free", FAULTS), ("bound", FAULTS), ("both", ["500"]), ("eu", ["cut"])):
        for text in ["hi"] + texts:
            w.chat(text, model, EU)
    for model in ("us", "unsaid", "far/us"):
        want(model, w.chat("hi", model, EU)[0] // 100, 4)
    w.ask("POST", "/v1/messages/count_tokens", {
        "model": "claude", "messages": [{"role": "user", "content": "hi"}]},
        authorization="Bearer " + EU)
    w.ask("POST", "/v1/messages", {
        "model": "talk", "max_tokens": 5, "messages": [{"role": "user", "content": "500"}]},
        authorization="Bearer " + EU)
    want("calls", Far.calls, [])
    for _ in range(20):
        w.chat("hi", "free", ANYWHERE)
    want("the test sees calls", len(Far.calls) > 0, True)
    w.ask("POST", "/v1/messages/count_tokens", {
        "model": "claude", "messages": [{"role": "user", "content": "hi"}]},
        authorization="Bearer " + ANYWHERE)
    want("counting is seen", "/v1/messages/count_tokens" in Far.calls, True)
    w.stop()


def a_shadow_goes_nowhere_that_its_request_may_not():
    w = Bound()
    Far.calls.clear()
    def shadows(route, key):
        ids = [w.chat("hi", route, key)[2]["x-weir-request-id"] for _ in range(6)]
        time.sleep(0.5)
        return sorted({(arm, provider) for p, arm, provider in w.rows("parent, arm, provider")
                       if p in ids})
    want("of a key's regions", shadows("shaded", EU), [("both", "near")])
    want("of a route's", shadows("walled", ANYWHERE), [("both", "near")])
    want("calls", Far.calls, [])
    want("anywhere else", sorted({arm for arm, _ in shadows("shaded", ANYWHERE)}), ["both", "over", "us"])
    want("the test sees calls", len(Far.calls) > 0, True)
    w.stop()


def a_region_without_a_provider_is_a_mistake_of_the_configuration():
    w = Bound()
    for route, message in (("odd: {arms: [eu], regions: [mars]}", "found mars"),
                           ("odd: {arms: [us], regions: [eu]}", "found none there")):
        w.write("  " + route)
        r = subprocess.run([WEIR, "check", "--config", w.config], capture_output=True, text=True)
        want(route, (r.returncode, message in r.stderr + r.stdout), (1, True))
    w.stop()


run(globals())
