#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: what is promised of an answer, and when it ends: promise.py.
exec python3 "$(dirname "$0")/promise.py" "${WEIR:-build/asan/weir}" "$@"
