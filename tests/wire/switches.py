# SPDX-License-Identifier: Apache-2.0
"""Conversations whose route changes the model: thinking and signatures go
back to who made them and to nobody else, tool calls keep their results.
Every test's name is a sentence."""
from scripted import *

up = {d: Provider(d) for d in PROVIDERS}
up["mistral"] = Provider("openai")
BASE = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta",
        "bedrock": "", "cohere": "/v2", "mistral": "/v1"}
MODELS = {"a1": ("anthropic", "claude-opus-4-6"), "a2": ("anthropic", "claude-sonnet-4-6"),
          "b1": ("bedrock", "anthropic.claude-opus-4-6-v1"), "g1": ("gemini", "gemini-3.5-flash"),
          "g2": ("gemini", "gemini-3.1-pro-preview"), "r1": ("responses", "gpt-5"),
          "r2": ("responses", "gpt-5-mini"), "o1": ("openai", "gpt-4o"),
          "m1": ("mistral", "mistral-large-2512")}


def config():
    text = SETTINGS + "providers:\n"
    for d in up:
        dialect = "" if d == "mistral" else f"dialect: {d}, "
        text += (f"  {d}: {{{dialect}base_url: \"http://127.0.0.1:{up[d].port}{BASE[d]}\","
                 f" api_key: {KEY}}}\n")
    text += "models:\n"
    for name, (p, upstream) in MODELS.items():
        like = ", like: claude-opus-4-6" if name == "b1" else ""
        text += f"  {name}: {{provider: {p}, name: {upstream}{like}}}\n"
    return text + f"routes:\n  all: {{arms: [{', '.join(MODELS)}], policy: fixed}}\n"


THOUGHT = "Café first…"
made = 0


def signed(dialect):
    """An answer with thinking of its own each time."""
    global made
    made += 1
    sign = f"SIGN/{made}+abcdefghijklmnop=="
    if dialect == "anthropic":
        return sign, dict(ANTHROPIC_ANSWER, content=[
            {"type": "thinking", "thinking": THOUGHT, "signature": sign},
            {"type": "text", "text": "Hello"}])
    if dialect == "bedrock":
        return sign, dict(BEDROCK_ANSWER, output={"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": sign}}},
            {"text": "Hello"}]}})
    if dialect == "gemini":
        return sign, dict(GEMINI_ANSWER, candidates=[{"index": 0, "finishReason": "STOP",
                          "content": {"role": "model", "parts": [
                              {"functionCall": {"name": "weather", "args": {"city": "Bern"}},
                               "thoughtSignature": sign}]}}])
    return sign, dict(RESPONSES_ANSWER, output=[
        {"type": "reasoning", "id": f"rs_{made}", "summary": [], "encrypted_content": sign},
        RESPONSES_ANSWER["output"][0]])


def think(self, s):
    self.sign, answer = signed(self.dialect)
    s.sendall(reply(answer))


def think_stream(self, s):
    self.sign, _ = signed(self.dialect)
    self.events(s, [
        ANT_START,
        ant("content_block_start", index=0,
            content_block={"type": "thinking", "thinking": "", "signature": ""}),
        ant("content_block_delta", index=0,
            delta={"type": "thinking_delta", "thinking": THOUGHT}),
        ant("content_block_delta", index=0,
            delta={"type": "signature_delta", "signature": self.sign}),
        ant("content_block_stop", index=0)] + ant_text(1, "Hello") + ANT_END)


Provider.think, Provider.think_stream = think, think_stream


def messages(arm, history, stream=False):
    body = {"model": "all", "max_tokens": 4000, "messages": history, "stream": stream,
            "thinking": {"type": "enabled", "budget_tokens": 1024}}
    raw = json.dumps(body).encode()
    r = post("/v1/messages", raw, dict(HEADERS["anthropic"], **{"x-weir-arm": arm}))
    return r, r.read(), raw


def sent(name):
    return json.loads(up[name].seen[-1][1])


def turn(content, play):
    return [{"role": "user", "content": "play think"},
            {"role": "assistant", "content": content}, {"role": "user", "content": "play think"}]


def thinking_goes_back_byte_for_byte_to_its_model_and_to_no_other():
    for stream in (False, True):
        play = "think_stream" if stream else "think"
        r, body, _ = messages("a1", [{"role": "user", "content": "play " + play}], stream)
        same(r.status, 200)
        content = [{"type": "thinking", "thinking": THOUGHT, "signature": up["anthropic"].sign},
                   {"type": "text", "text": "Hello"}]
        if not stream:
            same(json.loads(body)["content"], content)
        r, _, raw = messages("a1", turn(content, play))
        same((r.status, r.getheader("x-weir-warnings")), (200, None))
        same(up["anthropic"].seen[-1][1], raw.replace(b'"all"', b'"claude-opus-4-6"'))
        r, _, raw = messages("a2", turn(content, play))
        same(r.status, 200)
        assert "thinking" in r.getheader("x-weir-warnings"), r.getheaders()
        same(sent("anthropic")["messages"][1]["content"], content[1:])
        assert up["anthropic"].sign not in json.dumps(sent("anthropic")["messages"][:2])


