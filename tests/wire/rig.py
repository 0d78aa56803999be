# SPDX-License-Identifier: Apache-2.0
"""What the wire tests share: a provider that answers, is slow or hands its
key back in an error; weir serve as a child; a client."""
import glob
import http.client
import http.server
import json
import os
import re
import signal
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

WEIR = os.path.abspath(sys.argv[1])
SECRET = "sk-provider-secret-0123456789abcdef"
DIR = tempfile.mkdtemp(prefix="weir-doors-")
failures = []
outputs = []  # all that clients ever got


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    release = threading.Event()

    def log_message(self, *a):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        text = json.loads(body)["messages"][-1]["content"]
        status, out = 200, {
            "id": "x", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "yes"}}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 40,
                      "total_tokens": 100}}
        if text == "wait":
            Provider.release.wait(10)
        if text == "leak":
            status = 401
            out = {"error": {"message": "Incorrect API key: " +
                             self.headers["authorization"], "type": "auth",
                             "code": SECRET}}
        if text == "garbage":
            out = "not json " + SECRET
        data = (out if isinstance(out, str) else json.dumps(out)).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if text == "leak":
            self.send_header("x-request-id", "req-" + SECRET)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    def handle_error(self, request, client_address):
        pass  # a weir that was killed resets its connections

    daemon_threads = True
    request_queue_size = 64


provider = Server(("127.0.0.1", 0), Provider)
threading.Thread(target=provider.serve_forever, daemon=True).start()


def keygen(name, *options):
    r = subprocess.run([WEIR, "keygen", "--name", name, *options],
                       capture_output=True, text=True, check=True)
    entry = re.search(r'hash: "(sha256:[^"]+)"', r.stderr)
    return r.stdout.strip(), entry[1] if entry else None


class Weir:
    n = 0
    models = ""  # further lines of them, and of plans behind them
    running = []

    def __init__(self, extra="", listen="127.0.0.1:0", env=None, argv=(),
                 **popen):
        Weir.n += 1
        self.base = f"{DIR}/w{Weir.n}"
        self.config = self.base + ".yaml"
        self.db = self.base + ".db"
        self.extra = extra
        self.write(extra, listen)
        port = self.base + ".port"
        self.err = open(self.base + ".err", "wb")
        self.p = subprocess.Popen(
            [*argv, WEIR, "serve", "--config", self.config, "--port-file",
             port], stderr=self.err, stdout=self.err,
            env=dict(os.environ, PROVIDER_KEY=SECRET, **(env or {})), **popen)
        Weir.running.append(self.p)
        for _ in range(1000):
            if os.path.exists(port) and open(port).read().strip():
                break
            if self.p.poll() is not None:
                break
            time.sleep(0.01)
        self.port = None
        if os.path.exists(port) and open(port).read().strip().isdigit():
            self.port = int(open(port).read())

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 1
classifier: none
log: {{path: {self.db}, level: debug, prompts: full}}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{provider.server_port}/v1",
      api_key: "${{PROVIDER_KEY}}"}}
models:
  nano: {{provider: p, name: nano-up, tier: economy, context: 100000,
         price: {{input: 1, output: 1}}}}
{self.models}
routes:
  auto: {{arms: [nano]}}
  other: {{arms: [nano]}}
""")

    def reload(self, extra):
        self.write(extra)
        return self.ask("POST", "/v1/weir/reload", {})

    def ask(self, method, path, body=None, **headers):
        c = self.connect()
        h = {k.replace("_", "-"): v for k, v in headers.items()}
        c.request(method, path, json.dumps(body) if body is not None else None,
                  h)
        r = c.getresponse()
        data = r.read()
        outputs.append(str(r.getheaders()).encode() + data)
        c.close()
        return r.status, data, {k.lower(): v for k, v in r.getheaders()}

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def chat(self, text="hi", model="auto", key=None, **headers):
        if key:
            headers["authorization"] = "Bearer " + key
        return self.ask("POST", "/v1/chat/completions", {
            "model": model, "messages": [{"role": "user", "content": text}]},
            **headers)

    def rows(self, what="*"):
        time.sleep(0.5)
        db = sqlite3.connect(self.db)
        out = db.execute(f"SELECT {what} FROM requests ORDER BY id").fetchall()
        db.close()
        return out

    def metric(self, line):
        text = self.ask("GET", "/metrics")[1].decode()
        for one in text.splitlines():
            if one.startswith(line + " "):
                return float(one.split()[-1])
        return 0.0

    def stop(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        self.p.wait(20)
        self.err.close()
        return self.p.returncode


def want(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {got!r}")


def run(names):
    """Each function whose name has four words or more is a test."""
    found = [v for k, v in names.items()
             if callable(v) and k.count("_") >= 3 and
             v.__module__ == names["__name__"]]
    for t in found:
        if sys.argv[2:] and t.__name__ not in sys.argv[2:]:
            continue
        try:
            t()
            print("ok   ", t.__name__.replace("_", " "), flush=True)
        except Exception as e:  # all of them are told
            for p in Weir.running:
                if p.poll() is None:
                    p.terminate()
            failures.append(t.__name__)
            print("FAIL ", t.__name__.replace("_", " ") + ":", repr(e),
                  flush=True)
    if not failures:
        subprocess.run(["rm", "-rf", DIR], check=True)
    else:
        print("left:", DIR)
    print(f"{len(found) - len(failures)} of {len(found)} passed")
    sys.exit(1 if failures else 0)
