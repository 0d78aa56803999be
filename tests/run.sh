#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, as `make check` runs them; counts what passed and failed.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0
# A test that cannot run here says why and ends with 77; CI takes no such
# excuse.
step() { # step NAME COMMAND...: one line, the output only on failure
    local name=$1 log status; shift
    log=$(mktemp)
    timeout "${STEP_SECONDS:-600}" "$@" >"$log" 2>&1
    status=$?
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1)); echo "ok    $name"
    elif [ "$status" -eq 77 ] && [ -z "${CI:-}" ]; then
        skipped=$((skipped + 1)); echo "skip  $name: $(tail -n 1 "$log")"
    else
        failed=$((failed + 1)); echo "FAIL  $name"; tail -n 40 "$log"
    fi
    rm -f "$log"
}
jobs=$(nproc)
for variant in asan clang; do
    step "build $variant" make --no-print-directory -k -j"$jobs" VARIANT=$variant \
        unit-bins "build/$variant/weir"
    for t in tests/unit/test_*.c; do
        t=$(basename "$t" .c)
        step "$variant $t" "build/$variant/$t"
    done
done
step "build release" make --no-print-directory -j"$jobs"
for t in tests/wire/*.sh tests/e2e/*.sh; do
    case $t in */lib.sh) continue ;; esac
    [ -e "$t" ] && step "$t" bash "$t"
done
step "tsan" make --no-print-directory -j"$jobs" tsan
step "fuzz, short" make --no-print-directory -j"$jobs" fuzz SECONDS=5
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
