# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation fails while requests run: each is answered, whole or by
an error, or its connection is cut; the server goes on and the next one is
served.  weir itself may not die."""
import os
import sys

from rig import DIR, Weir, run, want

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../build/fail_malloc.so")
STEP = int(os.environ.get("STEP", "7"))
MOST = int(os.environ.get("MOST", "150"))


def an_allocation_that_fails_costs_at_most_one_answer():
    ends = {}
    for n in range(1, MOST, STEP):
        arm = f"{DIR}/arm{n}"
        w = Weir(env={"LD_PRELOAD": PRELOAD, "WEIR_FAIL_FROM": arm,
                      "WEIR_FAIL_AT": str(n)})
        want("before", w.chat()[0], 200)
        open(arm, "w").close()
        bad = 0
        for _ in range(MOST // 8):
            try:
                status = w.chat()[0]
            except Exception:
                status = "cut"
            ends[status] = ends.get(status, 0) + 1
            bad += status != 200
        if w.p.poll() is not None:
            raise AssertionError(f"allocation {n}: weir ended with "
                                 f"{w.p.returncode}")
        if bad > 1:
            raise AssertionError(f"allocation {n}: {bad} bad answers")
        want("behind it", w.chat()[0], 200)
        want("its end", w.stop(), 0)
    print(ends, file=sys.stderr)


run(dict(globals()))
