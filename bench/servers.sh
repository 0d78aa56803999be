# SPDX-License-Identifier: Apache-2.0
# Behind bench/common.sh: an upstream that costs next to nothing, and a
# configuration of weir with eight arms before it.
for tool in nginx sqlite3; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || fail "$tool is missing: tests/lint/deps.sh bench installs it"
done
nginx=$(command -v nginx || echo /usr/sbin/nginx)

answer='{"id":"chatcmpl-1","object":"chat.completion","created":1750000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"The water level of this answer is held by a low wall, and each small stream finds its way down where it passes over."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":24,"total_tokens":204}}'
# is_ours PORT RUN: what listens there is the nginx of that run.  One that
# cannot bind tries again for seconds, and meanwhile another program's port
# would do for it.
is_ours() {
    local line
    exec 4<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET / HTTP/1.0\r\n\r\n' >&4
    while read -r -t 2 line <&4; do
        [ "${line%$'\r'}" = "x-run: $2" ] && { exec 4>&-; return 0; }
    done
    exec 4>&-
    return 1
}
# nginx_start NAME HTTP-BLOCK: on a free port; sets $port
nginx_start() {
    local name=$1 block=$2 dir=$scratch/$1 try
    mkdir -p "$dir"
    for try in $(seq 50); do
        port=$((20000 + RANDOM % 30000))
        cat >"$dir/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $dir/pid;
error_log $dir/error.log crit;
events { worker_connections 2048; }
http {
  client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
  uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
  keepalive_requests 100000000; keepalive_timeout 300s; tcp_nodelay on;
  client_body_buffer_size 64k; add_header x-run $name-$$-$try always;
${block//@PORT@/$port}
}
CONF
        "$nginx" -p "$dir" -c "$dir/nginx.conf" 2>"$dir/start.log" &
        pid=$!
        for _ in $(seq 40); do
            kill -0 "$pid" 2>/dev/null || break
            is_ours "$port" "$name-$$-$try" 2>/dev/null && { started+=("$pid"); return; }
            sleep 0.05
        done
        kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null
    done
    fail "nginx does not start: $(cat "$dir/start.log")"
}
nginx_start upstream "  access_log off;
  server { listen 127.0.0.1:@PORT@; location / { default_type application/json; return 200 '$answer'; } }"
upstream=$port
# One worker, classification and log on.  FILLED: share of the 2^18 buckets
# that the classifier has a row for.
"$weir" bench decision --runs 100 --prompts 10 --filled "${FILLED:-0.2}" --save "$scratch/made.weir" >/dev/null || fail "no classifier"
{
    cat <<YAML
listen: 127.0.0.1:0
workers: 1
classifier: $scratch/made.weir
log: {path: $scratch/weir.db, prompts: features, level: warn}
providers:
  up: {dialect: openai, base_url: "http://127.0.0.1:$upstream/v1", api_key: none}
models:
YAML
    for i in 0 1 2 3 4 5 6 7; do
        echo "  arm$i: {provider: up, name: m$i, price: {input: 0.$((i + 1)), output: $((i + 1))}, context: 200000}"
    done
    echo "routes:"
    echo "  auto: {arms: [arm0, arm1, arm2, arm3, arm4, arm5, arm6, arm7], policy: cheapest_adequate, quality: 0.9, reference: arm7, unproven: floor}"
} >"$scratch/weir.yaml"
