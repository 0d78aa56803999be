# SPDX-License-Identifier: Apache-2.0
"""limits.busy_poll: a worker that looks for the next event before it sleeps."""
import http.client
import json
import subprocess
import threading
import time

from rig import Provider, WEIR, Weir, run, want

REQUESTS = 60


def worker_of(w):
    for tid in subprocess.run(["ls", f"/proc/{w.p.pid}/task"], text=True,
                              capture_output=True).stdout.split():
        base = f"/proc/{w.p.pid}/task/{tid}"
        if open(base + "/comm").read().strip() == "worker-1":
            return base
    raise AssertionError("no worker-1")


def slept(w):
    """How often the worker went to sleep, ever."""
    for line in open(worker_of(w) + "/status"):
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])


def ticks(w):
    at = open(worker_of(w) + "/stat").read().rsplit(")", 1)[1].split()
    return int(at[11]) + int(at[12])


def requests(w):
    """One behind the other, on one connection; how often was slept."""
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
    body = json.dumps({"model": "auto", "messages": [
        {"role": "user", "content": "hi"}]})
    before = slept(w)
    for _ in range(REQUESTS):
        c.request("POST", "/v1/chat/completions", body)
        r = c.getresponse()
        r.read()
        want("status", r.status, 200)
    c.close()
    return slept(w) - before


def a_worker_that_polls_does_not_sleep_between_events():
    usual, polling = Weir(), Weir(extra="limits: {busy_poll: 100ms}")
    if requests(usual) < REQUESTS:
        raise AssertionError("the usual worker does not sleep either")
    n = requests(polling)
    if n > REQUESTS / 4:
        raise AssertionError(f"slept {n} times in {REQUESTS} requests")
    want("status", usual.stop(), 0)
    want("status", polling.stop(), 0)


def it_sleeps_when_nothing_has_come_for_so_long():
    w = Weir(extra="limits: {busy_poll: 1ms}")
    requests(w)
    time.sleep(0.3)
    before = ticks(w)
    time.sleep(1)
    n = ticks(w) - before
    if n > 10:  # of a hundred
        raise AssertionError(f"{n} hundredths of a second while idle")
    want("status", w.stop(), 0)


def it_is_reloaded_and_drains_as_any_other():
    w = Weir(extra="limits: {busy_poll: 100us}")
    want("reload", w.reload("limits: {busy_poll: 100us, attempts: 2}")[0], 200)
    got = []
    Provider.release.clear()
    t = threading.Thread(target=lambda: got.append(w.chat("wait")[0]))
    t.start()
    time.sleep(0.5)
    w.p.terminate()
    time.sleep(0.2)
    Provider.release.set()
    t.join(20)
    want("answers", got, [200])
    want("status", w.stop(), 0)
    want("rows", len(w.rows()), 1)


def what_is_no_such_time_is_said_by_check():
    w = Weir()
    w.write("limits: {busy_poll: 2h}")
    r = subprocess.run([WEIR, "check", "--config", w.config], text=True,
                       capture_output=True, env={"PROVIDER_KEY": "x"})
    want("status", r.returncode, 1)
    if "wanted a time such as 50us or 1ms, found" not in r.stderr:
        raise AssertionError(r.stderr)
    want("status", w.stop(), 0)


run(globals())
