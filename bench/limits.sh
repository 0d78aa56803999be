#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-limits: what stays when there is more of it.  Added latency at
# RATE a second, with nginx as a plain reverse proxy in the same rounds, where
# the processes are on one core and where they are on two; processor time per
# request with one and with two workers; memory of IDLE keep-alive
# connections; an overload of three times what can be served.
# Latencies are medians of rounds in which the ways take turns, a round's being
# of some thousand requests; overload is measured OVERLOADS times beside the
# peak.  Some two minutes.
#   SECONDS_EACH, ROUNDS, RATE, IDLE, CONNECTIONS, OVERLOADS, PAIRS
#   BEFORE: another weir program, which takes turns with this one
#   BUSY: what the way "busy" has for limits.busy_poll
#   ONLY=latency: the first part alone
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
each=${SECONDS_EACH:-2} rounds=${ROUNDS:-5} rate=${RATE:-5000} idle=${IDLE:-10000} conns=${CONNECTIONS:-32} overloads=${OVERLOADS:-3} pairs=${PAIRS:-7} busy=${BUSY:-200us}
. bench/servers.sh
upstream_pid=$pid
proxy="  upstream up { server 127.0.0.1:$upstream; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }"
nginx_start quiet "  access_log off;
$proxy"
quiet=$port quiet_pid=$pid
bad=0
declare -A added
verdict() { # verdict NAME VALUE OP BOUND
    if awk "BEGIN { exit !($2 $3 $4) }"; then echo "pass  $1: $2 (wanted $3 $4)"; else echo "FAIL  $1: $2 (wanted $3 $4)"; bad=1; fi
}
weir_start() { # weir_start WORKERS [LIMITS]
    sed "s/^workers: .*/workers: $1/" "$scratch/weir.yaml" >"$scratch/w$1.yaml"
    [ -z "${2:-}" ] || echo "limits: {$2}" >>"$scratch/w$1.yaml"
    start "weir$1" "$weir" serve --config "$scratch/w$1.yaml"
}
load() { # load PORT OPTIONS...: JSON
    local to=$1; shift
    "$weir" bench load --url "http://127.0.0.1:$to/v1/chat/completions" --connections "$conns" --json "$@" || fail "load"
}

latency() { echo "${1#*latency_us}"; } # of the answered

# ---- added latency ----
weir_start 1
weir_pid=$pid weir_port=$port
ways=("direct $upstream" "nginx $quiet" "weir $weir_port") before_pid=
sed "s|weir\.db|busy.db|" "$scratch/w1.yaml" >"$scratch/busy.yaml"
echo "limits: {busy_poll: $busy}" >>"$scratch/busy.yaml"
start busy "$weir" serve --config "$scratch/busy.yaml"
busy_pid=$pid
ways+=("busy $port")
if [ -n "${BEFORE:-}" ]; then
    sed "s|weir\.db|before.db|" "$scratch/w1.yaml" >"$scratch/before.yaml"
    start before "$BEFORE" serve --config "$scratch/before.yaml"
    before_pid=$pid
    ways+=("before $port")
fi
# Where this program runs, and the servers: 0 is one core for all.
place() { # place CORES
    local p
    for p in $upstream_pid $quiet_pid $weir_pid $busy_pid $before_pid; do
        for p in $p $(pgrep -P "$p"); do taskset -a -p -c "$1" "$p" >/dev/null; done
    done
}
# round CORES RATE PORT: JSON, of a round in which this machine had its cores
round() {
    local before tries out
    for tries in 1 2 3 4; do
        before=$(stolen)
        out=$(taskset -c "$1" "$weir" bench load --url "http://127.0.0.1:$3/v1/chat/completions" \
            --connections "$conns" --rate "$2" --seconds "$each" --warmup 0.2 --json) || return 1
        [ $(($(stolen) - before)) -le 1 ] && break
        echo >>"$scratch/again"
    done
    echo "$out"
}
stolen() { awk '/^cpu / { print $9 }' /proc/stat; } # hundredths of a second

for cores in 0 0-1; do
    place "$cores"
    turns=$rounds
    [ "$cores" = 0 ] && turns=$(((rounds + 1) / 2)) # no bar depends on it
    for r in $(seq 1000 $((rate - 1000)) "$rate"); do
        rm -f "$scratch"/p50.* "$scratch"/p99.*
        for _ in $(seq "$turns"); do
            for way in "${ways[@]}"; do
                out=$(round "$cores" "$r" "${way#* }") || fail "$way: no answer"
                for q in p50 p99; do value "$q" "$(latency "$out")" >>"$scratch/$q.${way% *}"; done
            done
        done
        printf 'cores %-4s %5d/s ' "$cores" "$r"
        for way in "${ways[@]%% *}"; do
            printf '  %s p50 %5.0f (%.0f to %.0f) p99 %6.0f' "$way" "$(median <"$scratch/p50.$way")" \
                "$(sort -g "$scratch/p50.$way" | head -n 1)" "$(sort -g "$scratch/p50.$way" | tail -n 1)" "$(median <"$scratch/p99.$way")"
        done
        echo "  us"
        for q in p50 p99; do
            for way in weir busy; do added[$q$way$r]=$(calc %.0f "$(median <"$scratch/$q.$way") - $(median <"$scratch/$q.direct")"); done
        done
    done
