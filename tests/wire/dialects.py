# SPDX-License-Identifier: Apache-2.0
"""weir serve between clients and providers of every dialect: scripted
providers on one side (scripted.py), each dialect's shapes looked at on the
other.  Every test's name is a sentence; each request leaves one row."""
from scripted import *

up = {d: Provider(d) for d in PROVIDERS}


def config():
    base = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta",
            "bedrock": "", "cohere": "/v2"}
    text = SETTINGS + "providers:\n"
    for d in PROVIDERS:
        text += (f"  p-{d}: {{dialect: {d}, base_url: \"http://127.0.0.1:{up[d].port}{base[d]}\","
                 f" api_key: {KEY}}}\n")
    text += "models:\n"
    for d in PROVIDERS:
        text += (f"  m-{d}: {{provider: p-{d}, name: up-{d}, "
                 "price: {input: 1, output: 2, cached_input: 0.1}}\n")
    text += "routes:\n"
    for d in PROVIDERS:
        text += f"  to-{d}: {{arms: [m-{d}], policy: fixed, retry: {{wait: 1ms, wait_max: 1ms}}}}\n"
        text += f"  strict-{d}: {{arms: [m-{d}], policy: fixed, unsupported: reject}}\n"
        text += f"  quiet-{d}: {{arms: [m-{d}], policy: fixed, unsupported: drop}}\n"
    return text


def pairs(clients=CLIENTS):
    return [(c, t) for c in clients for t in PROVIDERS]


