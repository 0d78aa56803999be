# SPDX-License-Identifier: Apache-2.0
"""weir serve between clients and providers of OpenAI, Anthropic and Gemini:
scripted providers on one side, each dialect's shapes looked at on the other.
Every test's name is a sentence; each request leaves one row."""
import base64
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

WEIR = os.path.abspath(sys.argv[1])
KEY = "provider-secret-0123456789"
DIR = tempfile.mkdtemp(prefix="weir-dialects-")


def reply(body, status="200 OK", kind="application/json", extra=""):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    head = (f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{extra}"
            f"content-length: {len(body)}\r\n\r\n")
    return head.encode() + body


SSE = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
       b"transfer-encoding: chunked\r\n\r\n")
END = b"0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def data(obj):
    return b"data: " + json.dumps(obj).encode() + b"\n\n"


def named(obj):
    return b"event: " + obj["type"].encode() + b"\n" + data(obj)


# ---- what the providers say ----

ARGS = '{"city": "Bern"}'
OPENAI_ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüße"},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500,
              "prompt_tokens_details": {"cached_tokens": 400}}}
ANTHROPIC_ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
    "content": [{"type": "text", "text": "Grüße"}], "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 600, "cache_read_input_tokens": 400,
              "cache_creation_input_tokens": 0, "output_tokens": 500}}
GEMINI_ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Grüße"}]},
                    "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 1000, "cachedContentTokenCount": 400,
                      "candidatesTokenCount": 500, "totalTokenCount": 1500},
    "modelVersion": "m", "responseId": "r1"}


def with_tool(dialect):
    a = json.loads(json.dumps(WHOLE[dialect]))
    if dialect == "openai":
        a["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": ARGS}}]}
        a["choices"][0]["finish_reason"] = "tool_calls"
    elif dialect == "anthropic":
        a["content"] = [{"type": "tool_use", "id": "call_1", "name": "weather",
                         "input": {"city": "Bern"}}]
        a["stop_reason"] = "tool_use"
    else:
        a["candidates"][0]["content"]["parts"] = [
            {"functionCall": {"name": "weather", "args": {"city": "Bern"}}}]
    return a


WHOLE = {"openai": OPENAI_ANSWER, "anthropic": ANTHROPIC_ANSWER, "gemini": GEMINI_ANSWER}


def oai(delta, finish=None, usage=None):
    d = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
         "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if usage:
        d.update(choices=[], usage=usage)
    return data(d)


def ant(kind, **more):
    return named(dict(more, type=kind))


def gem(parts, finish=None, usage=None):
    d = {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
         "modelVersion": "m", "responseId": "r1"}
    if finish:
        d["candidates"][0]["finishReason"] = finish
    if usage:
        d["usageMetadata"] = usage
    return data(d)


ANT_START = ant("message_start", message=dict(
    ANTHROPIC_ANSWER, content=[], stop_reason=None,
    usage={"input_tokens": 600, "cache_read_input_tokens": 400, "output_tokens": 1}))
ANT_END = [ant("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
               usage={"output_tokens": 500}), ant("message_stop")]
OAI_USAGE = OPENAI_ANSWER["usage"]
GEM_USAGE = GEMINI_ANSWER["usageMetadata"]


def ant_text(i, *texts):
    return [ant("content_block_start", index=i, content_block={"type": "text", "text": ""})] + [
        ant("content_block_delta", index=i, delta={"type": "text_delta", "text": t})
        for t in texts] + [ant("content_block_stop", index=i)]


