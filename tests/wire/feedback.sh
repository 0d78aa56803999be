#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: labels that clients send: feedback.py.
exec python3 "$(dirname "$0")/feedback.py" "${WEIR:-build/asan/weir}" "$@"
