# SPDX-License-Identifier: Apache-2.0
"""Providers over https, by HTTP/1.1 and HTTP/2, scripted to the frame, and a
configuration with them.  No test stands here."""
import ssl

from scripted import *

DONE = oai({}, "stop") + b"data: [DONE]\n\n"
CERT = DIR + "/cert.pem"
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", DIR + "/key.pem",
                "-out", CERT], check=True, stderr=subprocess.DEVNULL)
EVENT = len(oai({"content": "e000000 " + "x" * 100}))


def event(n):
    return oai({"content": f"e{n:06d} " + "x" * 100})


def told_event(text):
    return [int(n) for n in re.findall(rb"e(\d{6}) x{100}", text)]


# ---- providers ----

class Listening:
    alpn = None

    def __init__(self):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.sock.bind(("localhost", 0))
        self.sock.listen(256)
        self.port = self.sock.getsockname()[1]
        self.conns, self.flooded = [], {}
        self.context = None
        if self.alpn:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(CERT, DIR + "/key.pem")
            self.context.set_alpn_protocols([self.alpn])
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.sock.accept()
            threading.Thread(target=self.safely, args=(s,), daemon=True).start()

    def safely(self, s):
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            self.conns.append(s)
            self.serve(s)
        except OSError:
            pass


class Http1(Listening):
    """Plain, or over TLS: one record an event."""

    def serve(self, s):
        got = b""
        while True:
            while b"\r\n\r\n" not in got:
                got += self.more(s)
            head, got = got.split(b"\r\n\r\n", 1)
            n = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            while len(got) < n:
                got += self.more(s)
            play, got = re.search(rb"play ([a-z_]+)", got)[1].decode(), got[n:]
            s.sendall(SSE)
            getattr(self, play)(s)
            s.sendall(chunk(DONE) + END)

    def more(self, s):
        data = s.recv(65536)
        if not data:
            raise OSError
        return data

    def flood(self, s):
        key = s.getpeername()[1]
        for i in range(100000):
            self.flooded[key] = i
            s.sendall(chunk(event(i)))

    def ticks(self, s):
        for i in range(10):
            s.sendall(chunk(event(i)))
            time.sleep(0.05)

    def burst(self, s):
        for i in range(5000):
            s.sendall(chunk(event(i)))

    def one(self, s):
        s.sendall(chunk(event(0)))


class Https1(Http1):
    alpn = "http/1.1"


class Https2(Listening):
    """As much of RFC 9113 as it takes: header blocks of requests are not
    read, since their bodies say what to play."""
    alpn = "h2"
    streams = 100

    def serve(self, s):
        c = Shared(self, s)
        try:
            c.run()
        finally:
            s.close()


