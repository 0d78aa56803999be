# SPDX-License-Identifier: Apache-2.0
"""What wire tests of dialects share: scripted providers and the clients'
shapes, a row each dialect; weir before them.  No test stands here."""
import base64
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

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
AWS = SSE.replace(b"text/event-stream", b"application/vnd.amazon.eventstream")
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


RESPONSES_ANSWER = {
    "id": "resp_1", "object": "response", "created_at": 1700000000, "status": "completed",
    "model": "m", "error": None, "incomplete_details": None, "output": [
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
         "content": [{"type": "output_text", "text": "Grüße", "annotations": []}]}],
    "usage": {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 400},
              "output_tokens": 500, "output_tokens_details": {"reasoning_tokens": 0},
              "total_tokens": 1500}}
BEDROCK_ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Grüße"}]}},
    "stopReason": "end_turn", "metrics": {"latencyMs": 1},
    "usage": {"inputTokens": 600, "cacheReadInputTokens": 400, "outputTokens": 500,
              "totalTokens": 1500}}
# What is billed is less than what was read: that is what must be paid.
COHERE_ANSWER = {
    "id": "c1", "message": {"role": "assistant", "content": [{"type": "text", "text": "Grüße"}]},
    "finish_reason": "COMPLETE",
    "usage": {"billed_units": {"input_tokens": 640, "output_tokens": 500},
              "tokens": {"input_tokens": 1000, "output_tokens": 500}, "cached_tokens": 400}}


def with_tool(dialect):
    a = json.loads(json.dumps(WHOLE[dialect]))
    if dialect == "responses":
        a["output"] = [{"type": "function_call", "id": "fc_1", "call_id": "call_1",
                        "name": "weather", "arguments": ARGS, "status": "completed"}]
    elif dialect == "bedrock":
        a["output"]["message"]["content"] = [
            {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Bern"}}}]
        a["stopReason"] = "tool_use"
    elif dialect == "cohere":
        a["message"] = {"role": "assistant", "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": ARGS}}]}
        a["finish_reason"] = "TOOL_CALL"
    elif dialect == "openai":
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


WHOLE = {"openai": OPENAI_ANSWER, "anthropic": ANTHROPIC_ANSWER, "gemini": GEMINI_ANSWER,
         "responses": RESPONSES_ANSWER, "bedrock": BEDROCK_ANSWER, "cohere": COHERE_ANSWER}


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


def numbered(*events):
    """Events of the Responses API, in their order."""
    return [named(dict(e, sequence_number=i)) for i, e in enumerate(events)]


def aws(name, obj, kind="event"):
    """A frame of Amazon's event stream."""
    def head(key, value):
        return (bytes([len(key)]) + key.encode() + b"\x07" +
                struct.pack(">H", len(value)) + value.encode())
    headers = (head(f":{kind}-type", name) + head(":content-type", "application/json") +
               head(":message-type", kind))
    body = json.dumps(obj).encode()
    start = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    frame = start + struct.pack(">I", zlib.crc32(start)) + headers + body
    return frame + struct.pack(">I", zlib.crc32(frame))


def co(kind, index=None, **message):
    e = {"type": kind}
    if index is not None:
        e["index"] = index
    if message:
        e["delta"] = {"message": message}
    return named(e)


RES_BARE = dict(RESPONSES_ANSWER, status="in_progress", output=[], usage=None)
RES_ITEM = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant",
            "content": []}
RES_CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather",
            "arguments": "", "status": "in_progress"}


def res_delta(text):
    return {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0,
            "content_index": 0, "delta": text, "logprobs": []}


