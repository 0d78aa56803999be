# SPDX-License-Identifier: Apache-2.0
"""How weir reaches providers that are not simply called with a key: Azure's
paths, Vertex AI with service accounts, Bedrock with signatures; and what it
answers of itself.  Every test's name is a sentence."""
import ssl

from scripted import *
import hashlib
import hmac
import urllib.parse

AWS_ID, AWS_SECRET, AWS_TOKEN = "AKIDEXAMPLE", "aws-secret-0123456789", "aws-session-0123456789"


class Tokens(Provider):
    """Google's token address: a new token each time, soon to be renewed."""

    def __init__(self):
        self.given, self.fail = 0, False
        super().__init__("openai")

    def serve(self, s):
        while self.one(s):
            pass
        s.close()

    def one(self, s):
        head = b""
        while b"\r\n\r\n" not in head:
            more = s.recv(65536)
            if not more:
                return False
            head += more
        head, body = head.split(b"\r\n\r\n", 1)
        n = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < n:
            body += s.recv(65536)
        self.seen.append((head.decode(), body))
        time.sleep(0.3)
        if self.fail:
            s.sendall(reply({"error": "invalid_grant"}, "400 Bad Request"))
            return True
        self.given += 1
        s.sendall(reply({"access_token": f"ya29.token-{self.given}", "token_type": "Bearer",
                         "expires_in": 302}))
        return True


def account(email):
    """A service account's key file, its key made now."""
    pem = f"{DIR}/{email}.pem"
    subprocess.run(["openssl", "genrsa", "-out", pem, "2048"], check=True,
                   stderr=subprocess.DEVNULL)
    path = f"{DIR}/{email}.json"
    with open(path, "w") as f:
        json.dump({"type": "service_account", "project_id": "proj-1", "private_key_id": "k1",
                   "private_key": open(pem).read(), "client_email": email + "@x.example",
                   "token_uri": f"http://127.0.0.1:{tokens[email].port}/token"}, f)
    return path, pem


tokens = {"good": Tokens(), "bad": Tokens()}
tokens["bad"].fail = True
KEYS = {e: account(e) for e in tokens}
up = {n: Provider(d) for n, d in {
    "openai": "openai", "azure": "openai", "vertex": "gemini", "claude": "anthropic",
    "denied": "gemini", "bedrock": "bedrock", "bearer": "bedrock", "cohere": "cohere",
    "responses": "responses", "anthropic": "anthropic", "gemini": "gemini",
    "groq": "openai", "unknown": "openai", "inside": "openai"}.items()}

# One that speaks TLS by a certificate of its own.
CERT, CERT_KEY = DIR + "/cert.pem", DIR + "/cert-key.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", CERT_KEY, "-out", CERT],
               check=True, stderr=subprocess.DEVNULL)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(CERT, CERT_KEY)


def serve_tls(s):
    try:
        Provider.serve(up["inside"], tls.wrap_socket(s, server_side=True))
    except OSError:
        pass  # a client that does not trust it


up["inside"].serve = serve_tls


def url(name, path=""):
    return f'"http://127.0.0.1:{up[name].port}{path}"'


