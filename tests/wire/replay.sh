#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir replay: decisions made again from the log: replay.py.
exec python3 "$(dirname "$0")/replay.py" "${WEIR:-build/asan/weir}" "$@"
