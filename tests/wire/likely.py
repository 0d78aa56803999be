# SPDX-License-Identifier: Apache-2.0
"""Log-probabilities and several answers to one question (`n`): between every
client that can ask and every provider that can give, scripted ones and
`weir mock`; and what becomes of them where a provider cannot.  Every test's
name is a sentence."""
from scripted import *

GIVES = ("openai", "responses", "gemini", "cohere")
ASKS = ("openai", "responses", "gemini")
up = {d: Provider(d) for d in PROVIDERS}
BASE = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta",
        "bedrock": "", "cohere": "/v2"}
# What the model said, and what else it might have.
TOKENS = [("Grü", -0.25, [("Grü", -0.25), ("Gru", -1.5)]), ("ße", -0.5, [("ße", -0.5), ("s", -2)])]
BARE = [(t, p, []) for t, p, _ in TOKENS]


# ---- the providers' shapes ----

def theirs(token, p):
    return {"token": token, "logprob": p, "bytes": list(token.encode())}


def oai_likely(tokens):
    return [dict(theirs(t, p), top_logprobs=[theirs(*o) for o in others])
            for t, p, others in tokens]


def gem_likely(tokens):
    return {"chosenCandidates": [{"token": t, "tokenId": 7, "logProbability": p}
                                 for t, p, _ in tokens],
            "topCandidates": [{"candidates": [{"token": t, "tokenId": 8, "logProbability": p}
                                              for t, p in others]} for _, _, others in tokens]}


def co_likely(token, p):
    return {"text": token, "token_ids": [9], "logprobs": [p]}


def whole_of(d):
    a = json.loads(json.dumps(WHOLE[d]))
    if d == "openai":
        a["choices"][0]["logprobs"] = {"content": oai_likely(TOKENS), "refusal": None}
    elif d == "responses":
        a["output"][0]["content"][0]["logprobs"] = oai_likely(TOKENS)
    elif d == "gemini":
        a["candidates"][0]["logprobsResult"] = gem_likely(TOKENS)
    else:
        a["logprobs"] = [co_likely(t, p) for t, p, _ in TOKENS]
    return a


def changed(event, change):
    name, text = event.split(b"data: ", 1)
    obj = json.loads(text)
    change(obj)
    return name + data(obj)


def stream_of(d):
    """The stream of scripted.py with each text's tokens beside it."""
    out, left = [], list(TOKENS)
    for e in STREAM[d]:
        text = next((t for t in left[:1] if json.dumps(t[0]).encode() in e
                     and b".done" not in e and b"completed" not in e), None)
        if text:
            left.pop(0)
            change = {
                "openai": lambda o: o["choices"][0].update(
                    logprobs={"content": oai_likely([text]), "refusal": None}),
                "responses": lambda o: o.update(logprobs=oai_likely([text])),
                "gemini": lambda o: o["candidates"][0].update(logprobsResult=gem_likely([text])),
                "cohere": lambda o: o.update(logprobs=co_likely(*text[:2]))}[d]
            e = changed(e, change)
        out.append(e)
    assert not left, (d, left)
    return out


def two_of(d):
    a = json.loads(json.dumps(WHOLE[d]))
    name = "choices" if d == "openai" else "candidates"
    second = json.loads(json.dumps(a[name][0]))
    second["index"] = 1
    if d == "openai":
        second["message"]["content"] = "Servus"
    else:
        second["content"]["parts"] = [{"text": "Servus"}]
    a[name].append(second)
    return a


def two_streamed(d):
    """The second answer's pieces among the first's."""
    if d == "openai":
        def one(i, delta, finish=None):
            return data({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                         "choices": [{"index": i, "delta": delta, "finish_reason": finish}]})
        return [one(0, {"role": "assistant", "content": "Grü"}),
                one(1, {"role": "assistant", "content": "Ser"}), one(0, {"content": "ße"}),
                one(1, {"content": "vus"}), one(1, {}, "stop"), one(0, {}, "stop"),
                oai({}, usage=OAI_USAGE), b"data: [DONE]\n\n"]

    def two(first, second, finish=None, **more):
        return data({"candidates": [
            {"content": {"role": "model", "parts": [{"text": t}]}, "index": i,
             **({"finishReason": finish} if finish else {})}
            for i, t in enumerate((first, second))], "modelVersion": "m", "responseId": "r1", **more})
    return [two("Grü", "Ser"), two("ße", "vus", "STOP", usageMetadata=GEM_USAGE)]


Provider.likely = lambda self, s: s.sendall(reply(whole_of(self.dialect)))
Provider.likely_stream = lambda self, s: self.events(s, stream_of(self.dialect))
Provider.two = lambda self, s: s.sendall(reply(two_of(self.dialect)))
Provider.two_stream = lambda self, s: self.events(s, two_streamed(self.dialect))


