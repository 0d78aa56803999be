#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-cycle: a month of traffic, and weir left alone with it.

Labelled questions are asked of a real `weir serve` before a `weir mock`, by
several tenants; a share of the answers gets feedback from the set's scores.
After each day `weir cycle` runs once.  A day is a number of requests: the
log's own clock runs as it does.

  day  6  one model's price changes
  day 12  a model silently becomes worse
  day 18  a new family of tasks comes
  day 26  a bad classifier is planted in place of the running one

Half of the answers get feedback; half of the questions (--shadow; while nothing
is promised --shadow-unproven) are asked of each of the other arms too, in the
shadow, and labelled.  No question is asked twice, by
whomever: one that was learnt from proves nothing, and what is measured in the
end is questions that nobody has asked.  So a day has as many requests as the sets
have questions for.

What every arm would have scored and cost is in the set, so what is claimed can
be held against the truth.  Each seed's figures are appended to a file; seeds
that are in it already are not run again, so a run that ended is taken up.
Usage: cycle.py WEIR DATA SEEDS [--jobs N] [--out F.jsonl] [--keep DIR]
"""
import argparse, collections, gzip, hashlib, http.client, json, math, os, random, shutil
import sqlite3, statistics, subprocess, sys, tempfile, threading, time, zlib
from concurrent.futures import ThreadPoolExecutor

DAYS, PRICE_DAY, WORSE_DAY, FAMILY_DAY, BAD_DAY = 30, 6, 12, 18, 26
ARMS = ["llama-3.1-8b-instruct", "gemini-1.5-flash", "gpt-4o-2024-05-13"]
REFERENCE, QUALITY, WORSE, FAMILY = ARMS[2], .95, ARMS[1], "crux"
TENANTS = ["You help the students of a college.",
           "You answer the staff of a laboratory.",
           "You check the work of a publisher."]
TEST = 550    # questions for the end
LABELS = .5   # share of the requests that get feedback
WINDOW = 500  # requests over which the promise is looked at: a bad day of 150 is
              # in one of them for 650
ERRORS = 3    # standard errors below the promise that count as a breach: hundreds
              # of such windows are looked at in each seed
LOOK = 1.2    # seconds in which the server has seen new labels: it looks each second


def load(data):
    rows = []
    for name in ("mmlu-pro", "zeroeval-math", "zeroeval-crux"):
        with gzip.open(f"{data}/{name}.jsonl.gz", "rt") as f:
            for line in f:
                row = json.loads(line)
                out = row["outcomes"]
                if all(a in out for a in ARMS):
                    # Answers of one letter have no count: it is 1, here and
                    # at the mock.
                    row["outcomes"] = {a: {**out[a], "output_tokens":
                                           out[a].get("output_tokens") or 1}
                                       for a in ARMS}
                    rows.append(row)
    prices = {}
    with open(f"{data}/prices.csv") as f:
        for line in f:
            part = line.strip().split(",")
            if part[0] in ARMS:
                prices[part[0]] = [float(part[1]), float(part[2])]
    return rows, prices


def cost(row, arm, prices):
    o = row["outcomes"][arm]
    return (o["input_tokens"] * prices[arm][0] +
            o["output_tokens"] * prices[arm][1]) / 1e6


class Month:
    def __init__(self, weir, rows, prices, seed, scratch, opt):
        self.weir, self.prices, self.scratch, self.opt = weir, dict(prices), scratch, opt
        self.rng = random.Random(seed)
        self.seed = seed
        deal = list(rows)
        self.rng.shuffle(deal)
        cut = TEST
        self.test, self.traffic = deal[:cut], deal[cut:]
        self.day, self.served = 0, []
        self.events, self.asked, self.sure = [], {}, {}
        self.truth = {a: [0, 0] for a in ARMS}  # USD and score for everything
        self.started = []
        self.lock = threading.Lock()
        self.others = [r for r in self.traffic if r["task"] != FAMILY]
        self.family = [r for r in self.traffic if r["task"] == FAMILY]
        self.share = len(self.family) / len(self.traffic)

    # ---- programs ----

    def path(self, name):
        return os.path.join(self.scratch, name)

    def start(self, name, *argv):
        port_file = self.path(name + ".port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        out = open(self.path(name + ".out"), "a")
        p = subprocess.Popen([self.weir, *argv, "--port-file", port_file],
                             stdout=out, stderr=out)
        self.started.append(p)
        for _ in range(200):
            if os.path.exists(port_file) and os.path.getsize(port_file):
                return p, int(open(port_file).read())
            if p.poll() is not None:
                break
            time.sleep(.05)
        sys.exit(f"{name} did not start:\n" + open(self.path(name + ".out")).read())

    def stop_all(self):
        for p in self.started:
            if p.poll() is None:
                p.terminate()
        for p in self.started:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def config(self, name, classifier, log, explore):
        models = "\n".join(
            f"  {a}: {{provider: mock, name: {a}, tier: {t}, "
            f"price: {{input: {self.prices[a][0]}, output: {self.prices[a][1]}}}}}"
            for a, t in zip(ARMS, ("economy", "workhorse", "frontier")))
        shadow = (f", shadow: {{rate: {self.opt.shadow}, unproven: {self.opt.shadow_unproven}, "
                  "each: true, budget: 1000}" if explore else "")
        text = f"""listen: 127.0.0.1:0
