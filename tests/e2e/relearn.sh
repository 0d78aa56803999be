#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A classifier trained from the server's own log routes better than the one
# before it, on requests that neither has seen.  The outcomes are made up here
# from a seed: a cheap model that is right on half of the topics and a dear
# one that is right on nearly all; the first classifier knows half of the
# topics, the traffic brings all of them, each with one model's answer.  The
# pilot's promise is void for such traffic, and training says so; what the log
# taught is compared at the same mean cost (policy: budget).
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
rows() { # rows NAME N SEED TOPICS
    awk -v name="$1" -v n="$2" -v seed="$3" -v topics="$4" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            t = int(rand() * topics)
            text = "Request " name i ":"
            for (k = 0; k < 14; k++)
                text = text " " (rand() < 0.6 ? "topic" t "word" int(rand() * 25) : "common" int(rand() * 60))
            cheap = rand() < (t % 2 ? 0.1 : 0.95) ? 1 : 0
            dear = rand() < 0.97 ? 1 : 0
            printf "{\"id\":\"%s/%d\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"outcomes\":{", name, i, text
            printf "\"cheap\":{\"score\":%d,\"input_tokens\":40,\"output_tokens\":20},", cheap
            printf "\"dear\":{\"score\":%d,\"input_tokens\":40,\"output_tokens\":20}}}\n", dear
        }
    }'
}
rows pilot 700 1 6 >"$scratch/pilot.jsonl"
rows traffic 2500 2 12 >"$scratch/traffic.jsonl"
rows unseen 1200 3 12 >"$scratch/unseen.jsonl"
printf 'cheap,0.1,0.4\ndear,5,20\n' >"$scratch/prices.csv"
learn() { # learn OUT DATA...
    local out=$1; shift
    "$weir" train "$@" --arms cheap,dear --reference dear --quality 0.95 --prices "$scratch/prices.csv" --seed 1 --out "$out" \
        >"$scratch/train.out" 2>&1 || { cat "$scratch/train.out"; exit 1; }
}
config() { # config FILE CLASSIFIER PORT LOG POLICY
    cat >"$1" <<YAML
listen: 127.0.0.1:0
workers: 1
classifier: $2
log: {path: $4, prompts: features}
providers:
  mock: {dialect: openai, base_url: "http://127.0.0.1:$3/v1", api_key: none}
models:
  cheap: {provider: mock, name: cheap, price: {input: 0.1, output: 0.4}}
  dear: {provider: mock, name: dear, price: {input: 5, output: 20}}
routes:
  auto: {arms: [cheap, dear], reference: dear, $5}
YAML
}
learn "$scratch/before.weir" --data "$scratch/pilot.jsonl"
start traffic "$weir" mock --port 0 --answers "$scratch/traffic.jsonl"
config "$scratch/weir.yaml" "$scratch/before.weir" "$port" "$scratch/weir.db" "policy: cheapest_adequate, quality: 0.95, explore: 0.1"
start weir "$weir" serve --config "$scratch/weir.yaml"
"$weir" bench routing --data "$scratch/traffic.jsonl" --config "$scratch/weir.yaml" --url "http://127.0.0.1:$port/v1" --feedback --json \
    >"$scratch/traffic.json" || exit 1
grep -q '"answered":2500,"labelled":2500' "$scratch/traffic.json" || { echo "not all was answered and labelled:"; cat "$scratch/traffic.json"; exit 1; }
# The log is complete once the server has ended.
kill -TERM "$pid"; wait "$pid" || exit 1
# What the dear model alone would have been worth is estimated from the log,
# and known here: every outcome was made up beforehand.
"$weir" eval --log "$scratch/weir.db" --policy dear --json >"$scratch/dear.json" || exit 1
truth=$(grep -c '"dear":{"score":1' "$scratch/traffic.jsonl")
near() { # near NTH WHAT TRUTH SLACK: the doubly robust estimates
    grep -o '"dr":{[^}]*}' "$scratch/dear.json" | sed -n "$1p" | awk -F'[:,}]' -v what="$2" -v truth="$3" -v slack="$4" '
        { printf "%s of dear alone: %s [%s, %s], truth %s\n", what, $3, $5, $7, truth
          ok = $3 - truth <= slack && truth - $3 <= slack && $5 < $7 }
        END { exit !ok }'
}
near 1 quality "$(awk -v t="$truth" 'BEGIN { print t / 2500 }')" 0.08 && near 2 USD 0.0006 0.00003 ||
    { echo "the estimate is far from the truth:"; cat "$scratch/dear.json"; exit 1; }
# The route leaves what is far from its training data to the dear model, half
# of this traffic; its classifier alone at the same level would not.
quality() { "$weir" eval --log "$scratch/weir.db" --json "$@" | sed -n 's/.*"quality":{.*"dr":{"value":\([0-9.]*\),.*"cost_usd".*/\1/p'; }
route=$(quality --policy "$scratch/weir.yaml") file=$(quality --policy "$scratch/before.weir" --quality 0.95)
echo "quality of the route: $route, of its classifier alone: $file"
awk "BEGIN { exit !(\"$route\" != \"\" && $route > 0.88 && $file > 0.5 && $file < $route - 0.05) }" || exit 1
# A policy that the log says nothing of is refused.
if "$weir" eval --log "$scratch/weir.db" --policy dear --since 2099-01-01 2>"$scratch/refused"; then
    echo "wanted a refusal of an empty log"; exit 1
fi
learn "$scratch/after.weir" --data "$scratch/pilot.jsonl" --data "$scratch/weir.db"
grep -q "No promise holds" "$scratch/train.out" || { echo "training does not say that the promise is void:"; cat "$scratch/train.out"; exit 1; }
start unseen "$weir" mock --port 0 --answers "$scratch/unseen.jsonl"
mock=$port
config "$scratch/1.yaml" "$scratch/before.weir" "$mock" "$scratch/1.db" "policy: budget, budget: 0.0003"
config "$scratch/2.yaml" "$scratch/after.weir" "$mock" "$scratch/2.db" "policy: budget, budget: 0.0003"
start before "$weir" serve --config "$scratch/1.yaml"; before=$port
start after "$weir" serve --config "$scratch/2.yaml"
"$weir" bench routing --data "$scratch/unseen.jsonl" --config "$scratch/1.yaml" --url "http://127.0.0.1:$before/v1" --name before \
    --rival "after=http://127.0.0.1:$port/v1" --json >"$scratch/unseen.json" || exit 1
# figure WAY NAME PART: of a way's estimate
figure() { sed -n "s/.*{\"name\":\"$1\",\"quality\":[^]]*\"$2\":{[^}]*\"$3\":\\(-\\{0,1\\}[0-9.e-]*\\)[,}].*/\\1/p" "$scratch/unseen.json"; }
b=$(figure before edge hi) a=$(figure after edge lo)
echo "score above the best mix of fixed models at the same cost: before at most $b, after at least $a (95 %)"
awk "BEGIN { exit !(\"$a\" != \"\" && \"$b\" != \"\" && $a > $b) }" || { echo "the retrained classifier is not better"; cat "$scratch/unseen.json"; exit 1; }
