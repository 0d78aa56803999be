# SPDX-License-Identifier: Apache-2.0
"""Streams of providers over https, by HTTP/1.1 and HTTP/2, and what a client
that does not read makes of them: who is held back, and how much memory it
takes, to the event.  The providers are scripted to the frame.  Every test's
name is a sentence."""
from secured import *


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