def config():
    place = "/v1/projects/proj-1/locations/europe-west4"
    return SETTINGS + "fetch: {images: off}\n" + f"""
providers:
  openai: {{base_url: {url("openai", "/v1")}, api_key: {KEY}}}
  azure: {{base_url: {url("azure")}, api_key: {KEY}, api_version: 2025-01-01-preview}}
  vertex: {{base_url: {url("vertex", place)}, credentials: {KEYS["good"][0]}}}
  claude: {{like: vertex-anthropic, base_url: {url("claude", place)},
           credentials: {KEYS["good"][0]}}}
  denied: {{like: vertex, base_url: {url("denied", place)}, credentials: {KEYS["bad"][0]}}}
  bedrock: {{base_url: {url("bedrock")}, region: eu-central-1}}
  bearer: {{like: bedrock, base_url: {url("bearer")}, api_key: {KEY}}}
  cohere: {{base_url: {url("cohere", "/v2")}, api_key: {KEY}}}
  anthropic: {{base_url: {url("anthropic")}, api_key: {KEY}}}
  gemini: {{base_url: {url("gemini", "/v1beta")}, api_key: {KEY}}}
  groq: {{base_url: {url("groq", "/v1")}, api_key: {KEY}}}
  ollama: {{base_url: {url("groq", "/v1")}}}
  unknown: {{dialect: openai, base_url: {url("unknown", "/v1")}, api_key: {KEY}}}
  inside: {{dialect: openai, base_url: "https://localhost:{up["inside"].port}/v1",
           api_key: {KEY}, ca_file: {CERT}}}
  stranger: {{dialect: openai, base_url: "https://localhost:{up["inside"].port}/v1",
             api_key: {KEY}}}
  responses: {{dialect: responses, base_url: {url("responses", "/v1")}, api_key: {KEY}}}
models:
  m-openai: {{provider: openai, name: gpt-4o-mini}}
  embed: {{provider: openai, name: text-embedding-3-small}}
  embed-large: {{provider: openai, name: text-embedding-3-large}}
  embed-azure: {{provider: azure, name: my-embed, like: text-embedding-3-small}}
  m-azure: {{provider: azure, name: gpt4o deploy, like: gpt-4o}}
  m-vertex: {{provider: vertex, name: gemini-2.5-flash}}
  m-claude: {{provider: claude, name: claude-sonnet-4-5@20250929, like: claude-sonnet-4-5}}
  m-anthropic: {{provider: anthropic, name: claude-haiku-4-5}}
  m-gemini: {{provider: gemini, name: gemini-2.5-flash}}
  m-groq: {{provider: groq, name: llama-3.3-70b}}
  m-ollama: {{provider: ollama, name: qwen3-vl}}
  m-unknown: {{provider: unknown, name: some-model}}
  m-inside: {{provider: inside, name: m}}
  m-stranger: {{provider: stranger, name: m}}
  m-gpt5: {{provider: openai, name: gpt-5-mini}}
  m-denied: {{provider: denied, name: gemini-2.5-flash}}
  m-bedrock: {{provider: bedrock, name: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
              like: claude-haiku-4-5}}
  m-bearer: {{provider: bearer, name: "amazon.nova-lite-v1:0"}}
  m-cohere: {{provider: cohere, name: command-a-03-2025}}
  m-responses: {{provider: responses, name: gpt-5-mini}}
routes:
  denied-first: {{arms: [m-denied, m-openai], policy: fixed, reference: m-denied}}
  mixed: {{arms: [m-openai, embed, embed-azure, embed-large], policy: cheapest_adequate}}
  stateful: {{arms: [m-cohere, m-responses], policy: fixed, reference: m-cohere}}
  strict-bedrock: {{arms: [m-bedrock], policy: fixed, unsupported: reject}}
  stateless: {{arms: [m-cohere], policy: fixed}}
"""


def chat(model, play="answer", stream=False, **more):
    r = post("/v1/chat/completions", dict(request("openai", play, stream), model=model, **more))
    return r, r.read()


def last(name):
    head, body = up[name].seen[-1]
    lines = head.split("\r\n")
    return lines[0], {k.lower(): v.strip() for k, v in
                      (l.split(":", 1) for l in lines[1:])}, body


def azure_has_its_deployment_and_version_in_the_path_and_its_key_in_api_key():
    r, body = chat("m-azure")
    same((r.status, seen_whole("openai", json.loads(body))[0]), (200, "Grüße"))
    line, head, _ = last("azure")
    same(line, "POST /openai/deployments/gpt4o%20deploy/chat/completions"
         "?api-version=2025-01-01-preview HTTP/1.1")
    same((head["api-key"], "authorization" in head), (KEY, False))


