#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may come in, how many at once, and what never comes out: gate.py.
exec python3 "$(dirname "$0")/gate.py" "${WEIR:-build/asan/weir}" "$@"
