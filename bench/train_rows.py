#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Labelled rows for `make bench-train`: prompts recombined from the committed
sample, four arms, twenty tasks, outcomes drawn by a formula.

usage: train_rows.py SAMPLE.jsonl ROWS > rows.jsonl"""
import json
import random
import sys


def main():
    rng = random.Random(1)
    with open(sys.argv[1], encoding="utf-8") as f:
        texts = [str(json.loads(line)["messages"][-1]["content"]).split()
                 for line in f]
    words = [w for t in texts for w in t]
    for i in range(int(sys.argv[2])):
        t = rng.choice(texts)[:60] + rng.choices(words, k=rng.randint(20, 100))
        hard = len(t) % 7 / 7
        outcomes = {
            f"arm{a}": {"score": int(rng.random() < .55 + .1 * a - .2 * hard),
                        "input_tokens": 2 * len(t),
                        "output_tokens": 30 + int(200 * hard),
                        "cost_usd": 1e-5 * 4 ** a} for a in range(4)}
        print(json.dumps({"id": str(i), "task": f"t{len(t[0]) % 20}",
                          "messages": [{"role": "user",
                                        "content": " ".join(t)}],
                          "outcomes": outcomes}))


main()
