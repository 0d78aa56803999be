#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: what reaches the disk: privacy.py.
set -eu
make --no-print-directory -C "$(dirname "$0")/../.." build/disk_fault.so
exec python3 "$(dirname "$0")/privacy.py" "${WEIR:-./weir}" "$@"
