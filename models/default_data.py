#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""default_data.py DATA OUT.jsonl.gz: the rows of the default classifier.

The labelled sets of DATA that datasets/manifest.json names, their tasks
brought to the few of models/task_prior.json; and the prompts of our sample
with the task prior as their score on each tier (none of its made-up
outcomes), each in a few wordings of courtesy."""
import gzip
import json
import os
import sys
import zlib

COURTESY = ["{}", "Please help me with this. {}", "{}\n\nThank you!",
            "Hi, here is what I need done today:\n\n{}",
            "{}\n\nKeep it short.", "You are a careful assistant. {}",
            "Hello! {}", "{}\n\nAnswer in plain words, please.",
            "Task for you:\n{}", "I have a question. {}",
            "{}\n\nThis is for a customer.", "Could you do this? {}"]
# Of each of our tasks at most so many rows of the sets: they are mostly
# exam questions, requests to a router are not.
MOST = 2500


def allowed():
    """The sets that the manifest lets shipped weights be trained on."""
    with open("datasets/manifest.json", encoding="utf-8") as f:
        sets = json.load(f)["datasets"]
    return [(s["name"], s["file"]) for s in sets if s["train_shipped_weights"]]


def read_set(data, name, file, task_of, typical):
    path = os.path.join(data, file)
    if not os.path.exists(path):
        sys.exit(f"default_data: {path} is not there")
    with gzip.open(path, "rt", encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            row["id"] = f"{name}/{row['id']}"
            row["task"] = task_of.get(row.get("task"), task_of["*"])
            for outcome in row["outcomes"].values():
                if outcome.get("output_tokens", 1) < 3:
                    outcome["output_tokens"] = typical[row["task"]]
            yield row


def set_rows(data, prior):
    """Of each task the rows whose ids hash lowest."""
    task_of = {t: ours for ours, theirs in prior["tasks_of_sets"].items()
               for t in theirs}
    by_task = {}
    for name, file in allowed():
        for row in read_set(data, name, file, task_of,
                            prior["output_tokens"]):
            by_task.setdefault(row["task"], []).append(row)
    for rows in by_task.values():
        rows.sort(key=lambda r: zlib.crc32(r["id"].encode()))
        yield from rows[:MOST]


def prior_rows(prior):
    tiers = prior["tiers"]
    with open("datasets/sample.jsonl", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    for row in rows:
        known = prior["prior"].get(row["task"])
        if not known:
            continue
        tokens = prior["output_tokens"][row["task"]]
        outcomes = {t: {"score": s, "output_tokens": tokens}
                    for t, s in zip(tiers, known["score"]) if t != "micro"}
        for i, wording in enumerate(COURTESY):
            messages = json.loads(json.dumps(row["messages"]))
            last = messages[-1]
            if last["role"] != "user" or not isinstance(last["content"], str):
                if i:
                    break
            else:
                last["content"] = wording.format(last["content"])
            new = {"id": f"prior/{row['id']}/{i}", "task": row["task"],
                   "session": row["id"], "messages": messages,
                   "outcomes": outcomes}
            for key in ("tools", "params"):
                if key in row:
                    new[key] = row[key]
            yield new


def main():
    data, out = sys.argv[1:]
    with open("models/task_prior.json", encoding="utf-8") as f:
        prior = json.load(f)
    n = 0
    with gzip.open(out, "wt", encoding="utf-8", compresslevel=1) as f:
        for source in (set_rows(data, prior),
                       prior_rows(prior)):
            for row in source:
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
                n += 1
    print(f"default_data: {n} rows")


main()