def jwt(body, pem):
    """The claims of a token request whose signature is right."""
    form = dict(urllib.parse.parse_qsl(body.decode()))
    same(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer")
    head, claims, signature = form["assertion"].split(".")
    un = lambda s: base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))
    subprocess.run(["openssl", "rsa", "-in", pem, "-pubout", "-out", DIR + "/pub"], check=True,
                   stderr=subprocess.DEVNULL)
    with open(DIR + "/sig", "wb") as f:
        f.write(un(signature))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", DIR + "/pub", "-signature",
                    DIR + "/sig"], input=f"{head}.{claims}".encode(), check=True,
                   stdout=subprocess.DEVNULL)
    return json.loads(un(claims))


def a_service_account_signs_in_once_for_all_that_wait_and_is_renewed_early():
    got = []

    def one(model):
        r, body = chat(model)
        got.append((r.status, seen_whole("openai", json.loads(body))[0]))
    threads = [threading.Thread(target=one, args=(m,)) for m in ("m-vertex", "m-claude") * 3]
    for t in threads:
        t.start()
    begun = time.time()
    same(get("/v1/models")[0], 200)
    assert time.time() - begun < 0.25, "the loop stood still for the token"
    for t in threads:
        t.join()
    same(got, [(200, "Grüße")] * 6)
    same(len(tokens["good"].seen), 1)
    claims = jwt(tokens["good"].seen[0][1], KEYS["good"][1])
    same((claims["iss"], claims["scope"], claims["exp"] - claims["iat"]),
         ("good@x.example", "https://www.googleapis.com/auth/cloud-platform", 3600))
    for name in ("vertex", "claude"):
        same(last(name)[1]["authorization"], "Bearer ya29.token-1")
    time.sleep(2.2)  # now it ends in less than five minutes
    begun = time.time()
    chat("m-vertex")
    assert time.time() - begun < 0.25, "a call waited although the old token was good"
    same(last("vertex")[1]["authorization"], "Bearer ya29.token-1")
    time.sleep(0.6)
    chat("m-vertex")
    same(last("vertex")[1]["authorization"], "Bearer ya29.token-2")
    same(len(tokens["good"].seen), 2)


def vertex_has_project_and_location_in_the_path():
    for stream, verb in ((False, "generateContent"), (True, "streamGenerateContent?alt=sse")):
        r, _ = chat("m-vertex", "stream" if stream else "answer", stream)
        same((r.status, last("vertex")[0]),
             (200, "POST /v1/projects/proj-1/locations/europe-west4/publishers/google/models/"
              f"gemini-2.5-flash:{verb} HTTP/1.1"))
    for stream, verb in ((False, "rawPredict"), (True, "streamRawPredict")):
        r, _ = chat("m-claude", "stream" if stream else "answer", stream)
        line, head, body = last("claude")
        same((r.status, line),
             (200, "POST /v1/projects/proj-1/locations/europe-west4/publishers/anthropic/models/"
              f"claude-sonnet-4-5%4020250929:{verb} HTTP/1.1"))
        sent = json.loads(body)
        same((sent["anthropic_version"], "model" in sent), ("vertex-2023-10-16", False))
    r = post("/v1/messages", dict(request("anthropic", "answer"), model="m-claude"),
             HEADERS["anthropic"])
    same(r.read(), json.dumps(ANTHROPIC_ANSWER).encode())
    sent = json.loads(last("claude")[2])
    same((sent["anthropic_version"], "model" in sent), ("vertex-2023-10-16", False))


def an_account_that_is_refused_is_an_attempt_that_failed():
    r, body = chat("m-denied")
    same(r.status, 502)
    assert b"service account" in body and b"PRIVATE" not in body, body
    begun = time.time()
    r, body = chat("denied-first")
    same((r.status, r.getheader("x-weir-arm")), (200, "m-openai"))
    assert time.time() - begun < 0.25, "asked again at once for a token just refused"
    same(len(up["denied"].seen), 0)


