#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-streams: memory for each of many open streams, through weir serve
# with two workers, as they came and translated.
#   STREAMS (default 10000, or what the limit of open files allows), SECONDS_EACH
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
ulimit -n "$(ulimit -H -n)"
n=${STREAMS:-10000}
most=$((($(ulimit -n) - 100) / 2)) # the gateway holds two sockets a stream
if [ "$n" -gt "$most" ]; then
    echo "$most streams instead of $n: at most $(ulimit -n) files may be open here"
    n=$most
fi
bad=0
for way in chat messages; do
    rm -f "$scratch"/*.port
    build/release/streams_bars "$scratch/provider.port" "$scratch/weir.port" "$scratch/weir.pid" "$n" "${SECONDS_EACH:-5}" $way &
    bench=$!
    started+=("$bench")
    for _ in $(seq 100); do [ -s "$scratch/provider.port" ] && break; sleep 0.05; done
    cat >"$scratch/weir.yaml" <<YAML
listen: 127.0.0.1:0
workers: 2
pid_file: $scratch/weir.pid
log: {path: $scratch/weir.db, prompts: none, level: warn}
limits: {connections: 20k, upstream_connections: 20k, requests: 20k}
providers:
  up: {dialect: openai, base_url: "http://127.0.0.1:$(cat "$scratch/provider.port")/v1", api_key: none}
models:
  m: {provider: up, name: m, price: {input: 1, output: 1}, context: 200000}
routes:
  auto: {arms: [m]}
YAML
    start weir "$weir" serve --config "$scratch/weir.yaml"
    wait "$bench" || { bad=1; cat "$scratch/weir.out"; }
    stop "$pid"
done
exit $bad