# ---- the clients' shapes ----

def wish(client, tops=2):
    if client == "openai":
        return {"logprobs": True, "top_logprobs": tops}
    if client == "responses":
        return {"include": ["message.output_text.logprobs"], "top_logprobs": tops}
    return {"generationConfig": {"maxOutputTokens": 500, "responseLogprobs": True,
                                 "logprobs": tops}}


def many(client, n=2):
    return ({"n": n} if client == "openai" else
            {"generationConfig": {"maxOutputTokens": 500, "candidateCount": n}})


def oai_tokens(tokens):
    for t in tokens:
        for one in [t] + t["top_logprobs"]:
            same(bytes(one["bytes"]).decode(), one["token"])
    return [(t["token"], t["logprob"], [(o["token"], o["logprob"]) for o in t["top_logprobs"]])
            for t in tokens]


def gem_tokens(r):
    tops = r.get("topCandidates") or [{}] * len(r["chosenCandidates"])
    return [(c["token"], c["logProbability"],
             [(o["token"], o["logProbability"]) for o in top.get("candidates", [])])
            for c, top in zip(r["chosenCandidates"], tops, strict=True)]


def tokens_whole(client, a):
    if client == "openai":
        return oai_tokens(a["choices"][0]["logprobs"]["content"])
    if client == "responses":
        return oai_tokens(a["output"][0]["content"][0]["logprobs"])
    return gem_tokens(a["candidates"][0]["logprobsResult"])


def tokens_streamed(client, text):
    out = []
    for name, e in frames(text):
        if e == "[DONE]":
            continue
        if client == "openai":
            for c in e["choices"]:
                out += oai_tokens((c.get("logprobs") or {"content": []})["content"])
        elif name == "response.output_text.delta":
            out += oai_tokens(e["logprobs"])
        elif client == "responses" and name in ("response.completed", "response.output_text.done"):
            last = e["response"]["output"][0]["content"][0] if "response" in e else e
            if "logprobs" in last:
                same((name, oai_tokens(last["logprobs"])), (name, out))
        elif client == "gemini":
            for c in e["candidates"]:
                if "logprobsResult" in c:
                    out += gem_tokens(c["logprobsResult"])
    return out


def asked_of(d):
    b = json.loads(up[d].seen[-1][1])
    if d == "openai":
        return b.get("logprobs"), b.get("top_logprobs")
    if d == "responses":
        return "message.output_text.logprobs" in b.get("include", []), b.get("top_logprobs")
    if d == "gemini":
        g = b["generationConfig"]
        return g.get("responseLogprobs"), g.get("logprobs")
    return b.get("logprobs"), None


def texts_whole(client, a):
    if client == "openai":
        return [(c["index"], c["message"]["content"], c["finish_reason"]) for c in a["choices"]]
    return [(c.get("index", 0), c["content"]["parts"][0]["text"], c["finishReason"])
            for c in a["candidates"]]


def texts_streamed(client, text):
    said, ends = {}, {}
    for _, e in frames(text):
        for c in () if e == "[DONE]" else e["choices" if client == "openai" else "candidates"]:
            i = c.get("index", 0)
            more = (c["delta"].get("content") or "" if client == "openai" else
                    "".join(p.get("text", "") for p in c["content"]["parts"]))
            said[i] = said.get(i, "") + more
            end = c.get("finish_reason" if client == "openai" else "finishReason")
            if end:
                ends[i] = end
    return [(i, said[i], ends[i]) for i in sorted(said)]


# ---- tests ----

def log_probabilities_go_from_who_gives_them_to_who_asks():
    for c in ASKS:
        for d in GIVES:
            lost = "logprobs" if d == "cohere" else None  # the others that might have been
            for play in ("likely", "likely_stream"):
                stream = play.endswith("stream")
                r = ask(c, d, play, stream=stream, **wish(c))
                body = r.read()
                same((c, d, play, r.status), (c, d, play, 200))
                same((c, d) + asked_of(d), (c, d, True, None if lost else 2))
                got = tokens_streamed(c, body) if stream else tokens_whole(c, json.loads(body))
                same((c, d, play, got), (c, d, play, BARE if lost else TOKENS))
                said = (seen_stream(c, body) if stream else seen_whole(c, json.loads(body)))[0]
                same((c, d, play, said), (c, d, play, "Grüße"))
                warned = r.getheader("x-weir-warnings") or ""
                same((c, d, play, "logprobs" in warned), (c, d, play, bool(lost)))


