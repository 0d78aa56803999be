#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The official SDKs against weir before each upstream dialect, feature by
# feature: prints the matrix, fails on FAIL.
#   ONLY=anthropic/gemini   one pair
cd "$(dirname "$0")/../.." || exit 1
command -v npm >/dev/null || { echo "no npm"; exit 77; }
. tests/e2e/lib.sh
sdks
every_dialect chat responses anthropic genai three
cp tests/e2e/*.mjs build/e2e/
LIKE=$(for d in $dialects; do printf '%s=%s,' "$d" "${like[$d]}"; done) \
    WEIR_URL=http://127.0.0.1:$port MOCK_URL=http://127.0.0.1:$mock timeout 120 node build/e2e/matrix.mjs ||
    { tail -n 20 "$scratch/weir.out"; exit 1; }
