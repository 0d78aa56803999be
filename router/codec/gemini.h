/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of Gemini's codec share.  The Gemini API (v1beta) and Vertex
 * AI have the same bodies; only their paths and keys differ.  Members are
 * read in both spellings that Google's JSON takes, inlineData and
 * inline_data, and written in the first.
 */
#ifndef WEIR_ROUTER_CODEC_GEMINI_H
#define WEIR_ROUTER_CODEC_GEMINI_H

#include "router/codec/codec.h"

/* What the generations of models take; a row a prefix of their names. */
struct gemini_traits {
    const char *prefix;
    bool json_schema; /* parametersJsonSchema, responseJsonSchema */
    bool levels;      /* thinkingLevel; else thinkingBudget, where most > 0 */
    bool strict;      /* refuses calls without a signature; takes media
                         inside of results, and tools beside a schema */
    bool https;       /* fetches https addresses in fileData */
    bool off;         /* thinking can be off */
    bool minimal;     /* has the level MINIMAL */
    bool medium;      /* has the level MEDIUM */
    int32_t least, most; /* thinkingBudget when it is on */
};

const struct gemini_traits *gemini_traits(struct span model);

/* Ids that weir made up, since Gemini gave none: known by their beginning
 * and left out again on the way back. */
#define GEMINI_MADE_ID "weirgem_"
bool gemini_made_id(struct span id);
/* What Google's clients send where a call has no signature. */
bool gemini_is_placeholder(struct span signature);

/* A member in either spelling; name: as in inlineData. */
struct json gemini_get(const struct json *obj, const char *name);
/* Several of them in one walk: out[i] is what names[i] stands for. */
void gemini_pick(const struct json *obj, const char *const *names, size_t n,
                 struct json *out);
/* Whether key is name in either spelling. */
bool gemini_is(const struct json *key, const char *name);

/* JSON Schema as the target takes it: as JSON Schema without what it refuses
 * (json: true), or in the OpenAPI subset, with references resolved.  What was
 * left out goes into l as "<where>.<keyword>".  schema is checked JSON. */
struct schema_target {
    bool json;
    const char *where;
    struct losses *l;
};
void gemini_schema_write(struct span schema, const struct schema_target *t,
                         struct buf *out);
/* The OpenAPI subset as JSON Schema: {"type": "STRING", "nullable": true}
 * becomes {"type": ["string", "null"]}. */
MUST_USE bool gemini_schema_read(struct span written, struct arena *a,
                                 struct span *schema);

MUST_USE bool gemini_request_read(const struct inbound *in, struct arena *a,
                                  struct request *r, struct err *e);
bool gemini_wants_data(const struct part *p, const struct target *t);
MUST_USE bool gemini_request_write(const struct request *r,
                                   const struct target *t, struct losses *l,
                                   struct buf *out, struct err *e);

/* Writing a request, for one target. */
struct gemini_out {
    const struct request *r;
    const struct target *t;
    const struct gemini_traits *traits;
    struct losses *l;
    struct buf *out;
    struct arena scratch; /* decoded arguments and results */
};
/* The conversation as {"contents": ...} members, and the system prompt. */
void gemini_write_contents(struct gemini_out *w);
/* generationConfig, tools and toolConfig. */
void gemini_write_params(struct gemini_out *w);
/* The same dialect: the body as it was, but for the model's name and what
 * another model must not see. */
void gemini_copy(struct gemini_out *w, const struct json *body);
void gemini_write_thinking(struct gemini_out *w, const struct params *p,
                           bool *any);

/* Reading answers; a stream's state is struct feed. */
MUST_USE bool gemini_answer_read(struct span body, int status, struct arena *a,
                                 struct chunk_sink *sink, struct err *e);
MUST_USE bool gemini_stream_read(void *state, const struct framed *got,
                                 struct arena *a, struct chunk_sink *sink,
                                 struct err *e);
MUST_USE bool gemini_stream_end(void *state, struct chunk_sink *sink,
                                struct err *e);

enum finish gemini_finish(struct span reason);
/* "STOP"; the name itself where it is one of Gemini's for that finish. */
const char *gemini_reason(enum finish f, struct span name);

/* Writing answers. */
struct gemini_writer {
    char id[96], model[96];
    struct usage usage;
    struct {
        enum part_kind kind; /* of the open block */
        bool hidden;         /* the open block is not written */
        bool redacted;       /* it has no text */
        /* Calls and media go out whole: what stands before the arguments or
         * the data, from `from` on these. */
        struct buf held; /* (owned) */
        size_t from;
    } at[GATHER_CHOICES_MAX];
};
void gemini_stream_write(void *state, const struct request *asked,
                         const struct chunk *c, struct losses *l,
                         struct buf *out);
void gemini_stream_free(void *state);
void gemini_answer_write(const struct gathered *g, const struct request *asked,
                         struct losses *l, struct buf *out);
void gemini_write_error(struct buf *out, int status, struct span message);

/* The answers beside conversations. */
void gemini_write_count(struct buf *out, int64_t tokens);
/* The same conversation for :countTokens, of the Gemini API and of Vertex AI;
 * what comes back. */
MUST_USE bool gemini_count_write(const struct request *r,
                                 const struct target *t, struct losses *l,
                                 struct buf *out, struct err *e);
MUST_USE bool vertex_count_write(const struct request *r,
                                 const struct target *t, struct losses *l,
                                 struct buf *out, struct err *e);
MUST_USE bool gemini_read_count(struct span body, int64_t *tokens,
                                struct err *e);
/* One entry of a list of models, {"name": "models/NAME", ...}. */
void gemini_write_model(struct buf *out, struct span name,
                        const struct model *of);

#endif