def who_did_not_ask_gets_none():
    for d in ("openai", "gemini"):
        r = ask("anthropic", d, "likely")
        body = r.read()
        same((d, r.status, b"logprob" in body), (d, 200, False))
        r = ask("openai", d, "answer")
        same(json.loads(r.read())["choices"][0].get("logprobs"), None)
        same(asked_of(d)[0], None)


def a_token_that_is_nearly_impossible_and_one_that_is_certain_are_numbers():
    odd = {"chosenCandidates": [{"token": "a", "logProbability": "-Infinity"}, {"token": "\\\n"}]}

    def odd_answer(self, s):
        a = json.loads(json.dumps(GEMINI_ANSWER))
        a["candidates"][0]["logprobsResult"] = odd
        s.sendall(reply(a))
    Provider.odd = odd_answer
    r = ask("openai", "gemini", "odd", **wish("openai"))
    same(tokens_whole("openai", json.loads(r.read())), [("a", -9999.0, []), ("\\\n", 0, [])])


def pieces_of_several_tokens_are_a_loss():
    def piece(self, s):
        a = json.loads(json.dumps(COHERE_ANSWER))
        a["logprobs"] = [{"text": "Grüße", "token_ids": [1, 2], "logprobs": [-1, -2]}]
        s.sendall(reply(a))
    Provider.piece = piece
    for c in ASKS:
        r = ask(c, "cohere", "piece", **wish(c, 0))
        a = json.loads(r.read())
        same((c, seen_whole(c, a)[0]), (c, "Grüße"))
        assert "logprobs" in (row(r)["losses"] or ""), (c, row(r)["losses"])


def several_answers_go_from_who_gives_them_to_who_asks():
    ends = {"openai": "stop", "gemini": "STOP"}
    for c in ends:
        for d in ends:
            want = [(0, "Grüße", ends[c]), (1, "Servus", ends[c])]
            for play in ("two", "two_stream"):
                stream = play.endswith("stream")
                r = ask(c, d, play, stream=stream, **many(c))
                body = r.read()
                same((c, d, play, r.status, r.getheader("x-weir-warnings")),
                     (c, d, play, 200, None))
                b = json.loads(up[d].seen[-1][1])
                same((c, d, b["n"] if d == "openai" else b["generationConfig"]["candidateCount"]),
                     (c, d, 2))
                got = texts_streamed(c, body) if stream else texts_whole(c, json.loads(body))
                same((c, d, play, got), (c, d, play, want))
                same((c, d, row(r)["output_tokens"]), (c, d, 500))


def what_a_provider_cannot_is_told_dropped_or_refused():
    for name, cannot in (("logprobs", ("anthropic", "bedrock")),
                         ("n", ("anthropic", "bedrock", "responses", "cohere"))):
        for c in ("openai", "gemini"):
            more = wish(c, 0) if name == "logprobs" else many(c)
            for d in cannot:
                for stream in (False, True):
                    play = "stream" if stream else "answer"
                    r = ask(c, d, play, stream=stream, **more)
                    r.read()
                    assert name in (r.getheader("x-weir-warnings") or "").split("=")[0].split(
                        ", ")[0], (c, d, name, r.getheaders())
                    same(row(r)["losses"].split("=")[0], name)
                    r = ask(c, d, play, stream=stream, route="quiet", **more)
                    r.read()
                    same((c, d, r.status, r.getheader("x-weir-warnings")), (c, d, 200, None))
                    before = len(up[d].seen)
                    r = ask(c, d, play, stream=stream, route="strict", **more)
                    r.read()
                    same((c, d, name, r.status, len(up[d].seen)), (c, d, name, 400, before))


def no_trace(d):
    b = json.loads(up[d].seen[-1][1])
    same((d, "ogprobs" in json.dumps(b)), (d, False))
    return b


