#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How weir reaches providers with accounts, signatures and paths of their
# own: tests/wire/upstreams.py.
exec python3 "$(dirname "$0")/upstreams.py" "${WEIR:-build/asan/weir}" "$@"
