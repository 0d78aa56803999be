# SPDX-License-Identifier: Apache-2.0
"""A seeded storm over providers, disk, reloads and clients that vanish; then
what must hold whatever happened:

  every accepted request got one whole answer or one well-formed error;
  each has one row, with the status that its client saw;
  nothing is left over: requests in flight, descriptors, memory;
  each whole answer stands in its row as in the provider's own journal, to the
  token and the pico-USD, and no other call of the journal is charged for more
  than it was worth; counters and rows agree.

What cannot be known is what a provider counts for an answer of which the
usage never arrived: cut, garbled, or left by the client.  It is estimated,
and the report says by how much that was wrong.

usage: chaos.py WEIR PRELOAD SECONDS [SEED] [soak]"""
import collections
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

WEIR, PRELOAD, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else 1
SOAK = "soak" in sys.argv
DIR = tempfile.mkdtemp(prefix="weir-chaos-")
DB, FULL = DIR + "/log.db", DIR + "/full"
CLIENTS = 6
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
         "gemini": "/v1beta/models/{}:{}"}
# Faults whose outcome both sides know exactly ...
EXACT = """seed {seed}
share=0.04 : status=503
share=0.04 : status=429 retry-after-ms=50
share=0.03 : refuse
share=0.03 : reset-at=40
stream=1 share=0.05 : error-frame=2
share=0.04 : latency-ms=80
share=0.03 : stall-at=30 stall-ms=150
"""
# ... and those where each may count otherwise: bytes cut after a usage, what
# is no answer at all, clients that leave.
WILD = """seed {seed}
share=0.04 : garbage
share=0.04 : html status=502
share=0.04 : empty
share=0.04 : length=100000
stream=1 share=0.05 : cut=3
stream=1 share=0.05 : garbage-frame=2
stream=1 share=0.04 : no-done
share=0.04 : trickle=40
share=0.03 : gzip
share=0.02 : down-ms=100
always : latency-ms=10
"""
wrong = []


def start(argv, port_file, **more):
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, **more)
    for _ in range(1000):
        if os.path.exists(port_file) and open(port_file).read().strip():
            return p, int(open(port_file).read())
        if p.poll() is not None:
            raise SystemExit(f"{argv[:2]} ended with {p.returncode}")
        time.sleep(0.01)
    raise SystemExit(f"{argv[:2]} did not come up")


def mock(name, script):
    path = f"{DIR}/{name}.script"
    with open(path, "w") as f:
        f.write(script.format(seed=SEED))
    return start([WEIR, "mock", "--port", "0", "--port-file",
                  f"{DIR}/{name}.port", "--price", "1/2", "--script", path,
                  "--journal", f"{DIR}/{name}.journal",
                  "--seed", str(SEED)], f"{DIR}/{name}.port",
                 stderr=subprocess.DEVNULL)


def config(a, b, turn):
    with open(DIR + "/weir.yaml", "w") as f:
        f.write(f"""
listen: "127.0.0.1:0"
workers: 2
classifier: none
core_files: true
log: {{path: {DB}, prompts: none}}
limits: {{requests: 64, queue: 64, first_byte_time: 5s, stall_time: 5s,
         attempts: {2 + turn % 2}}}
providers:
  a: {{dialect: openai, base_url: "http://127.0.0.1:{a}/v1", api_key: k}}
  b: {{dialect: openai, base_url: "http://127.0.0.1:{b}/v1", api_key: k}}
models:
  a1: {{provider: a, name: a1, context: 100000, price: {{input: 1, output: 2}}}}
  a2: {{provider: a, name: a2, context: 100000, price: {{input: 1, output: 2}}}}
  b1: {{provider: b, name: b1, context: 100000, price: {{input: 1, output: 2}}}}
  b2: {{provider: b, name: b2, context: 100000, price: {{input: 1, output: 2}}}}
routes:
  exact: {{arms: [a1, a2]}}
  wild: {{arms: [b1, b2]}}
""")


