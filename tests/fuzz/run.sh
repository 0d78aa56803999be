#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS: each fuzzer for that long, from the corpus made here and
# kept in build/fuzz/corpus; a finding stays in build/fuzz/found.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-30} failed=0 n=0
mkdir -p build/fuzz/found
for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .c)
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/seeds/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    n=$((n + 1))
    if build/fuzz/"$name" -max_total_time="$seconds" -max_len=65536 \
        -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix=build/fuzz/found/"$name"- "$corpus" $seeds \
        >build/fuzz/"$name".log 2>&1; then
        echo "ok    $name ($seconds s)"
    else
        failed=$((failed + 1)); echo "FAIL  $name"; tail -n 30 build/fuzz/"$name".log
    fi
done
echo "$n fuzzers, $failed with findings"
[ "$failed" -eq 0 ]
