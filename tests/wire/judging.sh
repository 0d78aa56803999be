#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir label: an LLM judge through the router: judging.py.
exec python3 "$(dirname "$0")/judging.py" "${WEIR:-build/asan/weir}" "$@"
