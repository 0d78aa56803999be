# SPDX-License-Identifier: Apache-2.0
"""TLS, Unix sockets, the PROXY protocol, sockets and words of a service
manager, another user, another program in the place of a running one, files
that change."""
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from rig import DIR, WEIR, Weir, keygen, run, want

CHAT = json.dumps({"model": "auto", "messages": [
    {"role": "user", "content": "hi"}]}).encode()
REQUEST = (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
           b"content-length: %d\r\n\r\n" % len(CHAT)) + CHAT


def certificate(name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", f"{DIR}/{name}.key", "-out", f"{DIR}/{name}.crt"],
        check=True, capture_output=True)
    return f"{DIR}/{name}.crt", f"{DIR}/{name}.key"


def answer(s):
    """One whole answer from a socket: its status and body."""
    f = s.makefile("rb")
    status = int(f.readline().split()[1])
    n = 0
    while (line := f.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            n = int(line.split(b":")[1])
    return status, f.read(n)


def tls_socket(w, cert):
    ctx = ssl.create_default_context(cafile=cert)
    ctx.set_alpn_protocols(["h2", "http/1.1"])
    return ctx.wrap_socket(socket.create_connection(("127.0.0.1", w.port)),
                           server_hostname="127.0.0.1")


def https_serves_whole_and_large_answers_and_pipelines():
    cert, key = certificate("one")
    w = Weir(f"tls: {{cert: {cert}, key: {key}}}")
    s = tls_socket(w, cert)
    want("no other protocol", s.selected_alpn_protocol(), None)
    for _ in range(3):
        s.sendall(REQUEST)
        want("status", answer(s)[0], 200)
    s.sendall(REQUEST * 3)
    want("pipelined", [answer(s)[0] for _ in range(3)], [200] * 3)
    for i in range(0, len(REQUEST), 40):
        s.sendall(REQUEST[i:i + 40])
    want("in pieces", answer(s)[0], 200)
    big = json.dumps({"model": "auto", "messages": [
        {"role": "user", "content": "word " * 400000}]}).encode()
    s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
              b"content-length: %d\r\n\r\n" % len(big) + big)
    want("a large body", answer(s)[0], 400)  # larger than the arm's window
    s.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    status, body = answer(s)
    want("metrics", (status, len(body) > 4000), (200, True))
    want("its end is said", s.recv(10), b"")
    plain = socket.create_connection(("127.0.0.1", w.port))
    plain.sendall(REQUEST)
    plain.settimeout(5)
    try:
        got = plain.recv(1000)
    except ConnectionResetError:
        got = b""
    want("plain HTTP", b"HTTP/1.1 200" in got, False)
    w.stop()


def a_handshake_may_not_take_for_ever():
    cert, key = certificate("slow")
    w = Weir(f"tls: {{cert: {cert}, key: {key}}}\n"
             "limits: {header_time: 300ms}")
    s = socket.create_connection(("127.0.0.1", w.port))
    s.sendall(b"\x16\x03\x01")
    s.settimeout(10)
    from_ = time.time()
    while s.recv(1000):
        pass
    if time.time() - from_ > 4:
        raise AssertionError("it took long")
    w.stop()


def a_reload_takes_a_new_certificate_and_refuses_a_bad_one():
    cert, key = certificate("two")
    other, other_key = certificate("three")
    w = Weir(f"tls: {{cert: {cert}, key: {key}}}")
    old = tls_socket(w, cert)
    shutil.copy(other, cert)
    w.p.send_signal(signal.SIGHUP)  # a certificate without its key
    time.sleep(0.4)
    s = tls_socket_any(w)
    want("still the first", subject(s), "two")
    shutil.copy(other_key, key)
    w.p.send_signal(signal.SIGHUP)
    time.sleep(0.4)
    want("the new one", subject(tls_socket_any(w)), "three")
    old.sendall(REQUEST)
    want("a connection from before", answer(old)[0], 200)
    w.stop()


def tls_socket_any(w):
    ctx = ssl.create_default_context()
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    return ctx.wrap_socket(socket.create_connection(("127.0.0.1", w.port)))


