# SPDX-License-Identifier: Apache-2.0
"""weir serve: feedback, and what is wrong with some.  Every test's name is a
sentence."""
from rig import *

CI, CI_HASH = keygen("ci")
TEAM, TEAM_HASH = keygen("team")
OPS, OPS_HASH = keygen("ops")
KEYS = f"""
keys:
  ci: {{hash: "{CI_HASH}"}}
  team: {{hash: "{TEAM_HASH}"}}
  ops: {{hash: "{OPS_HASH}", feedback: any}}
"""


def label(w, body, key=None):
    h = {"authorization": "Bearer " + key} if key else {}
    if isinstance(body, str):
        c = w.connect()
        c.request("POST", "/v1/feedback", body, h)
        r = c.getresponse()
        return r.status, json.loads(r.read())
    s, data, _ = w.ask("POST", "/v1/feedback", body, **h)
    return s, json.loads(data)


def answered(w, key=None):
    s, _, h = w.chat(key=key)
    want("answer", s, 200)
    ident = h["x-weir-request-id"]
    for _ in range(200):
        time.sleep(0.05)
        db = sqlite3.connect(w.db)
        if db.execute("SELECT 1 FROM requests WHERE id=?", (ident,)).fetchone():
            return ident
    raise AssertionError("no row")


BAD = [
    ('{"request_id":"req_1","score":NaN}', None, "NaN is none"),
    ('{"request_id":"req_1","score":1.01}', "score", "found one beyond"),
    ('{"request_id":"req_1","score":-0.1}', "score", "found one beyond"),
    ('{"request_id":"req_1","score":1e999}', "score", "found one beyond"),
    ('{"request_id":"req_1","score":"1"}', "score", "found a string"),
    ('{"request_id":"req_1","score":true}', "score", "found something else"),
    ('{"request_id":"req_1"}', "score", "found none"),
    ('{"score":1}', "request_id", "wanted the x-weir-request-id"),
    ('{"request_id":7,"score":1}', "request_id", "wanted the x-weir-request-id"),
    ('{"request_id":"req_1","score":1,"comment":5}', "comment", "wanted a string"),
    ('[1]', None, "wanted a JSON object"),
    ('', None, "wanted a JSON object"),
]


def what_is_no_label_is_refused_in_words():
    w = Weir()
    for body, param, words in BAD:
        s, out = label(w, body)
        want(body, (s, out["error"]["param"]), (400, param))
        if words not in out["error"]["message"]:
            raise AssertionError(str((body, out)))
    s, out = label(w, {"request_id": "req_unknown", "score": 1})
    want("unknown", (s, out["error"]["param"]), (404, "request_id"))
    w.stop()


def a_second_label_hears_of_the_first_and_counts():
    w = Weir()
    ident = answered(w)
    want("first", label(w, {"request_id": ident, "score": 1}), (200, {"status": "ok"}))
    want("same side", label(w, {"request_id": ident, "score": 0.8}),
         (200, {"status": "ok", "earlier_labels": 1, "earlier_score": 1, "contradicts": False,
                "counts": "the newest"}))
    want("against it", label(w, {"request_id": ident, "score": 0}),
         (200, {"status": "ok", "earlier_labels": 2, "earlier_score": 0.8, "contradicts": True,
                "counts": "the newest"}))
    w.stop()
    out = subprocess.run([WEIR, "export", w.db, "--out", "-"], capture_output=True, text=True)
    rows = [json.loads(l) for l in out.stdout.splitlines()]
    want("the newest is the score", [r["outcomes"]["nano"]["score"] for r in rows], [0])


def a_key_labels_requests_of_its_own_only():
    w = Weir(KEYS)
    mine = answered(w, CI)
    other = label(w, {"request_id": mine, "score": 1}, TEAM)
    none = label(w, {"request_id": "req_unknown", "score": 1}, TEAM)
    want("foreign", other[0], 404)
    want("nothing shows that it is there", other, none)
    want("own", label(w, {"request_id": mine, "score": 1}, CI)[0], 200)
    s, out = label(w, {"request_id": mine, "score": 0}, OPS)
    want("the operator's", (s, out["earlier_labels"]), (200, 1))
    want("without a key", label(w, {"request_id": mine, "score": 1})[0], 401)
    db = sqlite3.connect(w.db)
    want("labels", db.execute("SELECT count(*) FROM labels").fetchone(), (2,))
    w.stop()


def a_log_of_a_newer_version_is_refused_and_left_alone():
    w = Weir()
    answered(w)
    w.stop()
    db = sqlite3.connect(w.db)
    db.execute("PRAGMA user_version=99")
    db.commit()
    db.close()
    r = subprocess.run([WEIR, "serve", "--config", w.config], capture_output=True, text=True,
                       env=dict(os.environ, PROVIDER_KEY=SECRET), timeout=20)
    if r.returncode != 1 or "schema version 99" not in r.stderr:
        raise AssertionError(str(r))
    want("version", sqlite3.connect(w.db).execute("PRAGMA user_version").fetchone(), (99,))


run(globals())
