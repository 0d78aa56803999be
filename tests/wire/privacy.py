# SPDX-License-Identifier: Apache-2.0
"""What reaches the disk: with `prompts: features` (and none) nothing of what
clients and models wrote, in no file of the server, whatever happens to it.
Every test's name is a sentence."""
import resource

from promised import *

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/disk_fault.so")

# Words that nothing else has, each where a client or a model may write.
WORDS = {k: "qx" + k + "zvw" for k in (
    "user", "system", "answer", "toolname", "tooltext", "schema", "argument", "result", "metadata",
    "enduser", "name", "stop", "document", "thought", "refused", "unknown", "image", "stream")}


class Told(Provider):
    """Answers with marked words: whole, streamed, a tool's call, an error."""
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = str(body["messages"][-1]["content"])
        message = {"role": "assistant", "content": WORDS["answer"]}
        status = 200
        if "call" in text:
            message = {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {
                    "name": WORDS["toolname"], "arguments": json.dumps({"a": WORDS["argument"]})}}]}
        out = {"id": "x", "object": "chat.completion", "created": 1, "model": "m",
               "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
               "usage": {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}}
        if "wait" in text:
            Provider.release.wait(10)
        if "fail" in text:
            status = 400
            out = {"error": {"message": "bad: " + WORDS["refused"] + WORDS["user"], "type": "x",
                             "code": "invalid"}}
        data, kind = json.dumps(out).encode(), "application/json"
        if "garbage" in text:
            data = (WORDS["answer"] + " is no JSON").encode()
        if body.get("stream") and status == 200:
            kind = "text/event-stream"
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
                     "choices": [{"index": 0, "delta": {"content": WORDS["stream"]},
                                  "finish_reason": None}]}
            data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
            if "cut" not in text:
                data += b"data: [DONE]\n\n"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data) + (99 if "cut" in text else 0)))
        self.end_headers()
        self.wfile.write(data)
        if "cut" in text:
            self.close_connection = True


told = Server(("127.0.0.1", 0), Told)
threading.Thread(target=told.serve_forever, daemon=True).start()
provider.server_port = told.server_port
Promising.classifier = learn("privacy")
TOOL = {"type": "function", "function": {
    "name": WORDS["toolname"], "description": WORDS["tooltext"],
    "parameters": {"type": "object", "properties": {WORDS["schema"]: {"type": "string"}}}}}
PNG = "data:image/png;base64,iVBORw0KGgo" + WORDS["image"]


def bodies(what):
    """One request in each dialect, marked wherever a client may write."""
    say = what + " " + WORDS["user"]
    yield "/v1/chat/completions", {
        "messages": [{"role": "system", "content": WORDS["system"]},
                     {"role": "user", "content": "hello", "name": WORDS["name"]},
                     {"role": "assistant", "content": WORDS["answer"], "tool_calls": [
                         {"id": "c0", "type": "function", "function": {
                             "name": WORDS["toolname"],
                             "arguments": json.dumps({"a": WORDS["argument"]})}}]},
                     {"role": "tool", "tool_call_id": "c0", "content": WORDS["result"]},
                     {"role": "user", "content": say}],
        "tools": [TOOL], "metadata": {"note": WORDS["metadata"]}, "user": WORDS["enduser"],
        "stop": [WORDS["stop"]], "x_unknown": WORDS["unknown"],
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "s", "schema": {"type": "object", "description": WORDS["schema"]}}}}
    yield "/v1/messages", {
        "max_tokens": 50, "system": WORDS["system"], "metadata": {"user_id": WORDS["enduser"]},
        "messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "text", "media_type": "text/plain",
                                            "data": WORDS["document"]}},
            {"type": "text", "text": say}]}]}
    yield "/v1/responses", {"instructions": WORDS["system"], "input": say}
    yield "/v1beta/models/auto:generateContent", {
        "systemInstruction": {"parts": [{"text": WORDS["system"]}]},
        "contents": [{"role": "user", "parts": [{"text": say}]}]}
    yield "/v1/chat/completions", {"messages": [{"role": "user", "content": [
        {"type": "text", "text": say}, {"type": "image_url", "image_url": {"url": PNG}}]}]}


