#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir train as an operator calls it: good data gives a file that loads, bad
# data a message and nothing written, poor data an honest card.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
failed=0
wrong() { echo "$1"; cat "$scratch/out" "$scratch/err" 2>/dev/null; failed=1; }
# learn NAME ARGUMENTS...: writes NAME.weir, the card to out; its exit status
learn() {
    local name=$1; shift
    "$weir" train --json --seed 1 --out "$scratch/$name.weir" "$@" >"$scratch/out" 2>"$scratch/err"
}
card_has() { # card_has WHAT TEXT...
    local what=$1 text; shift
    for text in "$@"; do
        grep -q -- "$text" "$scratch/out" || wrong "$what: the card lacks $text"
    done
}
loads() { # the evaluation of a fixed request through the file, by a server
    cat >"$scratch/$1.yaml" <<YAML
listen: 127.0.0.1:0
workers: 1
classifier: $scratch/$1.weir
log: {path: $scratch/$1.db, prompts: features}
providers:
  mock: {dialect: openai, base_url: "http://127.0.0.1:$mock/v1", api_key: none}
models:
  $2: {provider: mock, name: $2, price: {input: 0.1, output: 0.4}}
  $3: {provider: mock, name: $3, price: {input: 5, output: 20}}
routes:
  auto: {arms: [$2, $3], policy: cheapest_adequate, quality: 0.95, reference: $3, explore: 0.1}
YAML
    start "$1" "$weir" serve --config "$scratch/$1.yaml"
}
# rows N TEXT CHEAP DEAR: outcomes of two arms; %d in TEXT is the row's number
rows() {
    awk -v n="$1" -v text="$2" -v cheap="$3" -v dear="$4" 'BEGIN {
        for (i = 0; i < n; i++) {
            t = text; sub(/%d/, i, t)
            printf "{\"id\":\"r/%d\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}],\"outcomes\":{", i, t
            printf "\"cheap\":{\"score\":%s,\"input_tokens\":9,\"output_tokens\":5,\"cost_usd\":1e-6},", cheap == "mixed" ? i % 2 : cheap
            printf "\"dear\":{\"score\":%s,\"input_tokens\":9,\"output_tokens\":5,\"cost_usd\":1e-4}}}\n", dear
        }
    }'
}

learn sample --data datasets/sample.jsonl || wrong "the sample: exit status $?"
[ -s "$scratch/sample.weir" ] || wrong "the sample: no file"
card_has "the sample" '"format"' '"created"' '"sha256"' '"arms"' '"calibration"' '"levels"' '"metrics"' '"notes"'

# Plans as arms, under a name of their own, over a member that is no choice itself.
plan='checked=verify(sample-economy,sample-economy-b,sample-frontier)'
learn plan --data datasets/sample.jsonl --arms "sample-economy,sample-frontier,$plan" || wrong "a plan: exit status $?"
card_has "a plan" '"plans":{"checked":"verify(sample-economy,sample-economy-b,sample-frontier)"}' '"escalates checked":{"labels"' \
    '"arms":\["sample-economy","sample-frontier","checked"\],"reference"' '"arms":\["sample-economy","sample-frontier"\],"reference"'
"$weir" eval --data datasets/sample.jsonl --arms "sample-economy,sample-frontier,$plan" --folds 2 --resamples 100 --json \
    >"$scratch/out" 2>"$scratch/err" || wrong "weir eval of a named plan"
card_has "weir eval" '"name":"checked"'
learn tiers --data datasets/sample.jsonl --tiers models/tiers.yaml --arms "economy,$plan" && wrong "plans over tiers: exit status 0"
learn member --data datasets/sample.jsonl --arms 'a=verify(sample-economy,nobody,sample-frontier)' && wrong "an unknown member: exit status 0"
grep -q nobody "$scratch/err" || wrong "an unknown member: not named"

