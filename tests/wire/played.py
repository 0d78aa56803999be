# SPDX-License-Identifier: Apache-2.0
"""weir replay --choices and weir eval --policy weir.yaml: a configuration
played through on the log of another.  Every test's name is a sentence."""
from promised import *

Promising.classifier = learn("played")
Promising.routes = """
  curious: {arms: [cheap, dear], reference: dear, quality: 0.9, explore: 0.4, stay: never,
    high_risk: {tasks: [odd]}}
  floored: {arms: [cheap, dear], reference: dear, quality: 1.2, unproven: floor, max_cost: 0.004}
  teams: {arms: [cheap, dear], reference: dear, quality: 0.9, explore: 0.4, stay: never, high_risk: {header: x-care},
    rules: [{when: {headers: {X-Team: legal}}, arm: dear}]}
"""
TOOL = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]


class Full(Promising):
    prompts = "full"


def ask(w, n, seed=1, feedback=False, route="curious"):
    """Many unlike requests; by id what each was."""
    rng, asked = random.Random(seed), {}
    for i in range(n):
        topic = rng.randrange(6)
        b = {"model": route, "messages": [{"role": "user", "content": text(rng, topic)}]}
        if i % 5 == 0:
            b["metadata"] = {"tenant": "vip"}
        if i % 7 == 0:
            b["tools"] = TOOL
        if i % 11 == 0:
            b["messages"][0]["content"] = "Bitte was ist das und wie wird das die Welt, der Mond? " + str(i)
        h = {"x_weir_task": "odd"} if i % 13 == 0 else {}
        if i % 17 == 0:
            h["x_weir_arm"] = "dear"
        got = w.ask("POST", "/v1/chat/completions", b, **h)[2]
        if feedback:
            right = topic % 2 == 0 or got["x-weir-arm"] == "dear"
            w.feedback(got, float(right))
        asked[got["x-weir-request-id"]] = (i, topic, got["x-weir-arm"])
    w.rows("id")
    return asked


def team(i):
    return ("legal", "sales", "", None)[i % 4]


def ask_teams(w, n, seed=1):
    rng, asked = random.Random(seed), {}
    for i in range(n):
        h = {} if team(i) is None else {"x_team": team(i)}
        if i % 5 == 0:
            h["x_care"] = "yes"
        b = {"model": "teams", "messages": [{"role": "user", "content": text(rng, rng.randrange(6))}]}
        asked[w.ask("POST", "/v1/chat/completions", b, **h)[2]["x-weir-request-id"]] = i
    w.rows("id")
    return asked


def config(w, routes, name="new"):
    """Another configuration beside the server's, with these routes."""
    path = f"{DIR}/{name}.yaml"
    text = open(w.config).read()
    with open(path, "w") as f:
        f.write(text[:text.index("routes:")] + "routes:\n" + routes)
    return path


def weir(*args):
    return subprocess.run([WEIR, *args], text=True, capture_output=True,
                          env=dict(os.environ, PROVIDER_KEY=SECRET))


def choices(w, path, route="curious", *more):
    r = weir("replay", "--config", path, "--log", w.db, "--choices", route, *more)
    return r, {x["id"]: x["arms"] for x in map(json.loads, r.stdout.splitlines()) if "id" in x}


def refused(w, routes, what):
    r, _ = choices(w, config(w, routes))
    want(what, (r.returncode, what in r.stderr, "req_" in r.stderr or "high_risk" in what),
         (1, True, True))


def a_route_played_on_its_own_log_takes_what_it_took_as_likely():
    w = Promising()
    asked = {**ask(w, 150), **ask(w, 60, 2, route="floored")}
    w.stop()
    for route in ("curious", "floored"):
        r, now = choices(w, w.config, route)
        want("exit status", (r.returncode, r.stderr), (0, ""))
        db = sqlite3.connect(w.db)
        then = {id: {a["arm"]: a["propensity"] for a in json.loads(arms) if a["propensity"]}
                for id, arms in db.execute("SELECT id, arms FROM requests WHERE route=?", (route,))}
        db.close()
        want("all of " + route, now, then)
    want("some were explored", sum(len(a) == 2 for a in choices(w, w.config)[1].values()) > 100, True)
    want("since", len(choices(w, w.config, "curious", "--since-ms", str(2**50))[1]), 0)
    want("all were asked", len(asked), 210)


