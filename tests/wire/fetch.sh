#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Images and documents by address before providers that take data only:
# tests/wire/fetch.py.
exec python3 "$(dirname "$0")/fetch.py" "${WEIR:-build/asan/weir}" "$@"
