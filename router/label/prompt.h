/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a judge is asked and what it said.  Pure.  What is judged is foreign
 * text: it stands between marks that carry the request's id, and the judge is
 * told that nothing in it is an instruction.
 */
#ifndef WEIR_ROUTER_LABEL_PROMPT_H
#define WEIR_ROUTER_LABEL_PROMPT_H

#include "base/buf.h"

struct judged {
    struct span id;       /* the client's request */
    struct span messages; /* JSON, as OpenAI chat has them */
    struct span answer;   /* text */
    struct span other;    /* of another arm; ptr NULL: one answer alone */
    bool swapped;         /* the other one comes first */
    const char *judge;    /* the model */
    unsigned max_tokens;  /* of its answer */
};

/* The body of a chat request about one or two answers.  Text that does not fit
 * into the buffer, or no conversation: false with e. */
MUST_USE bool judge_body(const struct judged *j, struct buf *out,
                         struct err *e);

enum verdict {
    VERDICT_NONE, /* it does not parse */
    VERDICT_FIRST,
    VERDICT_SECOND,
    VERDICT_TIE,
    VERDICT_NEITHER,
};

/* Of the last "VERDICT: A" (B, TIE, NEITHER). */
enum verdict judge_verdict(struct span said);
/* Of the last "SCORE: n", n from 1 to 5, as 0 to 1; NAN: it does not parse. */
double judge_score(struct span said);

/* Two answers asked about twice, the second time in the other order. */
struct pair_end {
    bool parsed;          /* both did */
    bool agreed;          /* both said the same */
    double answer, other; /* scores of the two answers */
    double confidence;
    const char *answer_word, *other_word; /* better, worse, tie, neither */
};
struct pair_end judge_pair(enum verdict straight, enum verdict swapped);

#endif