def where_no_arm_of_the_catalogue_gives_them_the_route_says_what_follows():
    for c in ASKS:
        for d in PROVIDERS:
            for stream in (False, True):
                play = "stream" if stream else "answer"
                r = ask(c, d, play, stream=stream, route="to-less", **wish(c))
                body = r.read()
                same((c, d, r.status, r.getheader("x-weir-warnings")), (c, d, 200, "logprobs=logprobs"))
                said = (seen_stream(c, body) if stream else seen_whole(c, json.loads(body)))[0]
                same((c, d, said, row(r)["losses"]), (c, d, "Grüße", "logprobs=logprobs"))
                no_trace(d)
                r = ask(c, d, play, stream=stream, route="quiet-less", **wish(c))
                r.read()
                same((c, d, r.status, r.getheader("x-weir-warnings")), (c, d, 200, None))
                same(row(r)["losses"], "logprobs=logprobs")
                no_trace(d)
                before = len(up[d].seen)
                r = ask(c, d, play, stream=stream, route="strict-less", **wish(c))
                body = r.read()
                same((c, d, r.status, b"gives no logprobs" in body, len(up[d].seen)), (c, d, 400, True, before))
    # what else the body has goes through, and who gives them goes first
    r = ask("openai", "openai", "answer", route="to-less", logit_bias={"7": 1}, top_logprobs=1, logprobs=True)
    r.read()
    same(no_trace("openai")["logit_bias"], {"7": 1})
    r = ask("responses", "responses", "answer", route="to-less", top_logprobs=1,
            include=["reasoning.encrypted_content", "message.output_text.logprobs"])
    r.read()
    same(no_trace("responses")["include"], ["reasoning.encrypted_content"])
    r = ask("openai", "openai", "likely", route="either", **wish("openai"))
    same((tokens_whole("openai", json.loads(r.read())), r.getheader("x-weir-arm")), (TOKENS, "m-openai"))


def weir_mock_gives_both_in_every_dialect_that_has_them():
    for c in ASKS:
        for d in GIVES:
            seen = []
            for stream in (False, True):
                r = ask(c, "mock-" + d, "[mock text=\"to be or not\"]", stream=stream,
                        **wish(c, 3))
                body = r.read()
                same((c, d, r.status), (c, d, 200))
                got = tokens_streamed(c, body) if stream else tokens_whole(c, json.loads(body))
                same((c, d, "".join(t for t, _, _ in got)), (c, d, "to be or not"))
                same((c, d, {len(o) for _, _, o in got}), (c, d, {0 if d == "cohere" else 3}))
                seen.append([t[:2] for t in got])
            same((c, d, seen[0]), (c, d, seen[1]))
    for c in ("openai", "gemini"):
        for d in ("openai", "gemini"):
            for stream in (False, True):
                r = ask(c, "mock-" + d, "[mock text=\"to be\"]", stream=stream, **many(c, 3))
                body = r.read()
                got = texts_streamed(c, body) if stream else texts_whole(c, json.loads(body))
                same((c, d, [g[:2] for g in got]), (c, d, [(i, "to be") for i in range(3)]))


# ---- weir before them ----

def start_mock():
    port = f"{DIR}/mock.port"
    p = subprocess.Popen([WEIR, "mock", "--port", "0", "--dialect", "all", "--port-file", port],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(1000):
        if os.path.exists(port) and open(port).read().strip():
            break
        time.sleep(0.01)
    return p, int(open(port).read())


def config(mock):
    text, models, routes = SETTINGS + "providers:\n", "models:\n", "routes:\n"
    for d in PROVIDERS:
        for name, port in ((d, up[d].port), ("mock-" + d, mock)):
            text += (f"  p-{name}: {{dialect: {d}, base_url: \"http://127.0.0.1:{port}{BASE[d]}\","
                     f" api_key: {KEY}}}\n")
            models += f"  m-{name}: {{provider: p-{name}, name: up-{name}, price: {{input: 1, output: 2}}}}\n"
            routes += f"  to-{name}: {{arms: [m-{name}], policy: fixed}}\n"
            routes += f"  strict-{name}: {{arms: [m-{name}], policy: fixed, unsupported: reject}}\n"
            routes += f"  quiet-{name}: {{arms: [m-{name}], policy: fixed, unsupported: drop}}\n"
        models += (f"  less-{d}: {{provider: p-{d}, name: up-{d}, price: {{input: 1, output: 1}},"
                   " capabilities: [tools, stream, vision, json, schema, sampling]}\n")
        for how, more in (("to", ""), ("strict", ", unsupported: reject"), ("quiet", ", unsupported: drop")):
            routes += f"  {how}-less-{d}: {{arms: [less-{d}], policy: fixed{more}}}\n"
    routes += "  either-openai: {arms: [less-openai, m-openai], policy: fixed, reference: less-openai}\n"
    return text + models + routes


TESTS = [
    log_probabilities_go_from_who_gives_them_to_who_asks, who_did_not_ask_gets_none,
    a_token_that_is_nearly_impossible_and_one_that_is_certain_are_numbers,
    pieces_of_several_tokens_are_a_loss, several_answers_go_from_who_gives_them_to_who_asks,
    what_a_provider_cannot_is_told_dropped_or_refused,
    where_no_arm_of_the_catalogue_gives_them_the_route_says_what_follows,
    weir_mock_gives_both_in_every_dialect_that_has_them,
]

process, mock_port = start_mock()
try:
    run(config(mock_port), TESTS)
finally:
    process.terminate()
    process.wait(10)