STREAM = {
    "openai": [oai({"role": "assistant", "content": "Grü"}), oai({"content": "ße"}),
               oai({}, "stop"), oai({}, usage=OAI_USAGE), b"data: [DONE]\n\n"],
    "anthropic": [ANT_START] + ant_text(0, "Grü", "ße") + ANT_END,
    "gemini": [gem([{"text": "Grü"}]), gem([{"text": "ße"}], "STOP", GEM_USAGE)],
}
TOOL_STREAM = {
    "openai": [oai({"role": "assistant", "tool_calls": [
        {"index": 0, "id": "call_1", "type": "function",
         "function": {"name": "weather", "arguments": ""}}]}),
        oai({"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]}),
        oai({"tool_calls": [{"index": 0, "function": {"arguments": '"Bern"}'}}]}),
        oai({}, "tool_calls"), oai({}, usage=OAI_USAGE), b"data: [DONE]\n\n"],
    "anthropic": [ANT_START,
                  ant("content_block_start", index=0, content_block={
                      "type": "tool_use", "id": "call_1", "name": "weather", "input": {}}),
                  ant("content_block_delta", index=0,
                      delta={"type": "input_json_delta", "partial_json": '{"city": '}),
                  ant("content_block_delta", index=0,
                      delta={"type": "input_json_delta", "partial_json": '"Bern"}'}),
                  ant("content_block_stop", index=0),
                  ant("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None},
                      usage={"output_tokens": 500}), ant("message_stop")],
    "gemini": [gem([{"functionCall": {"name": "weather", "args": {"city": "Bern"}}}], "STOP",
                   GEM_USAGE)],
}
ERROR = {
    "openai": {"error": {"message": "slow " + KEY, "type": "rate_limit_error", "code": None}},
    "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": "slow " + KEY}},
    "gemini": {"error": {"code": 429, "message": "slow " + KEY, "status": "RESOURCE_EXHAUSTED"}},
}
MID_ERROR = {
    "openai": data({"error": {"message": "gone " + KEY, "type": "server_error"}}),
    "anthropic": ant("error", error={"type": "overloaded_error", "message": "gone " + KEY}),
    "gemini": data({"error": {"code": 503, "message": "gone " + KEY, "status": "UNAVAILABLE"}}),
}


class Provider:
    """Answers as its dialect does what the text "play NAME" asks for."""

    def __init__(self, dialect):
        self.dialect = dialect
        self.seen = []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        got = b""
        try:
            while True:
                while b"\r\n\r\n" not in got:
                    more = s.recv(65536)
                    if not more:
                        return
                    got += more
                head, got = got.split(b"\r\n\r\n", 1)
                n = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                while len(got) < n:
                    got += s.recv(65536)
                body, got = got[:n], got[n:]
                self.seen.append((head.decode(), body))
                play = re.search(rb"play ([a-z_]+)", body)[1].decode()
                if getattr(self, play)(s) == "close":
                    s.close()
                    return
        except OSError:
            self.gone_at = time.time()

    def answer(self, s):
        s.sendall(reply(WHOLE[self.dialect]))

    def tool(self, s):
        s.sendall(reply(with_tool(self.dialect)))

    def events(self, s, events):
        s.sendall(SSE)
        for e in events:
            s.sendall(chunk(e))
        s.sendall(END)

    def stream(self, s):
        self.events(s, STREAM[self.dialect])

    def tool_stream(self, s):
        self.events(s, TOOL_STREAM[self.dialect])

    def bytewise(self, s):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(SSE)
        for b in b"".join(STREAM[self.dialect]):
            s.sendall(chunk(bytes([b])))
        s.sendall(END)

    def error(self, s):
        s.sendall(reply(ERROR[self.dialect], "429 Too Many Requests", extra="retry-after: 7\r\n"))

    def first(self):
        n = {"openai": 1, "anthropic": 3, "gemini": 1}[self.dialect]
        return STREAM[self.dialect][:n]

    def mid_error(self, s):
        self.events(s, self.first() + [MID_ERROR[self.dialect]])

    def early_error(self, s):
        self.events(s, [MID_ERROR[self.dialect]])

    def cut(self, s):
        s.sendall(SSE + chunk(b"".join(self.first())))
        return "close"

    def no_finish(self, s):
        self.events(s, self.first())

    def slow(self, s):
        s.sendall(SSE + chunk(b"".join(self.first())))
        time.sleep(2.6)
        for e in STREAM[self.dialect][len(self.first()):]:
            s.sendall(chunk(e))
        s.sendall(END)

    def endless(self, s):
        s.sendall(SSE + chunk(b"".join(self.first())))
        self.gone_at = None
        again = {"openai": oai({"content": "x"}), "gemini": gem([{"text": "x"}]),
                 "anthropic": ant("content_block_delta", index=0,
                                  delta={"type": "text_delta", "text": "x"})}[self.dialect]
        while True:
            s.sendall(chunk(again))
            time.sleep(0.01)


