#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-streams: memory for each of many open streams, through weir serve
# with two workers, as they came and translated, and by https (nginx speaks it
# for the provider), each by a connection of its own and by HTTP/2.
#   STREAMS (default 10000, or what the limit of open files allows: the
#   gateway has two for each, but by HTTP/2 only the client's),
#   TLS_STREAMS (default 2000: https without HTTP/2), SECONDS_EACH, WAYS
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
ulimit -n "$(ulimit -H -n)"
wanted=${STREAMS:-10000}
# at_most N FILES-EACH: what of it the limit of open files allows, in $count.
at_most() {
    local most=$((($(ulimit -n) - 100) / $2))
    count=$1
    [ "$1" -le "$most" ] && return
    echo "$most streams instead of $1: at most $(ulimit -n) files may be open here"
    count=$most
}
# tls PORT HTTP2: nginx before the provider's port; its own is in $port.
tls() {
    local dir=$scratch/tls
    mkdir -p "$dir"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$dir/nginx.conf" <<CONF
daemon off; pid $dir/pid; error_log $dir/error.log; worker_processes 1;
events { worker_connections 19000; }
http {
    access_log off; client_body_temp_path $dir; proxy_temp_path $dir;
    server {
        listen 127.0.0.1:$port ssl $2; ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem;
        http2_max_concurrent_streams 128; keepalive_requests 100000;
        location / { proxy_pass http://127.0.0.1:$1; proxy_buffering off; proxy_read_timeout 300s; }
    }
}
CONF
    nginx -c "$dir/nginx.conf" -p "$dir" >/dev/null 2>&1 &
    started+=($!)
    nginx=$!
    for _ in $(seq 100); do [ -s "$dir/pid" ] && break; sleep 0.05; done
}
bad=0
for way in ${WAYS:-chat messages https http2}; do
    speak=chat host=127.0.0.1 scheme=http ca=
    echo "$way:"
    case $way in
    messages) speak=messages ;;
    https | http2)
        command -v nginx >/dev/null || { echo "no nginx: left out"; continue; }
        scheme=https host=localhost ca=", ca_file: $scratch/tls/cert.pem" ;;
    esac
    case $way in
    http2) at_most "$wanted" 1 ;;
    https) at_most "${TLS_STREAMS:-2000}" 2 ;;
    *) at_most "$wanted" 2 ;;
    esac
    rm -f "$scratch"/*.port
    build/release/streams_bars "$scratch/provider.port" "$scratch/weir.port" "$scratch/weir.pid" "$count" "${SECONDS_EACH:-5}" $speak &
    bench=$!
    started+=("$bench")
    for _ in $(seq 100); do [ -s "$scratch/provider.port" ] && break; sleep 0.05; done
    port=$(cat "$scratch/provider.port")
    case $way in
    https) tls "$port" "" ;;
    http2) tls "$port" http2 ;;
    esac
    cat >"$scratch/weir.yaml" <<YAML
listen: 127.0.0.1:0
workers: 2
pid_file: $scratch/weir.pid
log: {path: $scratch/weir.db, prompts: none, level: warn}
limits: {connections: 20k, upstream_connections: 20k, requests: 20k}
providers:
  up: {dialect: openai, base_url: "$scheme://$host:$port/v1", api_key: none$ca}
models:
  m: {provider: up, name: m, price: {input: 1, output: 1}, context: 200000}
routes:
  auto: {arms: [m]}
YAML
    start weir "$weir" serve --config "$scratch/weir.yaml"
    wait "$bench" || { bad=1; cat "$scratch/weir.out"; }
    stop "$pid"
    [ "$scheme" = http ] || stop "$nginx"
done
exit $bad
