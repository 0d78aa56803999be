# SPDX-License-Identifier: Apache-2.0
"""weir serve: plans of several models, before one mock that plays all of
them.  What each model answers stands in the prompt, by its name.  Every
test's name is a sentence."""
from scripted import *

NANO, CLAUDE, FLASH, LARGE = "gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash", "gpt-4o"
UPSTREAM = {"nano": NANO, "claude": CLAUDE, "flash": FLASH, "large": LARGE}


def start_mock():
    port = DIR + "/mock.port"
    p = subprocess.Popen([WEIR, "mock", "--port", "0", "--port-file", port, "--dialect", "all"],
                         stdout=subprocess.DEVNULL, stderr=open(DIR + "/mock.err", "w"))
    for _ in range(400):
        if os.path.exists(port) and open(port).read().strip():
            return p, int(open(port).read())
        time.sleep(0.02)
    p.kill()
    sys.exit("the mock did not start: " + open(DIR + "/mock.err").read())


mock, mock_port = start_mock()


def config():
    at = f"http://127.0.0.1:{mock_port}"
    return SETTINGS + f"""
providers:
  oa: {{dialect: openai, base_url: "{at}/v1", api_key: {KEY}}}
  an: {{dialect: anthropic, base_url: "{at}", api_key: {KEY}}}
  ge: {{dialect: gemini, base_url: "{at}/v1beta", api_key: {KEY}}}
models:
  nano: {{provider: oa, name: {NANO}}}
  claude: {{provider: an, name: {CLAUDE}}}
  flash: {{provider: ge, name: {FLASH}}}
  large: {{provider: oa, name: {LARGE}}}
plans:
  checked: {{kind: verify, draft: nano, check: claude, else: large}}
  mixed: {{kind: verify, draft: flash, check: claude, else: large}}
  careful: {{kind: cascade, draft: claude, else: large}}
  learned: {{kind: cascade, draft: claude, else: large}}
  brief: {{kind: verify, draft: nano, check: flash, else: large, deadline: 300ms}}
  reviewed: {{kind: panel, model: claude, review: nano}}
  hurried: {{kind: panel, model: large, review: claude, deadline: 300ms}}
routes:
  to-checked: {{arms: [checked, large], policy: fixed, reference: checked, attempts: 1}}
  to-mixed: {{arms: [mixed], policy: fixed, attempts: 1}}
  to-careful: {{arms: [careful], policy: fixed, attempts: 1}}
  to-brief: {{arms: [brief], policy: fixed, attempts: 1}}
  to-reviewed: {{arms: [reviewed, large], policy: fixed, reference: reviewed, attempts: 1}}
  to-hurried: {{arms: [hurried], policy: fixed, attempts: 1}}
  to-learned: {{arms: [claude, large, learned], policy: fixed, reference: large, attempts: 1}}
  to-none: {{arms: [large], policy: fixed}}
"""


def says(**answers):
    """A prompt to which each model has its own answer; faults by model=dict."""
    out = []
    for arm, what in answers.items():
        if isinstance(what, str):
            what = {"text": what}
        for k, v in what.items():
            quote = '"' if "'" in str(v) else "'"
            out.append(f"{k}@{UPSTREAM[arm]}={quote}{v}{quote}")
    return "[mock " + " ".join(out) + "]"


def send(client, target, prompt, stream=False, tools=False, headers={}, **more):
    model = "to-" + target
    body = request(client, prompt, stream, tools, **more)
    if client != "gemini":
        body["model"] = model
    r = post(path_of(client, model, stream), body, dict(HEADERS[client], **headers))
    r.text = r.read()
    return r


def got(client, r, stream):
    return seen_stream(client, r.text) if stream else seen_whole(client, json.loads(r.text))


def plan(r):
    return json.loads(row(r)["plan"])


def ledger():
    c = http.client.HTTPConnection("127.0.0.1", mock_port, timeout=20)
    c.request("GET", "/ledger")
    return json.loads(c.getresponse().read())


def spent():
    return ledger()["cost_pico"]


def verdict(r):
    return re.search(r"verdict=(\w+)", r.getheader("x-weir-plan"))[1]


