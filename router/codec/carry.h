/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What readers and writers of requests have in common; most of it where the
 * dialect is one that only providers speak (Bedrock, Cohere): the body for
 * the same dialect member by member as it was written, parameters without a
 * place, tool arguments and stop sequences in other clothes.
 */
#ifndef WEIR_ROUTER_CODEC_CARRY_H
#define WEIR_ROUTER_CODEC_CARRY_H

#include "features/reader.h"
#include "router/codec/codec.h"

/* Enters the member, reads the object by its table, leaves again. */
MUST_USE bool carry_inside(struct reader *rd, const char *name,
                           const struct json *v, const struct field *fields,
                           void *target);
/* An array of strings, kept as JSON; a row function. */
MUST_USE bool carry_strings(struct reader *rd, const struct field *f,
                            const struct json *v, void *target);
/* Top-level members without a row, as r's extras. */
MUST_USE bool carry_extras(struct reader *rd, const struct json *top,
                           const struct field *rows, struct request *r);

/* How the same dialect's body differs from the one that came. */
struct carry_body {
    bool has_model, has_stream; /* the dialect has them in its body */
    /* Whether a content block is thinking, which only the model that made it
     * may get back. */
    bool (*is_thinking)(const struct json *block);
};
MUST_USE bool carry_body(const struct request *r, const struct target *t,
                         const struct carry_body *how, struct buf *out,
                         struct err *e);

/* Signatures of texts, which only Gemini has, are lost. */
void carry_no_signatures(const struct request *r, struct losses *l);

/* Parameters that a dialect may have no place for; bits of `has` are those
 * it has.  Each other one that was said is a loss. */
enum carry_param {
    CARRY_TOP_K = 1 << 0,
    CARRY_SEED = 1 << 1,
    CARRY_PENALTIES = 1 << 2,
    CARRY_LOGPROBS = 1 << 3,
    CARRY_PARALLEL = 1 << 4,
    CARRY_USER = 1 << 5,
    CARRY_METADATA = 1 << 6,
    CARRY_TIER = 1 << 7,
};
void carry_losses(const struct request *r, unsigned has, struct losses *l);

/* The call's arguments as member `name`, an object whatever was written. */
void carry_arguments(struct buf *out, const char *name, const struct part *p,
                     struct losses *l);
/* p->text behind the name, as a string also where it is JSON. */
void carry_text(struct buf *out, const char *name, const struct part *p);
/* The request's stop sequences, at most `most` of them and none blank. */
void carry_stop(struct buf *out, const char *name, const struct request *r,
                unsigned most, struct losses *l);
/* A number brought into [low, high]; what: its name, for the loss. */
void carry_number(struct buf *out, const char *name, double v,
                  const double range[2], struct losses *l);
/* Whether there is nothing but white space, as most providers refuse it. */
bool carry_blank(struct text t);
/* Forgets what was written since the mark. */
void carry_undo(struct buf *out, size_t mark);

/* Decoded text of a reader's event, in the arena, of the member. */
MUST_USE bool carry_str(const struct json *v, const char *name, struct arena *a,
                        struct span *s);
/* A member that is a whole number; 0 where it is not. */
int64_t carry_count(const struct json *v, const char *name);

#endif
