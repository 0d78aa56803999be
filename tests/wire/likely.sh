#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Log-probabilities and several answers to one question, on the wire:
# tests/wire/likely.py.
exec python3 "$(dirname "$0")/likely.py" "${WEIR:-build/asan/weir}" "$@"
