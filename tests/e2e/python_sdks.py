# SPDX-License-Identifier: Apache-2.0
"""Python's official SDKs before weir and every upstream dialect: plain,
streams, tools in a loop, schema, images, errors, async."""
import asyncio
import base64
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import anthropic
import openai
from google import genai
from google.genai import types

URL = os.environ["WEIR_URL"]
KEY = "client-key-0001"
UPSTREAMS = ["openai", "responses", "anthropic", "gemini", "bedrock", "cohere"]
PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
       "rkJggg==")
PARAMS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
          "additionalProperties": False}
TEXT = "Grüße aus 東京"
o = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
a = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
g = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL))


def same(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def chat_plain_and_stream(m):
    said = [{"role": "user", "content": f"[mock text='{TEXT}']"}]
    r = o.chat.completions.create(model=m, messages=said)
    same((r.choices[0].message.content, r.choices[0].finish_reason), (TEXT, "stop"))
    assert r.usage.prompt_tokens > 0 and r.usage.completion_tokens > 0
    with o.chat.completions.stream(model=m, messages=said,
                                   stream_options={"include_usage": True}) as s:
        for _ in s:
            pass
        last = s.get_final_completion()
    same((last.choices[0].message.content, last.usage.completion_tokens > 0), (TEXT, True))


def chat_tools_in_a_loop(m):
    said = [{"role": "user", "content": "[mock tool=weather loop=2]"}]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": PARAMS}}]
    for _ in range(2):
        c = o.chat.completions.create(model=m, messages=said, tools=tools).choices[0]
        same(c.finish_reason, "tool_calls")
        call = c.message.tool_calls[0]
        same(json.loads(call.function.arguments), {"city": "sample"})
        said += [c.message, {"role": "tool", "tool_call_id": call.id, "content": "12"}]
    same(o.chat.completions.create(model=m, messages=said, tools=tools).choices[0].finish_reason,
         "stop")


def chat_schema_and_image(m):
    from pydantic import BaseModel

    class City(BaseModel):
        name: str
        people: int
    r = o.chat.completions.parse(model=m, response_format=City,
                                 messages=[{"role": "user", "content": "A city"}])
    same(r.choices[0].message.parsed, City(name="sample", people=1))
    r = o.chat.completions.create(model=m, messages=[{"role": "user", "content": [
        {"type": "text", "text": "[mock echo]"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}]}])
    assert "image/png" in r.choices[0].message.content


def chat_errors(m):
    for status, kind in ((400, openai.BadRequestError), (401, openai.AuthenticationError),
                         (429, openai.RateLimitError), (500, openai.InternalServerError)):
        try:
            o.chat.completions.create(model=m, messages=[
                {"role": "user", "content": f"[mock status={status} retry-after=0]"}])
            raise AssertionError("no error")
        except kind as e:
            assert "told to fail" in str(e), e
    try:
        for _ in o.chat.completions.create(model=m, stream=True, messages=[
                {"role": "user", "content": "[mock tokens=30 cut=5]"}]):
            pass
        raise AssertionError("a cut stream ended as if it were whole")
    except openai.APIError:
        pass


def chat_asynchronous(m):
    async def go():
        async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY) as c:
            out = await asyncio.gather(*[c.chat.completions.create(model=m, messages=[
                {"role": "user", "content": f"[mock text='{i}']"}]) for i in range(5)])
            same([r.choices[0].message.content for r in out], list("01234"))
    asyncio.run(go())


def chat_azure_and_base_urls_of_other_gateways(m):
    said = [{"role": "user", "content": f"[mock text='{TEXT}']"}]
    clients = [openai.AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2026-01-01")]
    clients += [openai.OpenAI(base_url=URL + p, api_key=KEY) for p in ("", "/openai/v1", "/api/v1")]
    for c in clients:
        r = c.chat.completions.create(model=m, messages=said)
        same(r.choices[0].message.content, TEXT)
        same("".join(x.choices[0].delta.content or "" for x in c.chat.completions.create(
            model=m, messages=said, stream=True) if x.choices), TEXT)
    c = anthropic.Anthropic(base_url=URL + "/anthropic", api_key=KEY)
    r = c.messages.create(model=m, max_tokens=500, messages=said)
    same(r.content[0].text, TEXT)
    c = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL + "/genai"))
    same(c.models.generate_content(model=m, contents=f"[mock text='{TEXT}']").text, TEXT)