def subject(s):
    pem = ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).encode()
    out = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem,
                         capture_output=True, check=True).stdout.decode()
    return out.strip().split("=")[-1].strip()


def a_unix_socket_serves_and_may_steer():
    path = DIR + "/w.sock"
    w = Weir(f"listen_unix: {path}\nlisten_unix_mode: \"0600\"")
    want("mode", os.stat(path).st_mode & 0o777, 0o600)
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(REQUEST)
    want("status", answer(s)[0], 200)
    s.sendall(b"POST /v1/weir/reload HTTP/1.1\r\nhost: x\r\n"
              b"content-length: 2\r\n\r\n{}")
    want("reload", answer(s)[0], 200)
    second = Weir(f"listen_unix: {path}")
    want("a second server", second.stop(), 1)
    w.p.send_signal(signal.SIGKILL)
    w.p.wait()
    third = Weir(f"listen_unix: {path}", listen="")
    time.sleep(0.5)
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(REQUEST)
    want("a dead server's path", answer(s)[0], 200)
    third.stop()


SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def header(source, port, command=0x21, more=b""):
    four = "." in source
    body = (socket.inet_pton(socket.AF_INET if four else socket.AF_INET6,
                             source) +
            socket.inet_pton(socket.AF_INET if four else socket.AF_INET6,
                             "127.0.0.1" if four else "::1") +
            struct.pack(">HH", port, 443) + more)
    return SIGNATURE + bytes([command, 0x11 if four else 0x21]) + struct.pack(
        ">H", len(body)) + body


