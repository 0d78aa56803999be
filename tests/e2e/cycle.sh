#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server without a classifier teaches itself one under load, and a second one
# when the world turns around; a bad one, put in place by hand, is rolled back
# to that: no request is dropped, and the journal says why.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
start mock "$weir" mock --port 0
cat >"$scratch/weir.yaml" <<YAML
listen: 127.0.0.1:0
workers: 1
classifier: $scratch/f.weir
log: {path: $scratch/weir.db, prompts: features, level: error}
providers:
  mock: {dialect: openai, base_url: "http://127.0.0.1:$port/v1", api_key: none}
models:
  cheap: {provider: mock, name: cheap, price: {input: 0.1, output: 0.4}}
  dear: {provider: mock, name: dear, price: {input: 5, output: 20}}
routes:
  auto: {arms: [cheap, dear], reference: dear, quality: 0.8, unproven: floor, out_of_domain: floor, explore: 0.5}
retrain: {min_new_labels: 600, look: 200ms, shadow_requests: 50, canary_share: 0.3, canary_requests: 40, watch_requests: 300}
YAML
start weir "$weir" serve --config "$scratch/weir.yaml"
python3 tests/e2e/cycle.py "$port" "$scratch/f.weir" "$weir" || { cat "$scratch/weir.out"; exit 1; }
kill -TERM "$pid"; wait "$pid" || { echo "the server did not end well"; exit 1; }
[ ! -s "$scratch/weir.out" ] || grep -q "ready on" "$scratch/weir.out"
