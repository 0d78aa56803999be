/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Anthropic codec have among themselves. */
#ifndef WEIR_ROUTER_CODEC_ANTHROPIC_PARTS_H
#define WEIR_ROUTER_CODEC_ANTHROPIC_PARTS_H

#include "features/reader.h"
#include "router/codec/anthropic.h"

/* Rows whose target is struct params; ends with a row without a name. */
extern const struct field anthropic_params[];

/* What a Claude model takes, by its generation. */
enum claude_can {
    CLAUDE_ADAPTIVE = 1 << 0, /* thinking {"type":"adaptive"} */
    CLAUDE_BUDGET = 1 << 1,   /* thinking with budget_tokens */
    CLAUDE_EFFORT = 1 << 2,   /* output_config.effort */
    CLAUDE_XHIGH = 1 << 3,    /* efforts above high */
    CLAUDE_SAMPLING = 1 << 4, /* temperature, top_p, top_k */
    CLAUDE_ONE_OF = 1 << 5,   /* temperature or top_p, not both */
};
/* By the upstream name, with or without prefix, date and region. */
unsigned claude_can(struct span model);

/* A request while it is written. */
struct writing {
    const struct request *r;
    const struct target *t;
    struct losses *l;
    struct buf *out;
    unsigned can;        /* enum claude_can */
    bool count;          /* for count_tokens: only what it takes */
    bool thinks;         /* thinking goes into the request */
    bool answer_tool;    /* the schema is a tool's */
    int64_t max_tokens;  /* that go into the request */
    int64_t budget;      /* of thinking; -2: adaptive */
    const char *effort;  /* or NULL */
    unsigned n_messages; /* written so far */
};

/* ,"system":[...],"messages":[...] */
MUST_USE bool anthropic_write_messages(struct writing *w, struct err *e);
/* Whether the last assistant turn called tools without its thinking, which
 * models with a budget refuse to continue. */
bool anthropic_bare_calls(const struct request *r, const struct target *t);
/* Decides thinking, budget and effort from what was asked. */
void anthropic_decide_thinking(struct writing *w);

/* Blocks of parts, in a "content" list. */
void anthropic_put_parts(struct writing *w, const struct part *p);
/* Whether an image or document can go along, and the block. */
bool anthropic_takes_image(const struct part *p);
void anthropic_put_image(struct writing *w, const struct part *p);
bool anthropic_takes_file(const struct part *p);
void anthropic_put_file(struct writing *w, const struct part *p);

/* ---- answers ---- */

/* As on the wire: cumulative, each number the last one said. */
struct anthropic_counts {
    int64_t input, cached, written, written_1h, output, thinking, searches;
};

/* Takes what a usage object says, leaves the rest as it was. */
void anthropic_count_usage(const struct json *usage,
                           struct anthropic_counts *n);
struct usage anthropic_usage_of(const struct anthropic_counts *n);
/* The members of usage that every event has; the whole "usage" member. */
void anthropic_put_counts(struct buf *out, const struct usage *u);
void anthropic_put_usage(struct buf *out, const struct usage *u);
/* Where nobody counted: from what was asked (NULL: 1), from bytes of text. */
int64_t anthropic_estimated_input(const struct request *asked);
int64_t anthropic_estimated_output(uint64_t bytes);

/* Pieces of a message: its id, its model's name, why it ended. */
void anthropic_put_id(struct buf *out, struct span id);
struct span anthropic_model_of(struct span named, const struct request *asked);
const char *anthropic_reason(enum finish f, struct span name, bool calls,
                             struct losses *l);
void anthropic_put_sequence(struct buf *out, enum finish f,
                            struct span sequence);
/* A call's id, name and caller. */
void anthropic_put_call_head(struct buf *out, const struct chunk *c);
/* "mark" and data as one JSON string. */
void anthropic_put_marked(struct buf *out, const char *mark, struct span data);
enum lossy anthropic_lost_part(enum part_kind part);

#endif