rows 400 "question number %d" mixed 1 >"$scratch/good.jsonl"
(head -n 3 "$scratch/good.jsonl"; echo '{"id":"x", broken') >"$scratch/bad.jsonl"
sed 's/"score":1/"score":NaN/' "$scratch/good.jsonl" >"$scratch/nan.jsonl"
: >"$scratch/empty.jsonl"
for bad in bad nan empty absent; do
    learn "$bad" --data "$scratch/$bad.jsonl"
    status=$?
    [ "$status" -eq 1 ] || wrong "$bad data: exit status $status, wanted 1"
    grep -q "^weir train: " "$scratch/err" || wrong "$bad data: no message"
    [ ! -e "$scratch/$bad.weir" ] || wrong "$bad data: a file was written"
done
learn usage && wrong "no data: exit status 0"
learn skipped --data "$scratch/bad.jsonl" --skip-bad || wrong "--skip-bad: exit status $?"

rows 400 "question number %d" 1 1 >"$scratch/class.jsonl"
rows 1 "only one" 0 1 >"$scratch/row.jsonl"
rows 400 "always the same" mixed 1 >"$scratch/same.jsonl"
sed 's/"score":[01],//g' "$scratch/good.jsonl" >"$scratch/mute.jsonl"
# Nothing to learn from: a message, and the classifier that is there stays.
refused() { # refused NAME MESSAGE ARGUMENTS...
    local name=$1 message=$2; shift 2
    cp "$scratch/sample.weir" "$scratch/$name.weir"
    learn "$name" "$@"
    local status=$?
    [ "$status" -eq 1 ] || wrong "$name: exit status $status, wanted 1"
    grep -q -- "$message" "$scratch/err" || wrong "$name: wanted a message with: $message"
    cmp -s "$scratch/sample.weir" "$scratch/$name.weir" || wrong "$name: the classifier was touched"
    [ ! -e "$scratch/$name.weir.1" ] || wrong "$name: a file was put aside"
}
refused class "labels of two classes" --data "$scratch/class.jsonl"
refused row "two different requests, found 1" --data "$scratch/row.jsonl"
refused same "399 others ask the same" --data "$scratch/same.jsonl"
refused mute "wanted labels, found none" --data "$scratch/mute.jsonl"
refused nan "nan.jsonl:1: " --data "$scratch/nan.jsonl"
refused untried "no row has an outcome of arm nobody" --data "$scratch/good.jsonl" --arms cheap,nobody
(cat "$scratch/good.jsonl"; sed 's/"cheap":{"score":1/"cheap":{"score":2/; s/"cheap":{"score":0/"cheap":{"score":1/; s/"cheap":{"score":2/"cheap":{"score":0/' \
    "$scratch/good.jsonl") >"$scratch/against.jsonl"
learn against --data "$scratch/against.jsonl" || wrong "contradictory labels: exit status $?"
card_has "contradictory labels" "400 labels contradict each other"
rows 30 "question number %d" 0 1 >"$scratch/poor.jsonl"
learn poor --data "$scratch/poor.jsonl" || wrong "few rows: exit status $?"
card_has "few rows" '"valid":false'

# From a server's own log.
start mock "$weir" mock --port 0 --answers "$scratch/good.jsonl"
mock=$port
learn good --data "$scratch/good.jsonl" || wrong "the good rows: exit status $?"
loads good cheap dear
"$weir" bench routing --data "$scratch/good.jsonl" --config "$scratch/good.yaml" --url "http://127.0.0.1:$port/v1" --feedback --json \
    >"$scratch/out" 2>"$scratch/err" || wrong "requests through the trained file"
kill -TERM "$pid"; wait "$pid"
learn log --data "$scratch/good.db" || wrong "a server's log: exit status $?"
card_has "a server's log" '"cheap"' '"dear"' '"rows":400'
python3 - "$scratch/good.db" <<'PY' || wrong "making a log of a newer version"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA user_version = 99")
db.commit()
PY
refused newer "written by a newer weir" --data "$scratch/good.db"
exit $failed
