#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that a script can check.  Each check prints what it
# found; the last line counts them.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0 failed=0
check() { # check NAME COMMAND...: passes when the command prints nothing
    local name=$1 out; shift
    out=$("$@" 2>&1)
    if [ -z "$out" ]; then
        passed=$((passed + 1)); echo "ok    $name"
    else
        failed=$((failed + 1)); echo "FAIL  $name"; echo "$out" | head -n 30
    fi
}
mapfile -t code < <(git ls-files '*.c' '*.h')
mapfile -t headers < <(git ls-files '*.h')

format() { clang-format --dry-run -Werror "${code[@]}" 2>&1 | grep error; }

# Which folders a folder may include.
layers() {
    local f from to
    for f in "${code[@]}"; do
        from=${f%%/*}
        [ "${f%/*}" = router/codec ] && from=codec
        case $from in
        base) may="base" ;;
        features) may="base features" ;;
        models) may="base models" ;;
        datasets) may="base datasets" ;;
        trainer) may="base features models datasets trainer" ;;
        codec) may="base features models codec" ;;
        router) may="base features models router" ;;
        bench) may="base datasets features models trainer bench" ;;
        *) continue ;;
        esac
        grep -oE '^#include "[^"]+"' "$f" | cut -d'"' -f2 | while read -r to; do
            # The dialects' codecs are pure: the mock provider writes with them.
            case $from:${to%/*} in
            bench:router/codec | codec:router/codec) continue ;;
            esac
            # One benchmark is of the router's own decision.
            [ "$f" = bench/served.c ] && continue
            case " $may " in
            *" ${to%%/*} "*) ;;
            *) echo "$f: may not include $to" ;;
            esac
        done
    done
    # The entrance sees commands only.
    grep -oE '^#include "[^"]+"' weir.c | cut -d'"' -f2 |
        grep -vE '/cmd_[a-z_]+\.h$|^base/version\.h$' | sed 's/^/weir.c: may not include /'
}

headers_alone() {
    local h
    for h in "${headers[@]}"; do
        printf '#include "%s"\nextern int alone;\n' "$h" |
            gcc -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Wpedantic -Werror \
                -fsyntax-only -x c - 2>&1 | head -n 3
    done
}

banned_calls() {
    grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|sscanf|gets|tmpnam|mktemp)\(' \
        "${code[@]}" | grep -v '^tests/fuzz/'
}

# A third-party header appears in as few files as possible: pattern, how many.
few_places() {
    while read -r pattern most; do
        local n
        n=$(grep -lE "#include <$pattern" $(git ls-files '*.c' '*.h' | grep -v '^tests/') 2>/dev/null | wc -l)
        [ "$n" -le "$most" ] || echo "<$pattern>: in $n files, at most $most"
    done <<'TABLE'
linear\.h 1
utf8proc\.h 2
yaml\.h 1
curl/ 2
http_parser\.h 1
sqlite3\.h 10
zlib\.h 4
TABLE
}

sizes() { python3 tests/lint/sizes.py "${code[@]}"; }

no_exit_below_main() {
    grep -nE '\b(exit|abort|_exit)\(|\b(printf|puts|putchar)\(' \
        $(git ls-files '*.c' | grep -vE '^tests/|/cmd_[a-z_]+\.c$|^weir\.c$|^bench/|^base/args\.c$') |
        grep -vE 'http_abort\(|_abort\(|/\* lint: ' 
}

spdx() {
    local f
    for f in $(git ls-files '*.c' '*.h' '*.sh' '*.py' '*.mjs' Makefile); do
        head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            echo "$f: no SPDX line"
    done
}

leftovers() {
    git grep -nE 'TODO|FIXME|\bXXX\b|HACK' -- ':!LICENSE' ':!tests/lint/run.sh'
    # No machine's path: what a checkout is called is nobody's business.
    git grep -nE '(^|[^a-z.])/(work|root|home)/' -- ':!tests/lint/run.sh'
}

man_pages() {
    local c
    for c in $(sed -n 's/^    {"\([a-z]*\)", .*/\1/p' weir.c); do
        [ "$c" = version ] || [ -f "docs/man/weir-$c.1" ] ||
            echo "docs/man/weir-$c.1: not there"
    done
    for c in docs/man/*.[15]; do
        [ -e "$c" ] || continue
        ! command -v man >/dev/null || LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$c" 2>&1 >/dev/null
    done
}

shell_syntax() {
    local f
    for f in $(git ls-files '*.sh' .ci/run); do bash -n "$f"; done
}

# The image has the libraries of the program; systemd takes the unit.
packaging() {
    local lib at package unit
    [ ! -x weir ] || for lib in $(readelf -d weir | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'); do
        at=$(ldd weir | awk -v l="$lib" '$1 == l { print $3 }')
        package=$(dpkg -S "*/$(basename "${at%/*}")/$lib" 2>/dev/null | head -n 1 | cut -d: -f1)
        case $package in '' | libc6) continue ;; esac
        grep -qE "[ \t]$package( |\$)" packaging/Dockerfile || echo "packaging/Dockerfile: $package ($lib) is missing"
    done
    command -v systemd-analyze >/dev/null || return 0
    unit=$(mktemp -d)
    sed 's|/usr/local/bin/weir|/bin/true|; /^Documentation=/d' packaging/weir.service >"$unit/weir.service"
    systemd-analyze verify "$unit/weir.service" 2>&1
    rm -rf "$unit"
}

check "code is formatted" format
check "layers: arrows run downwards" layers
check "each header compiles alone" headers_alone
check "no banned calls" banned_calls
check "third-party headers in few places" few_places
check "sizes: file, function, depth, parameters, columns" sizes
check "nothing below main prints or exits" no_exit_below_main
check "SPDX lines" spdx
check "no leftovers" leftovers
check "a man page for each command" man_pages
dialects() { python3 tests/lint/dialects.py; }
check "docs/dialects.md names what translation loses" dialects
check "shell scripts parse" shell_syntax
check "packaging: libraries of the image, the unit" packaging
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