def fetch(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request("GET", path)
    out = c.getresponse().read().decode()
    c.close()
    return out


class Client(threading.Thread):
    def __init__(self, n, port, until):
        super().__init__()
        self.draw = random.Random(SEED * 1000 + n)
        self.n, self.port, self.until = n, port, until
        self.seen = {}  # request id -> status
        self.marks = {}  # what the journal calls it -> request id, or None
        self.sent = self.vanished = self.no_id = 0

    def mark(self):
        return f"chaos {self.n} {self.sent} end"

    def body(self, dialect, route, stream):
        text = "word " * self.draw.randrange(200) + self.mark()
        path = PATHS[dialect]
        if dialect == "gemini":
            path = path.format(route, "streamGenerateContent?alt=sse" if stream
                               else "generateContent")
            return path, {"contents": [{"role": "user",
                                        "parts": [{"text": text}]}]}
        return path, {"model": route, "max_tokens": 200, "stream": stream,
                      "messages": [{"role": "user", "content": text}]}

    def run(self):
        c = None
        while time.time() < self.until:
            dialect = self.draw.choice(list(PATHS))
            wild = self.draw.random() < 0.4
            stream = self.draw.random() < 0.5
            self.sent += 1
            self.marks[self.mark()] = None
            path, body = self.body(dialect, "wild" if wild else "exact",
                                   stream)
            c = c or http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=60)
            try:
                c.request("POST", path, json.dumps(body))
                if wild and self.draw.random() < 0.15:
                    time.sleep(self.draw.random() * 0.03)
                    self.vanished += 1
                    c.close()
                    c = None
                    continue
                c = self.judge(c, dialect, stream)
            except Exception as e:
                wrong.append(f"client {self.n}, request {self.sent}: {e!r}")
                c = None

    def judge(self, c, dialect, stream):
        r = c.getresponse()
        data = r.read().decode()
        rid = r.getheader("x-weir-request-id")
        if rid in self.seen:
            wrong.append(f"{rid} was answered twice")
        if rid:
            self.seen[rid] = r.status
            self.marks[self.mark()] = rid
        else:
            self.no_id += 1
        kind = r.getheader("content-type", "")
        what = self.fault_of(r.status, kind, data, dialect, stream)
        if what:
            wrong.append(f"{rid} {dialect} {r.status}: {what}: {data[-300:]!r}")
        if r.will_close or self.draw.random() < 0.05:
            c.close()
            return None
        return c

    def fault_of(self, status, kind, data, dialect, stream):
        """What is wrong with an answer, or None."""
        if not kind.startswith("text/event-stream"):
            top = json.loads(data)
            if status != 200:
                return None if "error" in top else "no error in it"
            return "an error as an answer" if "error" in top else None
        events = [e for e in re.split(r"\r?\n\r?\n", data) if e.strip()]
        said = [line[5:].strip() for e in events for line in e.split("\n")
                if line.startswith("data:")]
        for s in said:
            if s != "[DONE]":
                json.loads(s)
        error = any('"error"' in s for s in said)
        whole = {"openai": said and said[-1] == "[DONE]",
                 "anthropic": any('"message_stop"' in s for s in said),
                 "gemini": any('"finishReason"' in s for s in said)}[dialect]
        return None if whole or error else "a cut stream without an error"


def trouble(weir, a, b, until):
    """Locks and fills the disk, reloads."""
    draw, turn = random.Random(SEED), 0
    every = 10 if SOAK else 1
    while time.time() < until - 1:
        turn += 1
        config(a, b, turn)
        weir.send_signal(signal.SIGHUP)
        kind = draw.randrange(4)
        if kind == 0:
            open(FULL, "w").close()
            time.sleep(0.5)
            os.unlink(FULL)
        elif kind == 1:
            db = sqlite3.connect(DB, timeout=5, isolation_level=None)
            try:
                db.execute("BEGIN IMMEDIATE")
                time.sleep(0.7)
                db.execute("COMMIT")
            except sqlite3.OperationalError:
                pass
            db.close()
        time.sleep(every)


