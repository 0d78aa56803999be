# SPDX-License-Identifier: Apache-2.0
"""weir serve between raw sockets: a provider that plays scripts byte for byte
on one side, a client that looks at every byte on the other.  Every test's
name is a sentence; each leaves exactly one row for each request."""
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
KEY = "sk-provider-secret-0123456789"
DIR = tempfile.mkdtemp(prefix="weir-wire-")
failures = []


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


SSE = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
       b"transfer-encoding: chunked\r\n\r\n")


def whole(body, status="200 OK", extra=b"", kind=b"application/json"):
    return (b"HTTP/1.1 " + status.encode() + b"\r\ncontent-type: " + kind +
            b"\r\n" + extra + b"content-length: %d\r\n\r\n" % len(body) + body)


def event(content=None, finish=None, usage=None, **more):
    d = {"id": "c", "object": "chat.completion.chunk", "choices": []}
    if content is not None or finish:
        d["choices"] = [{"index": 0, "delta": {} if content is None else
                         {"content": content}, "finish_reason": finish}]
    d["usage"] = usage
    d.update(more)
    return b"data: " + json.dumps(d, ensure_ascii=False).encode() + b"\n\n"


ANSWER = (b'{"id":"x", "choices":[ {"index":0,"message":{"role":"assistant",'
          b'"content":"Gr\xc3\xbc\xc3\x9fe \\u00e4", "odd_field":1.50e3},'
          b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,'
          b'"completion_tokens":500,"total_tokens":1500,'
          b'"prompt_tokens_details":{"cached_tokens":400}}, "unknown":[ ] }')
USAGE = {"prompt_tokens": 11, "completion_tokens": 7}
DONE = b"data: [DONE]\n\n"
FIRST, SECOND = event("Hal"), event("lo \u00fc\U0001f600")
LAST, COUNT = event(finish="stop"), event(usage=USAGE)
END = b"0\r\n\r\n"


class Upstream:
    """Plays SCRIPTS[name] for a request whose text is "play NAME"; a script
    is a function of (socket, model)."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.seen = []
        self.gone_at = None
        self.sent = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    got = s.recv(65536)
                    if not got:
                        return
                    data += got
                head, data = data.split(b"\r\n\r\n", 1)
                n = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
                while len(data) < n:
                    data += s.recv(65536)
                body, data = data[:n], data[n:]
                self.seen.append((head, body))
                play = re.search(rb"play ([a-z_]+)", body)[1].decode()
                model = json.loads(body)["model"]
                if SCRIPTS[play](self, s, model) == "close":
                    s.close()
                    return
        except OSError:
            self.gone_at = time.time()


def send(*pieces):
    def play(up, s, model):
        for p in pieces:
            s.sendall(p)
    return play


def send_close(*pieces):
    def play(up, s, model):
        for p in pieces:
            s.sendall(p)
        return "close"
    return play


def by_model(**plays):
    return lambda up, s, model: plays[model](up, s, model)


def bytewise(up, s, model):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for b in SSE + chunk(FIRST) + chunk(SECOND + LAST) + chunk(COUNT + DONE) + END:
        s.sendall(bytes([b]))


def slowly(up, s, model):
    s.sendall(SSE + chunk(FIRST))
    time.sleep(0.5)
    s.sendall(chunk(SECOND + LAST + COUNT + DONE) + END)


def endless(up, s, model):
    s.sendall(SSE)
    up.gone_at = None
    while True:
        s.sendall(chunk(event("word ")))
        time.sleep(0.01)


def flood(up, s, model):
    s.sendall(SSE)
    up.sent = 0
    big = chunk(event("x" * 60000))
    for _ in range(400):
        s.sendall(big)
        up.sent += len(big)
    s.sendall(chunk(LAST + DONE) + END)


def late(up, s, model):
    time.sleep(0.6)
    s.sendall(whole(ANSWER))


ERROR = b'{"error":{"message":"slow down, %s","type":"rate_limit_error"}}'
GOOD = send(whole(ANSWER))
SCRIPTS = {
    "answer": GOOD,
    "stream": send(SSE, chunk(FIRST), chunk(SECOND + LAST), chunk(COUNT), chunk(DONE), END),
    "comments": send(SSE, chunk(b": PROCESSING\r\n\r\n" + FIRST.replace(b"\n", b"\r\n")),
                     chunk(LAST + DONE), END),
    "bytewise": bytewise, "slowly": slowly, "endless": endless, "flood": flood, "late": late,
    "no_done": send(SSE, chunk(FIRST + LAST), END),
    "no_finish": send(SSE, chunk(FIRST), END),
    "cut": send_close(SSE, chunk(FIRST)),
    "half_event": send(SSE, chunk(FIRST + b'data: {"choi'), END),
    "bad_event": send(SSE, chunk(FIRST), chunk(b"data: {nonsense\n\n"), END),
    "error_event": send(SSE, chunk(FIRST), chunk(b'data: {"error":{"message":"overloaded","type":"x_error"}}\n\n'), END),
    "nothing": by_model(dear=GOOD, cheap=send_close()),
    "empty_stream": by_model(cheap=send_close(SSE), dear=send(SSE, chunk(FIRST + LAST + DONE), END)),
    "html": send(whole(b"<html>no</html>", kind=b"text/html")),
    "other_json": send(whole(b'{"hello":1}')),
    "half": send_close(whole(ANSWER)[:-20]),
    "limited": by_model(cheap=send(whole(ERROR % b"cheap", "429 Too Many Requests", b"retry-after: 7\r\n")), dear=GOOD),
    "limited_all": send(whole(ERROR % b"all", "429 Too Many Requests", b"retry-after: 7\r\n")),
    "broken": by_model(cheap=send(whole(b"oops", "503 Service Unavailable")), dear=GOOD),
    "broken_all": send(whole(b"oops", "503 Service Unavailable")),
    "refused": send(whole(ERROR % b"no", "400 Bad Request")),
    "echo_key": send(whole(ERROR % KEY.encode(), "401 Unauthorized")),
    "whole_for_stream": send(whole(ANSWER)),
}


def config(port, extra=""):
    return f"""
