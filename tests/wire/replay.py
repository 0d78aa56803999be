# SPDX-License-Identifier: Apache-2.0
"""weir replay: decisions of a server, made again from its log.  Every test's
name is a sentence."""
from promised import *

FILE = learn("replay")
Promising.classifier = FILE
Promising.routes = """
  curious: {arms: [cheap, dear], reference: dear, quality: 0.9, explore: 0.4, explore_budget: 0.004,
    high_risk: {tasks: [odd]}}
  frugal: {arms: [cheap, dear], policy: budget, budget: 0.0002, explore: 0.1}
  planned: {arms: [checked, dear], reference: dear, policy: fixed}
  ruled:
    arms: [cheap, dear]
    policy: rules
    reference: cheap
    tasks: {topic3: dear}
    rules:
      - {when: {headers: {x-team: legal}}, arm: dear}
      - {when: {metadata: {tenant: vip}}, arm: dear}
      - {when: {tools: yes}, answer: "no tools here"}
  capped: {arms: [cheap, dear], reference: dear, max_cost: 0.004, quality: 1.2, unproven: floor}
"""
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
ROUTES = ["auto", "curious", "frugal", "ruled", "capped", "fixed", "cheap", "planned"]


def body(rng, i):
    """The i-th of many unlike requests, and its headers."""
    words = text(rng, rng.randrange(6)) if i % 9 else " ".join(f"far{i}x{k}" for k in range(20))
    b = {"model": rng.choice(ROUTES), "messages": [{"role": "user", "content": words}]}
    h = {}
    if rng.random() < .3:
        b["messages"] = b["messages"] + [{"role": "assistant", "content": "yes"},
                                         {"role": "user", "content": text(rng, 1)}]
    for share, key, value in ((.2, "max_tokens", rng.randrange(1, 900)), (.1, "n", 2),
                              (.1, "tools", TOOLS), (.1, "metadata", {"tenant": "vip"}),
                              (.1, "response_format", {"type": "json_object"}),
                              (.05, "logprobs", True)):
        if rng.random() < share:
            b[key] = value
    for share, key, values in (
            (.1, "x-weir-quality", ["0.5", "0.97", "1.3"]), (.1, "x-team", ["legal"]),
            (.1, "x-weir-arm", ["cheap", "dear,cheap", "cheap,", "nobody", "cheap,cheap"]),
            (.1, "x-weir-max-cost", ["0.00001", "1"]), (.1, "x-weir-task", ["topic3", "odd"]),
            (.1, "x-weir-arm", ["checked", "dear"]), (.4, "x-weir-session", ["s1", "s2", "s3"])):
        if rng.random() < share:
            h[key] = rng.choice(values)
    return b, h


def replay(w, *ids, **env):
    return subprocess.run([WEIR, "replay", "--config", w.config, "--json", *ids], text=True,
                          capture_output=True, env=dict(os.environ, PROVIDER_KEY=SECRET, **env))


def ask(w, n, seed=1):
    rng = random.Random(seed)
    for i in range(n):
        b, h = body(rng, i)
        _, _, got = w.ask("POST", "/v1/chat/completions", b,
                          **{k.replace("-", "_"): v for k, v in h.items()})
        if i % 3 == 0 and got.get("x-weir-arm"):
            w.feedback(got, float(i % 2 == 0 and i < n / 2))
    return [r[0] for r in w.rows("id")]


def hundreds_of_unlike_requests_are_decided_again_to_the_bit():
    w = Promising()
    ids = ask(w, 400)
    for _ in range(50):  # until the promise is void
        w.feedback(w.chat(text(random.Random(3), 2))[2], 0)
    time.sleep(1.2)
    ids = list(dict.fromkeys(ids + ask(w, 60, 2)))
    reasons = {r[0] for r in w.rows("DISTINCT reason")}
    w.stop()
    for wanted in ("level", "out_of_domain", "explored", "budget", "rule", "task", "pinned",
                   "static", "best", "fixed", "only", "none", "no_level", "drifted"):
        want(f"there is {wanted} among {sorted(reasons)}", wanted in reasons, True)
    r = replay(w, *ids)
    want("exit status", (r.returncode, r.stderr), (0, ""))
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    want("all", (len(lines), [x for x in lines if not x["equal"] or x["settings_changed"]]),
         (len(ids), []))


