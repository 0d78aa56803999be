#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-plans: a verify plan in service, before a mock that plays what
# real models answered.  The same unseen questions through a route of models
# alone, through one that may also take the plan, and through the plan alone.
# Needs the labelled sets in DATA_DIR.
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
data=${DATA_DIR:-../shared/data}
[ -e "$data/mmlu-pro.jsonl.gz" ] || { echo "no labelled sets in $data: set DATA_DIR"; exit 0; }
models=(llama-3.1-8b-instruct llama-3.1-70b-instruct gemini-1.5-flash gpt-4o-2024-05-13)
list=$(IFS=,; echo "${models[*]}")
plan="verify(gemini-1.5-flash,llama-3.1-70b-instruct,gpt-4o-2024-05-13)"
price() { awk -F, -v m="$1" '$1 == m { printf "price: {input: %s, output: %s}", $2, $3 }' "$data/prices.csv"; }

"$weir" bench split --data "$data/mmlu-pro.jsonl.gz" --data "$data/zeroeval-math.jsonl.gz" --data "$data/zeroeval-crux.jsonl.gz" \
    --arms "$list" --part "$scratch/pilot.jsonl.gz=0.6" --part "$scratch/unseen.jsonl.gz=0.4" --seed "${SEED:-1}" || fail "split"
"$weir" train --data "$scratch/pilot.jsonl.gz" --arms "$list,checked=$plan" --prices "$data/prices.csv" --reference "${models[-1]}" \
    --quality "${QUALITY:-0.98}" --confidence 0.95 --seed 1 --out "$scratch/router.weir" >"$scratch/train.out" 2>&1 ||
    fail "train: $(tail -n 5 "$scratch/train.out")"
grep "^Plan" "$scratch/train.out"
start mock "$weir" mock --port 0 --answers "$scratch/unseen.jsonl.gz"
{
    echo "listen: 127.0.0.1:0"
    echo "classifier: $scratch/router.weir"
    echo "log: {path: $scratch/weir.db, prompts: features, level: warn, flush: 50ms}"
    echo "providers: {mock: {dialect: openai, base_url: \"http://127.0.0.1:$port/v1\", api_key: none}}"
    echo "models:"
    for m in "${models[@]}"; do echo "  $m: {provider: mock, name: $m, $(price "$m")}"; done
    echo "plans: {checked: {kind: verify, draft: gemini-1.5-flash, check: llama-3.1-70b-instruct, else: ${models[-1]}}}"
    echo "routes:"
    echo "  models: {arms: [${list//,/, }], reference: ${models[-1]}, quality: ${QUALITY:-0.98}}"
    echo "  plans: {arms: [${list//,/, }, checked], reference: ${models[-1]}, quality: ${QUALITY:-0.98}}"
    echo "  plan: {arms: [checked], policy: fixed}"
} >"$scratch/weir.yaml"
start weir "$weir" serve --config "$scratch/weir.yaml"
"$weir" bench routing --data "$scratch/unseen.jsonl.gz" --config "$scratch/weir.yaml" --prices "$data/prices.csv" \
    --url "http://127.0.0.1:$port/v1" --route models --route plans --route plan ${MAX:+--max "$MAX"} 2>"$scratch/err" ||
    fail "$(tail -n 5 "$scratch/err")"
sleep 0.5
echo
echo "How the plan ended, from the metrics:"
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET /metrics HTTP/1.0\r\nhost: x\r\n\r\n' >&3
grep '^weir_plans_total' <&3