def sigv4(line, head, body, region):
    """The signature that must be there, by the published recipe."""
    method, target, _ = line.split(" ")
    signed = re.search(r"SignedHeaders=([^,]+)", head["authorization"])[1]
    path, _, query = target.partition("?")
    canonical = "\n".join([
        method, urllib.parse.quote(path, safe="/-_.~"), query,
        "".join(f"{k}:{head[k]}\n" for k in signed.split(";")), signed,
        hashlib.sha256(body).hexdigest()])
    date = head["x-amz-date"]
    scope = f"{date[:8]}/{region}/bedrock/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + AWS_SECRET).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (f"AWS4-HMAC-SHA256 Credential={AWS_ID}/{scope}, SignedHeaders={signed}, Signature=" +
            hmac.new(key, text.encode(), hashlib.sha256).hexdigest())


def bedrock_gets_signatures_over_the_very_bytes_with_keys_of_the_environment():
    for stream in (False, True):
        r, body = chat("m-bedrock", "stream" if stream else "answer", stream)
        same(r.status, 200)
        seen = seen_stream("openai", body) if stream else seen_whole("openai", json.loads(body))
        same(seen[0], "Grüße")
        line, head, sent = last("bedrock")
        same(line, "POST /model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse" +
             ("-stream" if stream else "") + " HTTP/1.1")
        same(head["authorization"].replace(",", ", ").replace(",  ", ", "),
             sigv4(line, head, sent, "eu-central-1"))
        same(head["x-amz-security-token"], AWS_TOKEN)
        assert "x-amz-security-token" in head["authorization"], "the token is signed too"


def bedrock_takes_a_bearer_key_too():
    r, body = chat("m-bearer")
    same((r.status, seen_whole("openai", json.loads(body))[0]), (200, "Grüße"))
    head = last("bearer")[1]
    same((head["authorization"], "x-amz-date" in head), ("Bearer " + KEY, False))


def an_earlier_response_is_only_asked_of_who_holds_it():
    b = dict(request("responses", "answer"), previous_response_id="resp_0")
    r = post("/v1/responses", dict(b, model="stateless"))
    e = json.loads(r.read())["error"]
    same(r.status, 400)
    assert "previous_response_id" in e["message"], e
    r = post("/v1/responses", dict(b, model="stateful"))
    same((r.read(), r.getheader("x-weir-arm")),
         (json.dumps(RESPONSES_ANSWER).encode(), "m-responses"))
    same(json.loads(last("responses")[2])["previous_response_id"], "resp_0")


def what_a_compatible_provider_refuses_is_left_out_and_told():
    odd = {"logit_bias": {"1": 2}, "messages": [{"role": "user", "content": "play answer"}],
           "extra": 1.50}
    r = post("/v1/chat/completions", dict(odd, model="m-groq"))
    same((r.read(), r.getheader("x-weir-warnings")),
         (json.dumps(OPENAI_ANSWER).encode(), "parameter=logit_bias"))
    same(sorted(json.loads(last("groq")[2])), ["extra", "messages", "model"])
    raw = json.dumps(dict(odd, model="m-unknown")).encode()
    r = post("/v1/chat/completions", raw)
    r.read()
    same(last("unknown")[2], raw.replace(b"m-unknown", b"some-model"))
    r, _ = chat("m-gpt5", max_tokens=50, temperature=0.5)
    same((r.status, r.getheader("x-weir-warnings")), (200, "parameter=temperature"))
    got = json.loads(last("openai")[2])
    same((got["max_completion_tokens"], "max_tokens" in got), (50, False))


