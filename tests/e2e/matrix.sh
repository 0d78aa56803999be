#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The official SDKs against weir before each upstream dialect, feature by
# feature: prints the matrix, fails on FAIL.
#   ONLY=anthropic/gemini   one pair
cd "$(dirname "$0")/../.." || exit 1
command -v npm >/dev/null || { echo "no npm"; exit 77; }
. tests/e2e/lib.sh
sdks
start mock "$weir" mock --port 0 --dialect all --seed 5 --key upstream-key-0001 --price 1/3/0.5; mock=$port
clients="chat responses anthropic genai"
dialects="openai responses anthropic gemini bedrock cohere"
declare -A base=([openai]=/v1 [responses]=/v1 [anthropic]="" [gemini]=/v1beta [bedrock]="" [cohere]=/v2)
# Upstream names that the codecs know for models that think.
declare -A like=([openai]=gpt-5.4 [responses]=gpt-5.4 [anthropic]=claude-opus-4-5 [gemini]=gemini-2.5-pro [bedrock]=us.anthropic.claude-opus-4-5 [cohere]=command-a-reasoning)
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
    # A model for each pair, so that the mock's ledger tells them apart.
    for c in $clients three; do
        for d in $dialects; do
            echo "  $c-$d: {provider: p-$d, name: ${like[$d]}-$c-$d, price: {input: 1, output: 3, cached_input: 0.5}, context: 400000, max_output: 8192, capabilities: [tools, parallel_tools, vision, files, json, schema, reasoning, stream, sampling]}"
        done
    done
    echo "routes:"
    echo "  auto: {arms: [chat-openai], policy: fixed}"
} >"$scratch/weir.yaml"
start weir "$weir" serve --config "$scratch/weir.yaml"
cp tests/e2e/*.mjs build/e2e/
LIKE=$(for d in $dialects; do printf '%s=%s,' "$d" "${like[$d]}"; done) \
    WEIR_URL=http://127.0.0.1:$port MOCK_URL=http://127.0.0.1:$mock timeout 120 node build/e2e/matrix.mjs ||
    { tail -n 20 "$scratch/weir.out"; exit 1; }