class Shared:
    def __init__(self, owner, s):
        self.o, self.s = owner, s
        self.lock = threading.Condition()
        self.left = {0: 65535}  # windows
        self.initial = 65535
        self.bodies, self.reset, self.last = {}, set(), 0

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise OSError
            data += more
        return data

    def frame(self, kind, flags, stream, body=b""):
        with self.lock:
            self.s.sendall(struct.pack(">I", len(body))[1:] + bytes([kind, flags]) +
                           struct.pack(">I", stream) + body)

    def run(self):
        assert self.take(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        self.frame(4, 0, 0, struct.pack(">HI", 3, self.o.streams))
        while True:
            head = self.take(9)
            n, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream = int.from_bytes(head[5:], "big")
            body = self.take(n)
            if kind == 4 and not flags & 1:  # SETTINGS
                for i in range(0, n, 6):
                    name, value = struct.unpack(">HI", body[i:i + 6])
                    if name == 4:
                        self.initial = value
                self.frame(4, 1, 0)
            elif kind == 8:  # WINDOW_UPDATE
                with self.lock:
                    if stream == 0 or stream in self.left:
                        self.left[stream] += int.from_bytes(body, "big")
                    self.lock.notify_all()
            elif kind == 1:  # HEADERS
                self.last = stream
                self.left[stream], self.bodies[stream] = self.initial, b""
            elif kind == 3:  # RST_STREAM
                self.reset.add(stream)
                with self.lock:
                    self.lock.notify_all()
            elif kind == 0:
                self.bodies[stream] += body
                if flags & 1:
                    play = re.search(rb"play ([a-z_]+)", self.bodies[stream])[1].decode()
                    threading.Thread(target=self.play, args=(play, stream), daemon=True).start()
            elif kind == 6 and not flags & 1:
                self.frame(6, 1, 0, body)

    def headers(self, stream, end=False):
        kind = b"text/event-stream"
        self.frame(1, 5 if end else 4, stream,
                   b"\x88" + b"\x0f\x10" + bytes([len(kind)]) + kind)  # :status 200, content-type

    def data(self, stream, body, end=False):
        """False: the stream was reset."""
        with self.lock:
            while self.left[0] < len(body) or self.left[stream] < len(body):
                if stream in self.reset:
                    return False
                self.lock.wait(0.2)
            self.left[0] -= len(body)
            self.left[stream] -= len(body)
        self.frame(0, 1 if end else 0, stream, body)
        return stream not in self.reset

    def play(self, name, stream):
        try:
            getattr(self, name)(stream)
        except OSError:
            pass

    def flood(self, stream):
        self.headers(stream)
        for i in range(100000):
            self.o.flooded[(id(self), stream)] = i
            if not self.data(stream, event(i)):
                return
        self.data(stream, DONE, True)

    def ticks(self, stream):
        self.headers(stream)
        for i in range(10):
            self.data(stream, event(i))
            time.sleep(0.05)
        self.data(stream, DONE, True)

    def burst(self, stream):
        self.headers(stream)
        for i in range(5000):
            self.data(stream, event(i))
        self.data(stream, DONE, True)

    def one(self, stream):
        self.headers(stream)
        self.data(stream, event(0) + DONE, True)

    def refuse_once(self, stream):
        if stream in (1, 3) and not getattr(self.o, "refused", False):
            self.o.refused = True
            self.frame(3, 0, stream, struct.pack(">I", 7))  # REFUSED_STREAM
            return
        self.ticks(stream)

    def reset_midway(self, stream):
        self.headers(stream)
        self.data(stream, event(0))
        self.frame(3, 0, stream, struct.pack(">I", 2))  # INTERNAL_ERROR

    def go_away(self, stream):
        self.headers(stream)
        self.data(stream, event(0))
        self.frame(7, 0, 0, struct.pack(">II", self.last, 0))
        time.sleep(0.3)
        self.data(stream, event(1))
        self.data(stream, DONE, True)

    def trailers(self, stream):
        self.headers(stream)
        self.data(stream, event(0) + DONE)
        self.frame(1, 5, stream, b"\x00\x06x-last\x01y")

    def hang_up(self, stream):
        self.headers(stream)
        self.data(stream, event(0))
        self.s.unwrap()


up = {"plain": Http1(), "https1": Https1(), "https2": Https2()}
WAYS = tuple(up)


def config():
    text = SETTINGS.replace("prompts: full", "prompts: none")  # which keeps whole answers
    text += f"pid_file: {DIR}/weir.pid\nproviders:\n"
    models, routes = "models:\n", "routes:\n"
    for way, p in up.items():
        url = f"{'http' if way == 'plain' else 'https'}://localhost:{p.port}/v1"
        text += f"  p-{way}: {{dialect: openai, base_url: \"{url}\", api_key: {KEY}"
        text += "}\n" if way == "plain" else f", ca_file: {CERT}}}\n"
        models += f"  m-{way}: {{provider: p-{way}, name: m, price: {{input: 1, output: 2}}}}\n"
        routes += f"  to-{way}: {{arms: [m-{way}], policy: fixed, hold_time: 0}}\n"
        routes += f"  once-{way}: {{arms: [m-{way}], policy: fixed, attempts: 1, hold_time: 0}}\n"
    for name, way, host, ca in (("unknown", "https1", "localhost", ""),
                                ("misnamed", "https2", "127.0.0.1", f", ca_file: {CERT}")):
        text += (f"  p-{name}: {{dialect: openai, base_url: \"https://{host}:{up[way].port}/v1\","
                 f" api_key: {KEY}{ca}}}\n")
        models += f"  m-{name}: {{provider: p-{name}, name: m, price: {{input: 1, output: 2}}}}\n"
        routes += f"  {name}-{way}: {{arms: [m-{name}], policy: fixed, attempts: 1}}\n"
    return text + models + routes
