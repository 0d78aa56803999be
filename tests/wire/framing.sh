#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Framing over real sockets: tests/wire/framing.py.
exec python3 "$(dirname "$0")/framing.py" "${WEIR:-build/asan/weir}" "$@"
