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
for client in anthropic; do
    WEIR_CLIENT=$client WEIR_FRAMES=$scratch/$client.jsonl build/release/test_codec_clients || exit 1
    FRAMES=$scratch/$client.jsonl timeout 300 node --test "build/e2e/sdk_frames_$client.mjs" || exit 1
done
