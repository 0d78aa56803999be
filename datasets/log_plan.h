/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The column `plan` of a server's log (docs/log-format.md): how a plan of
 * several models went with one request.
 */
#ifndef WEIR_DATASETS_LOG_PLAN_H
#define WEIR_DATASETS_LOG_PLAN_H

#include "base/json.h"
#include "datasets/dataset.h"

enum { LOG_PLAN_MEMBERS = 4 };

/* With a plan's name: the arm whose score is whether it needed its `else`
 * (PLAN_FORM_ESCALATES of models/plan_form.h, held together by a test). */
#define LOG_ESCALATES "escalates "

struct log_plan_member {
    struct span role; /* draft, check, else, review */
    struct span arm;
    int64_t status;                                   /* HTTP; 0: not known */
    double input_tokens, output_tokens, cost_usd, ms; /* NAN: not known */
};

/* Spans into the text that was parsed. */
struct log_plan {
    struct span kind, verdict;
    struct log_plan_member members[LOG_PLAN_MEMBERS]; /* those asked */
    unsigned n_members;
    struct json checks; /* an object of numbers, or JSON_NONE */
};

MUST_USE bool log_plan_parse(struct span text, struct log_plan *p,
                             struct err *e);

/* Of this role, or NULL. */
const struct log_plan_member *log_plan_member(const struct log_plan *p,
                                              const char *role);

/* Did it need its `else`?  1, 0, or NAN where that cannot be told: no plan
 * with an `else`, or one that failed before. */
double log_plan_escalated(const struct log_plan *p);

#endif