def at_once(test, pairs):
    """The slow ones, side by side."""
    failed = []

    def one(c, t):
        try:
            test(c, t)
        except Exception as e:
            failed.append(f"{c} -> {t}: {type(e).__name__}: {e}")
    threads = [threading.Thread(target=one, args=p) for p in pairs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, "\n".join(failed)


def each_client_reaches_each_provider():
    for c, t in pairs():
        r = ask(c, t, "answer")
        body = r.read()
        same((c, t, r.status), (c, t, 200))
        same((c, t) + seen_whole(c, json.loads(body)),
             (c, t, "Grüße", [], STOP[c], 1000, 400, 500))
        same(r.getheader("x-weir-cost-usd"), "0.00164")
        w = row(r)
        same((w["dialect"], w["status"], w["cost_pico"], w["cached_tokens"], w["answer"]),
             (c, 200, 1640000000, 400, "Grüße"))


def each_client_streams_from_each_provider():
    for c, t in pairs():
        for play in ("stream", "bytewise"):
            r = ask(c, t, play, stream=True)
            text = r.read()
            same((c, t, r.status), (c, t, 200))
            same((c, t) + seen_stream(c, text)[:3], (c, t, "Grüße", [], STOP[c]))
            w = row(r)
            same((c, t, w["stream"], w["input_tokens"], w["output_tokens"], w["cost_pico"],
                  w["error"], w["answer"]),
                 (c, t, 1, 1000, 500, 1640000000, None, "Grüße"))


def tool_calls_go_both_ways():
    for c, t in pairs(TOOL_CLIENTS):
        r = ask(c, t, "tool", tools=True)
        got = seen_whole(c, json.loads(r.read()))
        same((c, t) + got[1:3], (c, t, [("weather", {"city": "Bern"})], TOOLS[c]))
        r = ask(c, t, "tool_stream", stream=True, tools=True)
        got = seen_stream(c, r.read())
        same((c, t) + got[1:3], (c, t, [("weather", {"city": "Bern"})], TOOLS[c]))


def error_of(client, body):
    e = body["error"]
    if client in ("openai", "responses", "completions"):
        return e["message"], e["type"]
    if client == "anthropic":
        same(body["type"], "error")
        return e["message"], e["type"]
    return e["message"], e["status"]


LIMITED = {"openai": "rate_limit_error", "responses": "rate_limit_error",
           "completions": "rate_limit_error", "anthropic": "rate_limit_error",
           "gemini": "RESOURCE_EXHAUSTED"}


def errors_come_in_the_clients_shape_without_the_key():
    for c, t in pairs():
        r = ask(c, t, "error")
        body = r.read()
        same((c, t, r.status, r.getheader("retry-after")), (c, t, 429, "7"))
        assert KEY.encode() not in body, body
        message, kind = error_of(c, json.loads(body))
        assert message.startswith("slow "), message
        same((c, t, kind), (c, t, LIMITED[c]))
        same(row(r)["status"], 429)


def ends_in_error(c, text):
    events = frames(text)
    if c in ("openai", "completions"):
        same(events[-1][1], "[DONE]")
        assert "error" in events[-2][1], text
    elif c == "responses":
        assert events[-1][0] in ("error", "response.failed"), text
        numbers = [e["sequence_number"] for _, e in events]
        assert numbers == sorted(set(numbers)), numbers
    elif c == "anthropic":
        same(events[-1][0], "error")
    else:
        assert "error" in events[-1][1], text


def an_error_in_mid_stream_is_an_error_of_the_clients_dialect():
    for c, t in pairs():
        r = ask(c, t, "mid_error", stream=True)
        text = r.read()
        same((c, t, r.status), (c, t, 200))
        assert "Gr".encode() in text, (c, t, text)
        ends_in_error(c, text)
        assert KEY.encode() not in text, (c, t, text)
        assert row(r)["error"], (c, t)


def an_error_before_the_first_event_is_a_status():
    for c, t in pairs():
        if c == t:
            continue
        r = ask(c, t, "early_error", stream=True)
        body = r.read()
        assert r.status >= 500, (c, t, r.status, body)
        error_of(c, json.loads(body))
        assert KEY.encode() not in body, body


def a_client_may_ask_for_fewer_attempts():
    for name in (None, "x-weir-retries", "x-litellm-num-retries"):
        for told, attempts in (("1", "2"), ("0", "1")) if name else ((None, "3"),):
            head = {**HEADERS["anthropic"], **({name: told} if name else {})}
            body = dict(request("anthropic", "early_error", True), model="to-openai")
            r = post("/v1/messages", body, head)
            r.read()
            same((name, told, r.getheader("x-weir-attempts")), (name, told, attempts))


def a_stream_that_is_cut_is_an_error_and_the_row_says_so():
    for c, t in pairs():
        for play in ("cut", "no_finish"):
            r = ask(c, t, play, stream=True)
            text = r.read()
            ends_in_error(c, text)
            w = row(r)
            same((c, t, play, w["error"], w["usage_estimated"]),
                 (c, t, play, "upstream_cut", 1))


def a_waiting_stream_is_kept_alive():
    def one(c, t):
        r = ask(c, t, "slow", stream=True)
        text = r.read()
        mark = b"event: ping\n" if c == "anthropic" else b": waiting\n\n"
        assert mark in text, text
        if c != "anthropic":
            same(seen_stream(c, text)[0], "Grüße")
    at_once(one, pairs())


def flood(self, s):
    """400 events of 60 kB, as fast as they are taken."""
    words = "x" * 60000
    again = {"openai": oai({"content": words}), "anthropic": ant(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": words}),
        "bedrock": aws("contentBlockDelta",
                       {"contentBlockIndex": 0, "delta": {"text": words}})}[self.dialect]
    self.sent = 0
    s.sendall(self.head() + chunk(b"".join(self.first())))
    for _ in range(400):
        s.sendall(chunk(again))
        self.sent += len(again)
    for e in STREAM[self.dialect][len(self.first()):]:
        s.sendall(chunk(e))
    s.sendall(END)


Provider.flood = flood


def a_slow_client_pauses_its_provider_also_in_another_dialect():
    for c, t in (("anthropic", "openai"), ("gemini", "bedrock")):
        body = request(c, "flood", True)
        if c != "gemini":
            body["model"] = "to-" + t
        data = json.dumps(body).encode()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262144)
        s.connect(("127.0.0.1", sys.modules["scripted"].weir_port))
        s.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
                  % (path_of(c, "to-" + t, True).encode(), len(data)) + data)
        time.sleep(1)
        at = up[t].sent
        assert at < 16 << 20, f"{c} -> {t}: {at} bytes were taken from the provider"
        got = 0
        while True:
            more = s.recv(1 << 20)
            if not more:
                break
            got += len(more)
        assert got > 400 * 60000, (c, t, got)


def a_client_that_leaves_stops_its_provider():
    for c, t in pairs():
        r = ask(c, t, "endless", stream=True)
        r.read(40)
        up[t].gone_at = None
        r.close()
        for _ in range(100):
            if up[t].gone_at:
                break
            time.sleep(0.05)
        assert up[t].gone_at, (c, t)
        w = row(r)
        same((c, t, w["status"], w["error"]), (c, t, 499, "client_gone"))
        assert w["cost_pico"] > 0