def thinking_of_one_model_goes_along_between_its_providers():
    """Claude on Bedrock is Claude: the signature stays good."""
    r, body, _ = messages("b1", [{"role": "user", "content": "play think"}])
    content = [{k: v for k, v in b.items() if v is not None}
               for b in json.loads(body)["content"]]
    same(content, [{"type": "thinking", "thinking": THOUGHT, "signature": up["bedrock"].sign},
                   {"type": "text", "text": "Hello"}])
    for arm in ("b1", "a1"):
        r, _, _ = messages(arm, turn(content, "think"))
        same((arm, r.status), (arm, 200))
        assert "thinking=" not in (r.getheader("x-weir-warnings") or ""), r.getheaders()
    same(sent("bedrock")["messages"][1]["content"][0]["reasoningContent"]["reasoningText"],
         {"text": THOUGHT, "signature": content[0]["signature"]})
    same(sent("anthropic")["messages"][1]["content"], content)
    r, _, _ = messages("a2", turn(content, "think"))
    same(sent("anthropic")["messages"][1]["content"], content[1:])


def chat(arm, history, play):
    tools = request("openai", play, tools=True)["tools"]
    r = post("/v1/chat/completions", {"model": "all", "messages": history, "tools": tools},
             {"x-weir-arm": arm})
    return r, json.loads(r.read())


def a_call_s_signature_returns_on_its_part_to_the_model_that_signed():
    asked = {"role": "user", "content": "play think"}
    r, body = chat("g1", [asked], "think")
    said = body["choices"][0]["message"]
    sign = up["gemini"].sign
    history = [asked, {k: said[k] for k in ("role", "content", "tool_calls")},
               {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "sunny"},
               asked]
    r, _ = chat("g1", history, "think")
    same(r.status, 200)
    parts = [p for c in sent("gemini")["contents"] for p in c["parts"] if "functionCall" in p]
    same([p["thoughtSignature"] for p in parts], [sign])
    r, _ = chat("g2", history, "think")
    parts = [p for c in sent("gemini")["contents"] for p in c["parts"] if "functionCall" in p]
    assert sign not in json.dumps(sent("gemini")), parts
    assert "signature" in r.getheader("x-weir-warnings"), r.getheaders()


def reasoning_items_go_back_to_their_model_and_to_no_other():
    asked = {"role": "user", "content": "play think"}
    def ask_arm(arm, items):
        r = post("/v1/responses", {"model": "all", "input": items, "store": False,
                                   "include": ["reasoning.encrypted_content"]},
                 {"x-weir-arm": arm})
        return r, json.loads(r.read())
    r, body = ask_arm("r1", [asked])
    sign = up["responses"].sign
    items = [asked] + body["output"] + [asked]
    r, _ = ask_arm("r1", items)
    same((r.status, sent("responses")["input"]), (200, items))
    r, _ = ask_arm("r2", items)
    same(r.status, 200)
    same([i.get("type", "message") for i in sent("responses")["input"]],
         ["message", "message", "message"])
    assert sign not in json.dumps(sent("responses")), "another model's reasoning"
    assert "thinking" in r.getheader("x-weir-warnings"), r.getheaders()


def a_tool_conversation_goes_through_every_dialect_in_turn():
    """Each call is another provider's; each keeps its result."""
    order = ["o1", "a1", "g1", "b1", "m1", "r1", "o1"]
    history = [{"role": "user", "content": "play tool"}]
    for n, arm in enumerate(order):
        r, body = chat(arm, history, "tool")
        same((arm, r.status), (arm, 200))
        said = body["choices"][0]["message"]
        call = said["tool_calls"][0]
        same((call["function"]["name"], json.loads(call["function"]["arguments"])),
             ("weather", {"city": "Bern"}))
        history += [{"role": "assistant", "content": None, "tool_calls": said["tool_calls"]},
                    {"role": "tool", "tool_call_id": call["id"], "content": f"sunny {n}"},
                    {"role": "user", "content": "play tool"}]
    for arm in order:
        chat(arm, history, "tool")
    m = sent("mistral")["messages"]
    calls = [c["id"] for x in m for c in x.get("tool_calls") or []]
    results = [(x["tool_call_id"], x["content"]) for x in m if x["role"] == "tool"]
    same([c for c, _ in results], calls)
    same([t for _, t in results], [f"sunny {n}" for n in range(len(order))])
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", c) for c in calls), calls
    m = sent("anthropic")["messages"]
    used = [b["id"] for x in m for b in x["content"] if b["type"] == "tool_use"]
    given = [(b["tool_use_id"], b["content"]) for x in m for b in x["content"]
             if b["type"] == "tool_result"]
    same([g for g, _ in given], used)
    same([x["role"] for x in m], ["user", "assistant"] * len(order) + ["user"])
    used = [p["toolUse"]["toolUseId"] for x in sent("bedrock")["messages"]
            for p in x["content"] if "toolUse" in p]
    same(used, [p["toolResult"]["toolUseId"] for x in sent("bedrock")["messages"]
                for p in x["content"] if "toolResult" in p])
    parts = [p for c in sent("gemini")["contents"] for p in c["parts"]]
    same([p["functionResponse"]["name"] for p in parts if "functionResponse" in p],
         ["weather"] * len(order))
    items = sent("responses")["input"]
    same([i["call_id"] for i in items if i.get("type") == "function_call"],
         [i["call_id"] for i in items if i.get("type") == "function_call_output"])


TESTS = [
    thinking_goes_back_byte_for_byte_to_its_model_and_to_no_other,
    thinking_of_one_model_goes_along_between_its_providers,
    a_call_s_signature_returns_on_its_part_to_the_model_that_signed,
    reasoning_items_go_back_to_their_model_and_to_no_other,
    a_tool_conversation_goes_through_every_dialect_in_turn,
]

run(config(), TESTS)
