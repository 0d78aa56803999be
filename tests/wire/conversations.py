# SPDX-License-Identifier: Apache-2.0
"""weir serve: conversations that keep their model, rules and tasks, answers
from the cache and answers of its own.  Every test's name is a sentence."""
from scripted import *

up = {"openai": Provider("openai"), "anthropic": Provider("anthropic"), "bad": Provider("openai")}


def config():
    return SETTINGS + f"""
sessions: {{abandoned_after: 400ms}}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{up['openai'].port}/v1", api_key: {KEY}}}
  q: {{dialect: anthropic, base_url: "http://127.0.0.1:{up['anthropic'].port}", api_key: {KEY}}}
  bad: {{dialect: openai, base_url: "http://127.0.0.1:{up['bad'].port}/v1", api_key: {KEY}}}
models:
  failing: {{provider: bad, tier: economy, price: {{input: 1, output: 2}}}}
  small: {{provider: p, tier: economy, price: {{input: 1, output: 2, cached_input: 0.1}}}}
  large: {{provider: p, tier: frontier, price: {{input: 10, output: 20, cached_input: 1}}}}
  other: {{provider: q, tier: frontier, price: {{input: 10, output: 20}}}}
routes:
  to-cached: {{arms: [small], policy: fixed, cache: {{ttl: 1m}}}}
  to-failing: {{arms: [failing], policy: fixed, cache: {{ttl: 1m}}, attempts: 1}}
  to-brief: {{arms: [small], policy: fixed, cache: {{ttl: 200ms}}}}
  to-translated: {{arms: [other], policy: fixed, cache: {{ttl: 1m}}}}
  to-first: {{arms: [small, large], policy: rules, reference: small, stay: loops, rules: [
    {{when: {{headers: {{x-team: legal}}}}, arm: large}}]}}
  to-free: {{arms: [small, large], policy: rules, reference: small, stay: never, rules: [
    {{when: {{headers: {{x-team: legal}}}}, arm: large}}]}}
  to-spoken: {{arms: [small, large], policy: rules, reference: small, stay: never, rules: [
    {{when: {{language: [de, cyrillic]}}, arm: large}}]}}
  to-ruled:
    arms: [small, large]
    policy: fixed
    reference: small
    tasks: {{code: large}}
    rules:
      - {{when: {{headers: {{x-closed: "1"}}}}, answer: "We are closed: \\u00fc \\"now\\"."}}
      - {{when: {{metadata: {{tenant: vip}}}}, arm: large}}
      - {{when: {{tool: weather}}, arm: large}}
"""


def send(client, target, play=None, stream=False, tools=False, headers={}, **more):
    play = play or ("stream" if stream else "answer")
    model = "to-" + target
    body = request(client, play, stream, tools, **more)
    if client != "gemini":
        body["model"] = model
    r = post(path_of(client, model, stream), body, dict(HEADERS[client], **headers))
    r.text = r.read()
    return r


def calls():
    return sum(len(p.seen) for p in up.values())


def arm(r):
    return r.getheader("x-weir-arm")


def the_same_request_gets_the_same_bytes_without_a_call():
    for client in ("openai", "anthropic"):
        for stream in (False, True):
            before = calls()
            first = send(client, "cached", stream=stream)
            same(calls(), before + 1)
            again = send(client, "cached", stream=stream)
            same(calls(), before + 1)
            same((again.status, again.text), (200, first.text))
            same(again.getheader("content-type"), first.getheader("content-type"))
            same((first.getheader("x-weir-cache"), again.getheader("x-weir-cache")), (None, "hit"))
            assert first.getheader("x-weir-request-id") != again.getheader("x-weir-request-id")
            w = row(again)
            same((w["reason"], w["arm"], w["cost_pico"], w["status"], w["propensity"]),
                 ("cache", "small", 0, 200, None))


def a_translated_answer_is_cached_as_the_client_saw_it():
    first, again = send("openai", "translated"), send("openai", "translated")
    same(again.text, first.text)
    same(again.getheader("x-weir-cache"), "hit")


def another_request_is_asked_anew():
    send("openai", "cached")
    before = calls()
    send("openai", "cached", temperature=0.5)
    send("openai", "cached", headers={"x-weir-task": "code"})
    send("openai", "cached", headers={"cache-control": "no-cache"})
    send("openai", "cached", headers={"cf-aig-skip-cache": "true"})
    same(calls(), before + 4)


