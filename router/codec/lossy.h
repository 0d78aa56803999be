/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a translation could not carry.  Each case is a row of one table
 * (name, sentence), so that the header x-weir-warnings, the log, the test's
 * table and docs/dialects.md speak of the same things.
 */
#ifndef WEIR_ROUTER_CODEC_LOSSY_H
#define WEIR_ROUTER_CODEC_LOSSY_H

#include "base/buf.h"

enum lossy {
    LOSSY_PARAMETER, /* a parameter the target does not have */
    LOSSY_CLAMPED,   /* a number outside the target's range */
    LOSSY_N,         /* several answers where the target gives one */
    LOSSY_LOGPROBS,
    LOSSY_IMAGE, /* an image the target cannot take in this form */
    LOSSY_AUDIO,
    LOSSY_FILE,
    LOSSY_THINKING,  /* another provider's thinking was left out */
    LOSSY_SIGNATURE, /* a signature means nothing elsewhere */
    LOSSY_CACHE_CONTROL,
    LOSSY_SCHEMA, /* keywords of a schema the target refuses */
    LOSSY_TOOL_CHOICE,
    LOSSY_BUILTIN_TOOL, /* a tool of the provider's own */
    LOSSY_CITATION,
    LOSSY_STOP,       /* more or other stop sequences than it takes */
    LOSSY_ROLE,       /* a message moved or merged */
    LOSSY_ERROR_FLAG, /* a tool result's error mark, kept as text */
    LOSSY_STATE,      /* state held by a provider (response ids) */
    LOSSY_REASONING,  /* an effort or budget rounded to what there is */
    LOSSY_OTHER,
    LOSSY_KINDS
};

enum { LOSSY_MAX = 32 };

struct losses {
    unsigned n;
    unsigned room; /* places in `at`; 0: LOSSY_MAX */
    unsigned more; /* losses beyond the room */
    struct {
        enum lossy kind;
        char what[48]; /* the field: "logit_bias", "messages[2]" */
    } at[LOSSY_MAX];   /* last: a copy may have less room */
};

/* Remembers a case once (same kind and field). */
void lossy_add(struct losses *l, enum lossy kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *lossy_name(enum lossy kind);     /* "parameter" */
const char *lossy_sentence(enum lossy kind); /* for people */
/* Bytes of l with room for `spare` more cases than it has: as much of it may
 * be copied, if room is set in the copy. */
size_t lossy_size(const struct losses *l, unsigned spare);
/* "parameter=logit_bias, n=3": for x-weir-warnings. */
void lossy_header(const struct losses *l, struct buf *out);

#endif
