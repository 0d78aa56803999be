/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mix of a traffic, as a classifier sees it: how its requests spread
 * over predicted tasks, predicted quality, share of unseen words and length.
 * A promise holds for the mix that it was calibrated on; by these histograms
 * trainer and server tell whether another traffic still has it.
 *
 * The distance is the population stability index, sum (a - b) ln(a / b) over
 * a histogram's bins, less what two samples of one traffic would show on
 * average: (bins - 1) (1/n + 1/m).
 */
#ifndef WEIR_MODELS_MIX_H
#define WEIR_MODELS_MIX_H

#include "models/weights.h"

enum { MIX_BINS = 20, MIX_LEAST = 200 /* requests to tell anything by */ };

/* Beyond this the mix is another one.  By custom .1 is a shift worth a look
 * and .25 one worth acting on; between a promise and none the first counts. */
#define MIX_MOST .1

enum mix_kind { MIX_TASK, MIX_QUALITY, MIX_UNSEEN, MIX_LENGTH, MIX_KINDS };

struct mix {
    uint32_t n;       /* requests */
    uint32_t n_tasks; /* bins of MIX_TASK; the others have MIX_BINS */
    uint32_t count[MIX_KINDS][CLASSIFIER_TASKS_MAX];
};

const char *mix_kind_name(enum mix_kind kind);
uint32_t mix_kind_bins(const struct mix *m, enum mix_kind kind);

/* The bins that one request falls into. */
void mix_bins(const struct prediction *p, double input_tokens,
              uint32_t bin[MIX_KINDS]);
void mix_add(struct mix *m, const struct prediction *p, double input_tokens);

/* The greatest distance of a histogram, at least 0, and which one it is; 0
 * where either has fewer than MIX_LEAST requests. */
double mix_distance(const struct mix *a, const struct mix *b,
                    enum mix_kind *most);

#endif