DIALECTS = ("openai", "anthropic", "gemini")
up = {d: Provider(d) for d in DIALECTS}


def config():
    base = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta"}
    text = f"""
listen: 127.0.0.1:0
workers: 1
classifier: none
log: {{path: {DIR}/weir.db, flush: 50ms, prompts: full, level: warn}}
limits: {{connect_time: 2s, drain_time: 5s, body: 2MB, ping_time: 1s}}
providers:
"""
    for d in DIALECTS:
        text += (f"  {d}: {{base_url: \"http://127.0.0.1:{up[d].port}{base[d]}\", "
                 f"api_key: {KEY}}}\n")
    text += "models:\n"
    for d in DIALECTS:
        text += (f"  m-{d}: {{provider: {d}, name: up-{d}, "
                 "price: {input: 1, output: 2, cached_input: 0.1}}\n")
    text += "routes:\n"
    for d in DIALECTS:
        text += f"  to-{d}: {{arms: [m-{d}], policy: fixed}}\n"
        text += f"  strict-{d}: {{arms: [m-{d}], policy: fixed, unsupported: reject}}\n"
        text += f"  quiet-{d}: {{arms: [m-{d}], policy: fixed, unsupported: drop}}\n"
    return text


# ---- the clients ----

def request(dialect, play, stream=False, tools=False, **more):
    text = "play " + play
    if dialect == "openai":
        b = {"messages": [{"role": "system", "content": "Be brief."},
                          {"role": "user", "content": text}], "max_tokens": 500}
        if tools:
            b["tools"] = [{"type": "function", "function": {
                "name": "weather", "description": "of a city", "parameters": SCHEMA}}]
        if stream:
            b["stream"] = True
    elif dialect == "anthropic":
        b = {"system": "Be brief.", "messages": [{"role": "user", "content": text}],
             "max_tokens": 500}
        if tools:
            b["tools"] = [{"name": "weather", "description": "of a city", "input_schema": SCHEMA}]
        if stream:
            b["stream"] = True
    else:
        b = {"systemInstruction": {"parts": [{"text": "Be brief."}]},
             "contents": [{"role": "user", "parts": [{"text": text}]}],
             "generationConfig": {"maxOutputTokens": 500}}
        if tools:
            b["tools"] = [{"functionDeclarations": [
                {"name": "weather", "description": "of a city", "parametersJsonSchema": SCHEMA}]}]
    b.update(more)
    return b


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
HEADERS = {"openai": {}, "anthropic": {"anthropic-version": "2023-06-01",
                                       "anthropic-beta": "beta-1,beta-2"}, "gemini": {}}


def path_of(dialect, model, stream):
    return {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
            "gemini": f"/v1beta/models/{model}:" +
            ("streamGenerateContent?alt=sse" if stream else "generateContent")}[dialect]


def post(path, body, headers={}):
    c = http.client.HTTPConnection("127.0.0.1", weir_port, timeout=20)
    c.request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(),
              dict(headers))
    return c.getresponse()


def ask(client, target, play, stream=False, tools=False, route="to", **more):
    model = f"{route}-{target}"
    body = request(client, play, stream, tools, **more)
    if client != "gemini":
        body["model"] = model
    return post(path_of(client, model, stream), body, HEADERS[client])


def frames(text):
    """(event, data) of an SSE stream; [DONE] stays a text."""
    out = []
    for frame in text.decode().split("\n\n"):
        lines = [l for l in frame.split("\n") if l and not l.startswith(":")]
        if not lines:
            continue
        name = next((l[7:] for l in lines if l.startswith("event: ")), "")
        body = next((l[6:] for l in lines if l.startswith("data: ")), "")
        out.append((name, body if body == "[DONE]" else json.loads(body)))
    return out


