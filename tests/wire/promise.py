# SPDX-License-Identifier: Apache-2.0
"""weir serve: what x-weir-guarantee says, and when a promise ends.  Every
test's name is a sentence."""
from promised import *

HOLDS = "holds; quality>=0.9 of dear; confidence=0.95"
Promising.classifier = learn("promise")
rng = random.Random(7)


def row(w, headers, what):
    for _ in range(100):
        db = sqlite3.connect(w.db)
        got = db.execute(f"SELECT {what} FROM requests WHERE id=?",
                         (headers["x-weir-request-id"],)).fetchone()
        db.close()
        if got:
            return got[0]
        time.sleep(0.05)
    raise AssertionError("no row")


def an_answer_says_what_is_promised_of_it():
    w = Promising()
    h = w.chat(text(rng, 2))[2]
    want("arm", h["x-weir-arm"], "cheap")
    want("header", h["x-weir-guarantee"], HOLDS)
    want("row", row(w, h, "guarantee"), HOLDS)
    want("unseen", 0 <= row(w, h, "unseen") < 0.5, True)
    want("health", w.health()["guarantee"], {"auto": HOLDS})
    want("metric", w.metric('weir_promise_holds{route="auto"}'), 1)
    h = w.chat(text(rng, 2), x_weir_arm="cheap")[2]
    want("by name", h["x-weir-guarantee"], "none: asked for by name")
    h = w.chat(text(rng, 2), x_weir_quality="1.4")[2]
    want("too much", h["x-weir-guarantee"], "none: not proven")
    h = w.chat(text(rng, 2), model="fixed")[2]
    want("no promise", h.get("x-weir-guarantee"), None)
    want("no promise in the row", row(w, h, "guarantee"), None)
    w.stop()


def what_is_far_from_training_goes_to_the_reference():
    w = Promising()
    far = " ".join(f"nowhere{i}" for i in range(40))
    status, data, h = w.chat(far)
    want("arm", (h["x-weir-arm"], h["x-weir-guarantee"]), ("dear", "void: out of domain"))
    want("row", row(w, h, "reason"), "out_of_domain")
    want("unseen", row(w, h, "unseen") > 0.9, True)
    told = json.loads(w.ask("POST", "/v1/weir/explain", {
        "model": "auto", "messages": [{"role": "user", "content": far}]})[1])
    want("explained", (told["reason"], told["domain"]["outside"], told["guarantee"]),
         ("out_of_domain", True, "void: out of domain"))
    want("counted", w.metric('weir_guarantee_total{route="auto",state="void"}'), 1)
    want("the route's promise", w.health()["guarantee"]["auto"], HOLDS)
    w.stop()


def answers_that_get_worse_end_the_promise_until_another_classifier():
    w = Promising()
    labels = 0
    said = HOLDS
    while said == HOLDS and labels < 100:
        h = w.chat(text(rng, 2))[2]
        said = h["x-weir-guarantee"]
        want("arm", h["x-weir-arm"], "cheap" if said == HOLDS else "dear")
        w.feedback(h, 0)
        labels += 1
        if labels % 10 == 0:
            time.sleep(1.3)
    want("void after at most 40 labels", (said, labels <= 40), ("void: drift in outcomes", True))
    h = w.chat(text(rng, 2))[2]
    want("the reference", h["x-weir-arm"], "dear")
    want("health", (w.health()["drifted"], w.health()["guarantee"]["auto"]),
         (["auto"], "void: drift in outcomes"))
    want("alarm", w.metric('weir_drift_alarm{route="auto"}'), 1)
    want("holds", w.metric('weir_promise_holds{route="auto"}'), 0)
    want("ratio", w.metric('weir_drift_outcomes_ratio{route="auto"}') > 1, True)
    want("said", "cause=outcomes" in open(w.base + ".err").read(), True)
    db = w.db
    w.stop()
    os.unlink(w.base + ".port")
    Weir.n -= 1  # the same files: another process with this log
    w = Promising()
    want("the same log", w.db, db)
    want("after a restart", w.chat(text(rng, 2))[2]["x-weir-guarantee"],
         "void: drift in outcomes")
    Promising.classifier = learn("another", seed=2)
    w.reload("")
    want("another classifier", w.chat(text(rng, 2))[2]["x-weir-guarantee"], HOLDS)
    w.stop()
    Promising.classifier = DIR + "/promise.weir"


def shadows(w):
    db = sqlite3.connect(w.db, timeout=10)
    (n,), = db.execute("SELECT count(*) FROM requests WHERE purpose='shadow'")
    db.close()
    return n


def shadows_may_be_more_while_nothing_is_promised():
    Promising.shadow = ", shadow: {rate: 0, unproven: 1, budget: 9}"
    w = Promising()
    for _ in range(20):
        want("promise", w.chat(text(rng, 2))[2]["x-weir-guarantee"], HOLDS)
    far = w.chat(" ".join(f"nowhere{i}" for i in range(40)))[2]
    want("a request of its own kind", far["x-weir-guarantee"], "void: out of domain")
    row(w, far, "id")
    time.sleep(0.3)
    want("while it holds", shadows(w), 0)
    said, labels = HOLDS, 0
    while said == HOLDS and labels < 100:
        h = w.chat(text(rng, 2))[2]
        said = h["x-weir-guarantee"]
        w.feedback(h, 0)
        labels += 1
        if labels % 10 == 0:
            time.sleep(1.3)
    want("void", said, "void: drift in outcomes")
    before = shadows(w)
    for _ in range(5):
        h = w.chat(text(rng, 2))[2]
    row(w, h, "id")
    for _ in range(100):
        if shadows(w) >= before + 5:
            break
        time.sleep(0.05)
    want("while it is void", shadows(w) - before in (5, 6), True)
    w.stop()
    Promising.shadow = ", shadow: {rate: 1, unproven: 0, budget: 9}"
    Promising.classifier = "none"
    w = Promising()
    for _ in range(5):
        h = w.chat(text(rng, 2))[2]
    row(w, h, "id")
    time.sleep(0.3)
    want("or fewer", shadows(w), 0)
    w.stop()
    Promising.shadow = ""
    Promising.classifier = DIR + "/promise.weir"


def answers_as_good_as_predicted_leave_it_alone():
    w = Promising()
    for _ in range(60):
        h = w.chat(text(rng, 2))[2]
        w.feedback(h, float(rng.random() < 0.97))
    time.sleep(1.3)
    want("promise", w.chat(text(rng, 2))[2]["x-weir-guarantee"], HOLDS)
    w.stop()


run(globals())
