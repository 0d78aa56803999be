#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve before a scripted provider: tests/wire/serve.py.
exec python3 "$(dirname "$0")/serve.py" "${WEIR:-build/asan/weir}" "$@"
