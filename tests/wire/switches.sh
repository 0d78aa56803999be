#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Conversations whose route changes the model: tests/wire/switches.py.
exec python3 "$(dirname "$0")/switches.py" "${WEIR:-build/asan/weir}" "$@"
