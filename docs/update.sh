#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts the references that the program prints into the documents that hold
# them.  A test fails when they differ.
set -eu
cd "$(dirname "$0")/.."

# put FILE FROM TO: standard input instead of what stands between the line
# that begins with FROM (which goes too) and the one that begins with TO.
put() {
    awk -v from="$2" -v to="$3" -v new="$(cat | sed 's/\\/\\\\/g')" '
        index($0, from) == 1 { print new; skip = 1; next }
        skip && to != "" && index($0, to) == 1 { skip = 0 }
        !skip' "$1" >"$1.new"
    mv "$1.new" "$1"
}

./weir check --settings | put docs/configuration.md '| setting |' ''
{ echo '.SH SETTINGS'; ./weir check --man; } |
    put docs/man/weir.yaml.5 '.SH SETTINGS' '.SH SEE ALSO'