done
echo "rounds run again, as the host was busy: $(wc -l 2>/dev/null <"$scratch/again" || echo 0)"
for way in weir busy; do
    with=
    [ "$way" = weir ] || with=", busy_poll $busy"
    verdict "added median at 1000/s, us$with" "${added[p50${way}1000]}" "<=" 80
    verdict "added median at $rate/s, us$with" "${added[p50$way$rate]}" "<=" 60
    verdict "added 99th percentile at $rate/s, us$with" "${added[p99$way$rate]}" "<=" 500
done

[ "${ONLY:-}" = latency ] && exit $bad
stop "$busy_pid"
[ -z "$before_pid" ] || stop "$before_pid"

# ---- processor time per request, one worker and two ----
ticks() { awk '{ t += $14 + $15 } END { print t }' /proc/"$1"/task/*/stat; }
spent() { # spent PID PORT: microseconds a request, all threads
    local before after n=30000
    load "$2" --warmup 0 --seconds 100 --requests 3000 >/dev/null
    before=$(ticks "$1")
    load "$2" --warmup 0 --seconds 100 --requests $n >/dev/null
    after=$(ticks "$1")
    calc %.1f "($after - $before) * 1e6 / $(getconf CLK_TCK) / $n"
}
weir_start 2
two_pid=$pid two_port=$port
for _ in $(seq "$pairs"); do # one behind the other: a machine's moods last longer
    one=$(spent "$weir_pid" "$weir_port") two=$(spent "$two_pid" "$two_port")
    echo "$one $two $(calc %.3f "$two / $one")" >>"$scratch/pairs"
done
middle() { awk "{ print $2 }" "$scratch/$1" | median; } # middle FILE EXPRESSION
echo
printf 'processor time per request, medians of %d: one worker %.1f us, two workers %.1f us\n' "$pairs" "$(middle pairs '$1')" "$(middle pairs '$2')"
verdict "processor time, two workers by one, median of pairs" "$(calc %.2f "$(middle pairs '$3')")" "<=" 1.05
stop "$two_pid"

# ---- idle connections ----
stop "$weir_pid"
weir_start 1 "connections: $((idle + 100)), idle_time: 10m"
weir_pid=$pid weir_port=$port
ulimit -n "$(ulimit -Hn)" 2>/dev/null
load "$weir_port" --warmup 0 --seconds 100 --requests 3000 >/dev/null
before=$(rss_mb "$weir_pid")
coproc keeper { python3 bench/idle.py "$weir_port" "$idle" 2>&1; }
started+=("$keeper_PID")
read -r -u "${keeper[0]}" said
[ "$said" = ready ] || fail "idle connections: $said"
echo
echo "$idle idle connections, each has had one answer: $(rss "$weir_pid"); before $before MB"
verdict "resident memory with $idle idle connections, MB" "$(rss_mb "$weir_pid")" "<=" 60
stop "$keeper_PID"
stop "$weir_pid"

# ---- overload: a provider that takes 20 ms, 64 requests at once ----
start mock "$weir" mock --port 0 --latency-ms 20
sed -i "s|base_url: .*/v1\"|base_url: \"http://127.0.0.1:$port/v1\"|" "$scratch/weir.yaml"
weir_start 1 "requests: 64, queue: 32" # half, as by default
weir_pid=$pid weir_port=$port
for _ in $(seq "$overloads"); do
    peak=$(conns=64 load "$weir_port" --seconds 2 --warmup 0.5)
    rate=$(value rate "$peak") p99=$(value p99 "$(latency "$peak")")
    over=$(conns=1000 load "$weir_port" --seconds 2 --warmup 0.5 --rate "$(calc %.0f "3 * $rate")")
    good=$(value rate "$over") over99=$(value p99 "$(latency "$over")")
    refused99=$(value p99 "${over%latency_us*}")
    case $over in *'"errors":{"status 503":'*) ;; *) fail "overload: $over" ;; esac
    { echo "$rate $p99 $good $over99 $refused99 $(value refused "$over")"; } >>"$scratch/overloads"
done
echo
printf 'medians of %d: capacity %.0f/s, p99 %.1f ms; at three times that %.0f/s answered, p99 %.1f ms; %.0f refused with 503, p99 %.1f ms\n' \
    "$overloads" "$(middle overloads '$1')" "$(middle overloads '$2 / 1000')" "$(middle overloads '$3')" "$(middle overloads '$4 / 1000')" "$(middle overloads '$6')" "$(middle overloads '$5 / 1000')"
verdict "goodput of the peak's, in overload" "$(calc %.2f "$(middle overloads '$3 / $1')")" ">=" 0.80
verdict "99th percentile of the answered by the peak's" "$(calc %.2f "$(middle overloads '$4 / $2')")" "<=" 2
stop "$weir_pid"
exit $bad
