/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as text: tables for people, JSON for programs. */
#ifndef WEIR_TRAINER_EVAL_REPORT_H
#define WEIR_TRAINER_EVAL_REPORT_H

#include "base/buf.h"
#include "trainer/contest.h"
#include "trainer/evaluate.h"

void eval_report_json(const struct evaluation *v, const struct contest_set *s,
                      struct buf *out);
void eval_report_table(const struct evaluation *v, const struct contest_set *s,
                       struct buf *out);
/* The answer in plain words, one or two sentences. */
void eval_report_answer(const struct evaluation *v, struct buf *out);

#endif
