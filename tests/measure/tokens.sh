#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the table of docs/tokens.md: the token estimate's error against real
# tokenizers.  Needs node and npm; fetches the tokenizers into build/measure.
set -eu
cd "$(dirname "$0")/../.."
out=build/measure
mkdir -p "$out"
make --no-print-directory build/release/libweir.a >&2
gcc -std=c11 -D_GNU_SOURCE -O2 -flto=auto -I. -o "$out/tokens" \
    tests/measure/tokens.c build/release/libweir.a \
    $(pkg-config --libs libutf8proc libcjson) -lm
npm install --silent --no-audit --no-fund --prefix "$out" \
    gpt-tokenizer@4.0.0 @anthropic-ai/tokenizer@0.0.4 >&2
cp tests/measure/tokens.mjs "$out/"
node "$out/tokens.mjs" "$out/tokens" "$@"
