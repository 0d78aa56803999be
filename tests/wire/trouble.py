# SPDX-License-Identifier: Apache-2.0
"""The faults of `weir mock` one by one before weir serve, and a resolver that
is slow: with another arm the request is answered there, without one the client
gets an error in good form; the row says what it was."""
import atexit
import json
import subprocess
import sys
import time

import rig
from rig import DIR, WEIR, run, want

PRELOAD = sys.argv.pop(2)

# Each: what the mock is told, what the row calls it (None: it is no fault).
FAULTS = {
    "refuse": ("refuse", ("truncated", "connect")),
    "reset": ("reset-at=40", ("truncated",)),
    "cut": ("cut-at=200", ("truncated",)),
    "stall": ("stall-at=200!stall-ms=5000", ("timeout",)),
    "silent": ("latency-ms=5000", ("timeout",)),
    "trickle": ("trickle=40", None),
    "length": ("length=100000", ("truncated",)),
    "short": ("length=20", ("invalid",)),
    "garbage": ("garbage", ("invalid",)),
    "empty": ("empty", ("invalid",)),
    "html": ("html", ("invalid",)),
    "gzip": ("gzip", ("invalid",)),
    "status": ("status=503", ("server",)),
    "many": ("status=429!retry-after=60", ("rate_limit",)),
    "overloaded": ("status=529", ("overloaded",)),
}


def mock(name, *options):
    port = f"{DIR}/{name}.port"
    p = subprocess.Popen([WEIR, "mock", "--port", "0", "--port-file", port,
                          "--price", "1/2", *options],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rig.Weir.running.append(p)
    atexit.register(p.terminate)
    for _ in range(1000):
        try:
            return int(open(port).read())
        except (OSError, ValueError):
            time.sleep(0.01)
    raise AssertionError(name + " did not start")


class Weir(rig.Weir):
    """With providers and arms of its own."""

    def __init__(self, providers, arms, more="", env=None):
        text = "log: {path: %s, flush: 20ms}\nhealth: {failures: 60000, " \
            "min_calls: 60000, rest: 0, rest_max: 0, pause: 1ms, " \
            "pause_max: 1ms}\n" % f"{DIR}/trouble{rig.Weir.n}.db"
        self.path = f"{DIR}/trouble{rig.Weir.n}.db"
        text += more + "providers:\n" + "".join(
            f"  {n}: {{dialect: openai, base_url: \"{url}\", api_key: k}}\n"
            for n, url in providers.items()) + "models:\n"
        for n, (at, name) in arms.items():
            text += (f"  {n}: {{provider: {at}, name: \"{name}\", context: "
                     "100k, price: {input: 1, output: 2}}\n")
        text += "routes:\n"
        for n in arms:
            both = n if n == "good" else n + ", good"
            text += (f"  {n}-over: {{arms: [{both}], policy: fixed, "
                     f"reference: {n}, retry: {{wait: 1ms}}}}\n"
                     f"  {n}-alone: {{arms: [{n}], attempts: 2, "
                     "retry: {wait: 1ms}}\n")
        self.text = text
        super().__init__(env=env)
        self.db = self.path

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"listen: {listen}\nworkers: 1\nclassifier: none\n" +
                    self.text)

    def tried(self, ident):
        for _ in range(200):
            for r in self.rows_now():
                if r[0] == ident:
                    return [t["error"] for t in json.loads(r[1])]
            time.sleep(0.02)
        raise AssertionError(ident + " has no row")

    def rows_now(self):
        import sqlite3
        db = sqlite3.connect(self.db)
        out = db.execute("SELECT id, tries FROM requests").fetchall()
        db.close()
        return out


