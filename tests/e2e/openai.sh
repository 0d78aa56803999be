#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The official openai package against weir in front of mock providers.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
sdks
start economy "$weir" mock --port 0 --seed 1; economy=$port
start frontier "$weir" mock --port 0 --seed 2 --tps 400; frontier=$port
start google "$weir" mock --port 0 --dialect gemini; google=$port
cat >"$scratch/weir.yaml" <<YAML
listen: 127.0.0.1:0
workers: 1
log: {path: $scratch/weir.db, prompts: features}
providers:
  cheap: {dialect: openai, base_url: "http://127.0.0.1:$economy/v1", api_key: sk-cheap-secret-key-000}
  dear: {dialect: openai, base_url: "http://127.0.0.1:$frontier/v1", api_key: sk-dear-secret-key-0000}
  google: {dialect: gemini, base_url: "http://127.0.0.1:$google/v1beta", api_key: sk-google-secret-key-00}
  dead: {dialect: openai, base_url: "http://127.0.0.1:1/v1", api_key: sk-dead-secret-key-0000}
models:
  small: {provider: cheap, name: small-1, tier: economy, price: {input: 0.1, output: 0.4}, context: 32768, capabilities: [tools, parallel_tools, json, schema, stream, sampling]}
  large: {provider: dear, name: large-1, tier: frontier, price: {input: 2, output: 8, cached_input: 0.5}, context: 400000, capabilities: [tools, parallel_tools, vision, json, schema, stream, sampling]}
  other: {provider: google, name: other-1, price: {input: 1, output: 2}}
  gone: {provider: dead, name: gone-1, tier: economy, price: {input: 0.05, output: 0.2}, context: 32768}
routes:
  auto: {arms: [small, large], policy: cheapest_adequate, quality: 0.98, reference: large}
  cheap: {arms: [small], policy: fixed}
  other: {arms: [other], policy: fixed}
  shaky: {arms: [gone, large], policy: cheapest_adequate, quality: 0.5, reference: gone}
YAML
start weir "$weir" serve --config "$scratch/weir.yaml"
server=$pid
cp tests/e2e/*.mjs build/e2e/
WEIR_URL=http://127.0.0.1:$port MOCK_URL=http://127.0.0.1:$frontier \
    WEIR_DB=$scratch/weir.db timeout 120 node --test build/e2e/openai.mjs || { tail -n 20 "$scratch/weir.out"; exit 1; }
# What was logged must hold no key and, with prompts: features, no prompt.
kill -TERM "$server"; wait "$server"
status=$?
[ "$status" -eq 0 ] || { echo "weir ended with $status"; cat "$scratch/weir.out"; exit 1; }
if grep -aq -e 'secret-key' -e 'unmistakable-prompt' "$scratch"/weir.db* "$scratch/weir.out"; then
    echo "a key or a prompt reached the disk"; exit 1
fi
