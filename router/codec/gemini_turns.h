/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of turns that the files which write contents share. */
#ifndef WEIR_ROUTER_CODEC_GEMINI_TURNS_H
#define WEIR_ROUTER_CODEC_GEMINI_TURNS_H

#include "router/codec/gemini.h"

/* Messages [from, to). */
struct gemini_run {
    size_t from, to;
};

void gemini_open_part(struct gemini_out *w);
/* The id of a call or result, unless weir made it up. */
void gemini_put_id(struct gemini_out *w, struct span id);
/* Counts a loss in the message, "messages[3]". */
void gemini_lose(struct gemini_out *w, enum lossy kind,
                 const struct message *m);

bool gemini_is_media(const struct part *p);
/* The part, or a loss where the target cannot have it. */
void gemini_write_media(struct gemini_out *w, const struct message *m,
                        const struct part *p);
/* A turn of the user behind the model's with these calls: results first, one
 * a call, in the calls' order. */
void gemini_write_user(struct gemini_out *w, struct gemini_run calls,
                       struct gemini_run run);

#endif
