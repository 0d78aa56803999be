# SPDX-License-Identifier: Apache-2.0
"""Streams of providers over https, by HTTP/1.1 and HTTP/2, and what a client
that does not read makes of them: who is held back, and how much memory it
takes, to the event.  The providers are scripted to the frame.  Every test's
name is a sentence."""
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


# ---- clients ----

class Reader:
    """A client that reads when it is told to; its own buffer is small."""

    def __init__(self, way, play, client="openai", route="to"):
        body = request(client, play, True)
        body["model"] = f"{route}-{way}"
        data_ = json.dumps(body).encode()
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.s.settimeout(15)
        self.s.connect(("127.0.0.1", sys.modules["scripted"].weir_port))
        self.s.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d"
                       b"\r\n\r\n" % (path_of(client, "", True).encode(), len(data_)) + data_)
        self.got = b""

    def read(self, upto=None):
        while upto is None or len(self.got) < upto:
            more = self.s.recv(65536)
            if not more:
                break
            self.got += more
        return self.got

    def close(self):
        self.s.close()


def queues(port):
    """(tx, rx) bytes of the kernel's for each connected socket that has the
    port, as (local port, remote port)."""
    out = {}
    for line in open("/proc/net/tcp").read().split("\n")[1:]:
        w = line.split()
        if len(w) < 5 or w[3] != "01":
            continue
        a, b = (int(x.split(":")[1], 16) for x in w[1:3])
        if port in (a, b):
            out[(a, b)] = tuple(int(x, 16) for x in w[4].split(":"))
    return out


def at_rest(value, seconds=10):
    """What value() is when it has not changed for a while."""
    last, since, end = value(), time.time(), time.time() + seconds
    while time.time() < end and time.time() - since < 0.7:
        time.sleep(0.05)
        now = value()
        if now != last:
            last, since = now, time.time()
    return last


def held(way, client):
    """Bytes of events that weir has taken from its provider and not handed to
    its client's socket, while the client does not read."""
    p = up[way]
    at_rest(lambda: sum(p.flooded.values()))  # whoever was there before
    p.flooded.clear()
    r = Reader(way, "flood", client)
    r.read(200)
    handed = at_rest(lambda: sum(p.flooded.values()))
    assert 10 < handed < 50000, (way, handed)
    # Of what was handed over, this is in the kernel.
    size = EVENT + len(f"{EVENT:x}") + 4  # with its chunk's frame
    if way == "https1":
        size += 22  # a TLS record's head, type and tag
    if way == "https2":
        size = EVENT + 9 + 22
    above = sum(tx + rx for tx, rx in queues(p.port).values())
    taken = handed - above / size
    mine = r.s.getsockname()[1]
    below = sum(tx + rx for tx, rx in queues(mine).values()) + len(r.got)
    # The first `below` bytes of the answer have left weir: these events.
    text = r.read(below)[:below]
    gone = len(told_event(text))
    r.close()
    return (taken - gone) * EVENT


def nobody_holds_more_than_the_documented_64_kb_for_who_does_not_read():
    for way in WAYS:
        for client in ("openai", "anthropic"):
            n = held(way, client)
            print(f"      {way:7} {client:10} {n / 1024:.1f} kB")
            assert -2048 < n <= 65536, (way, client, n)


def rss():
    status = open(f"/proc/{server_pid()}/status").read()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1])


def server_pid():
    return int(open(DIR + "/weir.pid").read())


def many_who_do_not_read_take_no_more_than_that_each():
    if "asan" in WEIR:
        return  # whose memory is not the program's
    stay = []  # to the end, so that nobody's memory is used again
    for way in WAYS:
        for n in (4, 60):
            before = rss()
            for _ in range(n):
                stay.append(Reader(way, "flood"))
                stay[-1].read(200)
            per = (at_rest(rss) - before) / n
        print(f"      {way:7} {per:.1f} kB each")
        # beside what is held: the request, the exchange, TLS
        assert per <= 64 + 34, (way, per)
    for r in stay:
        r.close()


