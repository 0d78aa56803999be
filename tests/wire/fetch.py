# SPDX-License-Identifier: Apache-2.0
"""Images and documents by address: fetched where a provider takes data only,
passed on where it takes addresses, refused where they lead astray.  A server
of files on loopback, scripted providers (scripted.py), weir between."""
import http.server

from scripted import *

PNG = b"\x89PNG\r\n\x1a\n" + b"." * 40
FILES = {"/a.png": PNG, "/b.gif": b"GIF89a" + b"-" * 20, "/c.webp": b"RIFF....WEBPVP8 ",
         "/d.pdf": b"%PDF-1.7 page", "/text.png": b"hello", "/big.png": PNG + b"x" * 70000}
hits = []


class Files(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a):
        pass

    def do_GET(self):
        hits.append(self.path)
        if self.path == "/slow.png":
            time.sleep(2)
        to = {"/moved.png": "/a.png", "/loop.png": "/loop.png",
              "/away.png": "file:///etc/passwd"}.get(self.path)
        data = FILES.get(self.path)
        self.send_response(302 if to else 200 if data else 404)
        if to:
            self.send_header("location", to)
        # What the server says of its type is not believed.
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(data or b"")))
        self.end_headers()
        try:
            self.wfile.write(data or b"")
        except OSError:
            pass


files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
files.daemon_threads = True
threading.Thread(target=files.serve_forever, daemon=True).start()
AT = f"http://127.0.0.1:{files.server_port}"

PLACES = {"bedrock": ("bedrock", ""), "gemini": ("gemini", "/v1beta"), "ollama": ("openai", "/v1"),
          "openai": ("openai", "/v1"), "anthropic": ("anthropic", ""),
          "vertex": ("anthropic", "/v1/projects/p/locations/l")}
LIKE = {"ollama": ", like: ollama", "vertex": ", like: vertex-anthropic"}
up = {d: Provider(dialect) for d, (dialect, _) in PLACES.items()}


def config(fetch="allow_private: true, max_bytes: 60k, timeout: 1s, redirects: 2, most: 4"):
    text = SETTINGS + f"fetch: {{{fetch}}}\nproviders:\n"
    for d, (dialect, base) in PLACES.items():
        text += (f"  p-{d}: {{dialect: {dialect}, base_url: \"http://127.0.0.1:{up[d].port}{base}\","
                 f" api_key: {KEY}{LIKE.get(d, '')}}}\n")
    text += "models:\n"
    for d in PLACES:
        text += (f"  m-{d}: {{provider: p-{d}, name: up-{d}, price: {{input: 1, output: 2}}, "
                 "capabilities: [tools, vision, files, json, stream]}\n")
    text += "routes:\n"
    for d in PLACES:
        text += f"  to-{d}: {{arms: [m-{d}], policy: fixed, retry: {{wait: 1ms, wait_max: 1ms}}}}\n"
    text += ("  twice: {arms: [m-bedrock, m-ollama], policy: fixed, reference: m-bedrock}\n"
             "  else: {arms: [m-bedrock, m-openai], policy: fixed, reference: m-bedrock}\n")
    return text


def reload(text):
    with open(DIR + "/weir.yaml", "w") as f:
        f.write(text)
    r = post("/v1/weir/reload", {})
    same(r.status, 200)
    r.read()


# How each client names an image, and a document, by address.
def image(client, url):
    return {"openai": {"type": "image_url", "image_url": {"url": url}},
            "responses": {"type": "input_image", "image_url": url, "detail": "auto"},
            "anthropic": {"type": "image", "source": {"type": "url", "url": url}},
            "gemini": {"fileData": {"mimeType": "image/png", "fileUri": url}}}[client]


def document(client, url):
    return {"responses": {"type": "input_file", "file_url": url},
            "anthropic": {"type": "document", "source": {"type": "url", "url": url}},
            "gemini": {"fileData": {"mimeType": "application/pdf", "fileUri": url}}}[client]


def say(client, target, parts, play="answer", stream=False):
    body = request(client, play, stream)
    if client == "gemini":
        body["contents"][0]["parts"] += parts
    elif client == "responses":
        body["input"] = [{"role": "user", "content":
                          [{"type": "input_text", "text": "play " + play}] + parts}]
    else:
        body["messages"][-1]["content"] = [{"type": "text", "text": "play " + play}] + parts
    if client != "gemini":
        body["model"] = target
    return post(path_of(client, target, stream), body, HEADERS[client])


