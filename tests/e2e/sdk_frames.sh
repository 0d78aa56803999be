#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The official SDKs read what the codecs write for their clients: every
# recorded answer of every dialect, whole and streamed.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
[ -r ../shared/recordings/providers.jsonl.gz ] || { echo "no recordings: skipped"; exit 0; }
sdks
make --no-print-directory -s VARIANT=release build/release/test_codec_clients || exit 1
cp tests/e2e/*.mjs build/e2e/
read_by() { # read_by CLIENT: its frames, then its SDK
    WEIR_CLIENT=$1 WEIR_FRAMES=$scratch/$1.jsonl build/release/test_codec_clients >"$scratch/$1.out" 2>&1 &&
        FRAMES=$scratch/$1.jsonl timeout 200 node --test "build/e2e/sdk_frames_$1.mjs" >>"$scratch/$1.out" 2>&1
}
bad=0 readers=()
clients=(openai responses anthropic gemini)
for client in "${clients[@]}"; do read_by "$client" & readers+=($!); done
for i in "${!clients[@]}"; do
    if wait "${readers[$i]}"; then
        echo "ok    ${clients[$i]}: $(grep -o 'the SDK reads [0-9]* answers' "$scratch/${clients[$i]}.out" | head -n 1)"
    else
        echo "FAIL  ${clients[$i]}"; tail -n 40 "$scratch/${clients[$i]}.out"; bad=1
    fi
done
exit $bad