def an_answer_that_both_give_is_the_drafts_for_every_client():
    for client in CLIENTS:
        for stream in (False, True):
            before = spent()
            r = send(client, "checked", says(nano="The answer is 42", claude="The answer is **42**.",
                                             large="43"), stream)
            same(r.status, 200)
            same(got(client, r, stream)[0], "The answer is 42")
            same((verdict(r), r.getheader("x-weir-arm"), r.getheader("x-weir-model")),
                 ("accepted", "checked", NANO))
            w = row(r)
            same((w["arm"], w["model"], w["provider"], w["status"], w["error"], w["answer"]),
                 ("checked", NANO, "oa", 200, None, "The answer is 42"))
            same(w["cost_pico"], spent() - before)


def answers_that_differ_go_to_the_third_model():
    for client in CLIENTS:
        for stream in (False, True):
            before = spent()
            r = send(client, "checked", says(nano="42", claude="41", large="43"), stream)
            same(got(client, r, stream)[0], "43")
            same((verdict(r), r.getheader("x-weir-model")), ("escalated", LARGE))
            w = row(r)
            same((w["arm"], w["model"], w["status"], w["attempts"]), ("checked", LARGE, 200, 3))
            same(w["cost_pico"], spent() - before)
            p = json.loads(w["plan"])
            same([(m["role"], m["arm"], m["status"]) for m in p["members"]],
                 [("draft", "nano", 200), ("check", "claude", 200), ("else", "large", 200)])
            same(round(sum(m["cost_usd"] for m in p["members"]) * 1e12), w["cost_pico"])


def members_may_speak_dialects_that_are_not_the_clients():
    for client in CLIENTS:
        for stream in (False, True):
            before = spent()
            r = send(client, "mixed", says(flash="Paris.", claude="paris"), stream)
            same((got(client, r, stream)[0], verdict(r)), ("Paris.", "accepted"))
            same(row(r)["cost_pico"], spent() - before)


def a_stream_that_stands_is_the_providers_byte_for_byte():
    body = request("openai", says(nano="B) because", claude="B) as", large="C"), True,
                   stream_options={"include_usage": True})
    direct = post("/v1/chat/completions", dict(body, model="nano")).read()
    r = post("/v1/chat/completions", dict(body, model="to-checked"))
    same((verdict(r), r.read() == direct), ("escalated", False))
    body = request("openai", says(nano="B", claude="B", large="C"), True,
                   stream_options={"include_usage": True})
    direct = post("/v1/chat/completions", dict(body, model="nano")).read()
    r = post("/v1/chat/completions", dict(body, model="to-checked"))
    same((verdict(r), r.read()), ("accepted", direct))


TOOL = {"tool": "weather", "args": '{"city":"Bern"}'}


def tool_calls_agree_by_name_and_arguments():
    for client in TOOL_CLIENTS:
        for stream in (False, True):
            r = send(client, "checked", says(
                nano=TOOL, claude={"tool": "weather", "args": '{ "city": "Bern" }'},
                large="no"), stream, tools=True)
            same((verdict(r), got(client, r, stream)[1]),
                 ("accepted", [("weather", {"city": "Bern"})]))
    r = send("openai", "checked", says(nano=TOOL, claude={"tool": "weather", "args": '{"city":"Rom"}'},
                                       large="no"), tools=True)
    same(verdict(r), "escalated")


LONG = ("The river rises in the mountains, runs through two lakes and a gorge, turns west at the "
        "old town and reaches the sea behind a wide delta of reeds and islands. ") * 2


def long_answers_agree_by_their_words():
    other = LONG.replace("turns west", "bends to the west").replace("wide", "broad")
    r = send("openai", "checked", says(nano=LONG, claude=other, large="no"))
    same((verdict(r), plan(r)["why"]), ("accepted", "overlap"))
    r = send("openai", "checked", says(
        nano=LONG, large="no", claude="A poem about nothing much at all, which goes on for a long "
        "while so that its length is alike, with words that the other never said and never will "
        "say, for it speaks of other things, of cities and their trains and noise. " * 2))
    same((verdict(r), plan(r)["why"]), ("escalated", "disagree"))


def a_draft_that_fails_escalates_at_once():
    for stream in (False, True):
        before = spent()
        r = send("openai", "checked", says(nano={"status": 500}, claude={"text": "1", "latency-ms": 3000},
                                           large="43"), stream)
        same((got("openai", r, stream)[0], verdict(r)), ("43", "escalated"))
        same(plan(r)["why"], "draft failed")
        assert row(r)["latency_us"] < 2e6, row(r)["latency_us"]