def status_of(pid, key):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def metric(text, name, **labels):
    """The sum of a metric's series with these labels."""
    total = 0.0
    for line in text.split("\n"):
        m = re.match(rf"{name}(?:{{(.*)}})? (\S+)$", line)
        if m and all(f'{k}="{v}"' in (m[1] or "") for k, v in labels.items()):
            total += float(m[2])
    return total


def expect(what, got, wanted):
    if got != wanted:
        wrong.append(f"{what}: wanted {wanted}, got {got}")


def check_rows(db, clients):
    rows = dict(db.execute("SELECT id, status FROM requests"))
    answered = {}
    for c in clients:
        answered.update(c.seen)
    for rid, status in answered.items():
        if rid not in rows:
            wrong.append(f"{rid} ({status}) has no row")
        elif rows[rid] != status:
            wrong.append(f"{rid}: the client saw {status}, "
                         f"the row says {rows[rid]}")
    vanished = sum(c.vanished for c in clients)
    extra = len(rows) - len(answered) - sum(c.no_id for c in clients)
    if not 0 <= extra <= vanished:
        wrong.append(f"{extra} rows for {vanished} clients that vanished")
    return len(rows)


def journal():
    """Of both providers: what was said -> the calls that were made of it."""
    calls = collections.defaultdict(list)
    for name in "ab":
        for line in open(f"{DIR}/{name}.journal"):
            call = json.loads(line)
            mark = re.search(r"chaos \d+ \d+ end$", call["words"])
            calls[mark[0] if mark else None].append(
                (call["outcome"], call["input_tokens"],
                 call["output_tokens"], call["cost_pico"]))
    return calls


def failed_cost(tries):
    """Pico-USD of the calls that failed before the one that served."""
    return sum(round(t.get("cost_usd", 0) * 1e12)
               for t in json.loads(tries or "[]") if t["error"])


def is_exact(row):
    return row["status"] == 200 and not row["error"] and \
        not row["usage_estimated"]


def account(row):
    return (row["input_tokens"], row["output_tokens"],
            row["cost_pico"] - failed_cost(row["tries"]))


class Accounts:
    """Rows against the providers' journals."""

    def __init__(self, db, clients):
        db.row_factory = sqlite3.Row
        self.rows = {r["id"]: r for r in db.execute(
            "SELECT id, status, error, usage_estimated, input_tokens,"
            " output_tokens, cost_pico, tries FROM requests")}
        self.calls = journal()
        self.exact = self.known = 0
        self.lost, self.guess = 0, 0  # pico-USD of the rest, theirs and ours
        self.left = collections.Counter()  # by clients that vanished: calls
        for c in clients:
            for mark, rid in c.marks.items():
                self.one(mark, rid)
        self.vanished()

    def one(self, mark, rid):
        calls = self.calls.pop(mark, [])
        row = self.rows.pop(rid, None) if rid else None
        if not row:
            self.left.update(c[1:] for c in calls)
            self.lost += sum(c[3] for c in calls if c[0] != "error")
            return
        if is_exact(row):
            self.exact += 1
            # Broken: behind its usage, such as a stream without an end mark.
            served = [c for c in calls if c[1:] == account(row) and
                      c[0] in ("answered", "broken")]
            if not served:
                wrong.append(f"{rid}: the row has {account(row)}, its "
                             f"provider {calls}")
                return
            calls.remove(served[0])
            self.known += served[0][3]
            charged = failed_cost(row["tries"])
        else:
            charged = row["cost_pico"]
        self.guess += charged
        if charged > sum(c[3] for c in calls):
            wrong.append(f"{rid}: charged {charged} for {calls}")
        self.lost += sum(c[3] for c in calls if c[0] != "error")

    def vanished(self):
        """Rows of clients that did not wait to hear their number."""
        for rid, row in self.rows.items():
            self.guess += row["cost_pico"]
            if not is_exact(row):
                continue
            if not self.left[account(row)]:
                wrong.append(f"{rid}: no call of {account(row)}")
            self.left[account(row)] -= 1
        if self.calls:
            wrong.append(f"calls of nobody: {list(self.calls)[:5]}")

    def report(self):
        return (f"{self.exact} whole answers agree to the token and the "
                f"pico-USD, {self.known} of them; what broke or was left "
                f"cost {self.lost} there, {self.guess} by our estimate")


