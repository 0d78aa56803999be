#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The mock's faults one by one, bad certificates, a slow resolver: trouble.py.
set -eu
cd "$(dirname "$0")/../.."
make --no-print-directory build/slow_dns.so
exec python3 tests/wire/trouble.py "${WEIR:-./weir}" "$PWD/build/slow_dns.so" "$@"
