/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and tools of OpenAI's chat dialect into struct request.  Inner
 * part of request.c: callers use features/request.h. */
#ifndef WEIR_FEATURES_MESSAGES_H
#define WEIR_FEATURES_MESSAGES_H

#include "features/reader.h"
#include "features/request.h"

/* v: the value of "messages", of "tools", of the older "functions" (appended
 * to the tools). */
MUST_USE bool messages_read(struct reader *rd, const struct json *v,
                            struct request *r);
MUST_USE bool tools_read(struct reader *rd, const struct json *v,
                         struct request *r);
MUST_USE bool functions_read(struct reader *rd, const struct json *v,
                             struct request *r);

#endif
