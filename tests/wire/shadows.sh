#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: answers of another arm, for the log only: shadows.py.
exec python3 "$(dirname "$0")/shadows.py" "${WEIR:-build/asan/weir}" "$@"
