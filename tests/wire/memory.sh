#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Allocations that fail in service: memory.py, and while streams over https
# run: memory_tls.py.  STEP=1 MOST=400 looks at each.
set -eu
make --no-print-directory -C "$(dirname "$0")/../.." build/fail_malloc.so
python3 "$(dirname "$0")/memory.py" "${WEIR:-./weir}" "$@"
[ $# -gt 0 ] || exec python3 "$(dirname "$0")/memory_tls.py" "${WEIR:-./weir}"
