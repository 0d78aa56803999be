# SPDX-License-Identifier: Apache-2.0
"""idle.py PORT N: opens N connections, has one chat request answered on
each, says "ready" and keeps them until its input ends."""
import resource, socket, sys

port, n = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100,) * 2)
prompt = "water price theorem letter " * 38
body = '{"model":"auto","messages":[{"role":"user","content":"%s"}]}' % prompt
request = ("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
           "content-length: %d\r\n\r\n%s" % (len(body), body)).encode()
kept = []
for _ in range(n):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(request)
    if b" 200 " not in s.recv(65536)[:20]:
        sys.exit("a request was not answered")
    kept.append(s)
print("ready", flush=True)
sys.stdin.read()