def a_check_that_fails_escalates():
    for stream in (False, True):
        before = spent()
        r = send("anthropic", "checked", says(nano="42", claude={"status": 529}, large="43"), stream)
        same((got("anthropic", r, stream)[0], plan(r)["why"]), ("43", "check failed"))
        if not stream:
            same(row(r)["cost_pico"] >= spent() - before, True)


def a_draft_that_is_cut_in_its_stream_is_never_seen():
    r = send("openai", "checked", says(nano={"text": "one two three four", "cut": 3}, claude="1",
                                       large="43"), True)
    same((got("openai", r, True)[0], plan(r)["why"]), ("43", "draft failed"))


def a_cascade_looks_at_the_draft_alone():
    for client in CLIENTS:
        for stream in (False, True):
            before = spent()
            r = send(client, "careful", says(claude="It is fine.", large="43"), stream)
            same((got(client, r, stream)[0], verdict(r)), ("It is fine.", "accepted"))
            same(row(r)["cost_pico"], spent() - before)
            r = send(client, "careful", says(claude="I'm sorry, but I can't help with that.",
                                             large="43"), stream)
            same((got(client, r, stream)[0], plan(r)["why"]), ("43", "draft: refused"))


def a_cascade_refuses_what_is_not_as_asked_for():
    r = send("openai", "careful", says(claude="no json", large="{}"),
             response_format={"type": "json_object"})
    same((got("openai", r, False)[0], plan(r)["why"]), ("{}", "draft: bad_json"))
    r = send("openai", "careful", says(claude={"tool": "weather", "args": '{"town":"Bern"}'},
                                       large=TOOL), tools=True)
    same((got("openai", r, False)[1], plan(r)["why"]),
         ([("weather", {"city": "Bern"})], "draft: bad_arguments"))


def several_answers_are_not_compared():
    r = send("openai", "checked", says(nano="1", claude="1", large="43"), n=2)
    p = plan(r)
    same((p["why"], [m["role"] for m in p["members"]]), ("several answers", ["else"]))


def at_the_deadline_a_whole_draft_is_the_answer():
    for stream in (False, True):
        r = send("openai", "brief", says(nano="42", flash={"text": "42", "latency-ms": 5000}), stream)
        same((got("openai", r, stream)[0], verdict(r), plan(r)["why"]), ("42", "deadline", "deadline"))
        assert 250e3 < row(r)["latency_us"] < 2e6, row(r)["latency_us"]


def at_the_deadline_without_a_draft_the_third_model_answers():
    r = send("gemini", "brief", says(nano={"latency-ms": 5000}, flash="42", large="43"), True)
    same((got("gemini", r, True)[0], verdict(r), plan(r)["why"]), ("43", "escalated", "deadline"))


def a_waiting_stream_gets_pings_and_then_a_comment():
    answers = {}

    def wait(client):
        answers[client] = send(client, "checked", says(
            nano="42", claude={"text": "42", "latency-ms": 2300}, large="43"), True)

    threads = [threading.Thread(target=wait, args=(c,)) for c in CLIENTS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for client, r in answers.items():
        ping = b'event: ping\ndata: {"type": "ping"}\n\n' if client == "anthropic" else b": waiting\n\n"
        assert r.text.startswith(ping), r.text
        same(r.getheader("x-weir-plan"), None)
        assert b"\n: x-weir-plan: verify; verdict=accepted; draft=nano; check=claude" in r.text, r.text
        while r.text.startswith(ping):
            r.text = r.text[len(ping):]
        same(got(client, r, True)[0], "42")


def a_client_that_leaves_takes_all_members_with_it():
    for stream in (False, True):
        before = ledger()["aborted"]
        body = request("openai", says(nano={"text": LONG, "trickle": 1},
                                      claude={"text": LONG, "trickle": 1}), stream)
        body["model"] = "to-checked"
        s = socket.create_connection(("127.0.0.1", int(open(DIR + "/port").read())))
        raw = json.dumps(body).encode()
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: "
                  b"application/json\r\ncontent-length: %d\r\n\r\n" % len(raw) + raw)
        time.sleep(0.5)
        s.close()
        for _ in range(40):
            if ledger()["aborted"] == before + 2:
                break
            time.sleep(0.01)
        same(ledger()["aborted"], before + 2)
        w = last_row()
        p = json.loads(w["plan"])
        same((w["status"], w["error"], p["verdict"], w["model"]), (499, "client_gone", "failed", None))
        same(len(p["members"]), 2)
        assert w["cost_pico"] > 0 and all(m["cost_usd"] > 0 for m in p["members"]), p
        same(round(sum(m["cost_usd"] for m in p["members"]) * 1e12), w["cost_pico"])


