#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make profile: where weir's time and memory go, one worker, classification
# and log on, 1 kB requests, eight arms.  Processor time and resident memory
# of a run of REQUESTS; microseconds between system calls at RATE a second,
# where perf may trace them; instructions of a run of TRACED below callgrind, by
# what calls what and by thread; the parts of the start.
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
. bench/servers.sh
requests=${REQUESTS:-60000} traced=${TRACED:-2000} conns=${CONNECTIONS:-32} rate=${RATE:-5000}
command -v valgrind >/dev/null || fail "valgrind is missing"
load() { # load PORT REQUESTS SEED CONNECTIONS
    "$weir" bench load --url "http://127.0.0.1:$1/v1/chat/completions" --connections "$4" --warmup 0 --seconds 3000 \
        --requests "$2" --seed "$3" --json >"$scratch/load" || fail "load"
    case $(cat "$scratch/load") in *'"errors":{}'*) ;; *) fail "$(cat "$scratch/load")" ;; esac
}

# ---- processor time: user and system ticks of each thread ----
ticks() { cat /proc/"$1"/task/*/stat | awk '{ print NR, $14, $15 }'; }
per_request() { # per_request BEFORE AFTER N: microseconds
    paste <(echo "$1") <(echo "$2") | awk -v n="$3" -v hz="$(getconf CLK_TCK)" '
        { name = NR == 1 ? "main" : NR == 2 ? "log to disk" : NR == 3 ? "log writer" : "worker " NR - 3
          printf "  %-12s user %6.1f   system %6.1f\n", name, ($5 - $2) * 1e6 / hz / n, ($6 - $3) * 1e6 / hz / n }'
}
owners() { # resident kB by owner
    awk '/^[0-9a-f]+-/ { owner = $6 ~ /\.so/ ? "libraries" : $6 ~ /made\.weir/ ? "classifier" : $6 ~ /weir$/ ? "program" : $6 ~ /stack/ ? "stack" : $6 ~ /weir\.db/ ? "log index" : "heap" }
         /^Rss/ { kb[owner] += $2 } END { for (o in kb) printf "  %-12s %6d kB\n", o, kb[o] }' "/proc/$1/smaps" | sort -k2,2nr
}
start weir "$weir" serve --config "$scratch/weir.yaml"
weir_pid=$pid weir_port=$port
echo "resident before the first request: $(rss "$weir_pid")"
owners "$weir_pid"
load "$weir_port" $((requests / 10)) 1 "$conns"
before=$(ticks "$weir_pid")
load "$weir_port" "$requests" 2 "$conns"
after=$(ticks "$weir_pid")
echo
echo "processor time per request, microseconds ($requests requests, $conns connections, $(nproc) cores for all of it)"
per_request "$before" "$after" "$requests"
echo
echo "resident after $((requests + requests / 10)) requests: $(rss "$weir_pid")"
owners "$weir_pid"
if command -v strace >/dev/null; then
    strace -f -c -p "$weir_pid" -o "$scratch/calls" 2>/dev/null &
    tracer=$!
    sleep 0.5
    load "$weir_port" 4000 3 "$conns"
    kill -INT "$tracer"
    wait "$tracer"
    echo
    echo "system calls per request"
    awk '$4 ~ /^[0-9]+$/ && $4 >= 200 && $NF != "total" { printf "  %-12s %5.2f\n", $NF, $4 / 4000 }' "$scratch/calls"
fi
# ---- microseconds, by what lies between two system calls ----
if perf record -q -e raw_syscalls:sys_enter -o "$scratch/perf" true 2>/dev/null; then
    worker=$(grep -l '^worker-1$' /proc/"$weir_pid"/task/*/comm | cut -d/ -f5)
    "$weir" bench load --url "http://127.0.0.1:$weir_port/v1/chat/completions" --connections "$conns" \
        --rate "$rate" --seconds 4 --warmup 0.5 --json >"$scratch/load" &
    loader=$!
    sleep 1.5
    perf record -q -e raw_syscalls:sys_enter,raw_syscalls:sys_exit -t "$worker" -o "$scratch/perf" -- sleep 2 2>/dev/null
    wait "$loader"
    echo
    echo "the worker's microseconds at $rate requests/s"
    perf script -i "$scratch/perf" --ns -F time,event,trace 2>/dev/null | python3 bench/phases.py
fi
stop "$weir_pid"

# ---- instructions ----
valgrind -q --tool=callgrind --instr-atstart=no --separate-threads=yes --callgrind-out-file="$scratch/cg" \
    "$weir" serve --config "$scratch/weir.yaml" --port-file "$scratch/cg.port" >"$scratch/cg.out" 2>&1 &
traced_pid=$!
started+=("$traced_pid")
for _ in $(seq 600); do [ -s "$scratch/cg.port" ] && break; sleep 0.1; done
cg_port=$(cat "$scratch/cg.port") || fail "$(cat "$scratch/cg.out")"
load "$cg_port" 300 1 8
callgrind_control -i on "$traced_pid" >/dev/null 2>&1
load "$cg_port" "$traced" 2 8
callgrind_control -i off "$traced_pid" >/dev/null 2>&1
stop "$traced_pid"
echo
echo "instructions per request ($traced requests, 8 connections; a part holds what it calls)"
for thread in "worker 04" "writer 03"; do
    file=$scratch/cg-${thread#* }
    awk -v n="$traced" -v t="${thread% *}" '/^totals:/ { printf "  %-34s %8d\n", t, $2 / n }' "$file"
    callgrind_annotate --inclusive=yes --auto=no --threshold=99.9 "$file" 2>/dev/null | awk -v n="$traced" '
        BEGIN { k = split("conn_advance ask_read judge_decide features_extract words_add weights_predict upstream_start plain_take chat_answer_whole chat_write_row outlog_db_insert outlog_db_commit sqlite3VdbeExec", want, " ") }
        { gsub(",", "", $1); f = $0; sub(/^.*:/, "", f); sub(/[ .].*$/, "", f)
          for (i = 1; i <= k; i++) if (f == want[i] && $1 + 0 > best[f]) best[f] = $1 + 0 }
        END { for (i = 1; i <= k; i++) if (best[want[i]]) printf "    %-32s %8d\n", want[i], best[want[i]] / n }'
done

# ---- the start ----
valgrind -q --tool=callgrind --callgrind-out-file="$scratch/start" "$weir" check --config "$scratch/weir.yaml" >/dev/null 2>&1
echo
echo "instructions of weir check, thousands (the checksum without the processor's own SHA-256, which callgrind lacks)"
awk '/^totals:/ { printf "  %-34s %8d\n", "all", $2 / 1000 }' "$scratch/start"
callgrind_annotate --inclusive=yes --auto=no "$scratch/start" 2>/dev/null | awk '
    BEGIN { k = split("_dl_start classifier_open checksum weights_check settings_load read_catalogue", want, " ") }
    { gsub(",", "", $1); f = $0; sub(/^.*:/, "", f); sub(/[ .].*$/, "", f)
      for (i = 1; i <= k; i++) if (f == want[i] && $1 + 0 > best[f]) best[f] = $1 + 0 }
    END { for (i = 1; i <= k; i++) if (best[want[i]]) printf "    %-32s %8d\n", want[i], best[want[i]] / 1000 }'
times=$(for _ in 1 2 3 4 5 6 7; do
    t0=$EPOCHREALTIME; "$weir" check --config "$scratch/weir.yaml" >/dev/null; t1=$EPOCHREALTIME
    calc '%.1f' "($t1 - $t0) * 1000"; echo
done | median)
echo "weir check: $times ms (median of 7)"
