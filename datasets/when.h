/* SPDX-License-Identifier: Apache-2.0 */
/* Times on command lines, such as --since. */
#ifndef WEIR_DATASETS_WHEN_H
#define WEIR_DATASETS_WHEN_H

#include "base/err.h"

#include <stdint.h>

/* "2026-05-01", "2026-05-01T12:00:00Z", or "7d": so long ago; NULL gives 0,
 * no limit.  name: the option's, for the message. */
MUST_USE bool when_parse(const char *name, const char *text, int64_t *ms,
                         struct err *e);

#endif