workers: 1
watch: 100ms
classifier: {classifier}
log: {{path: {log}, prompts: features, level: warn}}
providers:
  mock: {{dialect: openai, base_url: "http://127.0.0.1:{self.mock_port}/v1", api_key: none}}
models:
{models}
routes:
  auto: {{arms: [{', '.join(ARMS)}], reference: {REFERENCE}, quality: {QUALITY}, unproven: {self.opt.unproven}, explore: {explore}{shadow}}}
retrain: {{look: 1d, min_new_labels: {self.opt.labels}, shadow_requests: 80, canary_requests: {self.opt.canary}, canary_share: {self.opt.share}, watch_requests: {self.opt.watch}}}
"""
        with open(self.path(name + ".tmp"), "w") as f:
            f.write(text)
        os.rename(self.path(name + ".tmp"), self.path(name))
        return self.path(name)

    def answers(self):
        path = self.path("answers.jsonl")
        with open(path, "w") as f:
            for row in self.traffic + self.test:
                f.write(json.dumps(row) + "\n")
        return path

    # ---- the truth ----

    def score(self, row, arm, day=None):
        s = row["outcomes"][arm]["score"]
        day = self.day if day is None else day
        if arm == WORSE and day >= WORSE_DAY:  # right no more on two of five
            return s if zlib.crc32(row["id"].encode()) % 5 >= 2 else 0
        return s

    # ---- requests ----

    def pick(self):
        """Who asks, and a question that nobody has asked."""
        new = self.day >= FAMILY_DAY and self.rng.random() < self.share
        return (self.rng.randrange(len(TENANTS)),
                (self.family if new else self.others).pop())

    def ask(self, conn, tenant, row):
        body = json.dumps({"model": "auto", "messages": [
            {"role": "system", "content": TENANTS[tenant]}, *row["messages"]]})
        conn.request("POST", "/v1/chat/completions", body,
                     {"content-type": "application/json"})
        r = conn.getresponse()
        r.read()
        if r.status != 200:
            sys.exit(f"status {r.status} for {row['id']}")
        return r.getheader("x-weir-request-id"), r.getheader("x-weir-arm")

    def feedback(self, conn, request_id, score):
        conn.request("POST", "/v1/feedback", json.dumps(
            {"request_id": request_id, "score": score}),
            {"content-type": "application/json"})
        r = conn.getresponse()
        r.read()
        if r.status not in (200, 202):
            sys.exit(f"feedback: status {r.status}")

    def run_jobs(self, port, jobs, feedback):
        """jobs: [(tenant, row, labelled)]; results in their order."""
        results, at = [None] * len(jobs), [0]

        def work():
            conn = http.client.HTTPConnection("127.0.0.1", port)
            while True:
                with self.lock:
                    i = at[0]
                    at[0] += 1
                if i >= len(jobs):
                    break
                tenant, row, labelled = jobs[i]
                rid, arm = self.ask(conn, tenant, row)
                if feedback and labelled:
                    self.feedback(conn, rid, self.score(row, arm))
                results[i] = (rid, arm)
            conn.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return results

    def wait_for_log(self):
        """Until the day's requests are written and no shadow comes any more."""
        before = None
        for _ in range(600):
            db = sqlite3.connect(f"file:{self.path('weir.db')}?mode=ro", uri=True)
            (mine, all_), = db.execute("SELECT sum(purpose IS NULL), count(*) FROM requests")
            db.close()
            if mine == len(self.asked) and all_ == before:
                return
            before = all_
            time.sleep(.1)
        sys.exit(f"the log has {mine} requests of {len(self.asked)}")

    def reload(self):
        subprocess.run([self.weir, "reload", "--url", f"http://127.0.0.1:{self.port}"],
                       check=True, capture_output=True)

    def shadow_labels(self):
        """Gold for what the shadow arms answered."""
        db = sqlite3.connect(f"file:{self.path('weir.db')}?mode=ro", uri=True)
        todo = [(i, p, a) for i, p, a in db.execute(
            "SELECT id, parent, arm FROM requests r WHERE purpose = 'shadow' AND"
            " NOT EXISTS (SELECT 1 FROM labels WHERE request_id = r.id)") if p in self.asked]
        db.close()
        conn = http.client.HTTPConnection("127.0.0.1", self.port)
        for rid, parent, arm in todo:
            row, mine = self.asked[parent]
            self.feedback(conn, rid, self.score(row, arm))
            self.feedback(conn, parent, self.score(row, mine))
        conn.close()

    def one_day(self):
        jobs = []
        for _ in range(self.opt.requests):
            tenant, row = self.pick()
            jobs.append((tenant, row, self.rng.random() < LABELS))
        for (tenant, row, _), (rid, arm) in zip(jobs, self.run_jobs(self.port, jobs, True)):
            self.asked[rid] = (row, arm)
            if self.opt.keep:
                with open(self.path("truth.jsonl"), "a") as f:
                    f.write(json.dumps([rid, self.day, row["id"], arm, {
                        a: [cost(row, a, self.prices), self.score(row, a)] for a in ARMS}]) + "\n")
            for a in ARMS:
                self.truth[a][0] += cost(row, a, self.prices)
                self.truth[a][1] += self.score(row, a)
            self.served.append((
                self.day, arm, self.score(row, arm), self.score(row, REFERENCE),
                cost(row, arm, self.prices), cost(row, REFERENCE, self.prices)))
        self.wait_for_log()
        self.shadow_labels()
        time.sleep(LOOK)

    def cycle(self):
        r = subprocess.run([self.weir, "cycle", "--config", self.path("weir.yaml"), "--json",
                            "--seed", str(self.seed)], capture_output=True, text=True)
        if r.returncode:
            sys.exit("weir cycle: " + r.stderr)
        for line in r.stdout.splitlines():
            e = json.loads(line)
            self.events.append((self.day, e))
            if self.opt.verbose:
                print(f"  day {self.day:2}: {e['event']}: {e['why']}", flush=True)
        if any(json.loads(l).get("state") for l in r.stdout.splitlines()):
            self.reload()

    # ---- the month ----

    def train_full(self, out, rows, worse):
        path = self.path(out + ".jsonl")
        with open(path, "w") as f:
            for row in rows:
                copy = dict(row, outcomes={
                    a: dict(o, score=self.score(row, a, DAYS if worse else 0))
                    for a, o in row["outcomes"].items()})
                f.write(json.dumps(copy) + "\n")
        prices = self.path("prices.csv")
        with open(prices, "w") as f:
            for a in ARMS:
                f.write(f"{a},{self.prices[a][0]},{self.prices[a][1]}\n")
        subprocess.run([self.weir, "train", "--data", path, "--arms", ",".join(ARMS),
                        "--reference", REFERENCE, "--quality", str(QUALITY), "--prices", prices,
                        "--out", self.path(out)], check=True, capture_output=True)

    def plant_bad(self):
        """One that takes the cheapest arm for right: labels turned around."""
        path = self.path("bad.jsonl")
        with open(path, "w") as f:
            for row in self.traffic[:2000]:
                outcomes = {a: dict(o, score=1 - o["score"] if a == REFERENCE else 1)
                            for a, o in row["outcomes"].items()}
                f.write(json.dumps(dict(row, outcomes=outcomes)) + "\n")
        r = subprocess.run([self.weir, "train", "--data", path, "--arms", ",".join(ARMS),
                            "--reference", REFERENCE, "--quality", str(QUALITY), "--prices",
                            self.path("prices.csv"), "--out", self.path("f.weir"), "--json"],
                           capture_output=True, text=True)
        if r.returncode:
            sys.exit("the bad classifier: " + r.stderr)
        self.reload()

    def measure(self, name, classifier):
        """Saving and quality of a classifier on questions nobody has seen."""
        config = self.config(name + ".yaml", classifier, self.path(name + ".db"), 0)
        p, port = self.start(name, "serve", "--config", config)
        jobs = [(i % len(TENANTS), row, False) for i, row in enumerate(self.test)]
        arms = [arm for _, arm in self.run_jobs(port, jobs, False)]
        p.terminate()
        p.wait()
        spent = sum(cost(r, a, self.prices) for r, a in zip(self.test, arms))
        whole = sum(cost(r, REFERENCE, self.prices) for r in self.test)
        got = sum(self.score(r, a, DAYS) for r, a in zip(self.test, arms))
        best = sum(self.score(r, REFERENCE, DAYS) for r in self.test)
        above = [self.score(r, a, DAYS) - QUALITY * self.score(r, REFERENCE, DAYS)
                 for r, a in zip(self.test, arms)]
        self.sure[name] = statistics.mean(above) / max(
            1e-9, statistics.stdev(above) / len(above) ** .5)
        return 1 - spent / whole, got / best, collections.Counter(arms)

    def run(self):
        shutil.copy(os.path.join(os.path.dirname(self.weir), "models/default.weir"),
                    self.path("f.weir"))
        self.mock, self.mock_port = self.start("mock", "mock", "--port", "0",
                                               "--answers", self.answers())
        self.config("weir.yaml", self.path("f.weir"), self.path("weir.db"), .02)
        self.server, self.port = self.start("weir", "serve", "--config", self.path("weir.yaml"))
        for self.day in range(1, DAYS + 1):
            if self.day == PRICE_DAY:
                self.prices[WORSE] = [2 * x for x in self.prices[WORSE]]
                self.config("weir.yaml", self.path("f.weir"), self.path("weir.db"), .02)
                self.reload()
            if self.day == BAD_DAY:
                self.train_full("full.weir", self.traffic, True)
                self.plant_bad()
            self.one_day()
            self.cycle()
        return self.results()

    def violation(self, day):
        """Requests after a shock until the promise holds over a window again
        and to the next shock."""
        start = next(i for i, s in enumerate(self.served) if s[0] == day)
        last = 0
        for i in range(start + WINDOW, len(self.served) + 1):
            if day < BAD_DAY and self.served[i - 1][0] >= min(
                    d for d in (WORSE_DAY, FAMILY_DAY, BAD_DAY, DAYS + 1) if d > day):
                break
            w = self.served[i - WINDOW:i]
            above = [s[2] - QUALITY * s[3] for s in w]
            if sum(above) < -ERRORS * statistics.stdev(above) * WINDOW ** .5:
                last = i - start
        return last

    def report(self):
        """What weir report says of each arm for everything, and the truth."""
        r = subprocess.run([self.weir, "report", "--log", self.path("weir.db"), "--json"],
                           capture_output=True, text=True)
        if r.returncode:
            sys.exit("weir report: " + r.stderr)
        route = next(r for r in json.loads(r.stdout)["routes"] if r["name"] == "auto")
        spent = sum(s[4] for s in self.served) + self.learning()
        said = {}
        for arm in route["arms"]:
            usd, score = self.truth[arm["name"]]
            said[arm["name"]] = {"saving": arm["cost"]["less"], "true": 1 - spent / usd,
                                 "score": arm["score"]["dr"], "true_score": score / len(self.served)}
        return said

    def learning(self):
        """USD of the shadow answers."""
        db = sqlite3.connect(f"file:{self.path('weir.db')}?mode=ro", uri=True)
        (pico,), = db.execute("SELECT sum(cost_pico) FROM requests WHERE purpose IS NOT NULL")
        db.close()
        return (pico or 0) / 1e12

    def results(self):
        saving, quality, arms = self.measure("final", self.path("f.weir"))
        full, full_quality, full_arms = self.measure("fullserve", self.path("full.weir"))
        self.server.terminate()
        self.server.wait()
        learning, report = self.learning(), self.report()
        whole = sum(s[5] for s in self.served)
        rolled = [d for d, e in self.events if e["event"] in ("rollback", "stop") and d >= BAD_DAY]
        return {"saving": saving, "quality": quality, "full": full, "full_quality": full_quality,
                "arms": dict(arms), "full_arms": dict(full_arms), "month": report[REFERENCE]["true"],
                "learning": learning / whole,
                "violations": {d: self.violation(d)
                               for d in (PRICE_DAY, WORSE_DAY, FAMILY_DAY, BAD_DAY)},
                "rolled_back": rolled[:1],
                "promotions": [d for d, e in self.events if e["event"] == "promote"],
                # quality above the promise in standard errors of this sample
                "errors_above": self.sure["final"],
                "report": report}


