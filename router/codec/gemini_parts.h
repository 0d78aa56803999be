/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Gemini's contents; inner part of gemini_request.c. */
#ifndef WEIR_ROUTER_CODEC_GEMINI_PARTS_H
#define WEIR_ROUTER_CODEC_GEMINI_PARTS_H

#include "features/reader.h"
#include "features/request.h"

/* A table's rows for a member in both spellings. */
#define BOTH(camel, snake, read, at, strict)                                   \
    {camel, read, at, strict},                                                 \
    {                                                                          \
        snake, read, at, strict                                                \
    }
#define ROWS_END                                                               \
    {                                                                          \
        NULL, NULL, 0, false                                                   \
    }

/* systemInstruction (or nothing) and contents into r->messages. */
MUST_USE bool gemini_read_contents(struct reader *rd, const struct json *system,
                                   const struct json *contents,
                                   struct request *r);

#endif
