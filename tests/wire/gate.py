# SPDX-License-Identifier: Apache-2.0
"""Inbound keys, rates, turns, and secrets: weir serve before a provider that
answers, is slow, or hands its key back in an error."""
import glob
import http.client
import json
import os
import resource
import signal
import subprocess
import threading
import time

from rig import (DIR, SECRET, WEIR, Provider, Weir, keygen, outputs, run,
                 want)


def keys(*entries):
    return "keys:\n" + "".join(f"  {n}: {{hash: \"{h}\"{more}}}\n"
                               for n, h, more in entries)


def a_request_without_a_key_gets_401_in_its_dialect():
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, "")))
    status, body, head = w.chat()
    want("status", status, 401)
    want("code", json.loads(body)["error"]["code"], "invalid_api_key")
    want("www-authenticate", head["www-authenticate"], "Bearer")
    status, body, _ = w.ask("POST", "/v1/messages", {}, x_api_key="nonsense")
    want("anthropic", (status, json.loads(body)["error"]["type"]),
         (401, "authentication_error"))
    status, body, _ = w.ask(
        "POST", "/v1beta/models/auto:generateContent?key=" + key[:-1] + "x",
        {})
    want("gemini", (status, json.loads(body)["error"]["status"]),
         (401, "UNAUTHENTICATED"))
    want("models", w.ask("GET", "/v1/models")[0], 401)
    want("feedback", w.ask("POST", "/v1/feedback", {})[0], 401)
    want("health", w.ask("GET", "/healthz")[0], 200)
    want("no rows", w.rows("count(*)"), [(0,)])
    want("counted", w.metric('weir_refused_total{reason="invalid_api_key"}'), 5)
    w.stop()


def a_key_opens_by_any_of_its_headers_and_only_its_name_is_kept():
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, "")))
    want("bearer", w.chat(key=key)[0], 200)
    want("x-api-key", w.chat(x_api_key=key)[0], 200)
    want("x-goog", w.chat(x_goog_api_key=key)[0], 200)
    want("bifrost", w.chat(x_bf_vk=key)[0], 200)
    want("query", w.ask("POST", "/v1/chat/completions?key=" + key, {
        "model": "auto", "messages": [{"role": "user", "content": "hi"}]})[0],
        200)
    want("names", w.rows("key_name"), [("ci",)] * 5)
    w.stop()
    for f in glob.glob(w.base + ".*"):
        data = open(f, "rb").read()
        if not f.endswith(".yaml") and key[-64:].encode() in data:
            raise AssertionError("the client's key is in " + f)


def a_key_may_be_held_to_routes():
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, ", routes: [other]")))
    want("allowed", w.chat(key=key, model="other")[0], 200)
    status, body, _ = w.chat(key=key)
    want("status", status, 403)
    want("code", json.loads(body)["error"]["code"], "route_not_allowed")
    want("a model", w.chat(key=key, model="nano")[0], 403)
    want("rows", w.rows("key_name, status"),
         [("ci", 200), ("ci", 403), ("ci", 403)])
    w.stop()


def a_key_has_so_many_requests_a_minute():
    key, h = keygen("ci")
    other, h2 = keygen("other")
    w = Weir(keys(("ci", h, ", requests_per_minute: 3"), ("other", h2, "")))
    want("first ones", [w.chat(key=key)[0] for _ in range(3)], [200] * 3)
    status, body, head = w.chat(key=key)
    want("status", status, 429)
    want("type", json.loads(body)["error"]["type"], "rate_limit_error")
    if not 1 <= int(head["retry-after"]) <= 21:
        raise AssertionError("retry-after " + head["retry-after"])
    want("another key", w.chat(key=other)[0], 200)
    want("kept over a reload",
         (w.reload(w.extra)[0], w.chat(key=key)[0]), (200, 429))
    want("rows", sorted(w.rows("status, key_name"))[-2:],
         [(429, "ci"), (429, "ci")])
    w.stop()


def a_key_has_so_many_tokens_a_minute():
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, ", tokens_per_minute: 150")))
    want("statuses", [w.chat(key=key)[0] for _ in range(3)], [200, 200, 429])
    w.stop()


