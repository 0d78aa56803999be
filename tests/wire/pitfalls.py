# SPDX-License-Identifier: Apache-2.0
"""What other gateways have paid for, as far as only a running server can show
it: tests/unit/test_pitfalls.c lists all of them."""
from scripted import *

up = {d: Provider(d) for d in PROVIDERS}
up["down"] = Provider("openai")  # answers each call with an error
up["spare"] = Provider("openai")
BASE = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta",
        "bedrock": "", "cohere": "/v2", "down": "/v1", "spare": "/v1"}
CLASSIFIER = os.path.abspath(os.path.dirname(__file__) + "/../../models/default.weir")
WORKERS = SETTINGS.replace("workers: 1", "workers: 2").replace(
    "classifier: none", "classifier: " + CLASSIFIER)


def config():
    text = WORKERS.replace("failures: 60000", "failures: 4, pause: 60s") + "providers:\n"
    for d in up:
        dialect = d if d in PROVIDERS else "openai"
        text += (f"  p-{d}: {{dialect: {dialect}, base_url: \"http://127.0.0.1:{up[d].port}"
                 f"{BASE[d]}\", api_key: {KEY}}}\n")
    text += "models:\n"
    for d in up:
        text += (f"  m-{d}: {{provider: p-{d}, name: up-{d}, price: {{input: 1, output: 2, "
                 "cached_input: 0.1}}\n")
    text += ("  dear: {provider: p-openai, name: up-dear, tier: frontier, "
             "price: {input: 10, output: 40}}\n"
             "  cheap: {provider: p-spare, name: up-cheap, tier: economy, "
             "price: {input: 0.1, output: 0.4}}\n")
    text += "routes:\n"
    retry = "retry: {wait: 1ms, wait_max: 1ms}"
    for d in PROVIDERS:
        text += f"  to-{d}: {{arms: [m-{d}], policy: fixed, {retry}}}\n"
    return text + (
        f"  alpha: {{arms: [m-down, m-spare], policy: fixed, reference: m-down, {retry}}}\n"
        f"  beta: {{arms: [m-down, m-openai], policy: fixed, reference: m-down, {retry}}}\n"
        "  bounded: {arms: [cheap, dear], policy: budget, budget: 0.002, reference: dear}\n")


def marks(text):
    return text.count('"ephemeral"'), text.count('"cachePoint"')


def cache_control_reaches_whoever_has_it_and_is_named_where_nobody_does():
    mark = {"type": "ephemeral"}
    body = {"max_tokens": 50, "system": [{"type": "text", "text": "Long.", "cache_control": mark}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi.",
                                              "cache_control": mark}]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "1",
                     "cache_control": mark}, {"type": "text", "text": "play answer"}]}]}
    for d, want in (("anthropic", (4, 0)), ("bedrock", (0, 4))):
        r = post("/v1/messages", dict(body, model="to-" + d), HEADERS["anthropic"])
        r.read()
        same((d, r.status, marks(up[d].seen[-1][1].decode())), (d, 200, want))
        same(r.getheader("x-weir-warnings"), None)
    for d in ("openai", "responses", "gemini", "cohere"):
        r = post("/v1/messages", dict(body, model="to-" + d), HEADERS["anthropic"])
        r.read()
        same((d, r.status, marks(up[d].seen[-1][1].decode())), (d, 200, (0, 0)))
        assert "cache_control" in r.getheader("x-weir-warnings"), (d, r.getheaders())
    # As OpenRouter's clients write it, in OpenAI's dialect.
    chat = {"model": "to-anthropic", "max_tokens": 50, "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Long.", "cache_control": mark}]},
        {"role": "user", "content": [{"type": "text", "text": "play answer",
                                      "cache_control": dict(mark, ttl="1h")}]}]}
    post("/v1/chat/completions", chat).read()
    sent = json.loads(up["anthropic"].seen[-1][1])
    same(sent["system"][0]["cache_control"], mark)
    same(sent["messages"][0]["content"][0]["cache_control"], dict(mark, ttl="1h"))