def sent(d):
    return up[d].seen[-1][1].decode()


def base64_of(data):
    return base64.b64encode(data).decode()


def images_by_address_reach_providers_that_take_data_only():
    for c in ("openai", "responses", "anthropic", "gemini"):
        for d in ("bedrock", "ollama", "gemini", "vertex"):
            if c == d:
                continue
            for name, kind in (("a.png", "png"), ("b.gif", "gif"), ("moved.png", "png")):
                want = FILES["/" + name.replace("moved", "a")]
                r = say(c, "to-" + d, [image(c, f"{AT}/{name}")])
                body = r.read()
                lost = (d, kind) == ("ollama", "gif")  # which it cannot read
                same((c, d, name, r.status, r.getheader("x-weir-warnings")),
                     (c, d, name, 200, "image=messages[1]" if lost else None))
                if lost:
                    continue
                assert base64_of(want) in sent(d), (c, d, sent(d))
                assert AT not in sent(d), (c, d, sent(d))
                assert kind in sent(d), (c, d, sent(d))
    r = say("openai", "to-bedrock", [image("openai", AT + "/a.png")], "stream", True)
    assert "Gr".encode() in r.read()


def documents_by_address_reach_providers_that_take_data_only():
    for c in ("responses", "anthropic", "gemini"):
        for d in ("bedrock", "openai", "gemini"):
            if c == d:
                continue
            r = say(c, "to-" + d, [document(c, AT + "/d.pdf")])
            r.read()
            same((c, d, r.status, r.getheader("x-weir-warnings")), (c, d, 200, None))
            assert base64_of(FILES["/d.pdf"]) in sent(d), (c, d, sent(d))


def images_in_results_are_fetched_too_and_the_rest_stays_as_it_was():
    """Claude on Google's cloud refuses addresses that its own dialect has."""
    body = {"model": "to-vertex", "max_tokens": 50, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "play answer", "odd": 1.50}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f",
                                           "input": {"a": 2.0}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "text", "text": "see"}, image("anthropic", AT + "/a.png")]}]}]}
    r = post("/v1/messages", body, HEADERS["anthropic"])
    r.read()
    same(r.status, 200)
    got = json.loads(sent("vertex"))
    same(got["messages"][:2], body["messages"][:2])
    same(got["messages"][2]["content"][0]["content"][1]["source"],
         {"type": "base64", "media_type": "image/png", "data": base64_of(PNG)})
    same(got["anthropic_version"], "vertex-2023-10-16")
    # Without an address nothing is rewritten.
    plain = b'{ "max_tokens": 9, "model":"to-vertex","messages":[{"role":"user","content":"play answer"}]}'
    post("/v1/messages", plain, HEADERS["anthropic"]).read()
    assert '{ "max_tokens": 9, "anthropic_version"' in sent("vertex"), sent("vertex")


def addresses_are_passed_on_where_the_provider_takes_them():
    hits.clear()
    for c in ("openai", "responses", "gemini"):
        for d in ("anthropic", "openai"):
            r = say(c, "to-" + d, [image(c, AT + "/a.png")])
            r.read()
            same((c, d, r.status), (c, d, 200))
            assert AT in sent(d), (c, d, sent(d))
    r = say("gemini", "to-gemini", [image("gemini", AT + "/a.png")])
    r.read()
    assert AT in sent("gemini")
    same(hits, [])


def one_fetch_serves_all_attempts():
    hits.clear()
    n = len(up["ollama"].seen)
    r = say("openai", "twice", [image("openai", AT + "/a.png")], "error")
    r.read()
    same(r.status, 429)
    assert base64_of(PNG) in sent("bedrock") and base64_of(PNG) in sent("ollama")
    same((hits, len(up["ollama"].seen) - n), (["/a.png"], 1))


def what_cannot_be_fetched_is_a_400_that_names_it_in_the_clients_shape():
    for name, why in (("none.png", "status 404"), ("text.png", "no PNG, JPEG, GIF or WebP"),
                      ("big.png", "too large"), ("slow.png", "no answer in time"),
                      ("loop.png", "more than 2 redirects"), ("away.png", "http"),
                      ("d.pdf", "no PNG")):
        for c in ("openai", "anthropic", "gemini", "responses"):
            if name == "slow.png" and c != "openai":
                continue
            n = len(up["bedrock"].seen)
            r = say(c, "to-bedrock", [image(c, f"{AT}/{name}")], stream=c == "openai" and name != "slow.png")
            b = json.loads(r.read())
            same((c, name, r.status), (c, name, 400))
            assert "messages[" in b["error"]["message"], b
            assert name in b["error"]["message"] and why in b["error"]["message"], b
            same(b.get("type"), "error" if c == "anthropic" else None)
            same(len(up["bedrock"].seen), n)
    r = say("anthropic", "to-bedrock", [document("anthropic", AT + "/a.png")])
    assert "no PDF" in json.loads(r.read())["error"]["message"]
    r = say("openai", "to-bedrock", [image("openai", AT + "/a.png")] * 5)
    assert "at most 4" in json.loads(r.read())["error"]["message"]


