# SPDX-License-Identifier: Apache-2.0
"""What becomes of a provider's fault, as a table: each fault x streamed or not
x the client's dialect, once with another arm to go to and once without.  Each
cell: one complete answer or one well-formed error in the client's dialect, and
one row that says so.  Behind it what health, keys, places, hedges and clients
that leave come to."""
import concurrent.futures
import http.client
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

WEIR = os.path.abspath(sys.argv[1])
DIR = tempfile.mkdtemp(prefix="weir-faults-")
TEXT = "Hello there"
servers = []


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body, status="200 OK", extra=""):
    return (f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{extra}"
            f"content-length: {len(body)}\r\n\r\n").encode() + body


def error(status, kind, message, code=None, extra=""):
    body = {"error": {"message": message, "type": kind, "code": code}}
    return whole(json.dumps(body).encode(), status, extra)


def event(delta=None, finish=None):
    d = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices":
         [{"index": 0, "delta": delta or {}, "finish_reason": finish}]}
    return b"data: " + json.dumps(d).encode() + b"\n\n"


SSE = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
       b"transfer-encoding: chunked\r\n\r\n")
ROLE, FIRST, SECOND = event({"role": "assistant"}), event({"content": "Hello "}), event({"content": "there"})
LAST = event(finish="stop")
COUNT = b'data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
DONE, END = b"data: [DONE]\n\n", b"0\r\n\r\n"
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}).encode()
OVERLOADED = b'data: {"error":{"message":"Overloaded","type":"overloaded_error"}}\n\n'


def reset(s, stream):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return "close"


def good(s, stream):
    s.sendall(SSE + chunk(ROLE + FIRST + SECOND + LAST + COUNT + DONE) + END if stream else whole(ANSWER))


def says(data):
    def play(s, stream):
        s.sendall(data)
    return play


def silent(s, stream):
    time.sleep(4)
    return "close"


def truncated(s, stream):
    s.sendall(SSE + chunk(ROLE) if stream else whole(ANSWER)[:-9])
    return "close"


def first_error(s, stream):
    s.sendall(SSE + chunk(ROLE + OVERLOADED + DONE) + END)


def cut(s, stream):
    s.sendall(SSE + chunk(ROLE + FIRST))
    return "close"


def late_error(s, stream):
    s.sendall(SSE + chunk(ROLE + FIRST))
    time.sleep(0.05)
    s.sendall(chunk(OVERLOADED + DONE) + END)


def no_finish(s, stream):
    s.sendall(SSE + chunk(ROLE + FIRST) + END)


def stalled(s, stream):
    s.sendall(SSE + chunk(ROLE + FIRST))
    time.sleep(4)
    return "close"


# name: (what it plays, the word in the row, what happens with another arm and
# without: "over" another arm answers, a number is the error's status,
# "broken" an error behind the beginning of the stream; streams only?)
FAULTS = {
    "refused": (None, "connect", "over", 502, False),
    "dead": (None, "connect_timeout", "over", 504, False),
    "reset": (reset, "truncated", "over", 502, False),
    "silent": (silent, "timeout", "over", 504, False),
    "rate": (says(error("429 Too Many", "rate_limit_error", "slow down", extra="retry-after-ms: 2\r\n")),
             "rate_limit", "over", 429, False),
    "rate_long": (says(error("429 Too Many", "rate_limit_error", "slow down", extra="retry-after: 60\r\n")),
                  "rate_limit", "over", 429, False),
    "server": (says(error("500 Oh", "server_error", "oh")), "server", "over", 500, False),
    "naked": (says(whole(b"<html>", "502 Bad Gateway")), "server", "over", 502, False),
    "overloaded": (says(error("529 Busy", "overloaded_error", "Overloaded")), "overloaded", "over", 529, False),
    "auth": (says(error("401 No", "invalid_request_error", "bad key", "invalid_api_key")), "auth", "over", 401, False),
    "quota": (says(error("429 No", "insufficient_quota", "pay", "insufficient_quota")), "quota", "over", 429, False),
    "policy": (says(error("400 No", "invalid_request_error", "no", "content_policy_violation")),
               "content_policy", "over", 400, False),
    "context": (says(error("400 No", "invalid_request_error", "maximum context length is 10", "context_length_exceeded")),
                "context_window", "over", 400, False),
    "request": (says(error("400 No", "invalid_request_error", "no such field")), "request", 400, 400, False),
    "garbage": (says(b"\x16\x03\x01 what is this\r\n\r\n"), None, "over", 502, False),
    "html": (says(whole(b"<html>hello</html>")), "invalid", "over", 502, False),
    "truncated": (truncated, "truncated", "over", 502, False),
    "first_error": (first_error, "overloaded", "over", 503, True),
    "cut": (cut, "truncated", "broken", "broken", True),
    "no_finish": (no_finish, "truncated", "broken", "broken", True),
    "stalled": (stalled, "timeout", "broken", "broken", True),
    "late_error": (late_error, "overloaded", "broken", "broken", True),
}