def responses_plain_stream_and_tools(m):
    r = o.responses.create(model=m, input=f"[mock text='{TEXT}']", store=False)
    same((r.output_text, r.status), (TEXT, "completed"))
    with o.responses.stream(model=m, input=f"[mock text='{TEXT}']", store=False) as s:
        for _ in s:
            pass
        same(s.get_final_response().output_text, TEXT)
    said = [{"role": "user", "content": "[mock tool=weather]"}]
    tools = [{"type": "function", "name": "weather", "parameters": PARAMS, "strict": False}]
    r = o.responses.create(model=m, input=said, tools=tools, store=False)
    call = [x for x in r.output if x.type == "function_call"][0]
    said += r.output + [{"type": "function_call_output", "call_id": call.call_id, "output": "12"}]
    assert o.responses.create(model=m, input=said, tools=tools, store=False).output_text


def messages_plain_and_stream(m):
    said = [{"role": "user", "content": f"[mock text='{TEXT}']"}]
    r = a.messages.create(model=m, max_tokens=500, messages=said)
    same((r.content[0].text, r.stop_reason), (TEXT, "end_turn"))
    with a.messages.stream(model=m, max_tokens=500, messages=said) as s:
        same("".join(s.text_stream), TEXT)
        assert s.get_final_message().usage.output_tokens > 0
    assert a.messages.count_tokens(model=m, messages=said).input_tokens > 0


def messages_tools_in_a_loop(m):
    said = [{"role": "user", "content": "[mock tools=2 loop=2]"}]
    tools = [{"name": "weather", "input_schema": PARAMS},
             {"name": "lookup", "input_schema": PARAMS}]
    for _ in range(2):
        r = a.messages.create(model=m, max_tokens=500, messages=said, tools=tools)
        same(r.stop_reason, "tool_use")
        calls = [b for b in r.content if b.type == "tool_use"]
        same([c.name for c in calls], ["weather", "lookup"])
        said += [{"role": "assistant", "content": r.content},
                 {"role": "user", "content": [
                     {"type": "tool_result", "tool_use_id": c.id, "content": "12"}
                     for c in calls]}]
    same(a.messages.create(model=m, max_tokens=500, messages=said, tools=tools).stop_reason,
         "end_turn")


def messages_thinking_and_errors(m):
    far = m.split("-")[1]
    r = a.messages.create(model=m, max_tokens=8192, messages=[
        {"role": "user", "content": "[mock tokens=4]"}],
        thinking={"type": "enabled", "budget_tokens": 2048})
    if far in ("anthropic", "bedrock", "gemini", "cohere"):
        same(r.content[0].type, "thinking")
    for status, kind in ((400, anthropic.BadRequestError), (429, anthropic.RateLimitError),
                         (529, anthropic.InternalServerError)):
        try:
            a.messages.create(model=m, max_tokens=10, messages=[
                {"role": "user", "content": f"[mock status={status} retry-after=0]"}])
            raise AssertionError("no error")
        except kind as e:
            assert "told to fail" in str(e), e


