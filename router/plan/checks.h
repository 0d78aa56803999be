/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said of a draft in numbers: how far another model's answer
 * agrees with it, what is wrong with it, how sure its model was.  A table, of
 * which the names are part of the log (column `plan`) and of classifiers'
 * cards: the acceptance head is a logistic regression over them.  Pure.
 */
#ifndef WEIR_ROUTER_PLAN_CHECKS_H
#define WEIR_ROUTER_PLAN_CHECKS_H

#include "router/plan/final.h"
#include "router/plan/flaws.h"

enum { CHECKS_MAX = 32 };

/* An answer as the checks see it. */
struct answered {
    struct gathered g;
    struct final final;
    uint32_t flaws;   /* enum flaw bits */
    struct span text; /* of the first choice */
    double tokens;    /* of output */
    bool told;        /* its model told probabilities */
    double sure;      /* told: mean probability of its tokens, geometric */
    double margin;    /* told: mean lead over the second likeliest; 0 where
                         that is not told */
};

/* check is NULL in plans that ask no second model. */
struct checked {
    const struct answered *draft, *check;
    double quality; /* predicted of the draft; NAN: not predicted */
};

/* Fills what is derived of a->g. */
void answered_look(struct answered *a, const struct request *asked,
                   struct arena *arena);

unsigned checks_count(void);
const char *checks_name(unsigned i);
/* out[checks_count()]; none is NAN. */
void checks_all(const struct checked *c, double *out);

/* Dice's coefficient of the words and pairs of neighbouring words of two
 * texts, each counted once, folded: 0 nothing in common, 1 the same. */
double words_overlap(struct span a, struct span b, struct arena *work);

/* Words and pairs in common from `least` on, and lengths within a factor of
 * two: how long answers agree while nothing better was learned. */
bool long_agree(const struct checked *c, double least);

/* P(the draft is adequate) = 1 / (1 + exp(-(intercept + sum w x))). */
struct acceptance {
    double intercept;
    double weights[CHECKS_MAX];
};

struct json;

/* From a card's `acceptance`; false: there is none, or one over numbers that
 * this version does not know. */
bool acceptance_read(const struct json *v, struct acceptance *out);
double acceptance_of(const struct acceptance *a, const double *checks);

#endif