class Upstream:
    """The model's name says what is played; key and model are kept."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(256)
        self.port = self.sock.getsockname()[1]
        self.seen = []
        self.gone = {}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.sock.accept()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        data, model = b"", None
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    got = s.recv(65536)
                    if not got:
                        return
                    data += got
                head, data = data.split(b"\r\n\r\n", 1)
                length = re.search(rb"(?i)content-length: (\d+)", head)
                if not length:
                    self.seen.append(("check", head.split(b" ")[1].decode()))
                    s.sendall(whole(b"{}", "401 No"))
                    continue
                n = int(length[1])
                while len(data) < n:
                    data += s.recv(65536)
                body, data = json.loads(data[:n]), data[n:]
                model = body["model"]
                key = re.search(rb"(?i)authorization: Bearer (\S+)", head)
                self.seen.append((model, key and key[1].decode()))
                play = PLAYS.get(model) or FAULTS[model][0]
                if play(s, body.get("stream", False)) == "close":
                    return
        except OSError:
            self.gone[model] = time.time()
        finally:
            s.close()

    def count(self, model, key=None):
        return sum(m == model and (key is None or k == key) for m, k in self.seen)


def full_socket():
    """A port whose queue is full: nobody takes a connection."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    held = [s]
    for _ in range(4):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        held.append(c)
    time.sleep(0.1)
    servers.append(held)
    return s.getsockname()[1]


def closed_port():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    return port


class Weir:
    def __init__(self, name, text):
        self.db = f"{DIR}/{name}.db"
        with open(f"{DIR}/{name}.yaml", "w") as f:
            f.write(f"listen: 127.0.0.1:0\nworkers: 2\nclassifier: none\n"
                    f"log: {{path: {self.db}, flush: 20ms, level: error}}\n" + text)
        self.err = open(f"{DIR}/{name}.err", "w+")
        self.p = subprocess.Popen([WEIR, "serve", "--config", f"{DIR}/{name}.yaml", "--port-file", f"{DIR}/{name}.port"],
                                  stderr=self.err, cwd=DIR)
        servers.append(self)
        for _ in range(400):
            try:
                self.port = int(open(f"{DIR}/{name}.port").read())
                return
            except (OSError, ValueError):
                if self.p.poll() is not None:
                    break
                time.sleep(0.02)
        raise AssertionError(open(f"{DIR}/{name}.err").read())

    def post(self, path, body, headers={}):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        c.request("POST", path, json.dumps(body), headers)
        r = c.getresponse()
        return r.status, r.headers, r.read()

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        c.request("GET", path)
        return c.getresponse().read().decode()

    def chat(self, model, stream=False):
        return self.post("/v1/chat/completions", {"model": model, "stream": stream,
                                                  "messages": [{"role": "user", "content": "hello"}]})

    def row(self, ident):
        for _ in range(300):
            db = sqlite3.connect(self.db)
            db.row_factory = sqlite3.Row
            rows = db.execute("select * from requests where id=?", (ident,)).fetchall()
            db.close()
            if rows:
                return rows[0]
            time.sleep(0.02)
        raise AssertionError(f"no row for {ident}")

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics"), re.M)
        return float(found[1]) if found else None