def gemini_plain_stream_tools_and_errors(m):
    r = g.models.generate_content(model=m, contents=f"[mock text='{TEXT}']")
    same(r.text, TEXT)
    assert r.usage_metadata.prompt_token_count > 0
    same("".join(c.text or "" for c in g.models.generate_content_stream(
        model=m, contents=f"[mock text='{TEXT}']")), TEXT)

    def weather(city: str) -> str:
        """The weather of a city."""
        return "12 in " + city
    r = g.models.generate_content(model=m, contents="[mock tool=weather loop=2]",
                                  config=types.GenerateContentConfig(tools=[weather]))
    assert r.text and len(r.automatic_function_calling_history) >= 4, r
    r = g.models.generate_content(model=m, contents=[
        types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"), "[mock echo]"])
    assert "image/png" in r.text
    try:
        g.models.generate_content(model=m, contents="[mock status=400]")
        raise AssertionError("no error")
    except genai.errors.ClientError as e:
        same(e.code, 400)
    assert g.models.count_tokens(model=m, contents="hello there").total_tokens > 0


def gemini_thinking_goes_back_to_whoever_signed_it(m):
    """This SDK keeps signatures as bytes and writes them in the other
    alphabet of base64; the mock refuses signatures that it did not give."""
    far = m.split("-")[1]
    thinks = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(
        include_thoughts=True, thinking_budget=2048), max_output_tokens=8000)
    said = [types.Content(role="user", parts=[types.Part(text="[mock tokens=3]")])]
    for i in range(4):  # each signature is another one
        r = g.models.generate_content(model=m, contents=said, config=thinks)
        said += [r.candidates[0].content,
                 types.Content(role="user", parts=[types.Part(text=f"[mock tokens={4 + i}]")])]
    if far in ("anthropic", "gemini", "bedrock"):
        assert any(p.thought_signature for c in said for p in c.parts), said
        r = g.models.generate_content(model=m, contents=said[:-1] + [types.Content(
            role="user", parts=[types.Part(text="[mock echo]")])], config=thinks)
        assert '"thinking"' in r.text or far == "gemini", r.text


class Other(http.server.BaseHTTPRequestHandler):
    """A provider of what is no conversation."""
    protocol_version = "HTTP/1.1"
    answers = {
        "POST /v1/images/generations": {"created": 1, "data": [{"b64_json": PNG}]},
        "POST /v1/moderations": {"id": "m", "model": "x", "results": [{
            "flagged": True, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}]},
        "POST /v1/audio/transcriptions": {"text": TEXT},
        "POST /v1/files": {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1, "filename": "a",
                           "purpose": "batch", "status": "processed"},
        "GET /v1/files/file-1": {"id": "file-1", "object": "file", "bytes": 3, "created_at": 1,
                                 "filename": "a", "purpose": "batch", "status": "processed"},
        "DELETE /v1/files/file-1": {"id": "file-1", "object": "file", "deleted": True},
        "GET /v1/batches?limit=1": {"object": "list", "data": [], "has_more": False},
        "POST /v1/audio/speech": b"RIFF" * 20000,
    }

    def log_message(self, *a):
        pass

    def any(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        out = self.answers.get(f"{self.command} {self.path}")
        ok = self.headers["authorization"] == "Bearer theirs" and out is not None
        data = out if isinstance(out, bytes) else json.dumps(out if ok else {"error": {
            "message": f"{self.command} {self.path} is not known here"}}).encode()
        self.send_response(200 if ok else 400)
        self.send_header("content-type", "audio/wav" if data[:4] == b"RIFF" else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = any


def what_is_no_conversation():
    """OpenAI's client, and weir with `pass_through`."""
    far = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=far.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as at:
        with open(at + "/weir.yaml", "w") as f:
            f.write(f"""listen: 127.0.0.1:0
classifier: none
log: {{path: {at}/weir.db}}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{far.server_port}/v1", api_key: theirs, pass_through: [/v1/]}}
models: {{m: {{provider: p, price: {{input: 1, output: 1}}}}}}
""")
        weir = subprocess.Popen([os.environ["WEIR"], "serve", "--config", at + "/weir.yaml",
                                 "--port-file", at + "/port"])
        try:
            for _ in range(200):
                if os.path.exists(at + "/port"):
                    break
                time.sleep(.05)
            c = openai.OpenAI(base_url=f"http://127.0.0.1:{open(at + '/port').read().strip()}/v1",
                              api_key=KEY, max_retries=0)
            same(c.images.generate(model="x", prompt="a").data[0].b64_json, PNG)
            same(c.moderations.create(input="a").results[0].flagged, True)
            same(c.audio.transcriptions.create(model="x", file=("a.wav", b"abc")).text, TEXT)
            same(len(c.audio.speech.create(model="x", voice="alloy", input="a").read()), 80000)
            same(c.files.create(file=("a", b"abc"), purpose="batch").id, "file-1")
            same(c.files.retrieve("file-1").bytes, 3)
            same(c.files.delete("file-1").deleted, True)
            same(c.batches.list(limit=1).data, [])
            same([x.id for x in c.models.list()], ["m"])
        finally:
            weir.terminate()
            weir.wait(20)
            far.shutdown()


def main():
    tests = [v for k, v in globals().items()
             if k.split("_")[0] in ("chat", "responses", "messages", "gemini") and callable(v)]
    failed = 0
    for t in tests:
        for u in UPSTREAMS:
            try:
                t("m-" + u)
            except Exception as e:  # all of them are told
                failed += 1
                where = traceback.extract_tb(e.__traceback__)[1]
                print(f"FAIL  {t.__name__} -> {u}: line {where.lineno}: {e!r}"[:700])
    try:
        what_is_no_conversation()
    except Exception as e:
        failed += 1
        print(f"FAIL  what is no conversation: {e!r}"[:700])
    print(f"openai {openai.__version__}, anthropic {anthropic.__version__}, google-genai "
          f"{genai.__version__}: {len(tests) * len(UPSTREAMS) + 1 - failed} of "
          f"{len(tests) * len(UPSTREAMS) + 1}")
    sys.exit(1 if failed else 0)


main()