def a_fallback_is_known_by_its_model_whatever_the_route_is_called():
    names = []
    for route, spare in (("alpha", "spare"), ("beta", "openai")):
        n = len(up["down"].seen)
        r = post("/v1/chat/completions", {"model": route, "max_tokens": 9, "messages": [
            {"role": "user", "content": "play answer"}]})
        r.read()
        same((r.status, r.getheader("x-weir-arm"), r.getheader("x-weir-model")),
             (200, "m-" + spare, "up-" + spare))
        head, sent = up[spare].seen[-1]
        same(json.loads(sent)["model"], "up-" + spare)
        names += [json.loads(x[1])["model"] for x in up["down"].seen[n:]]
        same(row(r)["arm"], "m-" + spare)
    same(set(names), {"up-down"})
    # What one route has learned of the model holds for the other: once it is
    # left alone (4 failures), nobody calls it by any route.
    for route in ("alpha", "beta", "alpha", "beta"):
        post("/v1/chat/completions", {"model": route, "messages": [
            {"role": "user", "content": "play answer"}]}).read()
    n = len(up["down"].seen)
    same(n, 4)
    for route in ("alpha", "beta", "m-down"):
        r = post("/v1/chat/completions", {"model": route, "messages": [
            {"role": "user", "content": "play answer"}]})
        r.read()
        same((route, r.status), (route, 503 if route == "m-down" else 200))
    same(len(up["down"].seen), n)


def requests_at_once_do_not_overrun_a_routes_budget():
    """0.002 USD a request; the dear arm costs 0.03: one of fifteen."""
    ids, lock = [], threading.Lock()

    def some():
        for _ in range(15):
            r = post("/v1/chat/completions", {"model": "bounded", "max_tokens": 500, "messages": [
                {"role": "user", "content": "play answer " + "why? " * 900}]})
            r.read()
            with lock:
                ids.append((r.status, r.getheader("x-weir-arm"), r))
    threads = [threading.Thread(target=some) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    same({s for s, _, _ in ids}, {200})
    rows = [row(r) for _, _, r in ids]
    cost = sum(w["cost_pico"] for w in rows) / 1e12
    dear = sum(a == "dear" for _, a, _ in ids)
    assert dear > 0, "nothing dear was bought: the test shows nothing"
    assert cost <= 0.002 * len(ids) + 0.03, f"{cost} USD of {0.002 * len(ids)}, {dear} dear"


def own_memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+) kB", f.read())[1])


def memory_of_the_server_stays_as_it_was():
    """Whole answers, streams, calls, errors and cut streams of every pair of
    dialects: the same again takes no more memory.  By the program as it is
    shipped, as sanitizers keep what was freed."""
    import scripted
    config_file = DIR + "/memory.yaml"
    with open(config_file, "w") as f:
        f.write(config().replace(f"{DIR}/weir.db", f"{DIR}/memory.db").replace(
            "prompts: full", "prompts: features").replace("failures: 4", "failures: 60000"))
    program = os.path.abspath(os.environ.get("WEIR_RELEASE", "./weir"))
    server = subprocess.Popen([program, "serve", "--config", config_file, "--port-file",
                               DIR + "/memory.port"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, cwd=DIR)
    was = scripted.weir_port
    try:
        for _ in range(100):
            if os.path.exists(DIR + "/memory.port") and open(DIR + "/memory.port").read().strip():
                break
            time.sleep(0.05)
        scripted.weir_port = int(open(DIR + "/memory.port").read())

        def round_of_all():
            for c in TOOL_CLIENTS:
                for t in PROVIDERS:
                    for play, more in (("stream", {"stream": True}), ("tool", {"tools": True}),
                                       ("error", {}), ("cut", {"stream": True})):
                        ask(c, t, play, **more).read()
        for _ in range(48):  # then the log has its memory, too
            round_of_all()
        before = own_memory(server.pid)
        for _ in range(12):
            round_of_all()
        after = own_memory(server.pid)
        assert after <= before + 128, f"{before} kB, then {after} kB"
    finally:
        scripted.weir_port = was
        server.send_signal(signal.SIGTERM)
        same(server.wait(20), 0)


def down(self, s):
    s.sendall(reply({"error": {"message": "down", "type": "server_error"}},
                    "500 Internal Server Error"))


for name in ("answer", "stream"):
    setattr(up["down"], name, down.__get__(up["down"]))
run(config(), [cache_control_reaches_whoever_has_it_and_is_named_where_nobody_does,
               a_fallback_is_known_by_its_model_whatever_the_route_is_called,
               requests_at_once_do_not_overrun_a_routes_budget,
               memory_of_the_server_stays_as_it_was])
