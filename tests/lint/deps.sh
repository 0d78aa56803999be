#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that weir is built and tested with; says what
# is missing where it cannot.
#   deps.sh          what `make` and `make demo` need
#   deps.sh check    the same and what the tests need
#   deps.sh bench    the same and what the load benchmarks need
set -u
build="gcc libc6-dev make pkg-config libcurl4-openssl-dev libevent-dev
 libcjson-dev liblinear-dev libutf8proc-dev libyaml-dev libsqlite3-dev
 zlib1g-dev libssl-dev libnghttp2-dev libhttp-parser-dev ca-certificates"
tests="clang clang-format llvm libclang-rt-14-dev libcmocka-dev nodejs npm
 python3 curl sqlite3 json-schema-test-suite"
bench="wrk nginx-light sqlite3"
case "${1:-build}" in
check) wanted="$build $tests" ;;
bench) wanted="$build $bench" ;;
*) wanted=$build ;;
esac
if ! command -v dpkg-query >/dev/null; then
    echo "deps: no Debian here; install the equivalents of:" $wanted >&2
    exit 1
fi
missing=
for p in $wanted; do
    # A newer node brings its own npm and is no package named nodejs.
    case $p in
    nodejs) command -v node >/dev/null && continue ;;
    npm | python3) command -v "$p" >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
        grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: not root, and no sudo; please install:$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
try() { $sudo apt-get install -y --no-install-recommends $missing; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
try >"$log" 2>&1 || { $sudo apt-get update >>"$log" 2>&1 && try >>"$log" 2>&1; } || {
    tail -n 5 "$log" >&2
    echo "deps: apt-get could not install:$missing" >&2
    exit 1
}
