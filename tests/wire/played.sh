#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A configuration played through on another's log: played.py.
exec python3 "$(dirname "$0")/played.py" "${WEIR:-build/asan/weir}" "$@"