def the_same_dialect_goes_through_byte_for_byte():
    odd = (b'{ "max_tokens" : 1.6e1, "odd":[null , "\\ud83d\\ude00"],"messages": '
           b'[{"role":"user","content":"play answer"}], "model":"to-anthropi\\u0063"}')
    r = post("/v1/messages", odd, HEADERS["anthropic"])
    same(r.read(), json.dumps(ANTHROPIC_ANSWER).encode())
    head, sent = up["anthropic"].seen[-1]
    same(sent, odd.replace(b'"to-anthropi\\u0063"', b'"up-anthropic"'))
    odd = (b'{ "odd":1.50e3, "contents" : [{"role":"user","parts":[{"text":"play answer"}]}] }')
    r = post("/v1beta/models/to-gemini:generateContent", odd)
    same(r.read(), json.dumps(GEMINI_ANSWER).encode())
    head, sent = up["gemini"].seen[-1]
    same(sent, odd)
    for d in ("anthropic", "gemini"):
        r = ask(d, d, "stream", stream=True)
        same(r.read(), b"".join(STREAM[d]))


def each_provider_gets_its_own_headers_and_path():
    ask("anthropic", "anthropic", "answer").read()
    head = up["anthropic"].seen[-1][0].lower()
    assert head.startswith("post /v1/messages http"), head
    assert "x-api-key: " + KEY in head and "anthropic-beta: beta-1,beta-2" in head, head
    assert "anthropic-version: 2023-06-01" in head, head
    ask("openai", "anthropic", "answer").read()
    head = up["anthropic"].seen[-1][0].lower()
    assert "anthropic-version: 2023-06-01" in head and "authorization" not in head, head
    ask("anthropic", "gemini", "stream", stream=True).read()
    head = up["gemini"].seen[-1][0]
    assert head.startswith("POST /v1beta/models/up-gemini:streamGenerateContent?alt=sse "), head
    assert "x-goog-api-key: " + KEY in head and "beta-1" not in head, head
    ask("gemini", "openai", "answer").read()
    head = up["openai"].seen[-1][0]
    assert head.startswith("POST /v1/chat/completions "), head
    assert "authorization: Bearer " + KEY in head, head


def usage_is_asked_for_and_kept_from_who_did_not_ask():
    for t in ("anthropic", "gemini"):
        r = ask("openai", t, "stream", stream=True)
        same(seen_stream("openai", r.read())[3], None)
        r = ask("openai", t, "stream", stream=True, stream_options={"include_usage": True})
        u = seen_stream("openai", r.read())[3]
        same((u["prompt_tokens"], u["completion_tokens"]), (1000, 500))
    ask("anthropic", "openai", "stream", stream=True).read()
    same(json.loads(up["openai"].seen[-1][1])["stream_options"], {"include_usage": True})


def what_is_lost_is_told_dropped_or_refused_by_the_route():
    r = ask("openai", "anthropic", "answer", logit_bias={"1": 2})
    r.read()
    assert "logit_bias" in r.getheader("x-weir-warnings"), r.getheaders()
    r = ask("openai", "anthropic", "answer", logit_bias={"1": 2}, route="quiet")
    r.read()
    same((r.status, r.getheader("x-weir-warnings")), (200, None))
    same(row(r)["losses"], "parameter=logit_bias")
    n = len(up["anthropic"].seen)
    r = ask("openai", "anthropic", "answer", logit_bias={"1": 2}, route="strict")
    body = json.loads(r.read())
    same((r.status, body["error"]["code"]), (400, "unsupported_parameter"))
    assert "logit_bias" in body["error"]["message"], body
    same(len(up["anthropic"].seen), n)
    r = ask("openai", "openai", "answer", logit_bias={"1": 2}, route="strict")
    r.read()
    same((r.status, r.getheader("x-weir-warnings")), (200, None))


def json_mode_is_no_reason_to_drop_another_dialect():
    for t in ("anthropic", "gemini"):
        r = ask("openai", t, "answer", response_format={"type": "json_object"})
        r.read()
        same((t, r.status), (t, 200))


def tokens_are_counted_in_both_shapes():
    body = request("anthropic", "answer")
    del body["max_tokens"]
    r = post("/v1/messages/count_tokens", dict(body, model="to-openai"))
    assert json.loads(r.read())["input_tokens"] > 3
    r = post("/v1beta/models/to-openai:countTokens", request("gemini", "answer"))
    assert json.loads(r.read())["totalTokens"] > 3
    r = post("/v1beta/models/to-openai:countTokens",
             {"generateContentRequest": request("gemini", "answer")})
    assert json.loads(r.read())["totalTokens"] > 3


def every_client_s_messages_are_logged_alike():
    for c in TOOL_CLIENTS:
        r = ask(c, "openai", "answer", tools=True)
        r.read()
        w = row(r)
        m = json.loads(w["messages"])
        flat = [(x["role"], x["content"] if isinstance(x["content"], str) else
                 "".join(p["text"] for p in x["content"])) for x in m]
        same((c, flat), (c, [("system", "Be brief."), ("user", "play answer")]))
        same((c, json.loads(w["tools"])[0]["function"]["name"]), (c, "weather"))
        assert "500" in w["params"], (c, w["params"])
    r = ask("completions", "openai", "answer")
    r.read()
    same(json.loads(row(r)["messages"]), [{"role": "user", "content": "play answer"}])