def seen_whole(client, a):
    """(text, calls, finish, input, cached, output) of a whole answer."""
    if client == "openai":
        m, u = a["choices"][0]["message"], a["usage"]
        calls = [(c["function"]["name"], json.loads(c["function"]["arguments"]))
                 for c in m.get("tool_calls") or []]
        return (m.get("content") or "", calls, a["choices"][0]["finish_reason"],
                u["prompt_tokens"], u["prompt_tokens_details"]["cached_tokens"],
                u["completion_tokens"])
    if client == "anthropic":
        u = a["usage"]
        cached = u.get("cache_read_input_tokens") or 0
        return ("".join(b["text"] for b in a["content"] if b["type"] == "text"),
                [(b["name"], b["input"]) for b in a["content"] if b["type"] == "tool_use"],
                a["stop_reason"], u["input_tokens"] + cached, cached, u["output_tokens"])
    c, u = a["candidates"][0], a["usageMetadata"]
    parts = c["content"]["parts"]
    return ("".join(p.get("text", "") for p in parts),
            [(p["functionCall"]["name"], p["functionCall"]["args"]) for p in parts
             if "functionCall" in p],
            c["finishReason"], u["promptTokenCount"], u.get("cachedContentTokenCount", 0),
            u["candidatesTokenCount"])


def seen_stream(client, text):
    events = frames(text)
    if client == "openai":
        assert events[-1][1] == "[DONE]", text
        whole, calls, finish, usage = "", {}, None, None
        for _, e in events[:-1]:
            for c in e["choices"]:
                whole += c["delta"].get("content") or ""
                for t in c["delta"].get("tool_calls") or []:
                    n = calls.setdefault(t["index"], ["", ""])
                    n[0] += t["function"].get("name") or ""
                    n[1] += t["function"].get("arguments") or ""
                finish = c["finish_reason"] or finish
            usage = e.get("usage") or usage
        return whole, [(n, json.loads(a)) for n, a in calls.values()], finish, usage
    if client == "anthropic":
        assert events[0][0] == "message_start" and events[-1][0] == "message_stop", text
        assert events[0][1]["message"]["usage"]["input_tokens"] > 0, text
        whole, calls, finish, usage, open_ = "", [], None, None, None
        for name, e in events:
            assert name == e["type"], e
            if name == "content_block_start":
                assert open_ is None, text
                open_ = e["index"]
                if e["content_block"]["type"] == "tool_use":
                    calls.append([e["content_block"]["name"], ""])
            elif name == "content_block_delta":
                assert e["index"] == open_
                whole += e["delta"].get("text", "")
                if "partial_json" in e["delta"]:
                    calls[-1][1] += e["delta"]["partial_json"]
            elif name == "content_block_stop":
                assert e["index"] == open_
                open_ = None
            elif name == "message_delta":
                finish, usage = e["delta"]["stop_reason"], e["usage"]
        return whole, [(n, json.loads(a)) for n, a in calls], finish, usage
    whole, calls, finish, usage = "", [], None, None
    for _, e in events:
        for c in e.get("candidates", []):
            for p in c.get("content", {}).get("parts", []):
                whole += p.get("text", "")
                if "functionCall" in p:
                    calls.append((p["functionCall"]["name"], p["functionCall"]["args"]))
            finish = c.get("finishReason") or finish
        usage = e.get("usageMetadata") or usage
    return whole, calls, finish, usage


STOP = {"openai": "stop", "anthropic": "end_turn", "gemini": "STOP"}
TOOLS = {"openai": "tool_calls", "anthropic": "tool_use", "gemini": "STOP"}


def row(response):
    ident = response.getheader("x-weir-request-id")
    for _ in range(300):
        db = sqlite3.connect(DIR + "/weir.db")
        db.row_factory = sqlite3.Row
        rows = db.execute("select * from requests where id=?", (ident,)).fetchall()
        if rows:
            return rows[0]
        time.sleep(0.05)
    raise AssertionError("no row for " + str(ident))


