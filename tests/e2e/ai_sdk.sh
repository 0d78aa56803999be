#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Vercel's AI SDK by five of its providers against weir before each upstream
# dialect: ai_sdk.mjs.
cd "$(dirname "$0")/../.." || exit 1
command -v npm >/dev/null || { echo "no npm"; exit 77; }
. tests/e2e/lib.sh
sdks
every_dialect m
cp tests/e2e/*.mjs build/e2e/
AI_SDK_LOG_WARNINGS=false WEIR_URL=http://127.0.0.1:$port timeout 120 node build/e2e/ai_sdk.mjs ||
    { tail -n 20 "$scratch/weir.out"; exit 1; }
