# SPDX-License-Identifier: Apache-2.0
"""weir log list, weir log show: rows for a person at a terminal.  Every test's
name is a sentence."""
from rig import *


class Two(Weir):
    models = """  dear: {provider: p, name: dear-up, tier: frontier, context: 100000, price: {input: 2, output: 2}}
  small: {provider: p, name: small-up, tier: economy, context: 20000, price: {input: 1, output: 1}}
  tiny: {provider: p, name: tiny-up, tier: economy, context: 50, price: {input: 1, output: 1}}
plans:
  both: {kind: verify, draft: nano, check: small, else: dear}
"""

    def write(self, extra, listen="127.0.0.1:0"):
        super().write(extra, listen)
        with open(self.config, "a") as f:
            f.write("  pair: {arms: [nano, dear, tiny], policy: fixed, reference: dear}\n"
                    "  planned: {arms: [both, dear], policy: fixed, reference: both}\n")


def log(w, *what):
    r = subprocess.run([WEIR, "log", *what, "--db", w.db], capture_output=True, text=True, timeout=20)
    outputs.append((r.stdout + r.stderr).encode())
    return r.returncode, r.stdout, r.stderr


def a_request_is_shown_with_why_it_went_where_it_did():
    w = Two()
    status, _, h = w.chat("one two three " * 30, "pair", x_weir_task="sums")
    want("status", status, 200)
    rid = h["x-weir-request-id"]
    want("label", w.ask("POST", "/v1/feedback", {"request_id": rid, "score": 0.5, "comment": "so so"})[0], 200)
    w.chat("leak", "auto")
    w.rows()
    code, out, _ = log(w, "show", rid)
    want("code", code, 0)
    for words in (rid, "asked      pair, by no key, as openai, task sums (said), some ",
                  "chosen     dear: fixed (policy fixed), by classifier none", "called     dear: dear-up at p, ",
                  "answered   dear-up at p: status 200, stop", "tokens     60 in (0 from the cache), 40 out",
                  "cost       $0.000200", "label      feedback 0.5, confidence 1: so so"):
        want(words, words in out, True)
    arms = {line.split()[0]: line for line in out.splitlines() if line[:1] != " " and line.split()[:1]}
    want("tiny is dropped for its window", "dropped: context" in arms["tiny"], True)
    want("dear's chance", arms["dear"].split()[4], "1.0000")
    code, out, _ = log(w, "list")
    lines = out.splitlines()
    want("lines", (code, len(lines), lines[0].split()[:3]), (0, 3, ["time", "(UTC)", "id"]))
    want("the first", (rid in lines[1], " pair " in lines[1], " dear " in lines[1], " fixed " in lines[1]),
         (True, True, True, True))
    want("the second's error", " 401 " in lines[2], True)
    want("newest", log(w, "list", "--newest", "1")[1].splitlines()[1], lines[2])
    want("since", len(log(w, "list", "--since", "2999-01-01T00:00:00Z")[1].splitlines()), 1)
    row = json.loads(log(w, "show", rid, "--json")[1])
    want("as JSON", (row["id"], row["labels"][0]["score"]), (rid, 0.5))
    want("end", w.stop(), 0)
    for one in outputs:
        want("the provider's key comes out", SECRET.encode() in one, False)


def a_plan_is_shown_with_its_members():
    w = Two()
    rid = w.chat("hi", "planned")[2]["x-weir-request-id"]
    w.rows()
    out = log(w, "show", rid)[1]
    for words in ("plan       verify: accepted, ", "\n  draft    nano, ", "\n  check    small, "):
        want(words, words in out, True)
    want("end", w.stop(), 0)


def what_cannot_be_shown_is_said_plainly():
    w = Two()
    w.chat()
    w.rows()
    for what, code, words in ((("show", "req_nope"), 1, "has no request req_nope"),
                              (("show",), 2, "show: wanted the id of a request"),
                              (("list", "--newest", "0"), 2, "--newest: wanted 1 or more, found 0"),
                              (("list", "--since", "soon"), 2, "--since: wanted a time such as"),
                              (("list", "more"), 2, "wanted list, show"),
                              (("frob",), 2, "found frob")):
        got, _, err = log(w, *what)
        want(what, (got, words in err), (code, True))
    r = subprocess.run([WEIR, "log", "list", "--db", DIR + "/none.db"], capture_output=True, text=True, timeout=20)
    want("no file", (r.returncode, "none.db" in r.stderr, os.path.exists(DIR + "/none.db")), (1, True, False))
    want("end", w.stop(), 0)


def texts_of_clients_do_no_harm_to_a_terminal():
    w = Two()
    rid = w.chat("hi", "pair", x_weir_task="a b")[2]["x-weir-request-id"]
    w.ask("POST", "/v1/feedback", {"request_id": rid, "score": 1, "comment": "\x1b[2J\r\nlabel      gold 1"})
    w.rows()
    out = log(w, "show", rid)[1] + log(w, "list")[1]
    want("escapes", ("\x1b" in out, "\r" in out), (False, False))
    want("one label", sum(line.startswith("label ") for line in out.splitlines()), 1)
    want("end", w.stop(), 0)


run(globals())