def res_args(text):
    return {"type": "response.function_call_arguments.delta", "item_id": "fc_1",
            "output_index": 0, "delta": text}


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
    "responses": numbered(
        {"type": "response.created", "response": RES_BARE},
        {"type": "response.output_item.added", "output_index": 0, "item": RES_ITEM},
        {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0,
         "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}},
        res_delta("Grü"), res_delta("ße"),
        {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0,
         "content_index": 0, "text": "Grüße"},
        {"type": "response.output_item.done", "output_index": 0,
         "item": RESPONSES_ANSWER["output"][0]},
        {"type": "response.completed", "response": RESPONSES_ANSWER}),
    "bedrock": [aws("messageStart", {"role": "assistant"}),
                aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grü"}}),
                aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "ße"}}),
                aws("contentBlockStop", {"contentBlockIndex": 0}),
                aws("messageStop", {"stopReason": "end_turn"}),
                aws("metadata", {"usage": BEDROCK_ANSWER["usage"], "metrics": {"latencyMs": 1}})],
    "cohere": [named({"type": "message-start", "id": "c1",
                      "delta": {"message": {"role": "assistant", "content": []}}}),
               co("content-start", 0, content={"type": "text", "text": ""}),
               co("content-delta", 0, content={"text": "Grü"}),
               co("content-delta", 0, content={"text": "ße"}), co("content-end", 0),
               named({"type": "message-end", "delta": {
                   "finish_reason": "COMPLETE", "usage": COHERE_ANSWER["usage"]}})],
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
    "responses": numbered(
        {"type": "response.created", "response": RES_BARE},
        {"type": "response.output_item.added", "output_index": 0, "item": RES_CALL},
        res_args('{"city": '), res_args('"Bern"}'),
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 0,
         "arguments": ARGS},
        {"type": "response.output_item.done", "output_index": 0,
         "item": dict(RES_CALL, arguments=ARGS, status="completed")},
        {"type": "response.completed", "response": dict(
            RESPONSES_ANSWER, output=[dict(RES_CALL, arguments=ARGS, status="completed")])}),
    "bedrock": [aws("messageStart", {"role": "assistant"}),
                aws("contentBlockStart", {"contentBlockIndex": 0, "start": {
                    "toolUse": {"toolUseId": "call_1", "name": "weather"}}}),
                aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {
                    "toolUse": {"input": '{"city": '}}}),
                aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {
                    "toolUse": {"input": '"Bern"}'}}}),
                aws("contentBlockStop", {"contentBlockIndex": 0}),
                aws("messageStop", {"stopReason": "tool_use"}),
                aws("metadata", {"usage": BEDROCK_ANSWER["usage"]})],
    "cohere": [named({"type": "message-start", "id": "c1",
                      "delta": {"message": {"role": "assistant", "content": []}}}),
               co("tool-call-start", 0, tool_calls={
                   "id": "call_1", "type": "function",
                   "function": {"name": "weather", "arguments": ""}}),
               co("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city": '}}),
               co("tool-call-delta", 0, tool_calls={"function": {"arguments": '"Bern"}'}}),
               co("tool-call-end", 0),
               named({"type": "message-end", "delta": {
                   "finish_reason": "TOOL_CALL", "usage": COHERE_ANSWER["usage"]}})],
}
ERROR = {
    "openai": {"error": {"message": "slow " + KEY, "type": "rate_limit_error", "code": None}},
    "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": "slow " + KEY}},
    "gemini": {"error": {"code": 429, "message": "slow " + KEY, "status": "RESOURCE_EXHAUSTED"}},
    "bedrock": {"message": "slow " + KEY},
    "cohere": {"id": "e1", "message": "slow " + KEY},
}
ERROR["responses"] = ERROR["openai"]
MID_ERROR = {
    "openai": data({"error": {"message": "gone " + KEY, "type": "server_error"}}),
    "anthropic": ant("error", error={"type": "overloaded_error", "message": "gone " + KEY}),
    "gemini": data({"error": {"code": 503, "message": "gone " + KEY, "status": "UNAVAILABLE"}}),
    "responses": named({"type": "error", "code": "server_error", "message": "gone " + KEY,
                        "param": None, "sequence_number": 4}),
    "bedrock": aws("internalServerException", {"message": "gone " + KEY}, "exception"),
    "cohere": named({"type": "error", "message": "gone " + KEY}),
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

    def head(self):
        return AWS if self.dialect == "bedrock" else SSE

    def events(self, s, events):
        s.sendall(self.head())
        for e in events:
            s.sendall(chunk(e))
        s.sendall(END)

    def stream(self, s):
        self.events(s, STREAM[self.dialect])

    def tool_stream(self, s):
        self.events(s, TOOL_STREAM[self.dialect])

    def bytewise(self, s):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(self.head())
        for b in b"".join(STREAM[self.dialect]):
            s.sendall(chunk(bytes([b])))
        s.sendall(END)

    def error(self, s):
        s.sendall(reply(ERROR[self.dialect], "429 Too Many Requests", extra=(
            "retry-after: 7\r\nx-amzn-errortype: ThrottlingException:http://\r\n")))

    def first(self):
        n = {"openai": 1, "anthropic": 3, "gemini": 1, "responses": 4, "bedrock": 2,
             "cohere": 3}[self.dialect]
        return STREAM[self.dialect][:n]

    def mid_error(self, s):
        self.events(s, self.first() + [MID_ERROR[self.dialect]])

    def early_error(self, s):
        self.events(s, [MID_ERROR[self.dialect]])

    def cut(self, s):
        s.sendall(self.head() + chunk(b"".join(self.first())))
        return "close"

    def no_finish(self, s):
        self.events(s, self.first())

    def slow(self, s):
        s.sendall(self.head() + chunk(b"".join(self.first())))
        time.sleep(2.6)
        for e in STREAM[self.dialect][len(self.first()):]:
            s.sendall(chunk(e))
        s.sendall(END)

    def silent(self, s):
        time.sleep(2)
        return "close"

    def endless(self, s):
        s.sendall(self.head() + chunk(b"".join(self.first())))
        self.gone_at = None
        again = {"openai": oai({"content": "x"}), "gemini": gem([{"text": "x"}]),
                 "anthropic": ant("content_block_delta", index=0,
                                  delta={"type": "text_delta", "text": "x"}),
                 "responses": named(dict(res_delta("x"), sequence_number=9)),
                 "bedrock": aws("contentBlockDelta",
                                {"contentBlockIndex": 0, "delta": {"text": "x"}}),
                 "cohere": co("content-delta", 0, content={"text": "x"})}[self.dialect]
        while True:
            s.sendall(chunk(again))
            time.sleep(0.01)


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
    elif dialect == "responses":
        b = {"instructions": "Be brief.", "input": text, "max_output_tokens": 500}
        if tools:
            b["tools"] = [{"type": "function", "name": "weather", "description": "of a city",
                           "parameters": SCHEMA, "strict": False}]
        if stream:
            b["stream"] = True
    elif dialect == "completions":
        b = {"prompt": text, "max_tokens": 500}
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
HEADERS = {"openai": {}, "responses": {}, "completions": {}, "anthropic": {"anthropic-version": "2023-06-01",
                                       "anthropic-beta": "beta-1,beta-2"}, "gemini": {}}


def path_of(dialect, model, stream):
    return {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
            "responses": "/v1/responses", "completions": "/v1/completions",
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
    if client == "completions":
        c, u = a["choices"][0], a["usage"]
        same(a["object"], "text_completion")
        return (c["text"], [], c["finish_reason"], u["prompt_tokens"],
                u["prompt_tokens_details"]["cached_tokens"], u["completion_tokens"])
    if client == "responses":
        u = a["usage"]
        same((a["object"], a["error"], a["incomplete_details"]), ("response", None, None))
        return ("".join(p["text"] for o in a["output"] if o["type"] == "message"
                        for p in o["content"]),
                [(o["name"], json.loads(o["arguments"])) for o in a["output"]
                 if o["type"] == "function_call"],
                a["status"], u["input_tokens"], u["input_tokens_details"]["cached_tokens"],
                u["output_tokens"])
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


def seen_responses(events):
    """Sequence numbers rise by one, items open and close, the last event
    repeats the answer."""
    same([e["sequence_number"] for _, e in events], list(range(len(events))))
    text, args, open_ = "", {}, None
    for name, e in events:
        same(name, e["type"])
        if name == "response.output_item.added":
            same(open_, None)
            open_ = e["output_index"]
        elif name == "response.output_text.delta":
            text += e["delta"]
        elif name == "response.function_call_arguments.delta":
            args[e["output_index"]] = args.get(e["output_index"], "") + e["delta"]
        elif name == "response.output_item.done":
            same(open_, e["output_index"])
            open_ = None
            if e["item"]["type"] == "function_call":
                same(args[e["output_index"]], e["item"]["arguments"])
    same((events[0][0], events[-1][0], open_), ("response.created", "response.completed", None))
    whole = events[-1][1]["response"]
    got = seen_whole("responses", whole)
    same(got[0], text)
    return got[:3] + (whole["usage"],)


def seen_stream(client, text):
    events = frames(text)
    if client == "responses":
        return seen_responses(events)
    if client == "completions":
        same(events[-1][1], "[DONE]")
        got = [c for _, e in events[:-1] for c in e["choices"]]
        return ("".join(c["text"] for c in got), [],
                next((c["finish_reason"] for c in got if c["finish_reason"]), None),
                next((e["usage"] for _, e in events[:-1] if e.get("usage")), None))
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


STOP = {"responses": "completed", "completions": "stop", "openai": "stop", "anthropic": "end_turn", "gemini": "STOP"}
TOOLS = {"responses": "completed", "openai": "tool_calls", "anthropic": "tool_use", "gemini": "STOP"}


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


PROVIDERS = ("openai", "responses", "anthropic", "gemini", "bedrock", "cohere")
CLIENTS = ("openai", "responses", "completions", "anthropic", "gemini")
TOOL_CLIENTS = tuple(c for c in CLIENTS if c != "completions")
SETTINGS = f"""
listen: 127.0.0.1:0
workers: 1
classifier: none
log: {{path: {DIR}/weir.db, flush: 50ms, prompts: full, level: warn}}
limits: {{connect_time: 2s, drain_time: 5s, body: 2MB, ping_time: 1s}}
health: {{failures: 60000, min_calls: 60000}}
"""


def get(path, headers={}, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", weir_port, timeout=20)
    c.request(method, path, headers=headers)
    r = c.getresponse()
    return r.status, json.loads(r.read())


def serve(config, env={}):
    global weir_port
    with open(DIR + "/weir.yaml", "w") as f:
        f.write(config)
    server = subprocess.Popen([WEIR, "serve", "--config", DIR + "/weir.yaml", "--port-file",
                               DIR + "/port"], stdout=subprocess.DEVNULL,
                              stderr=open(DIR + "/err", "w"), cwd=DIR,
                              env=dict(os.environ, **env))
    for _ in range(200):
        if os.path.exists(DIR + "/port") and open(DIR + "/port").read().strip():
            weir_port = int(open(DIR + "/port").read())
            return server
        if server.poll() is not None:
            break
        time.sleep(0.05)
    server.kill()
    sys.exit("weir did not start: " + open(DIR + "/err").read())


def run(config, tests, env={}):
    """Each test before one server; ends the program."""
    server, failed = serve(config, env), 0
    try:
        for t in tests:
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
