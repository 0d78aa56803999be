#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: conversations, rules, cached and own answers: conversations.py.
exec python3 "$(dirname "$0")/conversations.py" "${WEIR:-build/asan/weir}" "$@"
