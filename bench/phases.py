# SPDX-License-Identifier: Apache-2.0
"""Where a worker's microseconds go, from its system calls.

Standard input: perf script --ns -F time,event,trace of raw_syscalls:sys_enter
and sys_exit of one worker that takes whole requests in the clear.  What lies
between two calls is named after what weir does there.  Requests are told from
answers by their size: bench/servers.sh answers with half a kilobyte.
Prints medians, and what a request has of each in all.  x86-64's numbers.
"""
import collections
import re
import sys

NAMES = {45: "recv", 46: "send", 232: "wait", 281: "wait"}
LINE = re.compile(r"\s*([\d.]+):\s+raw_syscalls:sys_(enter|exit): NR (-?\d+)"
                  r"(?: \(([0-9a-f]+)| = (-?[0-9]+))?")


def calls(lines):
    """(name, descriptor, result, begin, end) in microseconds."""
    open_ = None
    for line in lines:
        m = LINE.match(line)
        if not m:
            continue
        at, name = float(m[1]) * 1e6, NAMES.get(int(m[3]), "other")
        if m[2] == "enter":
            open_ = (name, int(m[4] or "0", 16), at)
        elif open_ and open_[0] == name:
            yield name, open_[1], int(m[5] or 0), open_[2], at
            open_ = None


def median(v):
    v = sorted(v)
    return v[len(v) // 2] if v else 0.0


def main():
    seen = list(calls(sys.stdin))
    sizes = collections.defaultdict(list)
    for name, fd, result, _, _ in seen:
        if name == "recv" and result > 0:
            sizes[fd].append(result)
    typical = {fd: median(v) for fd, v in sizes.items()}
    middle = (min(typical.values()) + max(typical.values())) / 2
    parts = collections.defaultdict(list)
    for a, b in zip(seen, seen[1:]):
        what = a[0] + " -> " + b[0]
        if what == "recv -> send":
            what += " (request)" if typical.get(a[1], 0) > middle else \
                " (answer)"
        parts[what].append(b[3] - a[4])
    for name, _, _, begin, end in seen:
        if name != "wait":
            parts[name].append(end - begin)
    requests = len(parts["recv -> send (request)"])
    if requests < 100:
        sys.exit(f"phases: {requests} requests are too few")
    print(f"  {'':44} {'median':>7} {'a request':>10}")
    busy = 0
    for what, title in (
            ("wait -> recv", "woken, until it reads"),
            ("recv", "reading, the kernel's part"),
            ("recv -> send (request)", "request read, until it is sent on"),
            ("send", "sending, the kernel's part"),
            ("recv -> send (answer)", "answer read, until it is sent on"),
            ("send -> wait", "behind a send, until it sleeps")):
        total = sum(parts[what]) / requests
        busy += total
        print(f"  {title:44} {median(parts[what]):7.1f} {total:10.1f}")
    print(f"  {'all of these':44} {'':7} {busy:10.1f}")


main()