def same(a, b):
    assert a == b, f"\n  got    {a!r}\n  wanted {b!r}"


def pairs():
    return [(c, t) for c in DIALECTS for t in DIALECTS]


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
    for c, t in pairs():
        r = ask(c, t, "tool", tools=True)
        got = seen_whole(c, json.loads(r.read()))
        same((c, t) + got[1:3], (c, t, [("weather", {"city": "Bern"})], TOOLS[c]))
        r = ask(c, t, "tool_stream", stream=True, tools=True)
        got = seen_stream(c, r.read())
        same((c, t) + got[1:3], (c, t, [("weather", {"city": "Bern"})], TOOLS[c]))


def error_of(client, body):
    e = body["error"]
    if client == "openai":
        return e["message"], e["type"]
    if client == "anthropic":
        same(body["type"], "error")
        return e["message"], e["type"]
    return e["message"], e["status"]


LIMITED = {"openai": "rate_limit_error", "anthropic": "rate_limit_error",
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
    if c == "openai":
        same(events[-1][1], "[DONE]")
        assert "error" in events[-2][1], text
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
        if c != t:
            assert KEY.encode() not in text, text
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
    for c, t in pairs():
        r = ask(c, t, "slow", stream=True)
        text = r.read()
        mark = b"event: ping\n" if c == "anthropic" else b": waiting\n\n"
        assert mark in text, (c, t, text)
        if c != "anthropic":
            same(seen_stream(c, text)[0], "Grüße")


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


def get(path, headers={}, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", weir_port, timeout=20)
    c.request(method, path, headers=headers)
    r = c.getresponse()
    return r.status, json.loads(r.read())


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
        same((path, s), (path, 405 if client == "anthropic" else 404))
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
    for c in DIALECTS:
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
    a_stream_that_is_cut_is_an_error_and_the_row_says_so, a_waiting_stream_is_kept_alive,
    a_client_that_leaves_stops_its_provider, the_same_dialect_goes_through_byte_for_byte,
    each_provider_gets_its_own_headers_and_path,
    usage_is_asked_for_and_kept_from_who_did_not_ask,
    what_is_lost_is_told_dropped_or_refused_by_the_route,
    json_mode_is_no_reason_to_drop_another_dialect, tokens_are_counted_in_both_shapes,
    models_are_listed_in_each_shape, refusals_speak_the_paths_dialect,
    models_and_arms_are_found_in_every_dialects_place,
    a_conversation_has_the_same_features_in_every_dialect,
    images_and_results_reach_the_other_side,
]

with open(DIR + "/weir.yaml", "w") as f:
    f.write(config())
server = subprocess.Popen([WEIR, "serve", "--config", DIR + "/weir.yaml", "--port-file",
                           DIR + "/port"], stdout=subprocess.DEVNULL,
                          stderr=open(DIR + "/err", "w"), cwd=DIR)
failed = 0
try:
    for _ in range(200):
        if os.path.exists(DIR + "/port") and open(DIR + "/port").read().strip():
            break
        time.sleep(0.05)
    weir_port = int(open(DIR + "/port").read())
    for t in TESTS:
        if len(sys.argv) > 2 and sys.argv[2] not in t.__name__:
            continue
        try:
            t()
            print("ok    " + t.__name__.replace("_", " "))
        except Exception as e:
            failed += 1
            print("FAIL  " + t.__name__.replace("_", " ") + f": {type(e).__name__}: {e}")
        if server.poll() is not None:
            print("FAIL  the server ended")
            failed += 1
            break
finally:
    server.send_signal(signal.SIGTERM)
    try:
        status = server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        status = -9
if status != 0:
    failed += 1
    print(f"FAIL  the server ended with {status}")
if failed:
    print(open(DIR + "/err").read()[-6000:])
sys.exit(1 if failed else 0)