def last_row():
    for _ in range(100):
        db = sqlite3.connect(DIR + "/weir.db")
        db.row_factory = sqlite3.Row
        rows = db.execute("select * from requests where status=499 order by id desc").fetchall()
        if len(rows) > last_row.seen:
            last_row.seen = len(rows)
            return rows[0]
        time.sleep(0.05)
    raise AssertionError("no row of a client that left")


last_row.seen = 0


def when_all_fail_the_client_is_told_of_the_last():
    r = send("openai", "mixed", says(flash={"status": 500}, claude={"status": 500},
                                     large={"status": 503}))
    same((r.status, plan(r)["verdict"]), (503, "failed"))
    same(json.loads(r.text)["error"]["type"], "server_error")


def behind_a_plan_another_arm_takes_over():
    r = post("/v1/chat/completions", dict(request("openai", says(
        claude={"status": 500}, nano="{}", large="43")), model="to-reviewed"))
    same((json.loads(r.read())["choices"][0]["message"]["content"], r.getheader("x-weir-arm")),
         ("43", "large"))
    same(row(r)["reason"], "failover")


def a_panel_says_what_its_reviewer_thinks():
    for client in CLIENTS:
        for stream in (False, True):
            for ok, word in (("true", "pass"), ("false", "fail")):
                before = spent()
                r = send(client, "reviewed", says(
                    claude="Bern.", nano='{"ok":%s,"why":"a \u00fc reason"}' % ok), stream)
                same(got(client, r, stream)[0], "Bern.")
                same(r.getheader("x-weir-review"), f'{word}; by=nano; why="a ?? reason"')
                w = row(r)
                same((w["arm"], w["model"], json.loads(w["plan"])["review"]),
                     ("reviewed", CLAUDE, word))
                assert "reason" not in w["plan"]
                same(w["cost_pico"], spent() - before)


def a_review_that_cannot_be_had_is_said_so():
    r = send("openai", "reviewed", says(claude="Bern.", nano="I like it."))
    same((r.getheader("x-weir-review"), got("openai", r, False)[0]),
         ("unavailable; by=nano", "Bern."))
    r = send("openai", "reviewed", says(claude="Bern.", nano={"status": 500}), True)
    same((r.getheader("x-weir-review"), got("openai", r, True)[0]),
         ("unavailable; by=nano", "Bern."))
    r = send("openai", "hurried", says(large="Bern.", claude={"text": "{}", "latency-ms": 3000}))
    same((r.getheader("x-weir-review"), verdict(r)), ("unavailable; by=claude", "deadline"))


def a_plan_can_be_asked_for_by_its_name():
    r = post("/v1/chat/completions", dict(request("openai", says(nano="B", claude="B")), model="checked"))
    same((r.status, verdict(r), row(r)["reason"]), (200, "accepted", "pinned"))