def an_answer_that_is_too_old_is_asked_anew():
    send("openai", "brief")
    time.sleep(0.4)
    before = calls()
    send("openai", "brief")
    same(calls(), before + 1)


def a_stream_that_was_cut_is_never_cached():
    for _ in range(2):
        r = send("openai", "failing", play="cut", stream=True)
        same((r.status, r.getheader("x-weir-cache")), (200, None))


def an_error_is_never_cached():
    for _ in range(2):
        r = send("openai", "failing", play="error")
        assert r.status >= 400 and not r.getheader("x-weir-cache"), r.status


def the_cache_is_counted():
    c = http.client.HTTPConnection("127.0.0.1", weir_port_now(), timeout=20)
    c.request("GET", "/metrics")
    text = c.getresponse().read().decode()
    found = dict(re.findall(r'weir_cache_total\{route="to-cached",result="(\w+)"\} (\d+)', text))
    assert int(found["hit"]) >= 4 and int(found["miss"]) >= 4 and int(found["stored"]) >= 4, found


def weir_port_now():
    return int(open(DIR + "/port").read())


def a_rule_may_answer_itself_in_every_dialect():
    before = calls()
    for client in CLIENTS:
        for stream in (False, True):
            r = send(client, "ruled", stream=stream, headers={"x-closed": "1"})
            same(r.status, 200)
            got = seen_stream(client, r.text) if stream else seen_whole(client, json.loads(r.text))
            same(got[0], 'We are closed: \u00fc "now".')
            same(got[2], STOP[client])
            w = row(r)
            same((w["reason"], w["arm"], w["cost_pico"], w["status"]), ("static", None, 0, 200))
    same(calls(), before)


def rules_look_at_metadata_and_tools():
    same(arm(send("openai", "ruled")), "small")
    same(arm(send("openai", "ruled", metadata={"tenant": "vip"})), "large")
    same(arm(send("openai", "ruled", metadata={"tenant": "other"})), "small")
    same(arm(send("openai", "ruled", tools=True)), "large")


def rules_look_at_the_language():
    for text, wanted in (("Bitte sage mir, was das ist und nicht mehr: play answer", "large"),
                         ("Please tell me what this is and not more: play answer", "small"),
                         ("Скажи мне, пожалуйста, что это такое: play answer", "large"),
                         ("play answer", "small")):
        r = send("openai", "spoken", messages=[{"role": "user", "content": text}])
        same((text, arm(r)), (text, wanted))


def a_task_has_its_arm():
    r = send("openai", "ruled", headers={"x-weir-task": "code"})
    same((arm(r), row(r)["reason"]), ("large", "task"))
    same(arm(send("openai", "ruled", headers={"x-weir-task": "prose"})), "small")


def loop(play="answer"):
    return [{"role": "user", "content": "play " + play},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]


def a_tool_loop_stays_with_its_model():
    s = {"x-weir-session": "s1"}
    same(arm(send("openai", "first", headers=dict(s, **{"x-team": "legal"}))), "large")
    r = send("openai", "first", headers=s, messages=loop())
    same((arm(r), row(r)["reason"]), ("large", "stay"))
    # The loop has ended: free again; and other conversations were always.
    same(arm(send("openai", "first", headers=s)), "small")
    same(arm(send("openai", "first", headers={"x-weir-session": "s2"}, messages=loop())), "small")


def a_route_may_let_them_go():
    s = {"x-weir-session": "s3"}
    same(arm(send("openai", "free", headers=dict(s, **{"x-team": "legal"}))), "large")
    same(arm(send("openai", "free", headers=s, messages=loop())), "small")


def what_staying_saves_is_in_the_row():
    s = {"x-weir-session": "s4"}
    send("openai", "first", headers=s)
    w = json.loads(row(send("openai", "first", headers=s))["arms"])
    assert w[0]["cache_usd"] < 0 and "cache_usd" not in w[1], w


def signals(r):
    row(r)
    db = sqlite3.connect(DIR + "/weir.db")
    return db.execute("select source, score, comment from labels where request_id=?",
                      (r.getheader("x-weir-request-id"),)).fetchall()