# ---- the four dialects of clients ----

MESSAGES = [{"role": "user", "content": "hello"}]
ASK = {
    "openai": lambda m, st: ("/v1/chat/completions", {"model": m, "stream": st, "messages": MESSAGES}),
    "responses": lambda m, st: ("/v1/responses", {"model": m, "stream": st, "input": "hello"}),
    "anthropic": lambda m, st: ("/v1/messages", {"model": m, "stream": st, "max_tokens": 50, "messages": MESSAGES}),
    "gemini": lambda m, st: (f"/v1beta/models/{m}:" + ("streamGenerateContent?alt=sse" if st else "generateContent"),
                             {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}),
}
WHOLE_TEXT = {
    "openai": lambda d: d["choices"][0]["message"]["content"],
    "responses": lambda d: d["output"][0]["content"][0]["text"],
    "anthropic": lambda d: d["content"][0]["text"],
    "gemini": lambda d: d["candidates"][0]["content"]["parts"][0]["text"],
}


def events(data):
    out = []
    for frame in data.decode().split("\n\n"):
        lines = [x[5:].strip() for x in frame.split("\n") if x.startswith("data:")]
        if lines:
            out.append("DONE" if lines[0] == "[DONE]" else json.loads("\n".join(lines)))
    assert data.endswith(b"\n\n"), data
    return out


def stream_text(dialect, evs):
    """The text, whether it ended, and its errors."""
    text, ends, errors = "", 0, 0
    for e in evs:
        if e == "DONE":
            ends += 1
            continue
        if dialect == "openai":
            errors += "error" in e
            for c in e.get("choices", []):
                text += c["delta"].get("content") or ""
        elif dialect == "responses":
            text += e["delta"] if e["type"] == "response.output_text.delta" else ""
            ends += e["type"] == "response.completed"
            errors += e["type"] in ("error", "response.failed")
        elif dialect == "anthropic":
            text += e["delta"].get("text", "") if e["type"] == "content_block_delta" else ""
            ends += e["type"] == "message_stop"
            errors += e["type"] == "error"
        else:
            errors += "error" in e
            for c in e.get("candidates", []):
                text += "".join(p.get("text", "") for p in c.get("content", {}).get("parts", []))
                ends += "finishReason" in c
    return text, ends, errors


def check_error(dialect, status, data):
    e = json.loads(data)
    if dialect == "gemini":
        assert e["error"]["code"] and e["error"]["message"] and e["error"]["status"], e
    elif dialect == "anthropic":
        assert e["type"] == "error" and e["error"]["type"] and e["error"]["message"], e
    else:
        assert e["error"]["message"] and e["error"]["type"], e


def look(dialect, stream, want, status, data):
    if want == "over":
        assert status == 200, (status, data)
        if not stream:
            assert WHOLE_TEXT[dialect](json.loads(data)) == TEXT, data
            return
        text, ends, errors = stream_text(dialect, events(data))
        assert (text, ends, errors) == (TEXT, 1, 0), data
    elif want == "broken":
        assert status == 200, (status, data)
        text, ends, errors = stream_text(dialect, events(data))
        # The Responses API says it twice: response.failed, then error.
        assert text == "Hello " and errors == (2 if dialect == "responses" else 1), (text, ends, errors, data[-900:])
        assert ends == (1 if dialect == "openai" else 0), data
    else:
        assert status == want, (status, want, data)
        check_error(dialect, status, data)


