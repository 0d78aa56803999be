#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make demo: the main job from end to end, without an API key.  Everything
# listens on free ports of loopback, lives in a scratch directory and is
# stopped at the end.  KEEP=DIR keeps the report, logs and classifiers there;
# SEED=N deals the questions otherwise [1].
cd "$(dirname "$0")/.." || exit 1
began=$SECONDS seed=${SEED:-1}
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' off=$'\e[0m'; else bold='' dim='' green='' off=''; fi
step=0
say() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold$green" "$step" "$*" "$off"; }
note() { printf '%s   %s%s\n' "$dim" "$*" "$off"; }
show() { printf '%s   $ %s%s\n' "$dim" "$*" "$off"; }
indent() { sed 's/^/   /'; }

say "Build"
bash tests/lint/deps.sh || exit 1
show "make"
make --no-print-directory -j"$(nproc)" >build.log 2>&1 || { tail -n 20 build.log; rm -f build.log; exit 1; }
rm -f build.log
. bench/common.sh
say_size() { note "./weir: one program, $(du -k "$weir" | cut -f1) kB"; }
say_size

# ---- the outcomes: real ones where they are, else our sample ----
real=../shared/data
if [ -e "$real/mmlu-pro.jsonl.gz" ] && [ -e "$real/prices.csv" ]; then
    # The pilot is drawn from the traffic itself: a promise holds for the mix
    # that it was made on, and is void for another.
    data=(--data "$real/mmlu-pro.jsonl.gz" --data "$real/zeroeval-math.jsonl.gz" --data "$real/zeroeval-crux.jsonl.gz")
    arms=(llama-3.1-8b-instruct gemini-1.5-flash gpt-4o-2024-05-13)
    about="what real models answered to MMLU-Pro, MATH and CRUXEval, at the list prices of their day"
    price() { awk -F, -v m="$1" '$1 == m { printf "price: {input: %s, output: %s}", $2, $3 }' "$real/prices.csv"; }
    prices=(--prices "$real/prices.csv")
    shares="0.3 0.45 0.25"
    quality=0.95
    route="policy: cheapest_adequate, quality: 0.95"
    promise="at least 95 % of the quality of ${arms[-1]}"
else
    data=(--data datasets/sample.jsonl)
    quality=0.95
    arms=(sample-economy sample-workhorse sample-frontier)
    about="SYNTHETIC outcomes of made-up models (datasets/sample.jsonl): a show of how it works, no figure of use"
    price() { case $1 in *economy) echo "price: {input: 0.1, output: 0.4}" ;; *workhorse) echo "price: {input: 1, output: 4}" ;; *) echo "price: {input: 5, output: 20}" ;; esac; }
    prices=()
    shares="0.4 0.3 0.3"
    # Too few rows for a promise: an explicit budget instead.
    route="policy: budget, budget: 0.0004"
    promise="a mean of about 0.0004 USD a request"
fi
reference=${arms[-1]}
list=$(IFS=,; echo "${arms[*]}")
read -r p1 p2 p3 <<<"$shares"

say "Labelled outcomes: $about"
"$weir" bench split "${data[@]}" --arms "$list" --seed "$seed" --part "$scratch/pilot.jsonl.gz=$p1" \
    --part "$scratch/traffic.jsonl.gz=$p2" --part "$scratch/unseen.jsonl.gz=$p3" --json >"$scratch/split" || fail "split"
parts() { sed -n 's/.*"parts":\[\([0-9,]*\)\].*/\1/p' "$1"; }
IFS=, read -r n1 n2 n3 <<<"$(parts "$scratch/split")"
note "dealt by question, so that no question is in two parts:"
printf '   %-8s %5d requests  %s\n' pilot "$n1" "sent to every model once, to train on" \
    traffic "$n2" "that will come in: weir sees one model's answer to each" unseen "$n3" "to judge by in the end"

say "Train"
show "weir train --data pilot.jsonl.gz --arms $list --out router.weir"
"$weir" train --data "$scratch/pilot.jsonl.gz" --arms "$list" "${prices[@]}" --reference "$reference" \
    --quality "$quality" --confidence 0.95 --seed "$seed" --out "$scratch/router.weir" >"$scratch/train.out" 2>"$scratch/train.err" ||
    fail "train: $(cat "$scratch/train.err")"
grep -v "not to be had" "$scratch/train.out" | indent
cp "$scratch/router.weir" "$scratch/before.weir"

say "Serve: a mock provider that plays these models, and weir before it"
start mock "$weir" mock --port 0 --answers "$scratch/traffic.jsonl.gz"
mock_traffic=$port
start mock2 "$weir" mock --port 0 --answers "$scratch/unseen.jsonl.gz"
mock_unseen=$port
config() { # config FILE CLASSIFIER MOCK-PORT LOG
    {
        echo "listen: 127.0.0.1:0"
        echo "workers: 1"
        echo "classifier: $2"
        echo "log: {path: $4, prompts: features, level: warn}"
        echo "providers:"
        echo "  mock: {dialect: openai, base_url: \"http://127.0.0.1:$3/v1\", api_key: none}"
        echo "models:"
        for m in "${arms[@]}"; do echo "  $m: {provider: mock, name: $m, $(price "$m")}"; done
        echo "routes:"
        echo "  auto: {arms: [${list//,/, }], $route, reference: $reference, explore: 0.05}"
    } >"$1"
}
config "$scratch/weir.yaml" "$scratch/router.weir" "$mock_traffic" "$scratch/weir.db"
sed -n '/^routes/,$p' "$scratch/weir.yaml" | indent
start weir "$weir" serve --config "$scratch/weir.yaml"
weir_port=$port weir_pid=$pid
note "what route auto is asked for: $promise"

