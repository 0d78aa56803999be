# SPDX-License-Identifier: Apache-2.0
"""weir serve: paths that `pass_through` gives to a provider go there as they
came, and nothing else does.  Every test's name is a sentence."""
import hashlib
import socket
from rig import *


class Other(Provider):
    """Says what it got; plays what the path says."""
    seen = []
    gone = threading.Event()
    go_on = threading.Event()
    sent = 0

    def any(self):
        n = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(n)
        Other.seen.append((self.command, self.path, dict(self.headers), body))
        if "cut" in self.path:
            self.begin(200, "audio/mpeg", 1000)
            self.wfile.write(b"x" * 10)
            self.close_connection = True
        elif "hang" in self.path:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif "large" in self.path:
            self.large()
        elif "wait" in self.path:
            self.wait()
        elif "refuse" in self.path:
            self.whole(429, b'{"error":{"message":"slowly"}}', retry_after="7")
        elif self.command == "DELETE":
            self.send_response(204)
            self.end_headers()
        else:
            self.whole(200, json.dumps({"path": self.path, "n": n}).encode(),
                       x_request_id="theirs", set_cookie="no=1")

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = any

    def begin(self, status, kind, n):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(n))
        self.end_headers()

    def whole(self, status, data, **more):
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        for k, v in more.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(data)

    def large(self):
        """64 MB, as fast as they are taken."""
        piece = bytes(range(256)) * 256
        self.begin(200, "audio/mpeg", 1024 * len(piece))
        Other.sent = 0
        for _ in range(1024):
            self.wfile.write(piece)
            Other.sent += len(piece)

    def wait(self):
        """Until whoever asked has left."""
        self.connection.settimeout(10)
        try:
            Other.go_on.set()
            if not self.connection.recv(1):
                Other.gone.set()
        except OSError:
            Other.gone.set()
        self.close_connection = True


other = Server(("127.0.0.1", 0), Other)
threading.Thread(target=other.serve_forever, daemon=True).start()
FREE, HASH_FREE = keygen("free")
HELD, HASH_HELD = keygen("held")
POOR, HASH_POOR = keygen("poor")
EU, HASH_EU = keygen("eu")


class Passing(Weir):
    keys = ""
    paths = "[/v1/images/, /v1/audio/, /v1/moderations, /v1/files/, /v1/files]"

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 1
classifier: none
log: {{path: {self.db}, level: debug}}
{self.keys}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{other.server_port}/v1", api_key: "${{PROVIDER_KEY}}",
      region: eu-west-1, pass_through: {self.paths}}}
  claude: {{dialect: anthropic, base_url: "http://127.0.0.1:{other.server_port}", api_key: "${{PROVIDER_KEY}}",
      pass_through: [/v1/messages/batches, /v1/messages/batches/]}}
models:
  nano: {{provider: p, name: nano-up, price: {{input: 1, output: 1}}}}
routes:
  auto: {{arms: [nano]}}
""")


class Keyed(Passing):
    keys = f"""keys:
  free: {{hash: "{HASH_FREE}"}}
  held: {{hash: "{HASH_HELD}", routes: [auto]}}
  poor: {{hash: "{HASH_POOR}", budget: 1}}
  eu: {{hash: "{HASH_EU}", regions: [eu]}}