PLAYS = ["answer", "call", "fail", "garbage", "cut"]


def ask_all(w, plays=PLAYS):
    for play in plays:
        for path, body in bodies(play):
            for stream in ((False, True) if "generate" not in path else (False,)):
                b = dict(body) if "generate" in path else dict(body, model="auto", stream=stream)
                w.ask("POST", path, b, x_weir_session=play)
    w.chat(WORDS["user"], x_weir_arm="nobody")
    w.ask("POST", "/v1/chat/completions", {"messages": WORDS["user"]})
    w.ask("POST", "/v1/weir/explain", {"model": "auto", "messages": [
        {"role": "user", "content": WORDS["user"]}]})


def found():
    """Files below the run's directory with a marked word, and how many files
    were looked into."""
    out, files = {}, 0
    for root, _, names in os.walk(DIR):
        for name in names:
            data = open(os.path.join(root, name), "rb").read().lower()
            files += 1
            hit = sorted(k for k, v in WORDS.items() if v.encode() in data)
            if hit:
                out[name] = hit
    return out, files


def serve(env=None, **more):
    return Promising("limits: {attempts: 1}", env=dict(env or {}, TMPDIR=DIR), **more)


def no_word_reaches_the_disk_with_features_or_none():
    for prompts in ("features", "none"):
        Promising.prompts = prompts
        w = serve()
        ask_all(w)
        w.rows("id")
        want("while it runs, " + prompts, found()[0], {})
        w.stop()
        want("after its end, " + prompts, found()[0], {})
        want("rows", len(w.rows("id")) > 30, True)
    Promising.prompts = "features"


def a_classifier_learnt_from_such_a_log_has_none_either():
    w = serve()
    ask_all(w, ["answer"] * 4)
    for n, (i,) in enumerate(w.rows("id")):
        w.feedback({"x-weir-request-id": i}, n % 2)
    w.stop()
    subprocess.run([WEIR, "train", "--data", w.db, "--out", DIR + "/own.weir", "--seed", "1"],
                   check=True, capture_output=True)
    want("found", found()[0], {})


def ask_until_killed(w):
    try:
        ask_all(w, ["wait"])
    except OSError:
        pass


def kill_and_a_full_disk_leave_none_behind():
    full = DIR + "/full"
    w = serve(env={"LD_PRELOAD": PRELOAD, "WEIR_DISK_FAULT": full})
    ask_all(w, ["answer"])
    open(full, "w").close()
    ask_all(w, ["answer", "fail"])
    time.sleep(0.5)
    want("spilled", os.path.getsize(w.db + ".spill") > 1000, True)
    want("with a spill", found()[0], {})
    threading.Thread(target=ask_until_killed, args=(w,), daemon=True).start()
    time.sleep(0.3)
    w.p.send_signal(signal.SIGKILL)
    w.p.wait()
    Provider.release.set()
    want("after a kill", found()[0], {})
    os.unlink(full)


def a_crash_leaves_no_core_file():
    w = serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),
              cwd=DIR)
    ask_all(w, ["answer"])
    w.p.send_signal(signal.SIGABRT)
    w.p.wait()
    want("found", found()[0], {})
    want("no core", [n for n in os.listdir(DIR) if n.startswith("core")], [])


def the_test_would_see_them():
    Promising.prompts = "full"
    w = serve()
    ask_all(w)
    w.rows("id")
    w.stop()
    Promising.prompts = "features"
    seen = set(sum(found()[0].values(), []))
    want("seen", {"user", "system", "answer", "toolname", "result", "metadata"} <= seen, True)
    for end in ("", "-wal", "-shm"):
        if os.path.exists(w.db + end):
            os.unlink(w.db + end)


run(globals())