say "Three decisions, with their reasons"
seen=" "
while read -r line; do
    request="{\"model\":\"auto\",\"messages\":$(sed -n 's/.*"messages":\(\[.*\]\),"outcomes".*/\1/p' <<<"$line" | sed 's/,"\(tools\|params\)":.*//')}"
    arm=$("$weir" explain --config "$scratch/weir.yaml" --json <<<"$request" 2>/dev/null | sed -n 's/.*"arm":"\([^"]*\)","reason".*/\1/p')
    [ -n "$arm" ] || continue
    case $seen in *" $arm "*) continue ;; esac
    seen="$seen$arm "
    printf '\n   "%s"\n' "$(sed 's/.*"content":"\([^"]*\).*/\1/; s/\\n/ /g' <<<"$request" | cut -c 1-100)"
    "$weir" explain --config "$scratch/weir.yaml" <<<"$request" | sed -n '/^  arm/,$p' | head -n $((${#arms[@]} + 6)) | indent
done < <(zcat "$scratch/unseen.jsonl.gz" | head -n 60)

say "Traffic: $n2 requests through weir, scores sent back as feedback"
show "weir bench routing --data traffic.jsonl.gz --config weir.yaml --feedback"
routing() { "$weir" bench routing --config "$scratch/weir.yaml" "${prices[@]}" "$@" 2>"$scratch/routing.err" || fail "$(cat "$scratch/routing.err")"; }
routing --data "$scratch/traffic.jsonl.gz" --url "http://127.0.0.1:$weir_port/v1" --feedback | indent

say "Retrain from the log just written, and swap the classifier under load"
sleep 0.5
show "weir train --data pilot.jsonl.gz --data weir.db --out router.weir"
"$weir" train --data "$scratch/pilot.jsonl.gz" --data "$scratch/weir.db" --arms "$list" "${prices[@]}" --reference "$reference" \
    --quality "$quality" --confidence 0.95 --seed "$seed" --out "$scratch/router.weir" >"$scratch/retrain.out" 2>"$scratch/train.err" ||
    fail "train: $(cat "$scratch/train.err")"
sed -n '1p; /^ *routed/p; /quality >= 0.9[0-9]/p' "$scratch/retrain.out" | grep -v "not to be had" | indent
id_before=$(sha256sum "$scratch/before.weir" | cut -c 1-12)
id_after=$(sha256sum "$scratch/router.weir" | cut -c 1-12)
"$weir" bench load --url "http://127.0.0.1:$weir_port/v1/chat/completions" --rate 300 --seconds 2 --warmup 0 --json >"$scratch/load" &
load=$!
sleep 0.7
show "weir reload"
kill -HUP "$weir_pid"
wait "$load" || fail "load: $(cat "$scratch/load")"
printf '   classifier %s -> %s: %s requests answered meanwhile, %s failed\n' "$id_before" "$id_after" \
    "$(value answered "$(cat "$scratch/load")")" "$(value failed "$(cat "$scratch/load")")"

say "Before and after, on $n3 requests that neither has seen"
config "$scratch/after.yaml" "$scratch/router.weir" "$mock_unseen" "$scratch/after.db"
config "$scratch/before.yaml" "$scratch/before.weir" "$mock_unseen" "$scratch/before.db"
sed -i 's/explore: 0.05/explore: 0/' "$scratch/after.yaml" "$scratch/before.yaml"
start after "$weir" serve --config "$scratch/after.yaml"
after_port=$port
start before "$weir" serve --config "$scratch/before.yaml"
routing --data "$scratch/unseen.jsonl.gz" --url "http://127.0.0.1:$port/v1" --name before --rival "after=http://127.0.0.1:$after_port/v1" \
    --html "$scratch/report.html" --svg "$scratch/curve.svg" >"$scratch/last"
indent <"$scratch/last"
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$KEEP" && cp "$scratch"/{report.html,curve.svg,router.weir,weir.yaml,weir.db} "$KEEP/" && note "kept in $KEEP: report.html, curve.svg, router.weir, weir.yaml, weir.db"
else
    mkdir -p build && cp "$scratch"/{report.html,curve.svg} build/ && note "build/report.html has the curve"
fi
printf '\n%s' "$bold"
sed -n 's/^before kept/   Before the log: kept/p; s/^after kept/   After the log:  kept/p' "$scratch/last" | sed 's/, the best fixed model,//' | fold -s -w 110 | sed 's/^\([^ ]\)/      \1/'
printf '%s' "$off"
printf '\n%sDone in %d s; everything is stopped.%s\n' "$bold" "$((SECONDS - began))" "$off"
