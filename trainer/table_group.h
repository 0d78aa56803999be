/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that are no independent evidence: those of one conversation, and those
 * that ask the same in different ones.  Joined, they are a table's groups,
 * which folds never divide and promises count once.
 *
 * A question that would join conversations of more than a hundredth of the
 * rows (a greeting, say) leaves them instead: its rows are then a group of
 * their own.  So no group but a single conversation or a single question is
 * larger than that, whatever is asked how often.
 */
#ifndef WEIR_TRAINER_TABLE_GROUP_H
#define WEIR_TRAINER_TABLE_GROUP_H

#include "base/vec.h"
#include "trainer/table.h"

enum { TABLE_GROUP_LEAST = 20 }; /* rows that conversations may always join */

/*
 * Sets t->group from t->session and t->question; t->again counts the rows
 * that ask what a row of another conversation asks.  Memory and time: n log n.
 */
MUST_USE bool table_group(struct table *t, struct err *e);

/*
 * Is row `row` of one table of a conversation, or does it ask a question,
 * that another table has?  `seen` holds that one's keys.
 */
struct table_seen {
    uint64_t *key; /* (owned) [n] ascending */
    size_t n;
};
MUST_USE bool table_seen_of(const struct table *t, struct table_seen *seen,
                            struct err *e);
bool table_seen_has(const struct table_seen *seen, const struct table *t,
                    size_t row);
void table_seen_free(struct table_seen *seen);

/*
 * The question of a vector, whatever system prompt it came with; 0: it has no
 * word.  At the beginning of a conversation: the words of the user's message;
 * further on also the numbers, which tell the conversations apart.
 */
uint64_t table_question(const struct vec *v);

#endif