def requests_at_once_do_not_overrun_a_keys_limits():
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, ", tokens_per_minute: 1000")))
    Provider.release.clear()
    # Each has 300 tokens' worth of bytes and is under way for long.
    ts, out = in_threads(12, lambda: w.ask("POST", "/v1/chat/completions", {
        "model": "auto", "user": "u" * 1100, "messages": [
            {"role": "user", "content": "wait"}]}, authorization="Bearer " + key))
    time.sleep(0.5)
    Provider.release.set()
    for t in ts:
        t.join(20)
    want("tokens", sorted(o[0] for o in out), [200] * 4 + [429] * 8)
    w.stop()
    w = Weir(keys(("ci", h, ", requests_per_minute: 7")))
    ts, out = in_threads(30, lambda: w.chat(key=key))
    for t in ts:
        t.join(20)
    want("requests", sorted(o[0] for o in out), [200] * 7 + [429] * 23)
    w.stop()


def a_key_file_is_read_and_a_reload_takes_keys_away():
    path = DIR + "/keys.yaml"
    key, _ = keygen("one", "--file", path)
    second, _ = keygen("two", "--file", path, "--routes", "auto")
    want("mode", os.stat(path).st_mode & 0o777, 0o600)
    w = Weir(f"key_file: {path}")
    want("both", (w.chat(key=key)[0], w.chat(key=second)[0]), (200, 200))
    text = open(path).read()
    with open(path, "w") as f:
        f.write(text[:text.index("  two:")])
    want("reload", w.reload(w.extra)[0], 200)
    want("after", (w.chat(key=key)[0], w.chat(key=second)[0]), (200, 401))
    w.stop()


def without_keys_it_listens_on_loopback_only():
    w = Weir(listen="0.0.0.0:0")
    want("exit", w.stop(), 1)
    text = open(w.base + ".err").read()
    if "weir keygen" not in text or "listen_public" not in text:
        raise AssertionError(text)
    key, h = keygen("ci")
    w = Weir(keys(("ci", h, "")), listen="0.0.0.0:0")
    want("with keys", (w.chat(key=key)[0], w.chat()[0]), (200, 401))
    w.stop()


def in_threads(n, f):
    out = [None] * n

    def one(i):
        out[i] = f()

    ts = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in ts:
        t.start()
        time.sleep(0.1)
    return ts, out


def more_than_fit_wait_their_turn_and_the_rest_is_sent_away():
    w = Weir("limits: {requests: 2, queue: 3}")
    Provider.release.clear()
    ts, out = in_threads(5, lambda: w.chat("wait"))
    want("waiting", w.metric("weir_requests_waiting"), 3)
    from_ = time.time()
    status, body, head = w.chat("wait")
    if time.time() - from_ > 0.1:
        raise AssertionError("the refusal took long")
    want("beyond", (status, head["retry-after"]), (503, "1"))
    want("code", json.loads(body)["error"]["code"], "busy")
    Provider.release.set()
    for t in ts:
        t.join(20)
    want("served", [o[0] for o in out], [200] * 5)
    want("rows", sorted(w.rows("status")), [(200,)] * 5 + [(503,)])
    waited = [q for q, in w.rows("queue_us") if q]
    want("that waited", len(waited), 3)
    w.stop()


def who_waits_too_long_gets_503():
    w = Weir("limits: {requests: 1, queue: 3, queue_time: 300ms}")
    Provider.release.clear()
    ts, out = in_threads(3, lambda: w.chat("wait"))
    time.sleep(0.5)
    want("late ones", [o and o[0] for o in out], [None, 503, 503])
    Provider.release.set()
    ts[0].join(20)
    want("the first", out[0][0], 200)
    want("after it", w.chat()[0], 200)
    w.stop()


def who_leaves_while_waiting_takes_no_turn():
    w = Weir("limits: {requests: 1, queue: 3}")
    Provider.release.clear()
    ts, out = in_threads(1, lambda: w.chat("wait"))
    c = http.client.HTTPConnection("127.0.0.1", w.port)
    c.request("POST", "/v1/chat/completions", json.dumps({
        "model": "auto", "messages": [{"role": "user", "content": "x"}]}))
    time.sleep(0.2)
    want("waiting", w.metric("weir_requests_waiting"), 1)
    c.close()
    time.sleep(0.2)
    want("gone", w.metric("weir_requests_waiting"), 0)
    Provider.release.set()
    ts[0].join(20)
    want("rows", sorted(w.rows("status, error")),
         [(200, None), (499, "client_gone")])
    w.stop()


