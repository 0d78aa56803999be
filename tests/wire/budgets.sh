#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# weir serve: money a day, of keys and of exploration: budgets.py.
exec python3 "$(dirname "$0")/budgets.py" "${WEIR:-build/asan/weir}" "$@"
