/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of arms as typed, "a,b,checked=verify(a,c,b)": the models that its
 * rows must hold, the plans over them, and what they become in a table.
 */
#ifndef WEIR_TRAINER_WANTED_H
#define WEIR_TRAINER_WANTED_H

#include "trainer/table.h"

/* Names, each once. */
struct names {
    char **at; /* (owned) [n] */
    uint32_t n;
};

void names_free(struct names *v);
bool names_have(const struct names *v, struct span name);
MUST_USE bool names_add(struct names *v, struct span name, struct err *e);

struct wanted {
    struct names models; /* those named themselves, then mere members */
    uint32_t n_named;
    struct names plans;   /* as typed: plan_add takes them */
    struct names welcome; /* what a log may call them */
};

/* arms NULL: nothing in particular, all that occurs. */
MUST_USE bool wanted_parse(struct wanted *w, const char *arms, struct err *e);
void wanted_free(struct wanted *w);

/* The options' arms (borrowed from w). */
void wanted_options(const struct wanted *w, struct table_options *o);
/* Both, and the table between them. */
MUST_USE struct table *wanted_load(const struct wanted *w,
                                   struct table_options *o, struct err *e);
/* Plans and roles in a table that was loaded with these options. */
MUST_USE bool wanted_finish(const struct wanted *w, struct table *t,
                            struct err *e);

#endif