def another_arm_takes_what_could_not_be_fetched_for_one():
    r = say("openai", "else", [image("openai", AT + "/none.png")])
    r.read()
    same((r.status, r.getheader("x-weir-arm")), (200, "m-openai"))
    assert AT in sent("openai")


def many_are_fetched_side_by_side_within_one_budget_of_bytes():
    FILES["/half.png"] = PNG + b"h" * 29000
    r = say("openai", "to-bedrock", [image("openai", f"{AT}/half.png?{i}") for i in range(2)])
    b = r.read()
    same(r.status, 400)  # the query makes it a path that is not there
    FILES.update({f"/half{i}.png": PNG + b"h" * 19000 for i in range(4)})
    r = say("openai", "to-bedrock", [image("openai", f"{AT}/half{i}.png") for i in range(3)])
    r.read()
    same(r.status, 200)
    r = say("openai", "to-bedrock", [image("openai", f"{AT}/half{i}.png") for i in range(4)])
    assert "too large" in json.loads(r.read())["error"]["message"]


def a_client_that_leaves_while_it_is_fetched_leaves_nothing_behind():
    body = request("openai", "answer")
    body["model"] = "to-bedrock"
    body["messages"][-1]["content"] = [{"type": "text", "text": "play answer"},
                                       image("openai", AT + "/slow.png")]
    data = json.dumps(body).encode()
    s = socket.create_connection(("127.0.0.1", weir_module().weir_port))
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" %
              len(data) + data)
    time.sleep(0.3)
    s.close()
    time.sleep(0.3)
    status, _ = get("/healthz")
    same(status, 200)


def weir_module():
    import scripted
    return scripted


def private_addresses_are_refused_unless_the_operator_says_so():
    n = len(hits)
    reload(config("max_bytes: 60k"))
    for host in ("127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "localhost",
                 "[::ffff:127.0.0.1]", "169.254.169.254"):
        r = say("openai", "to-bedrock",
                [image("openai", f"http://{host}:{files.server_port}/a.png")])
        b = json.loads(r.read())
        same((host, r.status), (host, 400))
        assert "not on the public Internet" in b["error"]["message"], b
    same(len(hits), n)


def without_fetching_it_is_a_loss_that_is_told():
    n = len(hits)
    reload(config("images: off"))
    for d in ("bedrock", "ollama"):
        r = say("openai", "to-" + d, [image("openai", AT + "/a.png")])
        r.read()
        same((r.status, r.getheader("x-weir-warnings")), (200, "image=messages[1]"))
    same(len(hits), n)


def fetches_are_counted():
    c = http.client.HTTPConnection("127.0.0.1", weir_module().weir_port, timeout=20)
    c.request("GET", "/metrics")
    text = c.getresponse().read().decode()
    ok = int(re.search(r'weir_fetches_total\{result="ok"\} (\d+)', text)[1])
    bad = int(re.search(r'weir_fetches_total\{result="failed"\} (\d+)', text)[1])
    assert ok > 20 and bad > 10, (ok, bad)


run(config(), [
    images_by_address_reach_providers_that_take_data_only,
    documents_by_address_reach_providers_that_take_data_only,
    images_in_results_are_fetched_too_and_the_rest_stays_as_it_was,
    addresses_are_passed_on_where_the_provider_takes_them, one_fetch_serves_all_attempts,
    what_cannot_be_fetched_is_a_400_that_names_it_in_the_clients_shape,
    another_arm_takes_what_could_not_be_fetched_for_one,
    many_are_fetched_side_by_side_within_one_budget_of_bytes,
    a_client_that_leaves_while_it_is_fetched_leaves_nothing_behind,
    private_addresses_are_refused_unless_the_operator_says_so,
    without_fetching_it_is_a_loss_that_is_told, fetches_are_counted])
