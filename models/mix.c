/* SPDX-License-Identifier: Apache-2.0 */
#include "models/mix.h"

#include "base/span.h"
#include "models/numeric.h"

static const char *const names[MIX_KINDS] = {
    [MIX_TASK] = "task",
    [MIX_QUALITY] = "quality",
    [MIX_UNSEEN] = "unseen",
    [MIX_LENGTH] = "length",
};

const char *mix_kind_name(enum mix_kind kind)
{
    return names[kind];
}

uint32_t mix_kind_bins(const struct mix *m, enum mix_kind kind)
{
    return kind == MIX_TASK ? m->n_tasks : MIX_BINS;
}

static uint32_t bin_of(double share)
{
    int bin = share > 0 ? (int)(share * MIX_BINS) : 0;

    return bin < MIX_BINS ? (uint32_t)bin : MIX_BINS - 1;
}

/* Requests from one template are all about as long, and a bin's bound may
 * run right through them: each is put up to one and a half bins beside its
 * own, most near it, drawn from what else is known of it.  So lengths that
 * differ by a twentieth are one mix, twice as long ones are another. */
static double beside(const struct prediction *p, double sum)
{
    const double seed[2] = {sum, (double)p->unseen};
    uint64_t h =
        span_hash((struct span){(const char *)seed, sizeof seed}, 0x6c656e);
    double first = (double)(h >> 32) * 0x1p-32;
    double second = (double)(h & 0xffffffff) * 0x1p-32;

    return 1.5 * (first + second) - 1.5;
}

void mix_bins(const struct prediction *p, double input_tokens,
              uint32_t bin[MIX_KINDS])
{
    double sum = 0, lengths = 0;

    bin[MIX_TASK] = 0;
    for (uint32_t i = 1; i < p->n_tasks; i++) {
        if (p->task[i] > p->task[bin[MIX_TASK]])
            bin[MIX_TASK] = i;
    }
    for (uint32_t a = 0; a < p->n_arms; a++)
        sum += (double)p->quality[a];
    if (input_tokens > 1)
        lengths =
            (num_log(input_tokens) / num_log(2) + beside(p, sum)) / MIX_BINS;
    bin[MIX_QUALITY] = bin_of(p->n_arms ? sum / p->n_arms : 0);
    bin[MIX_UNSEEN] = bin_of((double)p->unseen);
    bin[MIX_LENGTH] = bin_of(lengths);
}

void mix_add(struct mix *m, const struct prediction *p, double input_tokens)
{
    uint32_t bin[MIX_KINDS];

    mix_bins(p, input_tokens, bin);
    for (unsigned k = 0; k < MIX_KINDS; k++)
        m->count[k][bin[k]]++;
    m->n_tasks = p->n_tasks;
    m->n++;
}

/* Half a request is added to each bin that either has, so that no share is
 * 0. */
static double distance(const struct mix *a, const struct mix *b,
                       enum mix_kind kind)
{
    uint32_t bins = mix_kind_bins(a, kind), used = 0;
    const uint32_t *x = a->count[kind], *y = b->count[kind];
    double sum = 0, n, m;

    for (uint32_t i = 0; i < bins; i++)
        used += x[i] > 0 || y[i] > 0;
    n = a->n + used / 2.;
    m = b->n + used / 2.;
    for (uint32_t i = 0; i < bins; i++) {
        double p = (x[i] + .5) / n, q = (y[i] + .5) / m;

        if (x[i] > 0 || y[i] > 0)
            sum += (p - q) * num_log(p / q);
    }
    return used ? sum - (used - 1.) * (1. / a->n + 1. / b->n) : 0;
}

double mix_distance(const struct mix *a, const struct mix *b,
                    enum mix_kind *most)
{
    double worst = 0;

    *most = MIX_TASK;
    if (a->n < MIX_LEAST || b->n < MIX_LEAST || a->n_tasks != b->n_tasks)
        return 0;
    for (unsigned k = 0; k < MIX_KINDS; k++) {
        double d = distance(a, b, (enum mix_kind)k);

        if (d <= worst)
            continue;
        worst = d;
        *most = (enum mix_kind)k;
    }
    return worst;
}
