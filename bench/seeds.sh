#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make demo-seeds: the demo SEEDS times [20], each with the questions dealt
# anew; prints the share of the reference's quality that was kept on requests
# that nobody had seen, and in how many runs it was the promised one.
cd "$(dirname "$0")/.." || exit 1
seeds=${SEEDS:-20} promised=95 kept_before=0 kept_after=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
share() { sed -n "s/^ *$1 the log: *kept \\([0-9.]*\\) %.*/\\1/p" "$out"; }
holds() { awk -v x="$1" -v p="$promised" 'BEGIN { print (x >= p) }'; }
printf 'seed  before   after\n'
for ((seed = 1; seed <= seeds; seed++)); do
    SEED=$seed bench/demo.sh >"$out" 2>&1 || { tail -n 5 "$out"; exit 1; }
    before=$(share Before) after=$(share After)
    [ -n "$before" ] && [ -n "$after" ] || { echo "seed $seed: no figures in the demo's last part"; exit 1; }
    printf '%4d  %5.1f %%  %5.1f %%\n' "$seed" "$before" "$after"
    kept_before=$((kept_before + $(holds "$before")))
    kept_after=$((kept_after + $(holds "$after")))
done
printf 'at least %d %% kept: %d and %d of %d\n' "$promised" "$kept_before" "$kept_after" "$seeds"