def holds(said, what, truth):
    return said[what]["lo"] <= said[truth] <= said[what]["hi"]


def table(results):
    """A line for each seed."""
    print(f"{'':4}  {'saving at the end':24} {'quality':7}  {'requests below the promise':26} "
          f"{'rolled':6}  saving of the month")
    print(f"{'seed':4}  {'weir':>6} {'full':>6} {'ratio':>6}     {'':7}  "
          f"{'price':>5} {'worse':>5} {'family':>6} {'planted':>7} {'':>5} {'back':6}  true, reported")
    for r in results:
        m = r["report"][REFERENCE]["saving"]
        v = r["violations"]
        print(f"{r['seed']:4}  {r['saving']:6.3f} {r['full']:6.3f} {r['ratio']:6.2f}     "
              f"{r['quality']:7.3f}  {v[str(PRICE_DAY)]:5} {v[str(WORSE_DAY)]:5} {v[str(FAMILY_DAY)]:6} "
              f"{v[str(BAD_DAY)]:7} {'':>5} {'yes' if r['rolled_back'] else 'NO':6}  "
              f"{100 * r['month']:5.1f} {100 * m['value']:5.1f} ({100 * m['lo']:.1f} to {100 * m['hi']:.1f})"
              f"{'' if holds(r['report'][REFERENCE], 'saving', 'true') else '  outside'}")


