#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make bench-memory: resident memory of weir over a long run of 1 kB requests,
# one worker, classification and log on.  REQUESTS (default 1,000,000).
cd "$(dirname "$0")/.." || exit 1
. bench/common.sh
. bench/servers.sh
requests=${REQUESTS:-1000000}
start weir "$weir" serve --config "$scratch/weir.yaml"
weir_pid=$pid
done=0 first="" last=""
echo "classifier $(du -m "$scratch/made.weir" | cut -f1) MB; at the start $(rss "$weir_pid")"
for share in 1 5 10; do
    goal=$((requests * share / 10))
    "$weir" bench load --url "http://127.0.0.1:$port/v1/chat/completions" --connections 32 --warmup 0 --seconds 3000 \
        --requests $((goal - done)) --seed "$share" --json >"$scratch/load" || fail "load"
    case $(cat "$scratch/load") in *'"errors":{}'*) ;; *) fail "$(cat "$scratch/load")" ;; esac
    done=$goal
    printf '%9d requests: %s\n' "$done" "$(rss "$weir_pid")"
    last=$(rss_mb "$weir_pid")
    [ -n "$first" ] || first=$last
done
sleep 1
rows=$(sqlite3 -readonly "$scratch/weir.db" 'SELECT count(*) FROM requests')
echo "$rows rows in the log"
awk "BEGIN { exit !($last <= 25 && $last <= $first * 1.05) }" && { echo "pass  <= 25 MB and flat within 5 %"; exit 0; }
echo "FAIL  wanted <= 25 MB and within 5 % of the first tenth's $first MB, found $last MB"
exit 1
