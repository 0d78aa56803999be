#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What other gateways have paid for and only a running server can show:
# tests/wire/pitfalls.py.
exec python3 "$(dirname "$0")/pitfalls.py" "${WEIR:-build/asan/weir}" "$@"