def one_who_does_not_read_holds_up_nobody_else():
    for way in WAYS:
        slow = [Reader(way, "flood") for _ in range(3)]
        for r in slow:
            r.read(200)
        at_rest(lambda: sum(up[way].flooded.values()))
        began = time.time()
        same((way, told_event(Reader(way, "ticks").read())), (way, list(range(10))))
        assert time.time() - began < 3, (way, time.time() - began)
        for r in slow:
            r.close()


def who_reads_on_gets_all_of_it_in_order():
    for way in WAYS:
        for client in ("openai", "anthropic"):
            r = Reader(way, "burst", client)
            r.read(200)
            time.sleep(0.4)
            text = r.read()
            same((way, client, told_event(text)), (way, client, list(range(5000))))
            assert (b"[DONE]" if client == "openai" else b"message_stop") in text


def hang_up_all():
    conns, up["https2"].conns = up["https2"].conns, []
    for s in conns:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was gone already
    time.sleep(0.2)


def streams_share_a_connection_where_the_provider_speaks_http_2():
    p = up["https2"]
    before = len(p.conns)
    all_ = [Reader("https2", "ticks") for _ in range(60)]
    for r in all_:
        same(told_event(r.read()), list(range(10)))
    assert len(p.conns) - before <= 1, len(p.conns) - before
    p.streams = 8  # those that come next hear of it
    hang_up_all()
    all_ = [Reader("https2", "ticks") for _ in range(24)]
    for r in all_:
        same(told_event(r.read()), list(range(10)))
    p.streams = 100
    assert 3 <= len(p.conns) <= 24, len(p.conns)
    hang_up_all()


def whoever_leaves_ends_its_own_stream_only():
    stays = Reader("https2", "ticks")
    for _ in range(5):
        r = Reader("https2", "flood")
        r.read(5000)
        r.close()
    same(told_event(stays.read()), list(range(10)))
    flooded = at_rest(lambda: sum(up["https2"].flooded.values()))
    time.sleep(0.5)
    same(sum(up["https2"].flooded.values()), flooded)


def a_stream_that_was_refused_unread_is_sent_again():
    hang_up_all()
    same(told_event(Reader("https2", "refuse_once").read()), list(range(10)))
    assert up["https2"].refused


def a_stream_that_is_reset_or_cut_is_an_error_to_its_client_alone():
    for play in ("reset_midway", "hang_up"):
        other = Reader("https2", "ticks") if play == "reset_midway" else None
        text = Reader("https2", play, route="once").read()
        same((play, told_event(text)), (play, [0]))
        assert b'"error"' in text and text.rstrip().endswith(b"0"), (play, text)
        if other:
            same(told_event(other.read()), list(range(10)))


def a_connection_that_goes_away_ends_what_it_has_and_takes_no_more():
    r = Reader("https2", "go_away")
    r.read(300)
    n = len(up["https2"].conns)
    time.sleep(0.1)
    same(told_event(Reader("https2", "ticks").read()), list(range(10)))
    same(told_event(r.read()), [0, 1])
    assert len(up["https2"].conns) == n + 1


def trailers_are_passed_over():
    same(told_event(Reader("https2", "trailers").read()), [0])


def a_server_that_nobody_vouches_for_is_not_spoken_to():
    text = Reader("https1", "ticks", route="unknown").read()
    assert b" 502 " in text.split(b"\r\n")[0] and b"certificate" in text, text
    text = Reader("https2", "ticks", route="misnamed").read()
    assert b" 502 " in text.split(b"\r\n")[0] and b"certificate" in text, text


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


TESTS = [
    nobody_holds_more_than_the_documented_64_kb_for_who_does_not_read,
    many_who_do_not_read_take_no_more_than_that_each,
    one_who_does_not_read_holds_up_nobody_else, who_reads_on_gets_all_of_it_in_order,
    streams_share_a_connection_where_the_provider_speaks_http_2,
    whoever_leaves_ends_its_own_stream_only, a_stream_that_was_refused_unread_is_sent_again,
    a_stream_that_is_reset_or_cut_is_an_error_to_its_client_alone,
    a_connection_that_goes_away_ends_what_it_has_and_takes_no_more, trailers_are_passed_over,
    a_server_that_nobody_vouches_for_is_not_spoken_to,
]

run(config(), TESTS)
