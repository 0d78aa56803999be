# SPDX-License-Identifier: Apache-2.0
"""The load of tests/e2e/cycle.sh: asks, judges what it gets, and turns the
world around when the server has learnt it.  cycle.py PORT F.weir WEIR"""
import http.client, json, os, random, subprocess, sys, threading, time

PORT, MODEL, WEIR = int(sys.argv[1]), sys.argv[2], sys.argv[3]
JOURNAL = MODEL + ".journal"
TOPICS = 8
# How long something may take is said in requests: on a machine that has other
# things to do, all of it is slower.  The clock only ends what hangs.
PATIENCE, HANGS = 60000, time.time() + 900
turned = [False]
counts = {"asked": 0, "failed": 0}
classifiers = set()
lock = threading.Lock()
stop = threading.Event()


def right(rng, topic, arm):
    """The cheap arm knows half of the topics; which half, turns."""
    if arm == "dear":
        return rng.random() < .97
    return rng.random() < (.95 if (topic % 2 == 0) != turned[0] else .1)


def question(rng, topic):
    words = " ".join(f"topic{topic}word{rng.randrange(25)}" if rng.random() < .6
                     else f"common{rng.randrange(60)}" for _ in range(14))
    return f"{rng.random()}: {words}"


def post(conn, path, body, headers=None):
    conn.request("POST", path, json.dumps(body),
                 {"content-type": "application/json", **(headers or {})})
    r = conn.getresponse()
    return r, r.read()


def client(seed):
    rng = random.Random(seed)
    conn = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    n = 0
    while not stop.is_set():
        topic = rng.randrange(TOPICS)
        n += 1
        try:
            r, _ = post(conn, "/v1/chat/completions", {
                "model": "auto", "messages": [{"role": "user", "content": question(rng, topic)}]})
            ok = r.status == 200
            if ok:
                f, _ = post(conn, "/v1/feedback", {
                    "request_id": r.getheader("x-weir-request-id"),
                    "score": int(right(rng, topic, r.getheader("x-weir-arm")))})
                ok = f.status in (200, 202)
        except (OSError, http.client.HTTPException):
            ok = False
        with lock:
            counts["asked"] += 1
            counts["failed"] += not ok
            classifiers.add(r.getheader("x-weir-classifier") if ok else None)
        if not ok:
            conn.close()
        time.sleep(.002)  # the cycle shall have a part of the machine


def events():
    if not os.path.exists(JOURNAL):
        return []
    with open(JOURNAL) as f:
        return [json.loads(line) for line in f]


def wait_for(what, found):
    """Until found() says something; what it says."""
    begun = counts["asked"]
    while (it := found()) is None:
        if counts["asked"] - begun > PATIENCE or time.time() > HANGS:
            print(f"no {what} after {counts['asked'] - begun} requests:",
                  *(f"{e['event']}: {e['why']}" for e in events()), sep="\n  ")
            stop.set()
            sys.exit(1)
        time.sleep(.05)
    return it


def until(what, event, after=0):
    """Waits for a line of that kind, behind line `after`; its number."""
    return wait_for(what, lambda: next((i for i, e in enumerate(events())
                                        if i >= after and e["event"] == event), None))


def health():
    conn = http.client.HTTPConnection("127.0.0.1", PORT)
    conn.request("GET", "/healthz")
    return json.loads(conn.getresponse().read())


def plant():
    """A bad classifier in place of the running one, by hand: it takes the
    cheap arm for right."""
    rng = random.Random(5)
    with open(MODEL + ".jsonl", "w") as f:
        for i in range(600):
            topic = rng.randrange(TOPICS)
            f.write(json.dumps({
                "id": f"bad/{i}", "messages": [{"role": "user", "content": question(rng, topic)}],
                "outcomes": {"cheap": {"score": int(rng.random() < .98), "input_tokens": 40, "output_tokens": 20},
                             "dear": {"score": int(rng.random() < .9), "input_tokens": 40, "output_tokens": 20}}}) + "\n")
    subprocess.run([WEIR, "train", "--data", MODEL + ".jsonl", "--arms", "cheap,dear",
                    "--reference", "dear", "--out", MODEL], check=True, stdout=subprocess.DEVNULL)
    os.unlink(MODEL + ".jsonl")
    subprocess.run([WEIR, "reload", "--url", f"http://127.0.0.1:{PORT}"], check=True, stdout=subprocess.DEVNULL)


threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(2)]
for t in threads:
    t.start()
at = until("end of the first one's watch", "settle")
turned[0] = True
at = until("second classifier", "promote", at)
second = events()[at]["state"]["running"]
wait_for("answer of the second one", lambda: True if second in classifiers else None)
plant()
at = until("discovery", "found", at)
at = until("rollback", "rollback", at)
wait_for("journal in /healthz", lambda: health()["journal"].get("event"))
stop.set()
for t in threads:
    t.join()
lines = events()
promoted = [e["state"]["running"] for e in lines[:at] if e["event"] == "promote"]
print(*(f"{e['event']}: {e['why'][:240]}" for e in lines), sep="\n")
print(counts, len(classifiers), "classifiers seen")
assert counts["failed"] == 0, "requests were dropped"
assert len(promoted) >= 2 and set(promoted) <= classifiers, "all of them have served"
assert lines[at]["state"]["running"] == promoted[-1], "back to the second one"
assert any(e["event"] == "canary" for e in lines), "the second one was a canary first"
