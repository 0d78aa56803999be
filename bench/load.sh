#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-load: what weir adds to a request, beside nginx as a plain
# reverse proxy, before the same upstream, in the same run.  One worker each,
# everything on loopback.  Every figure is the median of ROUNDS rounds in
# which the ways take turns, so that a machine's moods meet all of them.
#   SECONDS_EACH, ROUNDS, RATE (open loop), CONNECTIONS
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
each=${SECONDS_EACH:-6} rounds=${ROUNDS:-3} rate=${RATE:-1000} conns=${CONNECTIONS:-32}
command -v wrk >/dev/null || fail "wrk is missing: tests/lint/deps.sh bench installs it"
. bench/servers.sh
proxy="  upstream up { server 127.0.0.1:$upstream; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }"
nginx_start quiet "  access_log off;
$proxy"
quiet=$port
nginx_start logging "  access_log $scratch/access.log;
$proxy"
logging=$port

# Start to first answer, with bash's own sockets so that no client's start
# is counted.
first_answer() {
    local t0=$EPOCHREALTIME body='{"model":"auto","messages":[{"role":"user","content":"Hello"}]}' line
    "$weir" serve --config "$scratch/weir.yaml" --port-file "$scratch/first.port" >"$scratch/first.out" 2>&1 &
    local p=$!
    started+=("$p")
    for _ in $(seq 5000); do [ -s "$scratch/first.port" ] && break; sleep 0.001; done
    exec 3<>"/dev/tcp/127.0.0.1/$(cat "$scratch/first.port")" || fail "weir did not start: $(cat "$scratch/first.out")"
    printf 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s' ${#body} "$body" >&3
    read -r line <&3
    local t1=$EPOCHREALTIME
    exec 3>&-
    case $line in *" 200 "*) ;; *) fail "first request: $line" ;; esac
    stop "$p"
    rm -f "$scratch/first.port"
    awk "BEGIN { printf \"%.1f\", ($t1 - $t0) * 1000 }"
}
starts=$(for _ in 1 2 3 4 5; do first_answer; echo; done | median)
start weir "$weir" serve --config "$scratch/weir.yaml"
weir_pid=$pid
declare -A url=([direct]=127.0.0.1:$upstream [nginx]=127.0.0.1:$quiet [nginx-log]=127.0.0.1:$logging [weir]=127.0.0.1:$port)
ways="direct nginx nginx-log weir"

# ---- 1 kB requests for wrk, a thousand different ones ----
cat >"$scratch/post.lua" <<'LUA'
local requests, i = {}, 0
local words = {"water", "price", "theorem", "letter", "integral", "invoice", "summarise", "translate", "function",
  "customer", "review", "the", "of", "and", "where", "each", "stream", "model", "level", "answer"}
function init()
  wrk.headers["content-type"] = "application/json"
  for n = 1, 1000 do
    math.randomseed(n)
    local t, size = {}, 0
    while size < 1024 do
      local w = words[math.random(#words)] .. (math.random(8) == 1 and tostring(math.random(9999)) or "")
      t[#t + 1] = w
      size = size + #w + 1
    end
    requests[n] = wrk.format("POST", "/v1/chat/completions", nil,
      '{"model":"auto","messages":[{"role":"user","content":"' .. table.concat(t, " "):sub(1, 1024) .. '"}]}')
  end
end
function request()
  i = i % 1000 + 1
  return requests[i]
end
LUA
closed() { # requests per second
    local out
    out=$(wrk -t1 -c"$conns" -d"${each}s" -s "$scratch/post.lua" "http://${url[$1]}") || fail "wrk: $out"
    grep -q 'Non-2xx' <<<"$out" && fail "$1: $out"
    sed -n 's/^Requests\/sec: *//p' <<<"$out"
}
open() { "$weir" bench load --url "http://${url[$1]}/v1/chat/completions" --rate "$rate" --seconds "$each" --connections "$conns" --json || fail "$1: open loop"; }
for way in $ways; do each=1 closed "$way" >/dev/null; done
for round in $(seq "$rounds"); do
    for way in $ways; do
        closed "$way" >>"$scratch/closed.$way"
        out=$(open "$way")
        case $out in *'"errors":{}'*) ;; *) fail "$way: $out" ;; esac
        for q in p50 p99; do value "$q" "$out" >>"$scratch/$q.$way"; done
    done
done

echo "1 kB requests, $conns connections, $(nproc) cores for all of it, medians of $rounds rounds of $each s"
echo
printf '%-28s %12s %10s %14s %12s %12s\n' "" "requests/s" "x nginx" "p50 at $rate/s" added "p99"
base=$(median <"$scratch/closed.nginx") direct=$(median <"$scratch/p50.direct")
declare -A title=([direct]="upstream, direct" [nginx]="nginx, no access log" [nginx-log]="nginx, access log" [weir]="weir, classifying, logging")
for way in $ways; do
    r=$(median <"$scratch/closed.$way") m=$(median <"$scratch/p50.$way") p99=$(median <"$scratch/p99.$way")
    printf '%-28s %12.0f %10.2f %11.0f us %9.0f us %9.0f us\n' "${title[$way]}" "$r" "$(calc %g "$r / $base")" "$m" "$(calc %g "$m - $direct")" "$p99"
done
requests=$(sqlite3 -readonly "$scratch/weir.db" 'SELECT count(*) FROM requests' 2>/dev/null)
echo
echo "weir: start to first answer ${starts} ms; after ${requests:-all} requests resident $(rss "$weir_pid"); classifier $(du -m "$scratch/made.weir" | cut -f1) MB"
verdict() { # verdict NAME VALUE OP BOUND
    if awk "BEGIN { exit !($2 $3 $4) }"; then echo "pass  $1: $2 (wanted $3 $4)"; else echo "FAIL  $1: $2 (wanted $3 $4)"; bad=1; fi
}
bad=0
verdict "requests/s by nginx's without access log" "$(calc %.3f "$(median <"$scratch/closed.weir") / $base")" ">=" 0.35
verdict "added median latency at $rate/s, us" "$(calc %.0f "$(median <"$scratch/p50.weir") - $direct")" "<=" 80
verdict "resident memory, MB" "$(rss_mb "$weir_pid")" "<=" 25
verdict "start to first answer, ms" "$starts" "<=" 100
exit $bad
