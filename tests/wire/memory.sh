#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Allocations that fail in service: memory.py.  STEP=1 MOST=400 looks at each.
set -eu
make --no-print-directory -C "$(dirname "$0")/../.." build/fail_malloc.so
exec python3 "$(dirname "$0")/memory.py" "${WEIR:-./weir}" "$@"
