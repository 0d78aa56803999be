# SPDX-License-Identifier: Apache-2.0
# For end-to-end tests: starts programs on free ports, waits until they
# listen, and stops what it started, by process id.
set -u
weir=${WEIR:-./weir}
scratch=$(mktemp -d)
started=()
stop_all() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${started[@]}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$scratch"
}
trap stop_all EXIT
# start NAME COMMAND...: runs it with --port-file; its port is in $port
start() {
    local name=$1; shift
    "$@" --port-file "$scratch/$name.port" >"$scratch/$name.out" 2>&1 &
    started+=($!)
    pid=$!
    for _ in $(seq 100); do
        [ -s "$scratch/$name.port" ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    port=$(cat "$scratch/$name.port" 2>/dev/null)
    [ -n "$port" ] || { echo "$name did not start:"; cat "$scratch/$name.out"; exit 1; }
}
# The SDKs, installed once below build/.
sdks() {
    local dir=build/e2e
    mkdir -p "$dir"
    if ! cmp -s tests/e2e/package.json "$dir/package.json" || [ ! -d "$dir/node_modules" ]; then
        cp tests/e2e/package.json "$dir/"
        (cd "$dir" && npm install --no-package-lock --no-audit --no-fund --silent) ||
            { echo "npm cannot install the official SDKs"; exit 77; }
    fi
}