def cell(weir, fault, dialect, stream, alone):
    play, word, over, by_itself, _ = FAULTS[fault]
    want = by_itself if alone else over
    name = f"{fault}-alone" if alone else f"{fault}-over"
    path, body = ASK[dialect](name, stream)
    status, headers, data = weir.post(path, body)
    look(dialect, stream, want, status, data)
    row = weir.row(headers["x-weir-request-id"])
    tries = json.loads(row["tries"])
    assert row["status"] == status, dict(row)
    assert row["attempts"] == len(tries) == int(headers["x-weir-attempts"]) or want == "broken", (dict(row), dict(headers))
    assert word is None or tries[0]["error"] == word, tries
    assert tries[0]["key"] == "default" and tries[0]["provider"] == ("f" if play else fault), tries
    if want == "over":
        assert (row["arm"], tries[-1]["error"], len(tries)) == ("good", None, 2), tries
        assert row["cost_pico"] >= 9 * 1000000 + 2 * 2000000, row["cost_pico"]
        assert (fault == "truncated" and not stream) == ("cost_usd" in tries[0]), tries
    elif want == "broken":
        assert (len(tries), row["finish"]) == (1, "truncated") and row["error"], dict(row)
        assert row["usage_estimated"] == 1 and row["cost_pico"] > 0, dict(row)
    else:
        assert row["error"] and all(t["error"] for t in tries), (row["error"], tries)
        assert len(tries) == (1 if fault in ONCE else 3), tries


# Not called again where no other arm is left.
ONCE = ("dead", "silent", "auth", "quota", "policy", "context", "request", "html", "rate_long")


def matrix(up):
    text = """limits: {connect_time: 500ms, first_byte_time: 1500ms, stall_time: 1500ms, drain_time: 1s}
health: {failures: 60000, min_calls: 60000, pause: 1ms, pause_max: 1ms, probes: 60000, rest: 0, rest_max: 0}
providers:
"""
    text += f"  f: {{dialect: openai, base_url: 'http://127.0.0.1:{up.port}/v1', api_key: key-of-f-123}}\n"
    text += f"  g: {{dialect: openai, base_url: 'http://127.0.0.1:{up.port}/v1', api_key: key-of-g-123}}\n"
    text += f"  refused: {{dialect: openai, base_url: 'http://127.0.0.1:{closed_port()}/v1'}}\n"
    text += f"  dead: {{dialect: openai, base_url: 'http://127.0.0.1:{full_socket()}/v1'}}\n"
    text += "models:\n  good: {provider: g, tier: frontier, context: 200k, price: {input: 1, output: 2}}\n"
    for f, (play, *_) in FAULTS.items():
        text += f"  {f}: {{provider: {'f' if play else f}, tier: economy, context: 100k, price: {{input: 1, output: 2}}}}\n"
    text += "routes:\n"
    for f in FAULTS:
        more = f"policy: fixed, reference: {f}, retry: {{wait: 1ms, wait_max: 20ms}}"
        text += f"  {f}-over: {{arms: [{f}, good], {more}}}\n  {f}-alone: {{arms: [{f}], {more}}}\n"
    weir = Weir("matrix", text)
    columns = [(d, st, alone) for d in ASK for st in (False, True) for alone in (False, True)]
    marks, wrong = {}, []

    def run(job):
        fault, column = job
        try:
            cell(weir, fault, *column)
            return job, "ok"
        except Exception as e:
            wrong.append(f"{fault} {column}: {type(e).__name__} {e}")
            return job, "FAIL"

    jobs = [(f, c) for f in FAULTS for c in columns if c[1] or not FAULTS[f][4]]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        marks = dict(pool.map(run, jobs))
    print("each cell: with another arm, without  (W whole, S streamed)")
    print(f"{'':12}" + "".join(f"{d + (' S' if st else ' W'):>13}" for d in ASK for st in (False, True)))
    for f in FAULTS:
        print(f"{f:12}" + "".join(f"{'/'.join(marks.get((f, (d, st, a)), '-') for a in (False, True)):>13}"
                                  for d in ASK for st in (False, True)))
    db = sqlite3.connect(weir.db)
    time.sleep(0.2)
    rows = db.execute("select count(*), count(distinct id) from requests").fetchone()
    assert rows == (len(jobs), len(jobs)), (rows, len(jobs))
    weir.p.terminate()
    assert weir.p.wait(10) == 0
    assert not wrong, "\n".join(sorted(wrong))


