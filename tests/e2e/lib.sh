# SPDX-License-Identifier: Apache-2.0
# For end-to-end tests: starts programs on free ports, waits until they
# listen, and stops what it started, by process id.
set -u
weir=${WEIR:-./weir}
scratch=$(mktemp -d)
started=()
stop_all() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${started[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$scratch"
}
trap stop_all EXIT
# start NAME COMMAND...: runs it with --port-file; its port is in $port
start() {
    local name=$1; shift
    "$@" --port-file "$scratch/$name.port" >"$scratch/$name.out" 2>&1 &
    started+=($!)
    pid=$!
    for _ in $(seq 100); do
        [ -s "$scratch/$name.port" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    port=$(cat "$scratch/$name.port" 2>/dev/null)
    [ -n "$port" ] || { echo "$name did not start:"; cat "$scratch/$name.out"; exit 1; }
}
# The SDKs, installed once below build/.
sdks() {
    local dir=build/e2e
    mkdir -p "$dir"
    if ! cmp -s tests/e2e/package.json "$dir/package.json" || [ ! -d "$dir/node_modules" ]; then
        cp tests/e2e/package.json "$dir/"
        (cd "$dir" && npm install --no-package-lock --no-audit --no-fund --silent) ||
            { echo "npm cannot install the official SDKs"; exit 77; }
    fi
}
dialects="openai responses anthropic gemini bedrock cohere"
declare -A base=([openai]=/v1 [responses]=/v1 [anthropic]="" [gemini]=/v1beta [bedrock]="" [cohere]=/v2)
# Upstream names that the codecs know for models that think.
declare -A like=([openai]=gpt-5.4 [responses]=gpt-5.4 [anthropic]=claude-opus-4-5 [gemini]=gemini-2.5-pro [bedrock]=us.anthropic.claude-opus-4-5 [cohere]=command-a-reasoning)
# every_dialect NAME...: a mock, and weir before it with a model NAME-DIALECT
# for each, so that the mock's ledger tells them apart; their ports are in
# $mock and $port.
every_dialect() {
    local c d
    start mock "$weir" mock --port 0 --dialect all --seed 5 --key upstream-key-0001 --price 1/3/0.5; mock=$port
    {
        cat <<YAML
listen: 127.0.0.1:0
workers: 1
classifier: none
log: {path: $scratch/weir.db, prompts: features, level: warn, flush: 50ms}
# Failures are wanted here, and nobody is to be left alone for them.
health: {failures: 60000, error_share: 1.01, rest: 1ms, rest_max: 1ms}
providers:
YAML
        for d in $dialects; do
            echo "  p-$d: {dialect: $d, base_url: \"http://127.0.0.1:$mock${base[$d]}\", api_key: upstream-key-0001}"
        done
        echo "models:"
        for c in "$@"; do
            for d in $dialects; do
                echo "  $c-$d: {provider: p-$d, name: ${like[$d]}-$c-$d, price: {input: 1, output: 3, cached_input: 0.5}, context: 400000, max_output: 8192, capabilities: [tools, parallel_tools, vision, files, json, schema, reasoning, stream, sampling]}"
            done
        done
        echo "routes:"
        echo "  auto: {arms: [$1-openai], policy: fixed}"
    } >"$scratch/weir.yaml"
    start weir "$weir" serve --config "$scratch/weir.yaml"
}
