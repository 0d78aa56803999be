#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: plans of several models before weir mock: plans.py.
exec python3 "$(dirname "$0")/plans.py" "${WEIR:-build/asan/weir}" "$@"
