#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ten seconds of the storm of `make chaos`, with another seed each day.
set -eu
cd "$(dirname "$0")/../.."
make --no-print-directory build/disk_fault.so
exec python3 tests/chaos/chaos.py ./weir "$PWD/build/disk_fault.so" 10 \
    "${SEED:-$(date +%j)}"