def in_a_tool_loop_the_model_that_answered_goes_on():
    loop = [{"role": "user", "content": says(nano=TOOL, claude=TOOL, large="43")},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather",
                                                              "arguments": '{"city":"Bern"}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"}]
    for model in ("to-checked", "checked"):
        s = {"x-weir-session": "loop-" + model}
        first = post("/v1/chat/completions", dict(request("openai", "", tools=True,
                     messages=loop[:1]), model=model), s)
        first.read()
        same(verdict(first), "accepted")
        r = post("/v1/chat/completions", dict(request("openai", "", tools=True, messages=loop),
                                              model=model), s)
        r.read()
        same((r.getheader("x-weir-arm"), r.getheader("x-weir-plan"), row(r)["reason"]),
             ("nano", None, "stay"))
        # Where it had escalated, it stays with that model.
        s = {"x-weir-session": "loop2-" + model}
        other = [dict(loop[0], content=says(nano="1", claude="2", large=TOOL))] + loop[1:]
        post("/v1/chat/completions", dict(request("openai", "", tools=True, messages=other[:1]),
                                          model=model), s).read()
        r = post("/v1/chat/completions", dict(request("openai", "", tools=True, messages=other),
                                              model=model), s)
        r.read()
        same((r.getheader("x-weir-arm"), row(r)["reason"]), ("large", "stay"))


def metrics():
    c = http.client.HTTPConnection("127.0.0.1", int(open(DIR + "/port").read()), timeout=20)
    c.request("GET", "/metrics")
    return c.getresponse().read().decode()


def counted(verdict_):
    return int(re.search(r'weir_plans_total\{route="to-checked",arm="checked",verdict="%s"\} (\d+)' %
                         verdict_, metrics())[1])


def plans_are_counted_and_tokens_go_to_who_made_them():
    before = counted("accepted"), counted("escalated")
    for text in ("B", "B", "A"):
        r = post("/v1/chat/completions",
                 dict(request("openai", says(nano="B", claude=text, large="C")), model="to-checked"))
        r.read()
    same((counted("accepted") - before[0], counted("escalated") - before[1]), (2, 1))
    text = metrics()
    used = ledger()["models"]
    for arm in ("nano", "flash"):
        out = int(re.search(r'weir_tokens_total\{arm="%s",kind="output"\} (\d+)' % arm, text)[1])
        assert out >= used[UPSTREAM[arm]]["output_tokens"] > 0, (arm, out, used)
    assert 'weir_tokens_total{arm="checked"' not in text


def relatives_that_check_each_other_are_noted():
    with open(DIR + "/relatives.yaml", "w") as f:
        f.write(config().replace("  careful:", "  related: {kind: verify, draft: nano, check: large, "
                                 "else: claude}\n  careful:"))
    r = subprocess.run([WEIR, "check", "--config", DIR + "/relatives.yaml"], capture_output=True,
                       text=True, check=True)
    notes = [l for l in r.stdout.splitlines() if "same mistakes" in l]
    same(notes, ["note: plan related: nano and large are both of the family gpt, which makes the "
                 "same mistakes"])


def what_feedback_says_of_drafts_decides_about_later_ones():
    """Long drafts were right and short ones wrong: an acceptance head is
    learned from the log, and from then on short ones do not stand."""
    long, short = (" ".join(f"word{i}" for i in range(n)) for n in (60, 4))

    def go(i, text, arm=None):
        body = dict(request("openai", f"question {i} " + says(claude=text, large="43")),
                    model="to-learned")
        r = post("/v1/chat/completions", body, {"x-weir-arm": arm} if arm else {})
        r.text = r.read()
        return r

    given = []
    for i in range(64):
        r = go(i, long if i % 2 else short, "learned")
        assert 'verdict=accepted' in r.getheader("x-weir-plan"), r.getheader("x-weir-plan")
        given += [(r, i % 2), (go(i, short, "claude"), i % 2), (go(i, short, "large"), 1)]
    row(given[-1][0])
    for r, score in given:
        same(post("/v1/feedback", {"request_id": r.getheader("x-weir-request-id"),
                                   "score": score}).status // 100, 2)
    time.sleep(0.3)
    out = subprocess.run([WEIR, "train", "--data", DIR + "/weir.db", "--arms",
                          "claude,large,learned=cascade(claude,large)", "--out", DIR + "/c.weir"],
                         capture_output=True, text=True)
    same((out.returncode, out.stderr[-400:] if out.returncode else ""), (0, ""))
    with open(DIR + "/weir.yaml", "w") as f:
        f.write(config().replace("classifier: none", f"classifier: {DIR}/c.weir"))
    same(post("/v1/weir/reload", {}).status, 200)
    p = plan(go(900, short, "learned"))
    same((p["verdict"], p["why"]), ("escalated", "learned"))
    assert p["accepts"] < 0.5, p
    p = plan(go(901, long, "learned"))
    same((p["verdict"], p["why"]), ("accepted", "learned"))
    assert p["accepts"] > 0.5, p


def explain_shows_the_members():
    r = post("/v1/weir/explain", dict(request("openai", "hello"), model="to-checked"))
    arms = {a["arm"]: a for a in json.loads(r.read())["arms"]}
    same(arms["checked"]["plan"], "verify(nano,claude,large)")
    same(arms["nano"]["dropped"], "only a member of plans")
    assert arms["checked"]["cost_usd"] >= arms["nano"]["cost_usd"] + arms["claude"]["cost_usd"]


if __name__ == "__main__":
    try:
        run(config(), [v for k, v in list(globals().items()) if callable(v) and
                       k.count("_") >= 3 and v.__module__ == "__main__"])
    finally:
        mock.send_signal(signal.SIGTERM)
        mock.wait(10)