PLAYS = {"good": good}


def provider(name, port, more="api_key: the-only-key"):
    return f"  {name}: {{dialect: openai, base_url: 'http://127.0.0.1:{port}/v1', {more}}}\n"


def model(name, at, more=""):
    return f"  {name}: {{provider: {at}, price: {{input: 1, output: 2}}{more}}}\n"


def a_dead_provider_costs_one_connect_timeout_and_then_nothing(up):
    weir = Weir("dead", "limits: {connect_time: 1s}\nhealth: {pause: 30s}\nproviders:\n" +
                provider("gone", full_socket()) + provider("up", up.port) +
                "models:\n" + model("first", "gone") + model("good", "up") +
                "routes:\n  auto: {arms: [first, good], policy: fixed, reference: first}\n")
    took = []
    for _ in range(30):
        t = time.time()
        status, headers, data = weir.chat("auto")
        took.append(time.time() - t)
        assert (status, headers["x-weir-arm"]) == (200, "good"), data
    lost = sum(took) - 30 * sorted(took)[15]
    assert 0.9 < lost < 1.8 and max(took[1:]) < 0.7, took
    assert weir.metric('weir_attempts_total{arm="first",error="connect_timeout"}') == 1
    assert weir.metric('weir_breaker_opened_total{place="gone/first"}') == 1
    assert weir.metric('weir_breaker_state{place="gone/first"}') == 1
    health = json.loads(weir.get("/healthz"))
    assert [p["state"] for p in health["places"] if p["place"] == "gone/first"] == ["open"], health
    t = time.time()
    status, headers, data = weir.chat("first")
    assert (status, json.loads(data)["error"]["code"]) == (503, "no_healthy_provider"), data
    assert 25 <= int(headers["retry-after"]) <= 31 and time.time() - t < 0.2, dict(headers)


def calls_that_wait_for_a_connection_go_on_when_a_provider_is_left_alone(up, scheme="http"):
    gone = provider("gone", full_socket()).replace("http:", scheme + ":")
    weir = Weir("waiting" + scheme, "limits: {connect_time: 2s}\nhealth: {pause: 30s}\nproviders:\n" + gone + provider("up", up.port) +
                "models:\n" + model("first", "gone") + model("good", "up") +
                "routes:\n  auto: {arms: [first, good], policy: fixed, reference: first}\n")
    begin = time.time()

    def ask(i):
        time.sleep(0.08 * i)
        status, headers, data = weir.chat("auto", stream=i % 2 == 1)
        assert (status, headers["x-weir-arm"]) == (200, "good"), data
        return time.time() - begin, headers["x-weir-failed"]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(ask, range(20)))
    assert 1.9 < ends[0][0] and max(e for e, _ in ends) < 2.9, ends
    assert all("error=connect_timeout" in failed for _, failed in ends), ends
    assert weir.metric('weir_breaker_opened_total{place="gone/first"}') == 1
    assert weir.metric('weir_requests_in_flight') <= 1


def likewise_where_libcurl_connects(up):
    calls_that_wait_for_a_connection_go_on_when_a_provider_is_left_alone(up, "https")


def a_dead_provider_is_found_out_once_for_all_its_models(up):
    weir = Weir("models", "limits: {connect_time: 1s}\nhealth: {pause: 30s}\nproviders:\n" +
                provider("gone", full_socket()) + provider("up", up.port) + "models:\n" +
                model("first", "gone") + model("second", "gone") + model("third", "gone") + model("good", "up") +
                "routes:\n  auto: {arms: [first, second, third, good], policy: fixed, reference: first, attempts: 8}\n")
    t = time.time()
    status, headers, data = weir.chat("auto")
    assert (status, headers["x-weir-arm"]) == (200, "good"), data
    assert 0.9 < time.time() - t < 1.8, time.time() - t
    assert weir.metric('weir_breaker_state{place="gone/third"}') == 1
    t = time.time()
    assert weir.chat("second")[0] == 503 and time.time() - t < 0.5