listen: 127.0.0.1:0
workers: 2
classifier: none
log: {{path: {DIR}/weir.db, flush: 50ms, prompts: full, level: debug}}
limits: {{connect_time: 2s, drain_time: 5s, body: 2MB}}
health: {{failures: 60000, min_calls: 60000}}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: {KEY}}}
  q: {{dialect: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: {KEY}}}
models:
  cheap: {{provider: p, tier: economy, price: {{input: 1, output: 2, cached_input: 0.1}}}}
  dear: {{provider: p, tier: frontier, price: {{input: 10, output: 20}}}}
  q_cheap: {{provider: q, name: cheap, tier: economy, price: {{input: 1, output: 2}}}}
  q_dear: {{provider: q, name: dear, tier: frontier, price: {{input: 10, output: 20}}}}
routes:
  auto: {{arms: [cheap, dear], policy: fixed, reference: cheap}}
  limited: {{arms: [q_cheap, q_dear], policy: fixed, reference: q_cheap}}
{extra}"""


def ask(play, headers={}, **more):
    c = http.client.HTTPConnection("127.0.0.1", weir_port, timeout=20)
    body = {"model": "auto", "messages": [{"role": "user", "content": "play " + play}]}
    body.update(more)
    data = json.dumps(body).encode()
    c.request("POST", "/v1/chat/completions", data, headers)
    return c.getresponse()


def raw(method, path, body=b"", headers={}):
    c = http.client.HTTPConnection("127.0.0.1", weir_port, timeout=20)
    c.request(method, path, body, headers)
    r = c.getresponse()
    return r.status, r.read()


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


def a_request_reaches_its_provider_byte_for_byte_but_its_model():
    body = (b'{ "messages" : [{"role":"user","content":"play answer"}] , "x":1.0e+5,'
            b'"model":"au\\u0074o", "y":[null , "\\ud83d\\ude00"]}')
    s, got = raw("POST", "/v1/chat/completions", body)
    same(s, 200)
    head, sent = up.seen[-1]
    same(sent, body.replace(b'"au\\u0074o"', b'"cheap"'))
    assert b"Bearer " + KEY.encode() in head
    same(got, ANSWER)


def an_answer_says_what_was_done_and_what_it_cost():
    r = ask("answer")
    same(r.read(), ANSWER)
    same(r.getheader("x-weir-arm"), "cheap")
    same(r.getheader("x-weir-model"), "cheap")
    # 600 fresh at 1, 400 cached at 0.1, 500 out at 2 USD a million
    same(r.getheader("x-weir-cost-usd"), "0.00164")
    assert float(r.getheader("x-weir-decision-us")) > 0
    same(r.getheader("x-request-id"), r.getheader("x-weir-request-id"))
    w = row(r)
    same((w["status"], w["cost_pico"], w["cached_tokens"], w["finish"], w["attempts"]),
         (200, 1640000000, 400, "stop", 1))
    same(w["answer"], "Gr\u00fc\u00dfe \u00e4")
    assert json.loads(w["messages"])[0]["content"] == "play answer"


def a_stream_loses_only_the_usage_that_was_not_asked_for():
    r = ask("stream", stream=True)
    same(r.getheader("content-type"), "text/event-stream")
    same(r.read(), FIRST + SECOND + LAST + DONE)
    assert json.loads(up.seen[-1][1])["stream_options"] == {"include_usage": True}
    w = row(r)
    same((w["input_tokens"], w["output_tokens"], w["usage_estimated"], w["stream"]), (11, 7, 0, 1))
    same(w["answer"], "Hallo \u00fc\U0001f600")


def a_stream_keeps_the_usage_that_was_asked_for():
    r = ask("stream", stream=True, stream_options={"include_usage": True})
    same(r.read(), FIRST + SECOND + LAST + COUNT + DONE)


def comments_and_line_ends_go_through():
    r = ask("comments", stream=True)
    same(r.read(), b": PROCESSING\r\n\r\n" + FIRST.replace(b"\n", b"\r\n") + LAST + DONE)


def a_stream_may_come_byte_by_byte():
    same(ask("bytewise", stream=True).read(), FIRST + SECOND + LAST + DONE)


def an_event_leaves_when_it_came():
    t = time.time()
    r = ask("slowly", stream=True)
    same(r.read(len(FIRST)), FIRST)
    assert time.time() - t < 0.4
    same(r.read(), SECOND + LAST + DONE)
    w = row(r)
    assert w["ttft_us"] < 400000 < w["latency_us"]


def a_stream_without_an_end_mark_gets_one():
    same(ask("no_done", stream=True).read(), FIRST + LAST + DONE)


def broken(play, error):
    r = ask(play, stream=True)
    same(r.status, 200)
    got = r.read()
    assert got.startswith(FIRST + b'data: {"error":'), got
    assert got.endswith(b"\n\n" + DONE), got
    w = row(r)
    same((w["status"], w["error"], w["usage_estimated"]), (200, error, 1))


def a_stream_that_ends_without_its_finish_is_an_error():
    broken("no_finish", "upstream_cut")


def a_stream_that_is_cut_is_an_error():
    broken("cut", "upstream_cut")


def half_an_event_is_an_error():
    broken("half_event", "upstream_cut")


def an_event_that_is_none_is_an_error():
    broken("bad_event", "upstream_invalid")


def an_error_event_goes_through_and_is_logged():
    r = ask("error_event", stream=True)
    got = r.read()
    assert b'"overloaded"' in got and got.endswith(DONE), got
    same(row(r)["error"], "x_error")


def fails_over(play, arm="dear", error="truncated", **more):
    r = ask(play, **more)
    same(r.status, 200)
    same(r.getheader("x-weir-arm"), arm)
    same(r.getheader("x-weir-attempts"), "2")
    assert f"error={error}; ms=" in r.getheader("x-weir-failed"), r.getheader("x-weir-failed")
    r.read()
    w = row(r)
    same((w["arm"], w["attempts"], w["reason"]), (arm, 2, "failover"))
    same([t["error"] for t in json.loads(w["tries"])], [error, None])


def a_provider_that_hangs_up_is_passed_over():
    fails_over("nothing")


def an_empty_stream_is_passed_over():
    fails_over("empty_stream", stream=True)


def a_rate_limit_is_passed_over():
    fails_over("limited", "q_dear", "rate_limit", model="limited")


def a_server_error_is_passed_over():
    fails_over("broken", error="server")


def the_last_error_goes_through_with_its_retry_after():
    r = ask("limited_all", model="limited")
    same((r.status, r.getheader("retry-after"), r.read()), (429, "7", ERROR % b"all"))
    w = row(r)
    same((w["status"], w["error"], w["attempts"], w["cost_pico"]), (429, "rate_limit_error", 2, 0))


def an_error_without_a_shape_gets_one():
    r = ask("broken_all")
    same(r.status, 503)
    same(json.loads(r.read())["error"]["code"], "upstream_error")


def a_bad_request_is_not_tried_again():
    r = ask("refused")
    same((r.status, r.read()), (400, ERROR % b"no"))
    same(row(r)["attempts"], 1)


def invalid(play, **more):
    r = ask(play, **more)
    same(r.status, 502)
    e = json.loads(r.read())["error"]
    same(e["type"], "server_error")
    same(row(r)["error"], e["code"])


def an_answer_that_is_html_is_502():
    invalid("html")


def an_answer_that_is_other_json_is_502():
    invalid("other_json")


def an_answer_that_is_cut_is_502():
    invalid("half")


def a_whole_answer_to_a_stream_is_502():
    invalid("whole_for_stream", stream=True)


def a_client_that_leaves_stops_its_provider():
    s = socket.create_connection(("127.0.0.1", weir_port))
    body = json.dumps({"model": "auto", "stream": True, "messages":
                       [{"role": "user", "content": "play endless"}]}).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    got = b""
    while got.count(b"data:") < 5:
        data = s.recv(4096)
        assert data, got
        got += data
    ident = re.search(rb"x-weir-request-id: (\S+)", got)[1].decode()
    t = time.time()
    s.close()
    while not up.gone_at and time.time() - t < 3:
        time.sleep(0.005)
    assert up.gone_at and up.gone_at - t < 0.2, "the provider went on"

    class R:
        def getheader(self, _):
            return ident
    w = row(R())
    same((w["status"], w["error"], w["usage_estimated"]), (499, "client_gone", 1))
    assert w["output_tokens"] >= 5 and w["cost_pico"] > 0


def a_slow_client_pauses_its_provider():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", weir_port))
    body = json.dumps({"model": "auto", "stream": True, "messages":
                       [{"role": "user", "content": "play flood"}]}).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    time.sleep(1)
    at = up.sent
    assert at < 16 << 20, f"{at} bytes were taken from the provider"
    got = 0
    while True:
        data = s.recv(1 << 20)
        if not data:
            break
        got += len(data)
    assert got > 400 * 60000


BAD = [b"{", b"[]", b"null", b"\x00", b'{"model":"auto"}', b'{"model":7,"messages":[]}',
       b'{"model":"auto","messages":[]}', b'{"model":"auto","messages":{}}',
       b'{"model":"auto","messages":[{"role":"user","content":7}]}',
       b'{"model":"auto","messages":[{"role":"user","content":"\xff"}]}',
       b'{"model":"auto","messages":[{"role":"user","content":"\\ud800"}]}',
       b'{"model":"auto","messages":[{"role":"user","content":"a\x00b"}]}',
       b'{"model":"auto","max_tokens":"many","messages":[{"role":"user","content":"x"}]}',
       b'{"model":"auto","messages":' + b"[" * 10000]


def bad_bodies_are_errors_in_the_shape_of_the_sdk():
    for b in BAD:
        s, got = raw("POST", "/v1/chat/completions", b)
        e = json.loads(got)["error"]
        assert s == 400 and e["type"] == "invalid_request_error" and e["message"], (b[:60], s, got)


def a_body_beyond_the_limit_is_413_with_a_row():
    before = rows_of(413)
    s = socket.create_connection(("127.0.0.1", weir_port))
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n" + b"x" * 1000)
    got = s.recv(4096)
    assert b" 413 " in got and b'"error"' in got, got
    s.close()
    for _ in range(300):
        if rows_of(413) == before + 1:
            return
        time.sleep(0.05)
    raise AssertionError("no row")


def rows_of(status):
    db = sqlite3.connect(DIR + "/weir.db")
    return db.execute("select count(*) from requests where status=?", (status,)).fetchone()[0]


def unknown_models_and_paths_are_404_and_methods_405():
    s, got = raw("POST", "/v1/chat/completions", b'{"model":"nope","messages":[{"role":"user","content":"x"}]}')
    e = json.loads(got)["error"]
    same((s, e["code"], e["param"]), (404, "model_not_found", "model"))
    assert "auto" in e["message"]
    for method, path, status in (("GET", "/nope", 404), ("GET", "/v1/chat/completions", 405),
                                 ("POST", "/v1/models", 405), ("GET", "/v1/models/x/y", 404)):
        s, got = raw(method, path)
        same(s, status)
        assert json.loads(got)["error"]["message"]


BAD_AT_AZURES = (b'{"messages":', b'[1]', b'{}')


def other_base_urls_and_azures_paths_are_understood():
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "play answer"}]}).encode()
    for path in ("/chat/completions", "/openai/v1/chat/completions", "/api/v1/chat/completions"):
        s, got = raw("POST", path, body)
        same((s, "choices" in json.loads(got)), (200, True))
    # the deployment of the path is the model where the body names none
    for text in (b'{"messages":[{"role":"user","content":"play answer"}]}', body):
        s, got = raw("POST", "/openai/deployments/auto/chat/completions?api-version=2026-01-01", text)
        same((s, "choices" in json.loads(got)), (200, True))
    for text in BAD_AT_AZURES:
        s, got = raw("POST", "/openai/deployments/auto/chat/completions", text)
        same(s, 400)
    s, got = raw("POST", "/openai/deployments/nope/chat/completions",
                 b'{"messages":[{"role":"user","content":"x"}]}')
    same((s, json.loads(got)["error"]["code"]), (404, "model_not_found"))
    s, got = raw("GET", "/models")
    same((s, json.loads(got)["object"]), (200, "list"))
    s, got = raw("GET", "/nope")
    assert "base URL" in json.loads(got)["error"]["message"]


def a_compressed_body_is_415_and_says_so():
    s, got = raw("POST", "/v1/chat/completions", b"\x1f\x8b", {"content-encoding": "gzip"})
    e = json.loads(got)["error"]
    same((s, e["code"]), (415, "content_encoding"))
    assert "gzip" in e["message"]
    s, _ = raw("POST", "/v1/chat/completions", json.dumps(
        {"model": "auto", "messages": [{"role": "user", "content": "play answer"}]}).encode(),
        {"content-encoding": "identity"})
    same(s, 200)


def models_are_listed_and_found_with_slashes():
    s, got = raw("GET", "/v1/models")
    same([m["id"] for m in json.loads(got)["data"]], ["auto", "limited", "cheap", "dear", "q_cheap", "q_dear"])
    for name in ("auto", "p/cheap", "p%2Fcheap", "weir/dear"):
        s, got = raw("GET", "/v1/models/" + name)
        same((s, json.loads(got)["id"]), (200, name.replace("%2F", "/")))


def explain_sends_nothing():
    n = len(up.seen)
    s, got = raw("POST", "/v1/weir/explain", b'{"model":"auto","messages":[{"role":"user","content":"x"}]}')
    x = json.loads(got)
    same((s, x["arm"], [a["arm"] for a in x["arms"]]), (200, "cheap", ["cheap", "dear"]))
    same(len(up.seen), n)


def feedback_labels_what_is_in_the_log():
    r = ask("answer")
    r.read()
    ident = r.getheader("x-weir-request-id")
    for body, status in ((f'{{"request_id":"{ident}","score":0.25,"comment":"so"}}', 200),
                         ('{"request_id":"req_none","score":1}', 404),
                         (f'{{"request_id":"{ident}","score":2}}', 400),
                         (f'{{"request_id":"{ident}"}}', 400), ("nonsense", 400)):
        same(raw("POST", "/v1/feedback", body.encode())[0], status)
    db = sqlite3.connect(DIR + "/weir.db")
    same(db.execute("select score, source, comment from labels where request_id=?", (ident,)).fetchall(),
         [(0.25, "feedback", "so")])


def health_and_metrics_are_there():
    s, got = raw("GET", "/healthz")
    same((s, json.loads(got)["status"]), (200, "ok"))
    s, got = raw("GET", "/metrics")
    same(s, 200)
    assert b'weir_requests_total{route="auto",arm="cheap",status="2xx"}' in got


def web_pages_may_not_steer():
    s, _ = raw("POST", "/v1/weir/reload", b"", {"Origin": "http://evil.example"})
    same(s, 403)


def write(text):
    with open(DIR + "/new", "w") as f:
        f.write(text)
    os.rename(DIR + "/new", DIR + "/weir.yaml")


def reload_cli():
    return subprocess.run([WEIR, "reload", "--url", f"http://127.0.0.1:{weir_port}"],
                          capture_output=True, text=True)


def a_reload_takes_good_files_and_refuses_bad_ones():
    running = []
    t = threading.Thread(target=lambda: running.append(ask("late").read()))
    t.start()
    time.sleep(0.2)
    write(config(up.port, "  fresh: {arms: [dear]}\n"))
    p = reload_cli()
    same((p.returncode, p.stdout), (0, "reloaded\n"))
    assert b'"fresh"' in raw("GET", "/v1/models")[1]
    write(config(up.port, "  fresher: {arms: [deer]}\n"))
    p = reload_cli()
    same(p.returncode, 1)
    assert "found deer" in p.stderr, p.stderr
    assert b'"fresh"' in raw("GET", "/v1/models")[1]
    write(config(up.port))
    server.send_signal(signal.SIGHUP)
    for _ in range(100):
        if b'"fresh"' not in raw("GET", "/v1/models")[1]:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("SIGHUP did nothing")
    t.join()
    same(running, [ANSWER])


def a_second_server_cannot_take_the_port():
    with open(DIR + "/second.yaml", "w") as f:
        f.write(config(up.port).replace("127.0.0.1:0", f"127.0.0.1:{weir_port}").replace("weir.db", "second.db"))
    p = subprocess.run([WEIR, "serve", "--config", DIR + "/second.yaml"], capture_output=True, text=True, timeout=10)
    same(p.returncode, 1)
    assert "in use" in p.stderr, p.stderr


def the_key_of_a_provider_is_nowhere_to_be_seen():
    r = ask("echo_key")
    same(r.status, 401)
    shown = r.read() + raw("GET", "/metrics")[1] + raw("GET", "/healthz")[1]
    assert KEY.encode() not in shown
    row(r)
    for name in os.listdir(DIR):
        if name.endswith(".yaml"):
            continue
        with open(DIR + "/" + name, "rb") as f:
            assert KEY.encode() not in f.read(), name


def the_end_waits_for_requests_in_flight_and_writes_the_log():
    running = []
    t = threading.Thread(target=lambda: running.append(ask("late").read()))
    t.start()
    time.sleep(0.2)
    server.terminate()
    t.join()
    same(running, [ANSWER])
    same(server.wait(10), 0)


def every_request_has_one_row():
    db = sqlite3.connect(DIR + "/weir.db")
    n = db.execute("select count(*), count(distinct id) from requests").fetchone()
    same(n[0], n[1])
    late_rows = db.execute("select count(*) from requests where messages like '%play late%' and status=200").fetchone()
    same(late_rows[0], 2)
    bad = db.execute("select count(*) from requests where status=400 and error='bad_request'").fetchone()
    same(bad[0], len(BAD) + len(BAD_AT_AZURES))


ONLY = sys.argv[2] if len(sys.argv) > 2 else ""
TESTS = [v for k, v in list(globals().items()) if callable(v) and k.count("_") >= 3
         and getattr(v, "__code__", None) and v.__code__.co_argcount == 0 and v.__module__ == "__main__"
         and ONLY in k]

up = Upstream()
write(config(up.port))
log = open(DIR + "/stderr", "w")
server = subprocess.Popen([WEIR, "serve", "--config", DIR + "/weir.yaml", "--port-file", DIR + "/port"],
                          stderr=log, stdout=subprocess.DEVNULL, cwd=DIR)
for _ in range(200):
    if os.path.exists(DIR + "/port") and open(DIR + "/port").read().strip():
        break
    time.sleep(0.05)
weir_port = int(open(DIR + "/port").read())
for test in TESTS:
    try:
        test()
        print("ok   ", test.__name__.replace("_", " "))
    except Exception as e:
        failures.append(test.__name__)
        print("FAIL ", test.__name__.replace("_", " "), "\n", repr(e) if not isinstance(e, AssertionError) else e)
if server.poll() is None:
    server.kill()
print(f"{len(TESTS) - len(failures)} passed, {len(failures)} failed")
if failures:
    print(open(DIR + "/stderr").read()[-3000:])
else:
    subprocess.run(["rm", "-rf", DIR])
sys.exit(1 if failures else 0)