def rules_by_texts_are_played_where_the_log_keeps_them():
    w = Full()
    asked = ask(w, 120)
    w.stop()
    r, now = choices(w, config(w, """
  curious:
    arms: [cheap, dear]
    policy: rules
    reference: cheap
    tasks: {odd: dear}
    rules:
      - {when: {metadata: {tenant: vip}}, arm: dear}
      - {when: {language: [de]}, arm: dear}
      - {when: {tool: search}, arm: dear}
"""))
    want("exit status", (r.returncode, r.stderr), (0, ""))
    for id, (i, _, _) in asked.items():
        dear = not (i % 5 and i % 7 and i % 11 and i % 13 and i % 17)
        want(f"request {i}", now[id], {"dear" if dear else "cheap": 1})


def what_a_log_without_texts_cannot_tell_is_refused_by_name():
    w = Promising()
    ask(w, 30)
    w.stop()
    rule = """
  curious:
    arms: [cheap, dear]
    policy: rules
    reference: cheap
    rules:
      - {when: {tools: no, max_tokens: 100000}, arm: dear}
      - %s
"""
    for what, when in (("metadata", "metadata: {tenant: vip}"), ("language", "language: [de]"),
                       ("tool", "tool: search"), ("min_turns", "min_turns: 2")):
        refused(w, rule % ("{when: {%s}, arm: dear}" % when), "routes.curious.rules[1].when." + what)
    refused(w, rule % "{when: {tools: yes}, answer: none}", "routes.curious.rules[1].answer")
    for routes, what in ((rule % "{when: {headers: {x-team: legal}}, arm: dear}", "rules[1].when.headers"), ("""
  curious: {arms: [cheap, dear], reference: dear, explore: 0.1, high_risk: {header: x-care}}
""", "high_risk.header")):
        r, _ = choices(w, config(w, routes))
        want(what, (r.returncode, "none of the 30 requests can be played through: routes.curious." + what
                    in r.stderr, r.stdout), (1, True, ""))
    r, now = choices(w, config(w, rule % "{when: {tools: yes}, arm: cheap}"))
    want("what it can tell", (r.returncode, sorted(json.dumps(a) for a in now.values())[0]),
         (0, '{"cheap": 1}'))


def rules_by_headers_are_played_by_their_hashes():
    w = Promising()
    asked = ask_teams(w, 80)
    # one rule of the log's day, one with another value, one header that was not named
    path = config(w, """
  teams: {arms: [cheap, dear], policy: rules, reference: cheap, stay: never,
    rules: [{when: {headers: {x-team: sales, x-care: "yes"}}, arm: dear}, {when: {headers: {x-team: legal}}, arm: cheap},
      {when: {headers: {x-care: "yes"}}, arm: dear}]}
""")
    r, now = choices(w, path, "teams")
    want("exit status", (r.returncode, r.stderr, len(now)), (0, "", 80))
    for id, i in asked.items():
        dear = i % 5 == 0 and team(i) != "legal"
        want(f"request {i}", now[id], {"dear" if dear else "cheap": 1})
    r, now = choices(w, w.config, "teams")
    db = sqlite3.connect(w.db)
    rows = db.execute("SELECT id, arms, question FROM requests WHERE route='teams'").fetchall()
    db.close()
    want("its own", now, {id: {a["arm"]: a["propensity"] for a in json.loads(arms) if a["propensity"]}
                          for id, arms, _ in rows})
    want("risky ones were not explored, others were", [
        all(len(now[id]) == 1 for id, i in asked.items() if i % 5 == 0),
        any(len(now[id]) == 2 for id, i in asked.items() if i % 5)], [True, True])
    want("no value", [v for v in ("legal", "sales") if v in str(rows)], [])
    r = weir("replay", "--config", w.config, "--log", w.db, *asked)
    want("replayed", (r.returncode, r.stdout.count("Equal to the logged decision, to the bit")), (0, 80))
    w.stop()