def bars(results, opt):
    """Each bar, what was wanted and what came."""
    n = len(results)
    share = [r["ratio"] for r in results]
    whole = sum(r["saving"] for r in results) / sum(r["full"] for r in results)
    below = {d: [r["violations"][str(d)] for r in results]
             for d in (PRICE_DAY, WORSE_DAY, FAMILY_DAY, BAD_DAY)}
    held = sum(holds(r["report"][REFERENCE], "saving", "true") for r in results)
    quality = [r["quality"] for r in results]  # of 550 questions: +- 2 points
    rows = [
        ("saving in the end by full information's, median", ">= 0.85",
         f"{statistics.median(share):.2f} (worst {min(share):.2f}, best {max(share):.2f}; of the sums {whole:.2f})",
         statistics.median(share) >= .85),
        ("quality in the end by the reference's, mean of seeds", f">= {QUALITY}",
         f"{statistics.mean(quality):.3f} ({min(quality):.3f} to {max(quality):.3f}; full information "
         f"{statistics.mean(r['full_quality'] for r in results):.3f}, from "
         f"{min(r['full_quality'] for r in results):.3f})", statistics.mean(quality) >= QUALITY),
        ("seeds below it by two standard errors of their own", "<= 5 %",
         f"{sum(r['errors_above'] < -2 for r in results)} of {n}",
         sum(r["errors_above"] < -2 for r in results) <= .05 * n),
        ("planted classifier rolled back", f"{n} of {n}",
         f"{sum(bool(r['rolled_back']) for r in results)} of {n}",
         all(r["rolled_back"] for r in results)),
        ("report's interval holds the true saving", ">= 90 %", f"{held} of {n}", held >= .9 * n),
    ]
    for day, what in ((PRICE_DAY, "change of price"), (WORSE_DAY, "degraded model"),
                      (FAMILY_DAY, "new task family"), (BAD_DAY, "planted classifier")):
        rows.append((f"requests below the promise after {what}", f"<= {opt.most}",
                     f"{max(below[day])} at the most, in {sum(map(bool, below[day]))} of {n} seeds any",
                     max(below[day]) <= opt.most))
    for name, wanted, found, ok in rows:
        print(f"{'pass' if ok else 'FAIL'}  {name:52} wanted {wanted:10} found {found}")
    print(f"      of what the reference alone would have cost in the month, median: learning "
          f"{100 * statistics.median(r['learning'] for r in results):.1f} %, saved with that "
          f"{100 * statistics.median(r['month'] for r in results):.1f} %")
    for arm in ARMS:
        of = [r["report"][arm] for r in results]
        print(f"      {arm} for everything: true saving within the interval in "
              f"{sum(holds(x, 'saving', 'true') for x in of)}, true quality in "
              f"{sum(holds(x, 'score', 'true_score') for x in of)} of {n}")
    return all(ok for *_, ok in rows)