SAID = [{"role": "user", "content": "play answer"}]
LONG = "Tell me please how high the famous old iron tower of Paris is, in metres and in feet. play answer"
ASKED = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Gruesse"}]
MORE = SAID + [{"role": "assistant", "content": "Gruesse"}]
FAILED = [{"role": "tool", "tool_call_id": "c1", "content": "Error: no such city"}]
WARMER = {"x-again": "1"}  # the same question, other bytes
FOLLOWED = [
    ("retried", SAID, {}),
    ("regenerated", SAID, WARMER),
    ("upgraded", SAID, {"x-weir-arm": "large"}),
    ("asked_again", MORE + SAID, {}),
    ("tool_error", loop()[:2] + FAILED, {}),
    (None, MORE + [{"role": "user", "content": "thank you, play answer"}], {}),
    ("rephrased", ASKED + [{"role": "user", "content": LONG.replace("please", "now")}], {}, ASKED[:1]),
    (None, ASKED + [{"role": "user", "content": "And who was it that built the second one? play answer"}], {},
     ASKED[:1]),
    (None, [{"role": "user", "content": LONG.replace("Paris", "Rome")}], {}, ASKED[:1]),
    (None, loop(), {}),
]


def what_the_next_request_shows_is_a_label_of_the_answer_before():
    for i, (kind, messages, headers, *before) in enumerate(FOLLOWED):
        s = {"x-weir-session": f"follow{i}"}
        first = send("openai", "first", headers=s, messages=before[0] if before else SAID)
        more = {"temperature": 0.9} if headers == WARMER else {}
        row(send("openai", "first", headers=dict(s, **headers), messages=messages, **more))
        time.sleep(0.2)
        same((kind, signals(first)), (kind, [("signal", 0.0, kind)] if kind else []))


def a_clients_own_retry_is_told_by_its_library():
    s = {"x-weir-session": "stainless"}
    first = send("openai", "first", headers=s, messages=SAID)
    time.sleep(0.1)
    again = send("openai", "first", headers=dict(s, **{"x-stainless-retry-count": "1"}), messages=SAID)
    same((row(first)["signals"], row(again)["signals"]), (None, "client_retry"))
    time.sleep(0.2)
    same(signals(first), [("signal", 0.0, "retried")])


def a_client_that_would_not_wait_shows_in_the_row_and_is_a_label_later():
    s = {"x-weir-session": "left"}
    for wait, found in ((0.1, None), (0.6, "abandoned")):
        c = http.client.HTTPConnection("127.0.0.1", weir_port_now(), timeout=20)
        body = request("openai", "silent", False, False, messages=[{"role": "user", "content": "play silent"}])
        body["model"] = "to-first"
        c.request("POST", path_of("openai", "to-first", False), json.dumps(body).encode(),
                  dict(HEADERS["openai"], **s))
        time.sleep(wait)
        c.close()
        for _ in range(100):
            time.sleep(0.1)
            db = sqlite3.connect(DIR + "/weir.db")
            left = db.execute("select id, signals from requests where status=499 and session='left'"
                              " order by time_ms").fetchall()
            if len(left) == (1 if found is None else 2):
                break
        same(left[-1][1], found)
    time.sleep(0.3)
    db = sqlite3.connect(DIR + "/weir.db")
    same(db.execute("select request_id, comment from labels where request_id in (?, ?)",
                    (left[0][0], left[1][0])).fetchall(), [(left[0][0], "retried")])


def flaws_of_an_answer_are_in_its_row():
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    same(row(send("openai", "first"))["signals"], None)
    same(row(send("openai", "first", response_format=schema))["signals"], "bad_json")
    same(row(send("openai", "translated", response_format=schema))["signals"], "bad_json")
    r = send("openai", "first", play="tool", tools=True, tool_choice="required")
    same(row(r)["signals"], None)
    r = send("openai", "first", tools=True, tool_choice="required")
    same(row(r)["signals"], "no_call")


run(config(), [v for k, v in list(globals().items()) if k.count("_") >= 3 and callable(v)
               and v.__module__ == "__main__" and not getattr(v, "__code__").co_argcount
               and k != "weir_port_now"])
