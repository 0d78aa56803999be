# SPDX-License-Identifier: Apache-2.0
"""Framing over real sockets: clients that close one side, that send the next
request before the answer, chunked bodies cut at every byte, 100-continue,
slow readers and writers; each request has its row."""
import json
import socket
import time

from rig import Provider, Weir, run, want


def body_of(text, **more):
    return json.dumps({"model": "auto", "messages": [
        {"role": "user", "content": text}], **more}).encode()


def head_of(*lines):
    return "\r\n".join(("POST /v1/chat/completions HTTP/1.1", "host: x",
                        "content-type: application/json") + lines
                       ).encode() + b"\r\n\r\n"


def plain(text):
    body = body_of(text)
    return head_of(f"content-length: {len(body)}") + body


def dial(w):
    s = socket.create_connection(("127.0.0.1", w.port), timeout=20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s, s.makefile("rb")


def answer(f):
    """Status, headers, body of the next answer; None: the end."""
    line = f.readline()
    if not line:
        return None
    head = {}
    while (one := f.readline().strip()):
        key, _, value = one.decode().partition(":")
        head[key.lower()] = value.strip()
    return int(line.split()[1]), head, f.read(int(
        head.get("content-length", 0)))


def statuses(w):
    return [r[0] for r in w.rows("status")]


def requests_sent_at_once_are_answered_in_order():
    w = Weir()
    s, f = dial(w)
    s.sendall(b"".join(plain(f"number {i}") for i in range(5)) +
              b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + plain("last"))
    ids = []
    for i in range(7):
        status, head, body = answer(f)
        want(f"answer {i}", status, 200)
        if i == 5:
            want("between them", json.loads(body)["status"], "ok")
        else:
            ids.append(head["x-weir-request-id"])
    rows = w.rows("id, messages")
    want("rows", sorted(r[0] for r in rows), sorted(ids))
    want("their order", [json.loads(m)[0]["content"] for i in ids
                         for r, m in rows if r == i],
         [f"number {i}" for i in range(5)] + ["last"])
    w.stop()


def a_chunked_body_may_be_cut_at_every_byte():
    w = Weir()
    body = body_of("chunks")
    third = len(body) // 3
    parts = [body[:third], body[third:2 * third], body[2 * third:]]
    whole = head_of("transfer-encoding: chunked") + b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(p), p) for p in parts) + \
        b"0\r\ntrailer: x\r\n\r\n"
    s, f = dial(w)
    for at in range(1, len(whole)):
        s.sendall(whole[:at])
        time.sleep(0.0005)
        s.sendall(whole[at:])
        status, _, data = answer(f)
        if status != 200:
            raise AssertionError(f"cut at {at}: {status} {data}")
    for b in whole:
        s.sendall(bytes([b]))
    want("byte by byte", answer(f)[0], 200)
    want("rows", statuses(w), [200] * len(whole))
    w.stop()


def a_client_that_expects_100_is_told_to_go_on():
    w = Weir()
    body = body_of("expects")
    s, f = dial(w)
    s.sendall(head_of(f"content-length: {len(body)}", "expect: 100-continue"))
    want("first", (f.readline().strip(), f.readline().strip()),
         (b"HTTP/1.1 100 Continue", b""))
    s.sendall(body)
    want("then", answer(f)[0], 200)
    s.sendall(head_of("content-length: 99999999", "expect: 100-continue"))
    want("too large, before it was sent", answer(f)[0], 413)
    w.stop()


def a_client_that_closes_its_sending_side_while_it_waits_has_left():
    w = Weir()
    Provider.release.clear()
    s, f = dial(w)
    s.sendall(plain("wait"))
    time.sleep(0.3)
    want("in flight, with the question",
         w.metric("weir_requests_in_flight"), 2)
    s.shutdown(socket.SHUT_WR)
    began = time.time()
    want("cut off", answer(f), None)
    if time.time() - began > 1:
        raise AssertionError("noticed after a second")
    Provider.release.set()
    want("its row", w.rows("status, error"), [(499, "client_gone")])
    want("left over", w.metric("weir_requests_in_flight"), 1)
    w.stop()


def a_connection_closed_on_one_side_between_requests_is_no_error():
    w = Weir()
    s, f = dial(w)
    s.sendall(plain("one"))
    want("answered", answer(f)[0], 200)
    s.shutdown(socket.SHUT_WR)
    want("then closed", answer(f), None)
    want("rows", statuses(w), [200])
    w.stop()


def a_request_that_never_ends_gets_408_and_its_row():
    w = Weir("limits: {header_time: 300ms, body_time: 300ms}")
    s, f = dial(w)
    s.sendall(head_of("content-length: 1000") + b'{"model":')
    status, head, _ = answer(f)
    want("a slow body", (status, head["connection"]), (408, "close"))
    s, f = dial(w)
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
    want("slow headers", answer(f)[0], 408)
    s, f = dial(w)
    began = time.time()
    try:  # a byte now and then does not put the end of the headers off
        for b in head_of("x-slow: " + "y" * 200):
            s.sendall(bytes([b]))
            time.sleep(0.02)
    except OSError:
        pass
    if time.time() - began > 3:
        raise AssertionError("a trickle kept its connection")
    want("row of what had a path", statuses(w), [408])
    w.stop()


def two_lengths_are_refused_and_nothing_behind_them_is_read():
    w = Weir()
    for lines in (("content-length: 5", "transfer-encoding: chunked"),
                  ("content-length: 5", "content-length: 6"),
                  ("transfer-encoding: chunked, identity",),
                  ("content-length: 5, 5",), ("content-length: +5",)):
        s, f = dial(w)
        s.sendall(head_of(*lines) + b"0\r\n\r\n" + plain("smuggled"))
        status, head, _ = answer(f)
        if status not in (400, 501) or head.get("connection") != "close":
            raise AssertionError(f"{lines}: {status} {head}")
        want(f"behind {lines}", answer(f), None)
    if any(r[0] == 200 for r in w.rows("status")):
        raise AssertionError("a smuggled request was served")
    w.stop()


run(dict(globals()))
