#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every fault of a provider before every client: tests/wire/faults.py.
exec python3 "$(dirname "$0")/faults.py" "${WEIR:-build/asan/weir}" "$@"