def a_classifier_that_was_replaced_is_found_by_its_id():
    w = Promising()
    h = w.chat(text(random.Random(3), 2))[2]
    w.rows("id")
    id = h["x-weir-request-id"]
    os.rename(FILE, FILE + ".1")
    os.rename(learn("other", seed=5), FILE)
    want("kept", replay(w, id).returncode, 0)
    os.rename(FILE + ".1", FILE + ".away")
    r = replay(w, id)
    want("gone", (r.returncode, "kept beside it" in r.stderr), (1, True))
    os.rename(FILE + ".away", FILE)
    w.stop()


def what_differs_is_said_and_settings_that_changed_apart():
    w = Promising()
    id = w.chat(text(random.Random(3), 2))[2]["x-weir-request-id"]
    w.rows("id")
    w.stop()
    config = open(w.config).read()
    with open(w.config, "w") as f:
        f.write(config.replace("quality: 0.9, stay: never", "quality: 1.3, stay: never"))
    told = json.loads(replay(w, id).stdout)
    want("another quality", (told["equal"], told["settings_changed"]), (False, True))
    want("arm", [d for d in told["differences"] if d["what"] == "arm"],
         [{"what": "arm", "then": "cheap", "now": "dear"}])
    with open(w.config, "w") as f:
        f.write(config.replace("level: debug", "level: info"))
    told = json.loads(replay(w, id).stdout)
    want("what decides nothing", (told["equal"], told["settings_changed"]), (True, False))
    with open(w.config, "w") as f:
        f.write(config)
    db = sqlite3.connect(w.db)
    q = db.execute("SELECT question FROM requests WHERE id=?", (id,)).fetchone()[0]
    db.execute("UPDATE requests SET question=? WHERE id=?",
               (q.replace('"input":', '"images":1,"input":'), id))
    db.commit()
    db.close()
    r = replay(w, id)
    told = json.loads(r.stdout)
    want("a forged row", (r.returncode, told["equal"], told["settings_changed"]),
         (1, False, False))
    want("unknown", replay(w, "nobody").returncode, 1)
    want("usage", replay(w).returncode, 2)


def embeddings_are_decided_again_without_features():
    class Vectors(Promising):
        routes = Promising.routes + """
  vectors: {arms: [emb, cheap], quality: 0.9}
  free: {arms: [cheap, emb], policy: fixed, reference: emb, max_cost: 0.01}
"""
        def write(self, extra, listen="127.0.0.1:0"):
            super().write(extra, listen)
            config = open(self.config).read()
            with open(self.config, "w") as f:
                f.write(config.replace("plans:", "  emb: {provider: p, name: text-embedding-3-small}\nplans:"))
    w = Vectors()
    rng, ids = random.Random(5), []
    for i in range(40):
        got = w.ask("POST", "/v1/embeddings", {"model": ("vectors", "free", "emb")[i % 3],
                                               "input": text(rng, i % 6)})[2]
        ids.append(got["x-weir-request-id"])
        if i % 5 == 0:
            ids.append(w.chat(text(rng, 1))[2]["x-weir-request-id"])
    rows = {r[:3] for r in w.rows("arm, features, unseen, json_extract(question, '$.embeds')") if r[3]}
    want("rows", (("emb", None, None) in rows, {r[1:] for r in rows}), (True, {(None, None)}))
    r = replay(w, *ids)
    lines = [json.loads(x) for x in r.stdout.splitlines()]
    want("all", (r.returncode, len(lines), [x for x in lines if not x["equal"]]), (0, len(ids), []))
    w.stop()


def without_features_it_says_why_it_cannot():
    class Silent(Promising):
        prompts = "none"
    w = Silent()
    id = w.chat(text(random.Random(3), 2))[2]["x-weir-request-id"]
    w.rows("id")
    r = replay(w, id)
    want("why", (r.returncode, "log.prompts: none" in r.stderr), (1, True))
    w.stop()


run(globals())
