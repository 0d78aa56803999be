#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9, a full disk and a broken database: killed.py.
set -eu
make --no-print-directory -C "$(dirname "$0")/../.." build/disk_fault.so
exec python3 "$(dirname "$0")/killed.py" "${WEIR:-./weir}" "$@"
