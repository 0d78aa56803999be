# SPDX-License-Identifier: Apache-2.0
"""Shared by tests of promises: rows of two models, cheap (right on even
topics) and dear (right on nearly all), a classifier learnt from them, and a
server that routes between them.  No test stands here."""
import random

from rig import *


def text(rng, topic):
    return " ".join(f"topic{topic}word{rng.randrange(25)}" if rng.random() < 0.6
                    else f"common{rng.randrange(60)}" for _ in range(14))


def rows(n, seed, topics=6):
    rng = random.Random(seed)
    for i in range(n):
        t = rng.randrange(topics)
        cheap = int(rng.random() < (0.1 if t % 2 else 0.97))
        tokens = {"input_tokens": 40, "output_tokens": 20}
        yield {"id": f"r/{seed}/{i}", "task": f"topic{t}",
               "messages": [{"role": "user", "content": text(rng, t)}],
               "outcomes": {"cheap": dict(tokens, score=cheap),
                            "dear": dict(tokens, score=int(rng.random() < 0.97))}}


def learn(name, seed=1, n=900):
    data, out = f"{DIR}/{name}.jsonl", f"{DIR}/{name}.weir"
    with open(data, "w") as f:
        for r in rows(n, seed):
            f.write(json.dumps(r) + "\n")
    with open(DIR + "/prices.csv", "w") as f:
        f.write("cheap,0.1,0.4\ndear,5,20\n")
    subprocess.run([WEIR, "train", "--data", data, "--arms", "cheap,dear", "--reference", "dear",
                    "--quality", "0.9", "--prices", DIR + "/prices.csv", "--seed", "1",
                    "--out", out], check=True, capture_output=True)
    return out


class Promising(Weir):
    """A server whose route `auto` promises."""
    classifier = None
    prompts = "features"
    routes = ""
    shadow = ""

    def write(self, extra, listen="127.0.0.1:0"):
        with open(self.config, "w") as f:
            f.write(f"""
listen: "{listen}"
workers: 1
classifier: {self.classifier}
log: {{path: {self.db}, level: debug, prompts: {self.prompts}, flush: 50ms}}
{extra}
providers:
  p: {{dialect: openai, base_url: "http://127.0.0.1:{provider.server_port}/v1",
      api_key: "${{PROVIDER_KEY}}"}}
models:
  cheap: {{provider: p, name: cheap, tier: economy, price: {{input: 0.1, output: 0.4}}}}
  dear: {{provider: p, name: dear, tier: frontier, price: {{input: 5, output: 20}}}}
plans:
  checked: {{kind: cascade, draft: cheap, else: dear}}
routes:
  auto: {{arms: [cheap, dear], reference: dear, quality: 0.9, stay: never{self.shadow}}}
  fixed: {{arms: [cheap, dear], policy: fixed, reference: dear}}
{self.routes}
""")

    def health(self):
        return json.loads(self.ask("GET", "/healthz")[1])

    def feedback(self, headers, score):
        r = self.ask("POST", "/v1/feedback", {
            "request_id": headers["x-weir-request-id"], "score": score})
        want("feedback", r[0], 200)