def a_provider_that_is_back_is_called_again(up):
    state = {"well": False}

    def play(s, stream):
        return (good if state["well"] else says(error("500 Oh", "server_error", "oh")))(s, stream)
    PLAYS["moody"] = play
    weir = Weir("back", "health: {failures: 3, pause: 1s}\nproviders:\n" + provider("a", up.port) +
                "models:\n" + model("moody", "a") + model("good", "a") +
                "routes:\n  auto: {arms: [moody, good], policy: fixed, reference: moody}\n")
    for _ in range(3):
        assert weir.chat("auto")[1]["x-weir-arm"] == "good"
    before = up.count("moody")
    assert before == 3
    for _ in range(5):
        assert weir.chat("auto")[1]["x-weir-arm"] == "good"
    assert up.count("moody") == before, (up.count("moody"), weir.err.name, open(weir.err.name).read())
    state["well"] = True
    time.sleep(1.05)
    assert [weir.chat("auto")[1]["x-weir-arm"] for _ in range(3)] == ["moody"] * 3


def a_limited_key_rests_and_the_others_serve(up):
    refuse = {"key-two-22222": says(error("429 Many", "rate_limit_error", "slow", extra="retry-after: 30\r\n")),
              "key-bad-33333": says(error("401 No", "invalid_request_error", "no", "invalid_api_key"))}

    def play(s, stream):
        return refuse.get(up.seen[-1][1], good)(s, stream)
    PLAYS["keyed"] = play
    weir = Weir("keys", "providers:\n" +
                provider("a", up.port, "keys: {one: {api_key: key-one-11111}, two: {api_key: key-two-22222}, "
                                       "bad: {api_key: key-bad-33333}}") + "models:\n" + model("keyed", "a"))
    for _ in range(40):
        status, headers, data = weir.chat("keyed")
        assert (status, headers["x-weir-key"]) == (200, "one"), (data, dict(headers))
    assert (up.count("keyed", "key-two-22222"), up.count("keyed", "key-bad-33333")) == (1, 1), up.seen[-50:]
    metrics = weir.get("/metrics")
    assert 'weir_key_rest_seconds{key="a/keyed#two"} ' in metrics and "key-two" not in metrics
    assert weir.metric('weir_key_rest_seconds{key="a#bad"}') > 60


def weights_of_keys_are_kept_to(up):
    PLAYS["weighed"] = good
    weir = Weir("weights", "providers:\n" +
                provider("a", up.port, "keys: {one: {api_key: weight-three, weight: 3}, two: {api_key: weight-one}, "
                                       "spare: {api_key: weight-none, weight: 0}}") + "models:\n" + model("weighed", "a"))
    for _ in range(120):
        assert weir.chat("weighed")[0] == 200
    assert 65 <= up.count("weighed", "weight-three") <= 110 and up.count("weighed", "weight-none") == 0


def a_model_is_served_by_its_quicker_place(up):
    def slow(s, stream):
        time.sleep(0.15)
        good(s, stream)
    PLAYS["quick_place"], PLAYS["slow_place"] = good, slow
    weir = Weir("places", "providers:\n" + provider("a", up.port) + provider("b", up.port) +
                "models:\n  m: {provider: a, name: slow_place, price: {input: 1, output: 2}, "
                "deployments: {other: {provider: b, name: quick_place}, gone: {provider: c}}}\n".replace(
                    ", gone: {provider: c}", ""))
    for _ in range(40):
        assert weir.chat("m")[0] == 200
    assert up.count("slow_place") <= 4 <= 36 <= up.count("quick_place"), up.count("slow_place")