"""


def send(w, method, path, body=b"", **headers):
    c = w.connect()
    c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    r = c.getresponse()
    data = r.read()
    outputs.append(str(r.getheaders()).encode() + data)
    c.close()
    return r.status, data, {k.lower(): v for k, v in r.getheaders()}


def a_request_goes_through_as_it_came_with_the_providers_key():
    w = Passing()
    body = os.urandom(200000)
    kind = "multipart/form-data; boundary=x"
    status, data, h = send(w, "POST", "/v1/audio/transcriptions?a=1&key=mine&b=2", body,
                           content_type=kind, accept="text/vtt", authorization="Bearer mine",
                           openai_beta="x=1", cookie="secret=1")
    want("answer", (status, json.loads(data)), (200, {"path": "/v1/audio/transcriptions?a=1&b=2",
                                                      "n": len(body)}))
    want("type", h["content-type"], "application/json; charset=utf-8")
    want("their id", h["x-request-id"], "theirs")
    want("cookie", "set-cookie" in h, False)
    method, path, got, theirs = Other.seen[-1]
    want("method", method, "POST")
    want("body", hashlib.sha256(theirs).digest(), hashlib.sha256(body).digest())
    got = {k.lower(): v for k, v in got.items()}
    want("headers", [got.get(k) for k in ("content-type", "accept", "authorization", "openai-beta", "cookie")],
         [kind, "text/vtt", "Bearer " + SECRET, "x=1", None])
    for method, path, status in (("GET", "/v1/files", 200), ("DELETE", "/v1/files/file-1", 204),
                                 ("POST", "/v1/moderations", 200), ("POST", "/openai/v1/images/edits", 200)):
        want(path, send(w, method, path)[0], status)
        want("asked", Other.seen[-1][:2], (method, path.replace("/openai", "")))
    status, data, h = send(w, "POST", "/v1/images/refuse")
    want("theirs", (status, h["retry-after"], b"slowly" in data), (429, "7", True))
    status, _, _ = send(w, "GET", "/v1/messages/batches/b1", anthropic_version="2023-06-01",
                        anthropic_beta="batches")
    got = {k.lower(): v for k, v in Other.seen[-1][2].items()}
    want("Anthropic's", (status, got["x-api-key"], got["anthropic-version"], got["anthropic-beta"]),
         (200, SECRET, "2023-06-01", "batches"))
    rows = w.rows("dialect, provider, status, about, arm, cost_pico")
    want("rows", len(rows), 7)
    want("a row", rows[0], ("pass_through", "p", 200,
                            '{"method":"POST","path":"/v1/audio/transcriptions"}', None, None))
    want("counted", w.metric('weir_requests_total{route="pass_through",arm="none",status="2xx"}'), 6.0)
    want("end", w.stop(), 0)
    for one in outputs:
        want("the provider's key comes out", SECRET.encode() in one, False)


def what_no_list_has_and_what_weir_has_goes_nowhere():
    w = Passing()
    n = len(Other.seen)
    for method, path, status in (
            ("POST", "/v1/embeddingsx", 404), ("POST", "/v1/moderations/x", 404), ("POST", "/v1/imagesx", 404),
            ("POST", "/v1/images/../organization", 404), ("POST", "/v1/images/%2e%2e/organization", 404),
            ("POST", "/v1/images/%2E%2e/organization", 404), ("POST", "/v1/images//x", 404),
            ("POST", "/v1/images/..%2forganization", 404), ("HEAD", "/v1/files", 404),
            ("OPTIONS", "/v1/files", 404), ("POST", "/v1/images/a\\..\\b", 404)):
        want(path, send(w, method, path)[0], status)
    want("asked", len(Other.seen), n)
    w.paths = "[/v1/]"
    want("reload", w.reload("")[0], 200)
    want("weir's own", send(w, "GET", "/v1/models")[0], 200)
    want("all of it is weir's", json.loads(send(w, "GET", "/v1/models")[1])["data"][0]["id"], "auto")
    want("the rest", send(w, "GET", "/v1/responses/resp_1")[0], 200)
    want("asked", Other.seen[-1][1], "/v1/responses/resp_1")
    want("end", w.stop(), 0)


def keys_are_asked_for_and_what_holds_them_holds():
    w = Keyed()
    n = len(Other.seen)
    want("no key", send(w, "GET", "/v1/files")[0], 401)
    for key, words in ((HELD, b"routes"), (POOR, b"budget")):
        status, data, _ = send(w, "GET", "/v1/files", authorization="Bearer " + key)
        want("held", (status, words in data), (403, True))
    want("asked", len(Other.seen), n)
    for key in (FREE, EU):
        want("free", send(w, "GET", "/v1/files", authorization="Bearer " + key)[0], 200)
    status, data, _ = send(w, "GET", "/v1/messages/batches", x_api_key=EU)
    want("abroad", (status, json.loads(data)["type"], b"regions" in data), (403, "error", True))
    want("rows", sorted(w.rows("key_name, status")),
         [("eu", 200), ("eu", 403), ("free", 200), ("held", 403), ("poor", 403)])
    want("end", w.stop(), 0)


def what_breaks_off_there_breaks_off_here():
    w = Passing()
    try:
        send(w, "POST", "/v1/audio/cut")
        want("cut", "whole", "broken")
    except http.client.IncompleteRead as e:
        want("so far", e.partial, b"x" * 10)
    status, data, _ = send(w, "POST", "/v1/audio/hang")
    want("hang", (status, json.loads(data)["error"]["code"]), (502, "upstream_cut"))
    want("rows", w.rows("status, error"), [(200, "cut"), (502, "upstream_cut")])
    want("end", w.stop(), 0)


def a_client_that_leaves_ends_the_call():
    w = Passing()
    Other.gone.clear()
    Other.go_on.clear()
    s = socket.create_connection(("127.0.0.1", w.port))
    s.sendall(b"POST /v1/audio/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    want("it came", Other.go_on.wait(5), True)
    s.close()
    want("the provider's connection ends", Other.gone.wait(2), True)
    want("rows", w.rows("status, error"), [(499, "client_gone")])
    want("it serves", send(w, "GET", "/v1/files")[0], 200)
    want("end", w.stop(), 0)


def a_large_answer_waits_for_who_reads_it():
    w = Passing()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.connect(("127.0.0.1", w.port))
    s.sendall(b"GET /v1/audio/large HTTP/1.1\r\nhost: x\r\n\r\n")
    before = -1
    for _ in range(100):  # until nothing moves any more
        time.sleep(0.2)
        if Other.sent == before and before > 0:
            break
        before = Other.sent
    want("the provider waits", before < 48 << 20, True)
    r = http.client.HTTPResponse(s)
    r.begin()
    h, n = hashlib.sha256(), 0
    while piece := r.read(1 << 16):
        h.update(piece)
        n += len(piece)
    want("all of it", (n, h.hexdigest()),
         (1024 * 65536, hashlib.sha256(bytes(range(256)) * 256 * 1024).hexdigest()))
    s.close()
    want("end", w.stop(), 0)


def a_list_that_cannot_be_kept_is_an_error():
    for paths, words in (("[v1/images/]", "wanted a path such as /v1/images/, found v1/images/"),):
        w = Passing.__new__(Passing)
        w.paths, w.config, w.db = paths, DIR + "/bad.yaml", DIR + "/bad.db"
        w.write("")
        r = subprocess.run([WEIR, "check", "--config", w.config], capture_output=True, text=True,
                           env=dict(os.environ, PROVIDER_KEY="k"), timeout=20)
        want(words, (r.returncode != 0, words in r.stderr), (True, True))


run(globals())
