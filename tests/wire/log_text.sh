#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir log list and show say why requests went where they did: log_text.py.
exec python3 "$(dirname "$0")/log_text.py" "${WEIR:-build/asan/weir}" "$@"
