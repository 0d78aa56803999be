# SPDX-License-Identifier: Apache-2.0
# For the benchmarks and the demo: starts programs in a scratch directory,
# waits until they listen, and stops what it started, by process id.
set -u
weir=${WEIR:-./weir}
scratch=$(mktemp -d)
started=()
stop() { # stop PID
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
stop_all() {
    local p
    for p in "${started[@]}"; do stop "$p"; done
    rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 130' INT TERM
fail() { echo "$*" >&2; exit 1; }
# start NAME COMMAND...: a weir command with --port-file; sets $pid and $port
start() {
    local name=$1; shift
    rm -f "$scratch/$name.port"
    "$@" --port-file "$scratch/$name.port" >"$scratch/$name.out" 2>&1 &
    pid=$!
    started+=("$pid")
    for _ in $(seq 3000); do
        [ -s "$scratch/$name.port" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.01
    done
    port=$(cat "$scratch/$name.port" 2>/dev/null)
    [ -n "$port" ] || fail "$name did not start: $(tail -n 5 "$scratch/$name.out")"
}
# value KEY JSON: the first number of that key
value() { sed -n "s/.*\"$1\":\\(-\\{0,1\\}[0-9.][0-9.e+-]*\\).*/\\1/p" <<<"$2" | head -n 1; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
rss() { awk '/^VmRSS/ { r = $2 } /^RssAnon/ { a = $2 } /^RssFile/ { f = $2 } END { printf "%.1f MB (own %.1f, mapped files %.1f)", r / 1024, a / 1024, f / 1024 }' "/proc/$1/status"; }