def one_seed(seed, rows, prices, opt):
    scratch = os.path.join(opt.keep, str(seed)) if opt.keep else tempfile.mkdtemp()
    os.makedirs(scratch, exist_ok=True)
    month = Month(os.path.abspath(opt.weir), rows, prices, seed, scratch, opt)
    began = time.time()
    try:
        r = month.run()
    finally:
        month.stop_all()
        if not opt.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    r = {"program": program(opt), "seed": seed, "seconds": round(time.time() - began), **r,
         "ratio": r["saving"] / r["full"] if r["full"] > 0 else math.nan}
    with open(opt.out, "a") as f:
        f.write(json.dumps(r) + "\n")


def child(seed, argv):
    """A seed in a process of its own; True when it came to its end."""
    return subprocess.run([sys.executable, __file__, *argv, "--only", str(seed)]).returncode == 0


def program(opt):
    """What a seed's figures are of: weir, this file and the settings."""
    h = hashlib.sha256(repr([opt.requests, opt.labels, opt.shadow, opt.shadow_unproven, opt.share, opt.canary,
                             opt.watch, opt.unproven]).encode())
    for path in (opt.weir, __file__):
        with open(path, "rb") as f:
            h.update(f.read())
    return h.hexdigest()[:16]


def done(opt):
    if not os.path.exists(opt.out):
        return {}
    mine = program(opt)
    with open(opt.out) as f:
        rows = [r for r in map(json.loads, f) if r["program"] == mine]
    return {r["seed"]: r for r in rows}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("weir")
    p.add_argument("data")
    p.add_argument("seeds", type=int)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--only", type=int, help=argparse.SUPPRESS)
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--out", default="build/bench-cycle.jsonl")
    p.add_argument("--requests", type=int, default=150)
    p.add_argument("--labels", type=int, default=300)
    p.add_argument("--shadow", type=float, default=.5)
    p.add_argument("--shadow-unproven", type=float, default=.5)
    p.add_argument("--share", type=float, default=.2)
    p.add_argument("--canary", type=int, default=30)
    p.add_argument("--watch", type=int, default=320)
    p.add_argument("--unproven", default="reference")
    p.add_argument("--most", type=int, default=650)
    p.add_argument("--keep")
    p.add_argument("--verbose", action="store_true")
    opt = p.parse_args()
    os.makedirs(os.path.dirname(opt.out) or ".", exist_ok=True)
    if opt.only is not None:
        one_seed(opt.only, *load(opt.data), opt)
        return
    wanted = range(opt.first, opt.first + opt.seeds)
    there = done(opt)
    missing = [s for s in wanted if s not in there]
    with ThreadPoolExecutor(opt.jobs) as pool:
        ended = list(pool.map(lambda s: child(s, sys.argv[1:]), missing))
    results = [r for s, r in sorted(done(opt).items()) if s in wanted]
    if not results:
        sys.exit("no seed came to its end")
    table(results)
    good = bars(results, opt)
    if not all(ended):
        print(f"FAIL  {ended.count(False)} seeds did not come to their end")
    sys.exit(0 if good and all(ended) else 1)


if __name__ == "__main__":
    main()