def images_by_address_are_left_out_or_refused_where_only_data_is_taken():
    """Where fetching is off: fetch.py shows the rest."""
    image = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{up['openai'].port}/x"}}
    b = {"messages": [{"role": "user", "content": [{"type": "text", "text": "play answer"}, image]}]}
    n = len(up["openai"].seen)
    for name, model in (("bedrock", "m-bedrock"), ("groq", "m-ollama"), ("gemini", "m-gemini")):
        r = post("/v1/chat/completions", dict(b, model=model))
        r.read()
        same((name, r.status), (name, 200))
        if name != "gemini":
            assert "image=" in r.getheader("x-weir-warnings"), r.getheaders()
            assert b"127.0.0.1" not in last(name)[2], last(name)[2]
    r = post("/v1/chat/completions", dict(b, model="strict-bedrock"))
    e = json.loads(r.read())["error"]
    same((r.status, e["code"]), (400, "unsupported_parameter"))
    assert "image" in e["message"], e
    same(len(up["openai"].seen), n)


EMBEDDINGS = {"object": "list", "model": "e", "data": [
    {"object": "embedding", "index": 0, "embedding": [0.5, -1e-3]}],
    "usage": {"prompt_tokens": 1000, "total_tokens": 1000}}
Provider.embed = lambda self, s: s.sendall(reply(EMBEDDINGS))


def embed(model, **more):
    body = b'{ "input" : ["play embed"], "model":"%s" ,"dimensions":2.0e0}' % model.encode()
    r = post("/v1/embeddings", body)
    return r, r.read()


def embeddings_go_through_and_are_priced():
    r, body = embed("embed")
    same((r.status, body), (200, json.dumps(EMBEDDINGS).encode()))
    line, head, sent = last("openai")
    same(line, "POST /v1/embeddings HTTP/1.1")
    same(sent, b'{ "input" : ["play embed"], "model":"text-embedding-3-small" ,"dimensions":2.0e0}')
    same(r.getheader("x-weir-cost-usd"), "0.00002")
    w = row(r)
    same((w["dialect"], w["input_tokens"], w["output_tokens"], w["cost_pico"], w["features"],
          w["messages"]), ("embeddings", 1000, 0, 20000000, None, None))
    r, body = embed("embed-azure")
    same((r.status, last("azure")[0]), (200, "POST /openai/deployments/my-embed/embeddings"
                                        "?api-version=2025-01-01-preview HTTP/1.1"))


def embeddings_are_only_made_by_models_that_make_them_and_by_one():
    r, body = embed("mixed")
    same((r.status, r.getheader("x-weir-arm")), (200, "embed"))
    r, body = embed("m-openai")
    same(r.status, 400)
    assert "makes no embeddings" in json.loads(body)["error"]["message"], body
    r, body = chat("embed")
    same(r.status, 400)
    assert "only makes embeddings" in json.loads(body)["error"]["message"], body
    r, body = chat("mixed")
    same((r.status, r.getheader("x-weir-arm")), (200, "m-openai"))


def a_failing_embedder_is_replaced_by_the_same_model_only():
    Provider.embed_fails = lambda self, s: s.sendall(
        reply(ERROR["openai"], "500 Internal Server Error") if self is up["openai"]
        else reply(EMBEDDINGS))
    r = post("/v1/embeddings", {"model": "mixed", "input": "play embed_fails"})
    r.read()
    same((r.status, r.getheader("x-weir-arm")), (200, "embed-azure"))


COUNTS = {"anthropic": {"input_tokens": 4711}, "gemini": {"totalTokens": 4711}}
Provider.count = lambda self, s: s.sendall(reply(COUNTS[self.dialect]))
Provider.count_fails = lambda self, s: s.sendall(reply(ERROR[self.dialect], "400 Bad Request"))
Provider.count_odd = lambda self, s: s.sendall(reply({"tokens": "many"}))


def count(client, model, play):
    body = request(client, play, tools=True)
    if client == "anthropic":
        del body["max_tokens"]
        r = post("/v1/messages/count_tokens", dict(body, model=model), HEADERS[client])
        return r, json.loads(r.read())["input_tokens"]
    r = post(f"/v1beta/models/{model}:countTokens", {"generateContentRequest": body})
    return r, json.loads(r.read())["totalTokens"]


