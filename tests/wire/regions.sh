#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: requests stay in their regions: regions.py.
exec python3 "$(dirname "$0")/regions.py" "${WEIR:-build/asan/weir}" "$@"
