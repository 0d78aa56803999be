/* SPDX-License-Identifier: Apache-2.0 */
/* What an arm is expected to answer and to cost.  Pure. */
#ifndef WEIR_ROUTER_ROUTE_EXPECT_H
#define WEIR_ROUTER_ROUTE_EXPECT_H

#include "router/route/decide.h"

/* Of an arm that is a model; nothing of it is dropped yet. */
struct verdict expect_arm(const struct question *q, unsigned i);

#endif
