/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dialect is an API's way of writing requests, answers, events and errors:
 * one `const struct dialect_ops` of pure functions, one file (codec/NAME.c)
 * and one row in codec/dialect.c.  No I/O, no state but what the caller
 * holds; spans point into what was handed in.
 *
 * Where client and provider speak the same dialect the bytes go through as
 * they are: splice() changes the model's name in a request and nothing else
 * that the client would see, and read() and event() only look at answers.
 */
#ifndef WEIR_ROUTER_CODEC_DIALECT_H
#define WEIR_ROUTER_CODEC_DIALECT_H

#include "base/buf.h"
#include "features/request.h"
#include "models/registry.h"

/* What was learned from an answer, whole or event by event. */
struct answer {
    struct usage usage;
    bool has_usage;
    bool is_error;    /* the body or event is an error of the provider */
    bool done;        /* stream: its end mark came */
    char finish[24];  /* as the provider wrote it; "" when none came */
    char error[48];   /* the error's type or code */
    uint32_t choices; /* choices seen (highest index + 1) */
    uint32_t tool_calls;
    uint64_t text_bytes; /* of content and reasoning, decoded size at
                            the most; for estimates */
    struct buf *text;    /* (borrowed) gets the first choice's text, or
                            NULL */
};

/* What the client is to see of a stream's event. */
enum event_view {
    EVENT_PASS, /* as it is */
    EVENT_DROP, /* nothing: it came only because weir asked for it */
    EVENT_LAST, /* the end mark */
    EVENT_BAD,  /* no event of this dialect */
};

/* An error of weir's own. */
struct problem {
    int status;
    const char *kind;  /* "invalid_request_error" */
    const char *code;  /* or NULL */
    const char *param; /* or NULL */
    const char *message;
    uint64_t sequence; /* events before it, where a stream numbers them */
};

struct splice {
    struct span model; /* the upstream name as a JSON string */
    bool ask_usage;    /* streams: ask for usage where the client did not */
};

struct dialect_ops {
    const char *name;
    const char *codec; /* its row of codec.c, which translates it */
    const char *kin;   /* the codec to whose providers its requests go without
                          a loss, where that is another; or NULL */

    /* A client's body -> r, in the arena; NULL: the codec's reader. */
    bool (*decode)(struct span body, struct arena *a, struct request *r,
                   struct err *e);
    /* The same request for a provider of this dialect, in the arena. */
    bool (*splice)(const struct request *r, const struct splice *s,
                   struct arena *a, struct span *out, struct err *e);
    /* The next three are NULL where the codec's readers are used instead.
     * A whole answer; false when it is none of this dialect. */
    bool (*read)(struct span body, struct answer *out, struct err *e);
    /* One event's data; stripped: the client did not ask for usage. */
    enum event_view (*event)(struct span data, bool stripped,
                             struct answer *out);
    /* Whether the body is an error in this dialect's own shape. */
    bool (*is_error)(struct span body);
    void (*write_error)(const struct problem *p, struct buf *out);
    /* What ends a stream that went wrong: an error and the end mark. */
    void (*write_stream_error)(const struct problem *p, struct buf *out);
    /* What ends a stream that was whole but lacked its end mark. */
    const char *end_mark;
    /* What keeps a waiting stream alive; means nothing to the client. */
    const char *ping;
};

const struct dialect_ops *dialect_find(const char *name); /* or NULL */
const struct dialect_ops *dialect_at(unsigned i);         /* or NULL */

extern const struct dialect_ops dialect_openai, dialect_responses,
    dialect_completions, dialect_embeddings, dialect_anthropic, dialect_gemini;

/* The body with another name of the model and nothing else changed; the body
 * itself where the name is not in it. */
MUST_USE bool dialect_rename(const struct request *r, struct span model,
                             struct arena *a, struct span *out, struct err *e);

#endif
