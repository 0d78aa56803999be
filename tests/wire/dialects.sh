#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve between clients and providers of every dialect:
# tests/wire/dialects.py.
exec python3 "$(dirname "$0")/dialects.py" "${WEIR:-build/asan/weir}" "$@"