def a_failed_place_is_made_up_for_by_another_of_the_model(up):
    PLAYS["ill_place"], PLAYS["well_place"] = FAULTS["server"][0], good
    weir = Weir("place", "health: {failures: 4, pause: 30s}\nproviders:\n" + provider("a", up.port) + provider("b", up.port) +
                "models:\n  m: {provider: a, name: ill_place, price: {input: 1, output: 2}, "
                "deployments: {other: {provider: b, name: well_place}}}\n")
    for _ in range(40):
        status, headers, data = weir.chat("m")
        assert (status, headers["x-weir-arm"], headers["x-weir-provider"]) == (200, "m", "b"), data
    assert 1 <= up.count("ill_place") <= 4, up.count("ill_place")


def what_headers_say_of_limits_is_kept_to(up):
    def play(s, stream):
        s.sendall(whole(ANSWER, extra="x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 20s\r\n"))
    PLAYS["told"] = play
    weir = Weir("told", "providers:\n" + provider("a", up.port) + "models:\n" + model("told", "a") + model("good", "a") +
                "routes:\n  auto: {arms: [told, good], policy: fixed, reference: told}\n")
    assert [weir.chat("auto")[1]["x-weir-arm"] for _ in range(4)] == ["told", "good", "good", "good"]


def a_slow_answer_is_asked_for_twice_within_the_budget(up):
    def slow(s, stream):
        time.sleep(0.6)
        good(s, stream)
    PLAYS["slow"] = slow
    weir = Weir("hedge", "providers:\n" + provider("a", up.port) + provider("b", up.port) +
                "models:\n" + model("slow", "a") + model("good", "b") +
                "routes:\n  auto: {arms: [slow, good], policy: fixed, reference: slow, hedge: 60ms, hedge_share: 0.5}\n")
    took, arms = [], []
    for i in range(8):
        t = time.time()
        status, headers, data = weir.chat("auto", stream=i % 4 > 1)
        took.append(time.time() - t)
        arms.append(headers["x-weir-arm"])
        assert status == 200 and b"there" in data, data
        if arms[-1] == "good":
            row = weir.row(headers["x-weir-request-id"])
            tries = json.loads(row["tries"])
            assert [(t["error"], t.get("hedge")) for t in tries] == [("slower", None), (None, True)], tries
            assert tries[0]["cost_usd"] > 0 and row["cost_pico"] > 13000000, tries
    assert 3 <= arms.count("good") <= 4, arms
    assert all(t < 0.45 for t, a in zip(took, arms) if a == "good"), took
    assert weir.metric('weir_hedges_total{route="auto",won="second"}') == arms.count("good")


def a_client_that_leaves_stops_its_provider_within_100_ms(up):
    def words(s, stream):
        s.sendall(SSE)
        while True:
            s.sendall(chunk(event({"content": "word "})))
            time.sleep(0.005)

    def waits(s, stream):
        s.settimeout(5)
        if s.recv(1) == b"":
            raise OSError("left")
    PLAYS["words"], PLAYS["waits"] = words, waits
    weir = Weir("leaves", "providers:\n" + provider("a", up.port) + "models:\n" + model("words", "a") + model("waits", "a"))
    for name, stream in (("words", True), ("waits", False), ("waits", True)):
        up.gone.clear()
        seen = up.count(name)
        body = json.dumps({"model": name, "stream": stream, "messages": MESSAGES}).encode()
        s = socket.create_connection(("127.0.0.1", weir.port))
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        while up.count(name) == seen:
            time.sleep(0.005)
        time.sleep(0.1)
        if name == "words":
            assert b"word" in s.recv(65536)
        t = time.time()
        s.close()
        while name not in up.gone and time.time() - t < 2:
            time.sleep(0.002)
        assert name in up.gone and up.gone[name] - t < 0.1, (name, stream, up.gone)
    for _ in range(100):
        rows = sqlite3.connect(weir.db).execute(
            "select model, status, error, usage_estimated, input_tokens, output_tokens, cost_pico, tries"
            " from requests order by time_ms").fetchall()
        if len(rows) == 3:
            break
        time.sleep(0.02)
    assert [r[:4] for r in rows] == [(m, 499, "client_gone", 1) for m in ("words", "waits", "waits")], rows
    assert rows[0][5] > 0 and rows[1][5] == 0 and all(r[4] > 0 and r[6] > 0 for r in rows), rows
    assert all(json.loads(r[7])[0]["error"] == "client_gone" for r in rows), rows


