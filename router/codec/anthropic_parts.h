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

#endif
