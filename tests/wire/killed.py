# SPDX-License-Identifier: Apache-2.0
"""What of the log survives: a kill at any time costs at most the rows of the
last flush interval; a full disk and a broken page cost none."""
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

from rig import DIR, WEIR, Weir, run, want

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../build/disk_fault.so")
FLUSH = 0.2


def again(w):
    """The same configuration and log in another process."""
    port = w.base + ".port"
    os.unlink(port)
    w.err = open(w.base + ".err", "ab")
    w.p = subprocess.Popen([WEIR, "serve", "--config", w.config,
                            "--port-file", port], stderr=w.err, stdout=w.err,
                           env=dict(os.environ, PROVIDER_KEY="x"))
    Weir.running.append(w.p)
    for _ in range(1000):
        if os.path.exists(port) and open(port).read().strip():
            break
        time.sleep(0.01)
    w.port = int(open(port).read())


def load(w, answered, stop):
    while not stop.is_set():
        try:
            status, _, head = w.chat()
        except OSError:
            return
        answered.append((head["x-weir-request-id"], time.time()))


def a_kill_costs_only_the_rows_of_the_last_interval():
    w = Weir()
    known = []
    for turn in range(5):
        answered, stop = [], threading.Event()
        threads = [threading.Thread(target=load, args=(w, answered, stop))
                   for _ in range(3)]
        for t in threads:
            t.start()
        time.sleep(0.5 + 0.137 * turn)
        killed = time.time()
        w.p.send_signal(signal.SIGKILL)
        w.p.wait()
        stop.set()
        for t in threads:
            t.join()
        # the interval, and the transaction that ends it
        known += [i for i, at in answered if at < killed - FLUSH - 0.15]
        again(w)
        health = json.loads(w.ask("GET", "/healthz")[1])["log"]
        db = sqlite3.connect(w.db)
        rows = {i for i, in db.execute("SELECT id FROM requests")}
        db.close()
        lost = [i for i in known if i not in rows]
        want("rows older than the interval that are lost", lost, [])
        if not 0 < health["found_after_kill"] <= len(rows):
            raise AssertionError(f"found {health['found_after_kill']} of "
                                 f"{len(rows)}")
    text = open(w.base + ".err").read()
    want("said each time", text.count("log recovered"), 5)
    w.stop()
    again(w)
    health = json.loads(w.ask("GET", "/healthz")[1])["log"]
    want("after a clean end", "found_after_kill" in health, False)
    w.stop()


def health_of(w, healthy):
    for _ in range(100):
        h = json.loads(w.ask("GET", "/healthz")[1])
        if h["log"]["healthy"] == healthy:
            return h
        time.sleep(0.1)
    raise AssertionError(f"still {h}")


def a_full_disk_stops_nothing_and_loses_nothing():
    full = DIR + "/full"
    w = Weir(env={"LD_PRELOAD": PRELOAD, "WEIR_DISK_FAULT": full})
    want("before", w.chat()[0], 200)
    time.sleep(0.4)
    open(full, "w").close()
    want("while it is full", [w.chat()[0] for _ in range(20)], [200] * 20)
    h = health_of(w, False)
    want("status", h["status"], "degraded")
    want("metric", w.metric("weir_log_healthy"), 0)
    if w.metric("weir_log_spill_rows") < 1 or not h["log"]["last_error"]:
        raise AssertionError(str(h))
    os.unlink(full)
    h = health_of(w, True)
    for _ in range(50):
        if w.metric("weir_log_spill_rows") == 0:
            break
        time.sleep(0.1)
    want("rows", w.rows("count(*)"), [(21,)])
    want("lost", w.metric('weir_log_rows_total{state="lost"}'), 0)
    w.stop()


def a_broken_page_is_said_and_mended_while_it_serves():
    w = Weir()
    want("rows", [w.chat("word " * 3000)[0] for _ in range(60)], [200] * 60)
    time.sleep(0.5)
    w.stop()
    size = os.path.getsize(w.db)
    with open(w.db, "r+b") as f:
        for page in range(2, size // 16384):
            f.seek(page * 16384)
            f.write(b"Z" * 16384)
    again(w)
    want("it serves", [w.chat()[0] for _ in range(5)], [200] * 5)
    h = health_of(w, False)
    want("status", h["status"], "degraded")
    for _ in range(100):
        r = subprocess.run([WEIR, "log", "repair", "--db", w.db],
                           capture_output=True, text=True)
        if r.returncode == 0:
            break
        time.sleep(0.05)
    want("repair", (r.returncode, r.stderr), (0, ""))
    health_of(w, True)
    want("rows of then", w.rows("count(*) >= 5"), [(1,)])
    r = subprocess.run([WEIR, "log", "check", "--db", w.db, "--whole"],
                       capture_output=True, text=True)
    want("check", r.returncode, 0)
    w.stop()


run(dict(globals()))
