/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rows.h"

#include "base/rng.h"
#include "datasets/dataset.h"
#include "features/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX ((size_t)4 << 30)

/* One row as read, before it is known which are kept. */
struct loader {
    struct rows *out;
    const struct pool *pool;
    struct features_scratch *scratch; /* (owned) */
    struct vec *vec;                  /* (owned) */
    struct arena arena;               /* of one row */
    struct dataset_row *in;           /* (owned) */
    double *score, *cost;             /* (owned) [cap * n_models] row by row */
};

static double cost_of(const struct outcome *o, const struct pool_model *m,
                      double est_input)
{
    double in = isfinite(o->input_tokens) ? o->input_tokens : est_input;
    double out = isfinite(o->output_tokens) ? o->output_tokens : 1;

    if (isfinite(m->usd_in) && isfinite(m->usd_out))
        return in * m->usd_in + out * m->usd_out;
    return o->cost_usd;
}

/* False when a model of the pool has no score. */
static bool take_outcomes(struct loader *l, double est_input)
{
    size_t at = l->out->n * l->pool->n;
    unsigned found = 0;

    for (unsigned m = 0; m < l->pool->n; m++)
        l->score[at + m] = NAN;
    for (uint32_t i = 0; i < l->in->n_outcomes; i++) {
        const struct outcome *o = &l->in->outcomes[i];
        int m = pool_find(l->pool, o->arm);

        if (m < 0 || !isfinite(o->score) ||
            isfinite(l->score[at + (unsigned)m]))
            continue;
        l->score[at + (unsigned)m] = o->score;
        l->cost[at + (unsigned)m] = cost_of(o, &l->pool->model[m], est_input);
        found++;
    }
    return found == l->pool->n;
}

static bool grow(struct loader *l)
{
    struct rows *r = l->out;
    size_t cap = r->cap ? r->cap * 2 : 1024;
    size_t cells = cap * l->pool->n;
    void *row = realloc(r->row, cap * sizeof *r->row);
    void *score = realloc(l->score, cells * sizeof *l->score);
    void *cost = realloc(l->cost, cells * sizeof *l->cost);

    r->row = row ? row : r->row;
    l->score = score ? score : l->score;
    l->cost = cost ? cost : l->cost;
    if (row && score && cost)
        r->cap = cap;
    return row && score && cost;
}

static bool add_row(struct loader *l, struct err *e)
{
    struct rows *r = l->out;
    struct rows_row *row;
    struct request request;
    struct facts facts;

    arena_reset(&l->arena);
    if (!request_from_parts((struct request_pieces){l->in->messages,
                                                    l->in->tools,
                                                    l->in->params},
                            &l->arena, &request, e))
        return err_wrap(e, "row %llu", (unsigned long long)l->in->line);
    features_extract(&request, l->scratch, l->vec, &facts);
    r->read++;
    if (r->n == r->cap && !grow(l))
        return err_set(e, ERR_MEMORY, "no memory for %zu requests", r->n);
    if (!take_outcomes(l, facts.input_tokens)) {
        r->incomplete++;
        return true;
    }
    row = &r->row[r->n++];
    row->id = arena_copy(&r->arena, l->in->id);
    row->task = arena_copy(&r->arena, l->in->task);
    row->messages = arena_copy(&r->arena, l->in->messages);
    row->tools = arena_copy(&r->arena, l->in->tools);
    row->params = arena_copy(&r->arena, l->in->params);
    row->stem = facts.stem_hash;
    return row->messages.ptr ||
           err_set(e, ERR_MEMORY, "no memory for the requests' text");
}

static bool read_file(struct loader *l, const char *path, struct err *e)
{
    struct dataset *d = dataset_open(path, (struct dataset_options){false}, e);
    bool ok = d != NULL;
    int got = 0;

    while (ok && (got = dataset_next(d, l->in, e)) == 1)
        ok = add_row(l, e) || err_wrap(e, "%s", path);
    dataset_close(d);
    return ok && got == 0;
}

