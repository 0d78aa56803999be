/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration as the policy of `weir eval --log`: which of its routes. */
#ifndef WEIR_TRAINER_ROUTE_POLICY_H
#define WEIR_TRAINER_ROUTE_POLICY_H

#include "base/err.h"

enum { ROUTE_POLICY_NAME = 128 };

/* Has it the name of a configuration? */
bool route_policy_is(const char *path);
/* The route's name; asked NULL: of the only one. */
MUST_USE bool route_policy_find(const char *path, const char *asked,
                                char name[ROUTE_POLICY_NAME], struct err *e);

#endif
