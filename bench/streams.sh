#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-streams: memory for each of many open streams, through weir serve
# with two workers, as they came and translated, and by https (nginx speaks it
# for the provider), each by a connection of its own and by HTTP/2.
#   STREAMS (default 10000, or what the limit of open files allows),
#   TLS_STREAMS (default 2000), SECONDS_EACH, WAYS
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
ulimit -n "$(ulimit -H -n)"
n=${STREAMS:-10000}
most=$((($(ulimit -n) - 100) / 2)) # the gateway holds two sockets a stream
if [ "$n" -gt "$most" ]; then
    echo "$most streams instead of $n: at most $(ulimit -n) files may be open here"
    n=$most
fi
# tls PORT HTTP2: nginx before the provider's port; its own is in $port.
tls() {
    local dir=$scratch/tls
    mkdir -p "$dir"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$dir/nginx.conf" <<CONF
daemon off; pid $dir/pid; error_log $dir/error.log; worker_processes 1;
events { worker_connections 20000; }
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
    speak=chat count=$n host=127.0.0.1 ca=
    case $way in
    messages) speak=messages ;;
    https | http2)
        command -v nginx >/dev/null || { echo "no nginx: $way left out"; continue; }
        count=${TLS_STREAMS:-2000} ;;
    esac
    rm -f "$scratch"/*.port
    echo "$way:"
    build/release/streams_bars "$scratch/provider.port" "$scratch/weir.port" "$scratch/weir.pid" "$count" "${SECONDS_EACH:-5}" $speak &
    bench=$!
    started+=("$bench")
    for _ in $(seq 100); do [ -s "$scratch/provider.port" ] && break; sleep 0.05; done
    port=$(cat "$scratch/provider.port") scheme=http
    case $way in
    https) tls "$port" "" ;;
    http2) tls "$port" http2 ;;
    esac
    [ "$count" = "$n" ] || { scheme=https host=localhost ca=", ca_file: $scratch/tls/cert.pem"; }
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
    [ "$count" = "$n" ] || stop "$nginx"
done
exit $bad