def models_are_listed_in_each_shape():
    s, b = get("/v1/models")
    assert s == 200 and b["object"] == "list"
    s, b = get("/v1/models", {"anthropic-version": "2023-06-01"})
    assert s == 200 and b["data"][0]["type"] == "model" and b["has_more"] is False, b
    same(b["first_id"], b["data"][0]["id"])
    s, b = get("/v1/models/m-gemini", {"anthropic-version": "2023-06-01"})
    same((s, b["id"], b["type"]), (200, "m-gemini", "model"))
    s, b = get("/v1beta/models")
    assert s == 200 and b["models"][0]["name"].startswith("models/"), b
    s, b = get("/v1beta/models/to-openai")
    same((s, b["name"]), (200, "models/to-openai"))


def refusals_speak_the_paths_dialect():
    for path, client in (("/v1/messages", "anthropic"), ("/v1beta/models/x:generateContent",
                                                         "gemini")):
        s, b = get(path)
        same((path, s), (path, 405))
        error_of(client, b)
        r = post(path, b"x" * 3000000)
        same(r.status, 413)
        error_of(client, json.loads(r.read()))
        r = post(path, b"{bad")
        same(r.status, 400)
        error_of(client, json.loads(r.read()))
    s, b = get("/v1beta/nothing")
    same((s, b["error"]["status"]), (404, "NOT_FOUND"))
    r = post("/v1/messages", dict(request("anthropic", "answer"), model="none"))
    b = json.loads(r.read())
    same((r.status, b["error"]["type"]), (404, "not_found_error"))
    r = post("/v1beta/models/none:generateContent", request("gemini", "answer"))
    same((r.status, json.loads(r.read())["error"]["status"]), (404, "NOT_FOUND"))


def models_and_arms_are_found_in_every_dialects_place():
    for name in ("m-anthropic", "up-anthropic", "anthropic/up-anthropic"):
        r = post(f"/v1beta/models/{name.replace('/', '%2F')}:generateContent",
                 request("gemini", "answer"))
        same((name, r.status, r.getheader("x-weir-model")), (name, 200, "up-anthropic"))
        r.read()


def a_conversation_has_the_same_features_in_every_dialect():
    got = set()
    for c in TOOL_CLIENTS:
        r = ask(c, "openai", "answer", tools=True)
        r.read()
        w = row(r)
        got.add((bytes(w["features"]), w["est_input"], w["session"]))
    same(len(got), 1)


def images_and_results_reach_the_other_side():
    pixel = base64.b64encode(b"\x89PNG....").decode()
    r = post("/v1/messages", {"model": "to-openai", "max_tokens": 50, "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "play answer"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                         "data": pixel}}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bern"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}]}]},
        HEADERS["anthropic"])
    r.read()
    same(r.status, 200)
    m = json.loads(up["openai"].seen[-1][1])["messages"]
    same([x["role"] for x in m], ["user", "assistant", "tool"])
    assert pixel in json.dumps(m[0]), m
    same((m[2]["tool_call_id"], m[2]["content"]), ("t1", "sunny"))


TESTS = [
    each_client_reaches_each_provider, each_client_streams_from_each_provider,
    tool_calls_go_both_ways, errors_come_in_the_clients_shape_without_the_key,
    an_error_in_mid_stream_is_an_error_of_the_clients_dialect,
    an_error_before_the_first_event_is_a_status,
    a_client_may_ask_for_fewer_attempts,
    a_stream_that_is_cut_is_an_error_and_the_row_says_so, a_waiting_stream_is_kept_alive,
    a_slow_client_pauses_its_provider_also_in_another_dialect,
    a_client_that_leaves_stops_its_provider, the_same_dialect_goes_through_byte_for_byte,
    each_provider_gets_its_own_headers_and_path,
    usage_is_asked_for_and_kept_from_who_did_not_ask,
    what_is_lost_is_told_dropped_or_refused_by_the_route,
    json_mode_is_no_reason_to_drop_another_dialect, tokens_are_counted_in_both_shapes,
    every_client_s_messages_are_logged_alike, models_are_listed_in_each_shape, refusals_speak_the_paths_dialect,
    models_and_arms_are_found_in_every_dialects_place,
    a_conversation_has_the_same_features_in_every_dialect,
    images_and_results_reach_the_other_side,
]

run(config(), TESTS)