/* The rows' numbers in the order drawn by the seed. */
static uint32_t *draw_order(size_t n, uint64_t seed)
{
    uint32_t *order = calloc(n + 1, sizeof *order);
    struct rng rng;

    rng_seed(&rng, seed);
    for (size_t i = 0; order && i < n; i++)
        order[i] = (uint32_t)i;
    if (order)
        rng_shuffle(&rng, order, n);
    return order;
}

/* Keeps the rows order[0..keep) and turns the columns model by model. */
static bool keep_rows(struct loader *l, const uint32_t *order, size_t keep)
{
    struct rows *r = l->out;
    unsigned k = l->pool->n;
    struct rows_row *row = calloc(keep + 1, sizeof *row);

    r->score = calloc(keep * k + 1, sizeof *r->score);
    r->cost = calloc(keep * k + 1, sizeof *r->cost);
    if (!row || !r->score || !r->cost) {
        free(row);
        return false;
    }
    for (size_t i = 0; i < keep; i++) {
        row[i] = r->row[order[i]];
        for (unsigned m = 0; m < k; m++) {
            r->score[m * keep + i] = l->score[(size_t)order[i] * k + m];
            r->cost[m * keep + i] = l->cost[(size_t)order[i] * k + m];
        }
    }
    free(r->row);
    r->row = row;
    r->n = keep;
    return true;
}

static bool choose_rows(struct loader *l, const struct rows_options *o,
                        struct err *e)
{
    size_t keep = o->max && o->max < l->out->n ? o->max : l->out->n;
    uint32_t *order;
    bool ok;

    if (keep == 0)
        return err_set(e, ERR_INPUT,
                       "wanted rows with a score of every model of the pool, "
                       "found none among %zu",
                       l->out->read);
    order = draw_order(l->out->n, o->seed);
    ok = (order && keep_rows(l, order, keep)) ||
         err_set(e, ERR_MEMORY, "no memory for %zu requests", keep);
    free(order);
    return ok;
}

bool rows_load(struct rows *r, const struct rows_options *o,
               const struct pool *p, struct err *e)
{
    struct loader l = {.out = r, .pool = p};
    bool ok;

    memset(r, 0, sizeof *r);
    r->n_models = p->n;
    arena_init(&r->arena, TEXTS_MAX);
    arena_init(&l.arena, (size_t)256 << 20);
    l.scratch = features_scratch_new();
    l.vec = malloc(sizeof *l.vec);
    l.in = malloc(sizeof *l.in);
    ok = (l.scratch && l.vec && l.in) || err_set(e, ERR_MEMORY, "no memory");
    for (unsigned i = 0; ok && i < o->n_files; i++)
        ok = read_file(&l, o->files[i], e);
    ok = ok && choose_rows(&l, o, e);
    features_scratch_free(l.scratch);
    free(l.vec);
    free(l.in);
    free(l.score);
    free(l.cost);
    arena_free(&l.arena);
    return ok;
}

void rows_free(struct rows *r)
{
    arena_free(&r->arena);
    free(r->row);
    free(r->score);
    free(r->cost);
    memset(r, 0, sizeof *r);
}

void rows_body(const struct rows_row *row, struct span model, struct buf *out)
{
    struct span params = span_trim(row->params);

    buf_str(out, "{\"model\":");
    buf_json_str(out, model);
    buf_str(out, ",\"messages\":");
    buf_span(out, row->messages);
    if (row->tools.len > 2) {
        buf_str(out, ",\"tools\":");
        buf_span(out, row->tools);
    }
    /* The members of the object, without its braces. */
    if (params.len > 2) {
        struct span inner = {params.ptr + 1, params.len - 2};

        inner = span_trim(inner);
        if (inner.len) {
            buf_char(out, ',');
            buf_span(out, inner);
        }
    }
    buf_char(out, '}');
}