def requests_from_before_a_header_was_named_are_left_out_and_counted():
    w = Promising()
    ask_teams(w, 60)
    new = """
  teams: {arms: [cheap, dear], reference: dear, quality: 0.9, explore: 0.4, stay: never,
    rules: [{when: {headers: {x-team: legal, x-new: "1"}}, arm: dear}]}
"""
    path = config(w, new)
    os.replace(path, w.config)
    want("reload", w.ask("POST", "/v1/weir/reload", {})[0], 200)
    asked = ask_teams(w, 400)
    for id, i in asked.items():
        w.ask("POST", "/v1/feedback", {"request_id": id, "score": i % 2})
    w.rows("id")
    w.stop()
    r, now = choices(w, w.config, "teams")
    left = [x for x in map(json.loads, r.stdout.splitlines()) if "left_out" in x]
    want("exit status", (r.returncode, r.stderr), (0, ""))
    want("left out", [(x["left_out"], "routes.teams.rules[0].when.headers: what x-new was" in x["why"]) for x in left],
         [(60, True)])
    r = weir("eval", "--log", w.db, "--policy", w.config, "--route", "teams", "--json")
    want("exit status", (r.returncode, r.stderr), (0, ""))
    got = json.loads(r.stdout)
    want("counted", (got["rows"], got["left_out"], "x-new" in got["why"]), (400, 60, True))
    r = weir("eval", "--log", w.db, "--policy", w.config, "--route", "teams")
    want("said", "(60 requests could not be played through: routes.teams.rules[0]" in r.stdout, True)


def a_log_of_no_prompts_keeps_no_hash_of_a_header():
    class Nothing(Promising):
        prompts = "none"
    w = Nothing()
    ask_teams(w, 8)
    w.stop()
    db = sqlite3.connect(w.db)
    want("headers", [q for q, in db.execute("SELECT question FROM requests") if "headers" in q], [])
    db.close()


def a_budget_is_kept_while_it_is_played():
    w = Promising()
    ask(w, 300)
    w.stop()
    path = """
  curious: {arms: [cheap, dear], policy: budget, budget: %s}
"""
    def dear(usd):
        r, now = choices(w, config(w, path % usd))
        want("exit status", (r.returncode, r.stderr), (0, ""))
        return sum(a.get("dear", 0) for a in now.values()) / len(now)
    poor, rich = dear(0.00008), dear(0.01)
    want(f"a small budget takes few of the dear ({poor})", 0.05 < poor < 0.4, True)
    want(f"a large one nearly all ({rich})", rich > 0.7, True)


def a_configuration_is_worth_what_its_choices_were():
    w = Promising()
    asked = ask(w, 700, feedback=True)
    w.stop()
    def worth(routes):
        r = weir("eval", "--log", w.db, "--policy", config(w, routes), "--json")
        want("exit status", (r.returncode, r.stderr), (0, ""))
        got = json.loads(r.stdout)
        return {a["name"]: a["share"] for a in got["arms"]}, got["quality"]["dr"]
    share, dr = worth("""
  curious:
    arms: [cheap, dear]
    policy: rules
    reference: cheap
    tasks: {odd: dear}
    rules:
      - {when: {tools: yes}, arm: dear}
""")
    def dear(i):
        return not (i % 7 and i % 13 and i % 17)
    want("share", abs(share["dear"] - sum(dear(i) for i, _, _ in asked.values()) / 700) < 1e-6, True)
    truth = sum(topic % 2 == 0 or dear(i) for i, topic, _ in asked.values()) / 700
    want(f"{dr} holds {truth}", dr["lo"] <= truth <= dr["hi"], True)
    share, dr = worth("  curious: {arms: [cheap, dear], reference: dear, quality: 0.6, unproven: floor}\n")
    want("a floor", 0 < share["dear"] < 1, True)
    r = weir("eval", "--log", w.db, "--policy", config(w, """
  curious: {arms: [cheap, dear], policy: rules, reference: cheap,
    rules: [{when: {headers: {x: y}}, arm: dear}]}
"""))
    want("by name", (r.returncode, "rules[0].when.headers: what x was is not in their rows" in r.stderr), (1, True))
    r = weir("eval", "--log", w.db, "--policy", config(w, """
  curious: {arms: [cheap, checked], policy: fixed, reference: checked}
"""))
    want("a stranger", (r.returncode, "checked, which is no arm of the log" in r.stderr), (1, True))


run(globals())