def headers_of_other_gateways_are_understood():
    w = Weir("limits: {attempts: 3}")
    h = {"x-litellm-tags": "a, b", "x-litellm-customer-id": "ann", "x-portkey-trace-id": "t-1",
         "x-portkey-metadata": '{"team": "x"}', "x-litellm-num-retries": "0"}
    status, _, head = w.chat(**{k.replace("-", "_"): v for k, v in h.items()})
    want("status", status, 200)
    want("back", (head["x-litellm-model-group"], head["x-litellm-model-id"],
                  head["x-litellm-attempted-retries"], head["x-portkey-trace-id"],
                  head["x-portkey-cache-status"], head["x-litellm-call-id"]),
         ("auto", "nano", "0", "t-1", "MISS", head["x-weir-request-id"]))
    want("cost", head["x-litellm-response-cost"], "0.0001")
    want("row", json.loads(w.rows("about")[0][0]),
         {"trace": "t-1", "user": "ann", "tags": ["a", "b"], "metadata": {"team": "x"}})
    h = {"cf-aig-max-attempts": "0", "cf-aig-metadata": '{"team": "y"}', "x-authz-user-id": "bob"}
    want("others", w.chat(**{k.replace("-", "_"): v for k, v in h.items()})[0], 200)
    want("their row", json.loads(w.rows("about")[1][0]), {"user": "bob", "metadata": {"team": "y"}})
    for text in ("one thing", "another"):
        want("session", w.chat(text, x_bf_session_id="s-1")[0], 200)
    same, other = w.rows("session")[2:4]
    want("one conversation", same, other)
    _, _, head = w.chat()
    want("nothing unasked", [k for k in head if "litellm" in k or "portkey" in k], [])
    want("no row", w.rows("about")[4][0], None)
    for name, value in (("x-litellm-timeout", "soon"), ("x-portkey-metadata", "[1]"),
                        ("x-litellm-num-retries", "-1"), ("cf-aig-max-attempts", "often"),
                        ("x-weir-timeout", "0")):
        status, body, _ = w.chat(**{name.replace("-", "_"): value})
        want(name, (status, json.loads(body)["error"]["param"]), (400, name))
    Provider.release.clear()
    for name, value in (("x-litellm-timeout", "0.3"), ("x-portkey-request-timeout", "300"),
                        ("cf-aig-request-timeout", "300"), ("x-weir-timeout", "0.3")):
        from_ = time.time()
        want(name, w.chat("wait", **{name.replace("-", "_"): value})[0], 504)
        if not 0.2 < time.time() - from_ < 2:
            raise AssertionError(f"{name}: after {time.time() - from_} s")
    Provider.release.set()
    w.stop()


def a_providers_key_comes_out_nowhere():
    w = Weir()
    Provider.release.set()
    for text in ["hi", "leak", "garbage"]:
        for stream in (False, True):
            w.ask("POST", "/v1/chat/completions", {
                "model": "auto", "stream": stream,
                "messages": [{"role": "user", "content": text}]})
        w.ask("POST", "/v1/messages", {
            "model": "auto", "max_tokens": 5,
            "messages": [{"role": "user", "content": text}]})
        w.ask("POST", "/v1beta/models/auto:generateContent", {
            "contents": [{"role": "user", "parts": [{"text": text}]}]})
        w.ask("POST", "/v1/responses", {"model": "auto", "input": text})
    w.ask("GET", "/metrics")
    w.ask("GET", "/healthz")
    w.ask("POST", "/v1/weir/explain", {
        "model": "auto", "messages": [{"role": "user", "content": "hi"}]})
    w.write("keys: 5")
    w.ask("POST", "/v1/weir/reload", {})
    show = subprocess.run([WEIR, "check", "--config", w.config, "--show"],
                          env=dict(os.environ, PROVIDER_KEY=SECRET),
                          capture_output=True)
    outputs.append(show.stdout + show.stderr)
    w.rows()
    w.stop()
    for o in outputs:
        if SECRET.encode() in o:
            raise AssertionError("in an answer: " + o[:400].decode())
    for f in glob.glob(DIR + "/*"):
        if os.path.isfile(f) and SECRET.encode() in open(f, "rb").read():
            raise AssertionError("in " + f)


def core_on():
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30))


def a_crash_leaves_no_core_file():
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return
    for setting, dumped in (("core_files: true", True), ("", False)):
        w = Weir(setting, preexec_fn=core_on, cwd=DIR)
        w.p.send_signal(signal.SIGSEGV)
        os_pid, status = os.waitpid(w.p.pid, 0)
        w.p.returncode = 1
        if dumped and not os.WCOREDUMP(status):
            return  # this machine makes none at all
        want("dumped with " + setting, os.WCOREDUMP(status), dumped)
    for f in glob.glob(DIR + "/core*"):
        os.unlink(f)


run(dict(globals()))