def check_sums(db, text):
    db.row_factory = None
    every = db.execute("SELECT count(*), sum(input_tokens),"
                       " sum(output_tokens), sum(cost_pico)"
                       " FROM requests").fetchone()
    expect("requests counted", metric(text, "weir_requests_total"), every[0])
    for kind, n in (("input", every[1]), ("output", every[2])):
        expect(f"{kind} tokens counted",
               metric(text, "weir_tokens_total", kind=kind), n)
    cost = metric(text, "weir_cost_usd_total")
    if round(cost * 1e12) and abs(cost * 1e12 - every[3]) > 1000:
        wrong.append(f"USD counted: {cost}, rows {every[3]} pico")


def wait_for_rest(port):
    """Until nothing is in flight and the log is whole."""
    for _ in range(300):
        health = json.loads(fetch(port, "/healthz"))["log"]
        text = fetch(port, "/metrics")
        if (health["healthy"] and not health["queued"] and
                not health["in_spill"] and
                metric(text, "weir_requests_in_flight") <= 1):
            return text, health
        time.sleep(0.1)
    wrong.append(f"no rest: {health}, in flight "
                 f"{metric(text, 'weir_requests_in_flight')}")
    return text, health


def main():
    a, a_port = mock("a", EXACT)
    b, b_port = mock("b", WILD)
    config(a_port, b_port, 0)
    env = dict(os.environ, WEIR_DISK_FAULT=FULL)
    if PRELOAD != "-":
        env["LD_PRELOAD"] = PRELOAD
    weir, port = start([WEIR, "serve", "--config", DIR + "/weir.yaml",
                        "--port-file", DIR + "/weir.port"],
                       DIR + "/weir.port", env=env,
                       stderr=open(DIR + "/weir.err", "wb"))
    base = descriptors(weir.pid)
    until = time.time() + SECONDS
    clients = [Client(i, port, until) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    threading.Thread(target=trouble, args=(weir, a_port, b_port, until),
                     daemon=True).start()
    memory = []
    while any(c.is_alive() for c in clients):
        time.sleep(SECONDS / 100)
        memory.append(status_of(weir.pid, "VmRSS"))
    time.sleep(0.5)
    text, health = wait_for_rest(port)
    left = descriptors(weir.pid) - base
    if left > 4 + 2 * 4 * CLIENTS:  # kept connections to two providers
        wrong.append(f"{left} descriptors more than at the start")
    early, late = max(memory[20:30]), max(memory[-10:])
    if SOAK and late > early * 1.05:
        wrong.append(f"memory grew from {early} to {late} kB")
    weir.send_signal(signal.SIGTERM)
    expect("exit status", weir.wait(30), 0)
    db = sqlite3.connect(DB)
    expect("integrity", db.execute("PRAGMA integrity_check").fetchone()[0],
           "ok")
    n = check_rows(db, clients)
    a.terminate()
    b.terminate()
    a.wait()
    b.wait()
    accounts = Accounts(db, clients)
    check_sums(db, text)
    print(f"seed {SEED}, {SECONDS:g} s: {sum(c.sent for c in clients)} "
          f"requests, {n} rows, {sum(c.vanished for c in clients)} clients "
          f"vanished, {health['spilled']} rows spilled, "
          f"{health['recovered']} taken up, {health['lost']} lost; memory "
          f"{early} kB early, {late} kB late; {left:+d} descriptors")
    print(accounts.report())
    expect("rows lost", health["lost"], 0)
    for w in wrong[:40]:
        print("WRONG", w)
    print(f"{len(wrong)} wrong" if wrong else "all invariants hold")
    if wrong:
        print("left:", DIR)
    else:
        shutil.rmtree(DIR)
    sys.exit(1 if wrong else 0)


main()
