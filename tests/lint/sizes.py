#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds C files to the house's sizes: file <= 600 lines, function <= 40
lines (60 with a `long:` reason in the comment above it), <= 3 levels of
nesting, <= 5 parameters (more with `callback:` and the library that wants
them in the comment above), 80 columns.  Works on formatted code: a function's
braces stand in column 0."""
import re
import sys

FILE, FUNCTION, FUNCTION_WITH_REASON, LEVELS, PARAMETERS, COLUMNS = \
    600, 40, 60, 3, 5, 80
CONTROL = re.compile(r'^( +)(if|for|while|switch|do)\b')


def head_of(lines, at):
    """The declaration above the brace in line `at`, and its comment."""
    first = at
    while first > 0 and lines[first - 1].strip() and \
            not re.search(r'[;}]\s*$|\*/\s*$|^#', lines[first - 1]):
        first -= 1
    comment = []
    k = first
    while k > 0 and lines[k - 1].lstrip().startswith(('/*', '*')):
        k -= 1
        comment.append(lines[k])
    return ' '.join(l.strip() for l in lines[first:at]), '\n'.join(comment)


def parameters(head):
    m = re.search(r'\((.*)\)', head)
    if not m or m.group(1).strip() in ('', 'void'):
        return 0
    depth, n = 0, 1
    for c in m.group(1):
        depth += (c in '([') - (c in ')]')
        n += c == ',' and depth == 0
    return n


def check(path):
    lines = open(path, encoding='utf-8').read().split('\n')
    is_test = path.startswith('tests/')
    if len(lines) - 1 > FILE:
        yield f'{path}: {len(lines) - 1} lines, at most {FILE}'
    for i, line in enumerate(lines):
        if len(line) > COLUMNS:
            yield f'{path}:{i + 1}: {len(line)} columns, at most {COLUMNS}'
    i = 0
    while i < len(lines):
        if lines[i] != '{':
            i += 1
            continue
        end = i
        while end < len(lines) and lines[end] != '}':
            end += 1
        head, comment = head_of(lines, i)
        name = re.search(r'(\w+)\s*\(', head)
        name = name.group(1) if name else '?'
        length = end - i + 1
        limit = FUNCTION_WITH_REASON if 'long:' in comment or is_test \
            else FUNCTION
        if length > limit and name != 'main':
            yield f'{path}:{i + 1}: {name}: {length} lines, at most {limit}'
        n = parameters(head)
        if n > PARAMETERS and 'callback:' not in comment:
            yield f'{path}:{i + 1}: {name}: {n} parameters'
        for k in range(i, end):
            m = CONTROL.match(lines[k])
            if m and len(m.group(1)) // 4 > LEVELS:
                yield f'{path}:{k + 1}: {name}: nested deeper than {LEVELS}'
        i = end + 1


found = [line for path in sys.argv[1:] for line in check(path)]
print('\n'.join(found), end='\n' if found else '')