def a_deadline_holds_over_all_attempts(up):
    weir = Weir("deadline", "providers:\n" + provider("a", up.port) + "models:\n" + model("silent", "a") + model("server", "a") +
                "routes:\n  slow: {arms: [silent], deadline: 300ms}\n"
                "  again: {arms: [server], deadline: 300ms, attempts: 8, retry: {wait: 2s, wait_max: 4s}}\n")
    for route, status in (("slow", 504), ("again", 500)):
        t = time.time()
        got = weir.chat(route)
        assert got[0] == status and time.time() - t < 1.2, (route, got, time.time() - t)


def a_beginning_that_is_held_too_long_goes_out(up):
    def slow(s, stream):
        s.sendall(SSE + chunk(ROLE))
        time.sleep(0.5)
        s.sendall(chunk(FIRST + SECOND + LAST + DONE) + END)
    PLAYS["pausing"] = slow
    weir = Weir("hold", "providers:\n" + provider("a", up.port) + "models:\n" + model("pausing", "a") +
                "routes:\n  some: {arms: [pausing], hold_time: 100ms}\n  all: {arms: [pausing], hold_time: 0}\n")
    for route, least, most in (("some", 0.08, 0.4), ("all", 0, 0.08)):
        t = time.time()
        c = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=10)
        c.request("POST", "/v1/chat/completions", json.dumps({"model": route, "stream": True, "messages": MESSAGES}))
        r = c.getresponse()
        assert r.read(10) == ROLE[:10] and least <= time.time() - t <= most, (route, time.time() - t)
        text, ends, errors = stream_text("openai", events(ROLE[:10] + r.read()))
        assert (text, ends, errors) == (TEXT, 1, 0)


def an_active_check_closes_what_is_back(up):
    weir = Weir("check", "limits: {connect_time: 200ms}\nhealth: {failures: 1, pause: 100ms, pause_max: 60s}\nproviders:\n" +
                provider("a", up.port, "api_key: the-only-key, check: 100ms") +
                "models:\n" + model("server", "a") + model("good", "a") +
                "routes:\n  auto: {arms: [server, good], policy: fixed, reference: server}\n")
    assert weir.chat("auto")[1]["x-weir-arm"] == "good"
    assert weir.metric('weir_breaker_state{place="a/server"}') >= 1
    for _ in range(100):
        if weir.metric('weir_breaker_state{place="a/server"}') == 0:
            break
        time.sleep(0.02)
    assert weir.metric('weir_breaker_state{place="a/server"}') == 0
    assert ("check", "/v1/models") in up.seen


TESTS = [v for k, v in list(globals().items()) if callable(v) and k.count("_") >= 3
         and getattr(v, "__code__", None) and v.__code__.co_varnames[:1] == ("up",)]


def main():
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    up, failed = Upstream(), 0
    for test in ([matrix] if not only or only == "matrix" else []) + [t for t in TESTS if only in t.__name__]:
        try:
            test(up)
            print("ok   ", test.__name__.replace("_", " "), flush=True)
        except Exception as e:
            failed += 1
            print("FAIL ", test.__name__.replace("_", " "), type(e).__name__, str(e)[:9000], flush=True)
    for s in servers:
        if isinstance(s, Weir) and s.p.poll() is None:
            s.p.kill()
    if failed:
        print("logs in", DIR)
    else:
        subprocess.run(["rm", "-rf", DIR])
    return failed > 0


sys.exit(main())
