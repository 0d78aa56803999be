#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# By which sockets clients come, and how a server changes while they do:
# doors.py.
exec python3 "$(dirname "$0")/doors.py" "${WEIR:-build/asan/weir}" "$@"