def judge(w, fault, errors):
    status, body, head = w.chat(model=fault + "-over")
    want(f"{fault}, with another arm: {body[:200]}", status, 200)
    tried = w.tried(head["x-weir-request-id"])
    want(f"{fault}, answered by", head["x-weir-arm"],
         "good" if errors else fault)
    if errors and tried[0] not in errors:
        raise AssertionError(f"{fault}: the row says {tried}")
    status, body, head = w.chat(model=fault + "-alone")
    said = json.loads(body)
    if errors and (status < 429 or "message" not in said["error"]):
        raise AssertionError(f"{fault}, alone: {status} {body[:200]}")
    want(f"{fault}, alone, is whole", "choices" in said, not errors)
    print(f"      {fault:12} {tried[0] or '-':12} alone {status}")


def each_fault_of_the_mock_is_met():
    port = mock("plain")
    url = f"http://127.0.0.1:{port}/v1"
    arms = {n: ("up", "m!" + play) for n, (play, _) in FAULTS.items()}
    w = Weir({"up": url, "well": url}, {**arms, "good": ("well", "good")},
             "limits: {first_byte_time: 600ms, stall_time: 600ms}\n")
    for fault, (_, errors) in FAULTS.items():
        judge(w, fault, errors)
    want("end", w.stop(), 0)


def a_bad_certificate_is_no_connection():
    kinds = ("self-signed", "expired")
    urls = {k: f"https://127.0.0.1:{mock(k, '--tls', k)}/v1" for k in kinds}
    urls["well"] = f"http://127.0.0.1:{mock('beside')}/v1"
    w = Weir(urls, {**{k: (k, "m") for k in kinds}, "good": ("well", "good")})
    for k in kinds:
        judge(w, k, ("connect",))
    want("end", w.stop(), 0)


def a_storm_of_429_is_ridden_out():
    url = f"http://127.0.0.1:{mock('limited', '--rps', '5')}/v1"
    well = f"http://127.0.0.1:{mock('unlimited')}/v1"
    w = Weir({"up": url, "well": well},
             {"first": ("up", "m"), "good": ("well", "good")})
    arms = [w.chat(model="first-over")[2]["x-weir-arm"] for _ in range(60)]
    if not {"first", "good"} == set(arms):
        raise AssertionError(arms)
    want("end", w.stop(), 0)


def a_slow_resolver_holds_up_nobody_else():
    port = mock("named")
    for scheme in ("http", "https"):
        w = Weir({"slow": f"{scheme}://provider.slow:{port}/v1",
                  "well": f"http://127.0.0.1:{port}/v1"},
                 {"slow": ("slow", "m"), "good": ("well", "good")},
                 "limits: {connect_time: 500ms}\n",
                 {"LD_PRELOAD": PRELOAD, "WEIR_DNS_MS": "2000"})
        began = time.time()
        c = w.connect()
        c.request("POST", "/v1/chat/completions", json.dumps({
            "model": "slow-over",
            "messages": [{"role": "user", "content": "hi"}]}))
        time.sleep(0.1)
        want("meanwhile", w.chat(model="good-alone")[0], 200)
        if time.time() - began > 0.45:
            raise AssertionError(f"{scheme}: waited for the resolver, "
                                 f"{time.time() - began}")
        r = c.getresponse()
        took = time.time() - began
        want(scheme, (r.status, r.getheader("x-weir-arm")), (200, "good"))
        if not 0.4 < took < 1.5:
            raise AssertionError(f"{scheme}: {took}")
        want("its row", w.tried(r.getheader("x-weir-request-id")),
             ["connect_timeout", None])
        want("end", w.stop(), 0)


def a_resolver_that_is_slow_but_in_time_is_waited_for():
    port = mock("later")
    w = Weir({"slow": f"http://provider.slow:{port}/v1"},
             {"slow": ("slow", "m"), "good": ("slow", "good")}, "",
             {"LD_PRELOAD": PRELOAD, "WEIR_DNS_MS": "300"})
    want("first", w.chat(model="slow-alone")[0], 200)
    began = time.time()
    want("then", w.chat(model="slow-alone")[0], 200)
    if time.time() - began > 0.25:
        raise AssertionError("resolved again")
    want("end", w.stop(), 0)


run(dict(globals()))
