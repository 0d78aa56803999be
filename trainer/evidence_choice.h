/* SPDX-License-Identifier: Apache-2.0 */
/* Which arm a policy would have taken of each request of a log: the first half
 * of trainer/evidence.h. */
#ifndef WEIR_TRAINER_EVIDENCE_CHOICE_H
#define WEIR_TRAINER_EVIDENCE_CHOICE_H

#include "trainer/evidence.h"

/* What a policy's classifier says of each row; zeroed: nothing. */
struct said {
    float *quality; /* (owned) [n * n_arms] of the log's arms; unknown: NAN */
    double *cost;   /* (owned) [n * n_arms] USD expected */
    bool *outside;  /* (owned) [n] the reference's, whatever is predicted */
};

/* Whatever it returns, said_free() is due. */
MUST_USE bool said_new(struct said *s, const struct offlog *log,
                       const struct evidence_policy *p, struct err *e);
void said_free(struct said *s);

/* Fills choice[n]: the arm that the policy takes of each row.  s: of the same
 * classifier and rows. */
MUST_USE bool said_choose(const struct said *s, const struct offlog *log,
                          const struct evidence_policy *p, uint8_t *choice,
                          struct err *e);

/* The row could have had this arm (-1: no). */
bool evidence_can(const struct offlog *log, size_t i, int arm);

#endif
