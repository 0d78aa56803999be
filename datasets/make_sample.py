#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes datasets/sample.jsonl from datasets/sample_prompts.jsonl.

The prompts are written by hand.  The outcomes are SYNTHETIC: no model was
asked.  Four invented arms answer by a formula from each prompt's difficulty,
an affinity of arm and task, and seeded noise, so that there is something to
learn and something that cannot be learnt.  Good for tests, demos and for
seeing the format; worthless as evidence about any real model.

  datasets/make_sample.py           writes datasets/sample.jsonl
  datasets/make_sample.py --check   fails when that file is not what it makes
"""
import datetime
import json
import math
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
SEED = 20260302

# skill: logit of success at difficulty 0.5; slope: how much difficulty costs.
# Prices in USD per million tokens; speed in tokens a second.
ARMS = {
    "sample-economy": dict(
        skill=0.9, slope=6.5, price=(0.10, 0.40), speed=180, talk=1.0,
        likes={"sentiment": 0.8, "extraction": 0.5, "json-transform": 0.5,
               "reasoning": -0.9, "agent": -1.0, "code-review": -0.6}),
    "sample-economy-b": dict(
        skill=0.8, slope=6.0, price=(0.14, 0.50), speed=150, talk=1.2,
        likes={"code-generation": 0.7, "text-to-sql": 0.7, "math-word": 0.5,
               "creative-writing": -0.8, "translation": -0.7,
               "agent": -0.7}),
    "sample-workhorse": dict(
        skill=2.2, slope=5.5, price=(1.00, 4.00), speed=90, talk=1.1,
        likes={"summary": 0.3, "reasoning": -0.3, "agent": -0.2}),
    "sample-frontier": dict(
        skill=3.6, slope=4.5, price=(5.00, 25.00), speed=55, talk=1.4,
        likes={"reasoning": 0.4, "agent": 0.5}),
}

# Typical output tokens of a task.
LENGTH = {
    "sentiment": 4, "intent": 5, "moderation": 14, "extraction": 90,
    "json-transform": 110, "ner": 60, "email-summary": 60,
    "long-summary": 190, "data-to-text": 90, "code-generation": 380,
    "code-review": 280, "code-explanation": 220, "test-writing": 420,
    "text-to-sql": 110, "function-calling": 45, "translation": 70,
    "rag-qa": 60, "math-word": 140, "reasoning": 320,
    "instruction-following": 70, "creative-writing": 230, "agent": 120,
}

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
TOOLS = {
    "book_flight": ("Book a flight", {"id": TEXT}),
    "convert_currency": ("Convert an amount", {
        "amount": NUMBER, "from": TEXT, "to": TEXT}),
    "create_event": ("Put an event into the calendar", {
        "title": TEXT, "start": TEXT, "minutes": NUMBER}),
    "create_ticket": ("Open a ticket for the staff", {"text": TEXT}),
    "find_contact": ("Look a person up", {"name": TEXT}),
    "get_sensor": ("Read the sensors of the house", {"kind": TEXT}),
    "get_stock": ("How many are in stock", {"item": TEXT}),
    "get_weather": ("Weather forecast", {"city": TEXT, "days": NUMBER}),
    "list_events": ("Events in the calendar", {"query": TEXT}),
    "open_page": ("Read a web page", {"url": TEXT}),
    "place_order": ("Order an item", {"item": TEXT, "count": NUMBER}),
    "play_music": ("Play music", {"query": TEXT}),
    "read_file": ("Read a file", {"path": TEXT}),
    "refund_order": ("Refund an order", {"order": TEXT, "amount": NUMBER}),
    "run_shell": ("Run a shell command", {"cmd": TEXT}),
    "run_sql": ("Run a query", {"query": TEXT}),
    "run_tests": ("Run the tests", {"pattern": TEXT}),
    "search_flights": ("Search flights", {
        "from": TEXT, "to": TEXT, "date": TEXT}),
    "search_orders": ("Find orders", {"order": TEXT, "email": TEXT}),
    "search_web": ("Search the web", {"q": TEXT}),
    "send_email": ("Send an e-mail", {"to": TEXT, "text": TEXT}),
    "set_light": ("Switch lights", {"room": TEXT, "on": {"type": "boolean"}}),
    "set_reminder": ("Remind the user", {"at": TEXT, "text": TEXT}),
    "set_temperature": ("Set the heating", {"room": TEXT, "celsius": NUMBER}),
    "translate": ("Translate a text", {"text": TEXT, "to": TEXT}),
    "write_file": ("Write a file", {"path": TEXT, "text": TEXT}),
}


def tool(name):
    about, properties = TOOLS[name]
    return {"type": "function", "function": {
        "name": name, "description": about,
        "parameters": {"type": "object", "properties": properties}}}


def bell(rng):
    """About normal, from random() alone, which is the same everywhere."""
    return sum(rng.random() for _ in range(12)) - 6


def messages_of(prompt):
    messages = list(prompt.get("messages", []))
    if "user" in prompt:
        messages = [{"role": "user", "content": prompt["user"]}]
    if "system" in prompt:
        messages.insert(0, {"role": "system", "content": prompt["system"]})
    return messages


def outcome(rng, arm, prompt, luck, input_tokens):
    likes = arm["likes"].get(prompt["task"], 0)
    logit = (arm["skill"] + likes + luck + 0.6 * bell(rng) -
             arm["slope"] * (prompt["difficulty"] - 0.5))
    good = rng.random() < 1 / (1 + math.exp(-logit))
    spread = rng.random()
    if "answer" in prompt:
        score = 1 if good else 0
    else:
        score = round(0.8 + 0.2 * spread if good else 0.6 * spread, 1)
    length = LENGTH[prompt["task"]] * arm["talk"]
    output_tokens = max(1, round(length * math.exp(
        0.35 * bell(rng) + 0.8 * (prompt["difficulty"] - 0.4))))
    cost = (input_tokens * arm["price"][0] +
            output_tokens * arm["price"][1]) / 1e6
    result = {
        "score": score, "input_tokens": input_tokens,
        "output_tokens": output_tokens, "cost_usd": round(cost, 9),
        "latency_ms": round(200 + 120 * rng.random() +
                            1000 * output_tokens / arm["speed"]),
    }
    if "answer" in prompt:
        wrong = "wrong-%d" % (1 + int(3 * rng.random()))
        result["answer"] = prompt["answer"] if good else wrong
    return result


def row_of(rng, prompt, number):
    messages = messages_of(prompt)
    row = {"id": "synthetic/%s/%d" % (prompt["task"], number),
           "task": prompt["task"], "messages": messages}
    if "tools" in prompt:
        row["tools"] = [tool(name) for name in prompt["tools"]]
    if "params" in prompt:
        row["params"] = prompt["params"]
    text = json.dumps([messages, row.get("tools", [])], ensure_ascii=False)
    luck = 0.7 * bell(rng)  # what all arms share and no prompt shows
    row["outcomes"] = {
        name: outcome(rng, arm, prompt, luck, math.ceil(len(text) / 4))
        for name, arm in ARMS.items()}
    return row


def with_times(rng, rows):
    """Eight weeks of traffic; a third of the rows go on in a session."""
    rng.shuffle(rows)
    begin = datetime.datetime(2026, 3, 2, 7, 0)
    sessions, now = 0, begin
    for i, row in enumerate(rows):
        if i == 0 or rng.random() > 0.35:
            sessions += 1
            now = begin + datetime.timedelta(
                minutes=i * 56 * 24 * 60 / len(rows) + 60 * rng.random())
        else:
            now += datetime.timedelta(minutes=1 + 5 * rng.random())
        row["session"] = "synthetic-%03d" % sessions
        row["time"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return rows


def make():
    rng = random.Random(SEED)
    lines = (HERE / "sample_prompts.jsonl").read_text("utf-8").splitlines()
    rows, seen = [], {}
    for line in lines:
        prompt = json.loads(line)
        seen[prompt["task"]] = seen.get(prompt["task"], 0) + 1
        rows.append(row_of(rng, prompt, seen[prompt["task"]]))
    keys = ("id", "task", "time", "session", "messages", "tools", "params",
            "outcomes")
    return "".join(
        json.dumps({k: row[k] for k in keys if k in row},
                   ensure_ascii=False, separators=(",", ":")) + "\n"
        for row in with_times(rng, rows))


def main():
    path = HERE / "sample.jsonl"
    text = make()
    if "--check" in sys.argv[1:]:
        if path.read_text("utf-8") != text:
            sys.exit("datasets/sample.jsonl is not what make_sample.py makes")
        return
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
