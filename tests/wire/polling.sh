#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Workers that poll before they sleep: tests/wire/polling.py.
exec python3 "$(dirname "$0")/polling.py" "${WEIR:-build/asan/weir}" "$@"
