#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Streams over https, and back-pressure to the byte: tests/wire/secure.py.
exec python3 "$(dirname "$0")/secure.py" "${WEIR:-build/asan/weir}" "$@"
