#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: what is no conversation goes to its provider as it came: pass_through.py.
exec python3 "$(dirname "$0")/pass_through.py" "${WEIR:-build/asan/weir}" "$@"
