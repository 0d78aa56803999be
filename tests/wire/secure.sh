#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Streams over https, and back-pressure to the byte: tests/wire/secure.py.
# Memory is measured in the program as it is delivered.
here=$(dirname "$0")
python3 "$here/secure.py" "${WEIR:-build/asan/weir}" "$@" || exit 1
[ -n "${WEIR:-}$*" ] || exec python3 "$here/secure.py" "$here/../../weir" many_who
