#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Python's official SDKs against weir before each upstream dialect:
# python_sdks.py.  They are installed once below build/.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh
py=build/e2e/python
wanted=tests/e2e/requirements.txt
if ! cmp -s "$wanted" "$py/requirements.txt"; then
    rm -rf "$py"
    mkdir -p build/e2e
    python3 -m venv "$py" && "$py/bin/pip" install -q --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$py/" || { echo "pip cannot install the official SDKs"; exit 77; }
fi
every_dialect m
WEIR=$weir WEIR_URL=http://127.0.0.1:$port timeout 120 "$py/bin/python" -W ignore tests/e2e/python_sdks.py ||
    { tail -n 20 "$scratch/weir.out"; exit 1; }