def a_balancer_says_whose_connection_it_is():
    w = Weir("proxy_protocol: true")

    def reload_from(first, pieces=1):
        s = socket.create_connection(("127.0.0.1", w.port))
        s.settimeout(10)
        data = first + (b"POST /v1/weir/reload HTTP/1.1\r\nhost: x\r\n"
                        b"content-length: 2\r\n\r\n{}")
        step = max(1, len(data) // pieces)
        for i in range(0, len(data), step):
            s.sendall(data[i:i + step])
            if pieces > 1:
                time.sleep(0.002)
        try:
            return answer(s)[0]
        except (IndexError, ConnectionError):
            return None  # closed without a word

    want("a far client", reload_from(header("192.0.2.7", 1)), 403)
    want("a near one", reload_from(header("127.0.0.1", 1)), 200)
    want("version 6", reload_from(header("::1", 1)), 200)
    want("extensions", reload_from(header("127.0.0.1", 1, more=b"x" * 300)),
         200)
    want("byte by byte", reload_from(header("::1", 1), 1000), 200)
    want("the balancer's check", reload_from(header("127.0.0.1", 1, 0x20)),
         403)
    want("no header", reload_from(b""), None)
    want("version 1", reload_from(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"),
         None)
    want("version 3", reload_from(header("127.0.0.1", 1, 0x31)), None)
    want("too long", reload_from(SIGNATURE + b"\x21\x11\xff\xff"), None)
    w.stop()


def a_service_manager_hands_over_the_socket_and_hears_of_it():
    listen = socket.socket()
    listen.bind(("127.0.0.1", 0))
    listen.listen(64)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(DIR + "/notify")
    notify.settimeout(10)
    fd = listen.fileno()
    w = Weir("", listen="127.0.0.1:1",
             env={"NOTIFY_SOCKET": DIR + "/notify", "LISTEN_FDS": "1"},
             argv=["/bin/bash", "-c",
                   f"[ {fd} = 3 ] || exec 3<&{fd} {fd}<&-; "
                   "LISTEN_PID=$$ exec \"$@\"", "sh"], pass_fds=[fd])
    want("port", w.port, listen.getsockname()[1])
    want("serves", [w.chat()[0] for _ in range(4)], [200] * 4)
    words = notify.recv(500).decode()
    want("ready", words.split("\n")[0], "READY=1")
    w.p.send_signal(signal.SIGHUP)
    want("reloading", notify.recv(500).decode().split("\n")[0], "RELOADING=1")
    want("ready again", notify.recv(500).decode(), "READY=1")
    w.stop()
    want("the end", notify.recv(500).decode(), "STOPPING=1")


def after_binding_it_is_another_user():
    if os.getuid() != 0:
        return
    # The test's own folder is for root alone.
    home = tempfile.mkdtemp(prefix="weir-user-")
    program = shutil.copy(WEIR, home + "/weir")
    os.chmod(home, 0o777)
    nobody = pwd.getpwnam("nobody")
    w = Weir("user: nobody")
    want("root may not be kept", w.stop() in (0, 1), True)
    w.db = home + "/log.db"
    w.write("user: nobody")
    os.chmod(DIR, 0o755)
    p = subprocess.Popen([program, "serve", "--config", w.config,
                          "--port-file", home + "/port"],
                         env=dict(os.environ, PROVIDER_KEY="x"),
                         stdout=subprocess.DEVNULL)
    for _ in range(500):
        if os.path.exists(home + "/port"):
            break
        time.sleep(0.01)
    status = open(f"/proc/{p.pid}/status").read()
    ids = [line.split()[1:] for line in status.split("\n")
           if line.startswith(("Uid", "Gid"))]
    want("its ids", ids, [[str(nobody.pw_uid)] * 4, [str(nobody.pw_gid)] * 4])
    want("the log's owner", os.stat(w.db).st_uid, nobody.pw_uid)
    p.send_signal(signal.SIGTERM)
    want("end", p.wait(20), 0)
    shutil.rmtree(home)


def another_program_takes_over_and_no_connection_is_refused():
    pid_file = DIR + "/weir.pid"
    w = Weir(f"pid_file: {pid_file}")
    seen, stop = {"ok": 0}, threading.Event()

    def client():
        while not stop.is_set():
            try:
                status = w.chat()[0]
                what = "ok" if status == 200 else status
            except OSError as e:
                what = repr(e)
            seen[what] = seen.get(what, 0) + 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    pids = [w.p.pid]
    for _ in range(3):
        os.kill(pids[-1], signal.SIGUSR2)
        for _ in range(1000):
            time.sleep(0.01)
            text = open(pid_file).read().strip()
            if text and int(text) != pids[-1]:
                break
        pids.append(int(text))
        time.sleep(0.5)
    stop.set()
    for t in threads:
        t.join()
    want("programs", len(set(pids)), 4)
    want("the first has ended", w.p.wait(20), 0)
    want("answers", list(seen), ["ok"])
    w.p = Other(pids[-1])
    n = seen["ok"]
    want("rows", w.rows("count(*)"), [(n,)])
    want("end", w.stop(), 0)
    want("its pid file", os.path.exists(pid_file), False)


class Other:
    """A process that is no child of ours."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, 0

    def poll(self):
        return None

    def send_signal(self, n):
        os.kill(self.pid, n)

    def wait(self, seconds):
        for _ in range(seconds * 100):
            try:
                state = open(f"/proc/{self.pid}/stat").read().split()[2]
            except OSError:
                return 0
            if state == "Z":
                return 0
            time.sleep(0.01)
        return 1


def a_program_that_does_not_come_up_changes_nothing():
    w = Weir()
    w.write("nonsense: true")
    w.p.send_signal(signal.SIGUSR2)
    time.sleep(1)
    want("serves", w.chat()[0], 200)
    text = open(w.base + ".err").read()
    want("says so", "this one goes on" in text, True)
    want("end", w.stop(), 0)


def changed_files_are_loaded_without_being_asked():
    key, h = keygen("ci")
    w = Weir("watch: 100ms")
    want("before", w.chat()[0], 200)
    w.write(f"watch: 100ms\nkeys: {{ci: {{hash: \"{h}\"}}}}")
    for _ in range(100):
        time.sleep(0.05)
        if w.chat()[0] == 401:
            break
    want("after", (w.chat()[0], w.chat(key=key)[0]), (401, 200))
    w.write("nonsense: true")
    time.sleep(0.6)
    want("a bad file", (w.chat()[0], w.chat(key=key)[0]), (401, 200))
    w.stop()


run(dict(globals()))