def tokens_are_counted_by_the_provider_that_can_and_estimated_elsewhere():
    for c in ("anthropic", "gemini"):
        for model in ("m-anthropic", "m-gemini", "m-vertex", "m-claude"):
            r, n = count(c, model, "count")
            same((c, model, r.status, n, r.getheader("x-weir-count")),
                 (c, model, 200, 4711, "provider"))
        for model in ("m-openai", "m-bedrock", "m-cohere"):
            r, n = count(c, model, "count")
            same((c, model, r.status, r.getheader("x-weir-count")), (c, model, 200, "estimate"))
            assert 20 < n < 200, n
        for play in ("count_fails", "count_odd"):
            for model in ("m-anthropic", "m-gemini"):
                r, n = count(c, model, play)
                same((r.status, r.getheader("x-weir-count")), (200, "estimate"))
                assert 20 < n < 200, n
    count("gemini", "m-anthropic", "count")
    line, head, body = last("anthropic")
    same((line, head["x-api-key"]), ("POST /v1/messages/count_tokens HTTP/1.1", KEY))
    same(sorted(json.loads(body)), ["messages", "model", "system", "tools"])
    count("anthropic", "m-gemini", "count")
    line, head, body = last("gemini")
    same(line, "POST /v1beta/models/gemini-2.5-flash:countTokens HTTP/1.1")
    sent = json.loads(body)["generateContentRequest"]
    same((sent["model"], sent["systemInstruction"]["parts"][0]["text"], "tools" in sent),
         ("models/gemini-2.5-flash", "Be brief.", True))
    count("anthropic", "m-vertex", "count")
    line, head, body = last("vertex")
    same(line, "POST /v1/projects/proj-1/locations/europe-west4/publishers/google/models/"
         "gemini-2.5-flash:countTokens HTTP/1.1")
    same(sorted(json.loads(body)), ["contents", "generationConfig", "systemInstruction", "tools"])
    count("anthropic", "m-claude", "count")
    line, head, body = last("claude")
    same((line, json.loads(body)["model"]),
         ("POST /v1/projects/proj-1/locations/europe-west4/publishers/anthropic/models/"
          "count-tokens:rawPredict HTTP/1.1", "claude-sonnet-4-5@20250929"))


def a_certificate_is_checked_by_the_providers_own_authority():
    for model, status in (("m-inside", 200), ("m-stranger", 502), ("m-inside", 200),
                          ("m-stranger", 502)):
        r, _ = chat(model)
        same((model, r.status), (model, status))
    r, text = chat("m-inside", "stream", True)
    assert "Gr".encode() in text, text


TESTS = [
    a_certificate_is_checked_by_the_providers_own_authority,
    a_service_account_signs_in_once_for_all_that_wait_and_is_renewed_early,
    vertex_has_project_and_location_in_the_path,
    an_account_that_is_refused_is_an_attempt_that_failed,
    azure_has_its_deployment_and_version_in_the_path_and_its_key_in_api_key,
    bedrock_gets_signatures_over_the_very_bytes_with_keys_of_the_environment,
    bedrock_takes_a_bearer_key_too,
    tokens_are_counted_by_the_provider_that_can_and_estimated_elsewhere, an_earlier_response_is_only_asked_of_who_holds_it,
    what_a_compatible_provider_refuses_is_left_out_and_told,
    images_by_address_are_left_out_or_refused_where_only_data_is_taken,
    embeddings_go_through_and_are_priced,
    embeddings_are_only_made_by_models_that_make_them_and_by_one,
    a_failing_embedder_is_replaced_by_the_same_model_only,
]

run(config(), TESTS, {"AWS_ACCESS_KEY_ID": AWS_ID, "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
                      "AWS_SESSION_TOKEN": AWS_TOKEN})
