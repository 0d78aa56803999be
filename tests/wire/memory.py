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


PLANS = """
  micro: {provider: p, tier: economy, context: 100000, price: {input: 1, output: 1}}
  large: {provider: p, tier: frontier, context: 100000, price: {input: 1, output: 1}}
plans:
  checked: {kind: verify, draft: nano, check: micro, else: large}
  reviewed: {kind: panel, model: nano, review: micro}
"""


def an_allocation_that_fails_costs_at_most_one_answer():
    fail_in_turn("auto", STEP)


def an_allocation_that_fails_in_a_plan_costs_no_more():
    Weir.models = PLANS
    fail_in_turn("checked", 6 * STEP)
    fail_in_turn("reviewed", 10 * STEP)


def fail_in_turn(model, step):
    ends = {}
    for n in range(1, MOST, step):
        arm = f"{DIR}/arm-{model}-{n}"
        w = Weir(env={"LD_PRELOAD": PRELOAD, "WEIR_FAIL_FROM": arm,
                      "WEIR_FAIL_AT": str(n)})
        want("before", w.chat(model=model)[0], 200)
        open(arm, "w").close()
        bad = 0
        for _ in range(MOST // 8):
            try:
                status = w.chat(model=model)[0]
            except Exception:
                status = "cut"
            ends[status] = ends.get(status, 0) + 1
            bad += status != 200
        if w.p.poll() is not None:
            raise AssertionError(f"allocation {n}: weir ended with "
                                 f"{w.p.returncode}")
        if bad > 1:
            raise AssertionError(f"allocation {n}: {bad} bad answers")
        want("behind it", w.chat(model=model)[0], 200)
        want("its end", w.stop(), 0)
    print(ends, file=sys.stderr)


run(dict(globals()))
