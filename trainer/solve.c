/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/solve.h"

#include <linear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static const int solver[] = {
    [SOLVE_LOGISTIC] = L2R_LR_DUAL,
    [SOLVE_SVR] = L2R_L2LOSS_SVR_DUAL,
};

#define SVR_EPSILON .1

/* Each row ends with the intercept's node and liblinear's end mark. */
struct solve_data {
    size_t n, rows_cap, used, nodes_cap;
    uint32_t columns;
    struct feature_node **row;  /* [n] into nodes */
    struct feature_node *nodes; /* (owned) */
    uint32_t *place; /* (owned) [columns + 1] liblinear's column, from
                        1; NULL: column + 1 */
};

/* What liblinear is given: rows that may be the same vector. */
struct sample {
    size_t n;
    struct feature_node **x;
    double *y;
    unsigned copies; /* each row stands so many times */
};

struct solve_data *solve_data_new(size_t rows, size_t values, uint32_t columns,
                                  struct err *e)
{
    struct solve_data *d = calloc(1, sizeof *d);

    if (d) {
        d->rows_cap = rows;
        d->nodes_cap = values + 2 * rows;
        d->columns = columns;
        d->row = malloc((rows + 1) * sizeof *d->row);
        d->nodes = malloc((d->nodes_cap + 1) * sizeof *d->nodes);
    }
    if (!d || !d->row || !d->nodes) {
        solve_data_free(d);
        err_set(e, ERR_MEMORY, "no memory for %zu training rows", rows);
        return NULL;
    }
    return d;
}

void solve_data_free(struct solve_data *d)
{
    if (!d)
        return;
    free(d->row);
    free(d->nodes);
    free(d->place);
    free(d);
}

void solve_data_add(struct solve_data *d, const struct solve_value *v, size_t n)
{
    struct feature_node *to = d->nodes + d->used;

    if (d->n == d->rows_cap || d->used + n + 2 > d->nodes_cap)
        return; /* the caller gave too small a size: the row is not there */
    for (size_t i = 0; i < n; i++)
        to[i] = (struct feature_node){(int)v[i].column + 1, v[i].value};
    to[n] = (struct feature_node){(int)d->columns + 1, 1};
    to[n + 1] = (struct feature_node){-1, 0};
    d->row[d->n++] = to;
    d->used += n + 2;
}

struct frequency {
    uint32_t column, rows;
};

static int by_frequency(const void *a, const void *b)
{
    const struct frequency *x = a, *y = b;

    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static void place_columns(struct solve_data *d, struct frequency *f)
{
    for (uint32_t c = 0; c <= d->columns; c++)
        f[c] = (struct frequency){c, 0};
    for (size_t i = 0; i < d->used; i++)
        if (d->nodes[i].index > 0)
            f[d->nodes[i].index - 1].rows++;
    qsort(f, d->columns + 1, sizeof *f, by_frequency);
    for (uint32_t c = 0; c <= d->columns; c++)
        d->place[f[c].column] = c + 1;
    for (size_t i = 0; i < d->used; i++)
        if (d->nodes[i].index > 0)
            d->nodes[i].index = (int)d->place[d->nodes[i].index - 1];
}

bool solve_data_pack(struct solve_data *d, struct err *e)
{
    struct frequency *f = malloc(((size_t)d->columns + 1) * sizeof *f);

    d->place = malloc(((size_t)d->columns + 1) * sizeof *d->place);
    if (!f || !d->place) {
        free(f);
        return err_set(e, ERR_MEMORY, "no memory for %u columns", d->columns);
    }
    place_columns(d, f);
    free(f);
    return true;
}

size_t solve_data_rows(const struct solve_data *d)
{
    return d->n;
}

uint32_t solve_data_columns(const struct solve_data *d)
{
    return d->columns;
}

size_t solve_data_row(const struct solve_data *d, size_t row,
                      struct solve_value *to)
{
    const struct feature_node *x = d->row[row];
    size_t n = 0;

    for (; x[n].index > 0; n++)
        if (to)
            to[n] = (struct solve_value){(uint32_t)x[n].index - 1,
                                         (float)x[n].value};
    return n;
}

uint32_t solve_data_place(const struct solve_data *d, uint32_t column)
{
    return d->place ? d->place[column] - 1 : column;
}

static void silent(const char *text)
{
    (void)text;
}

static bool wanted(const struct solve_task *t, size_t row, size_t n_rows)
{
    if (isnan(t->y[row]))
        return false;
    if (!t->max_rows || n_rows <= t->max_rows)
        return true;
    return rng_mix(t->seed, row) % n_rows < t->max_rows;
}

/* The least number of copies that can say the score: 1 for 0 and 1, 2 where
 * halves occur, ... most for whatever needs more. */
static unsigned copies_for(double y, unsigned most)
{
    unsigned n = 1;

    while (n < most && fabs(y * n - round(y * n)) > 1e-4)
        n++;
    return n;
}

static unsigned common(unsigned a, unsigned b, unsigned most)
{
    unsigned n = a;

    while (n % b)
        n += a;
    return n < most ? n : most;
}

/* y of one copy of a soft row: y * copies of them are 1, the fraction left
 * over is decided by the row's own hash. */
static double copy_label(const struct solve_task *t, size_t row, unsigned copy,
                         unsigned copies)
{
    double up = (double)t->y[row] * copies, whole = floor(up + 1e-4);
    double chance = (double)(rng_mix(t->seed ^ 0x50f7, row) >> 11) * 0x1p-53;
    double ones = whole + (chance < up - whole ? 1 : 0);

    return copy < ones ? 1 : -1;
}

/* Where there are weights a whole row is SOLVE_WHOLE copies or more. */
static unsigned copies_of(const struct sample *s, const struct solve_task *t,
                          size_t row)
{
    return t->weight ? s->copies * t->weight[row] / SOLVE_WHOLE : s->copies;
}

static void sample_add(struct sample *s, const struct solve_data *d,
                       const struct solve_task *t, size_t row)
{
    unsigned copies = copies_of(s, t, row);

    for (unsigned c = 0; c < copies; c++) {
        s->x[s->n] = d->row[row];
        if (t->kind == SOLVE_SVR)
            s->y[s->n] = (double)t->y[row];
        else if (s->copies > 1)
            s->y[s->n] = copy_label(t, row, c, copies);
        else
            s->y[s->n] = t->y[row] > .5f ? 1 : -1;
        s->n++;
    }
}

static bool sample_take(struct sample *s, const struct solve_data *d,
                        const struct solve_task *t, struct err *e)
{
    size_t n = 0;

    if (t->weight)
        s->copies = SOLVE_WHOLE;
    for (size_t i = 0; i < d->n; i++) {
        if (!wanted(t, i, d->n))
            continue;
        n++;
        if (t->weight && t->weight[i] < SOLVE_WHOLE)
            continue;
        if (t->kind == SOLVE_LOGISTIC && t->copies > 1 && t->y[i] > 0 &&
            t->y[i] < 1)
            s->copies = common(
                s->copies, copies_for((double)t->y[i], t->copies), t->copies);
    }
    n = s->copies * n + 1;
    s->x = malloc(n * sizeof(*s->x));
    s->y = malloc(n * sizeof(*s->y));
    if (!s->x || !s->y)
        return err_set(e, ERR_MEMORY, "no memory for %zu training rows", n);
    for (size_t i = 0; i < d->n; i++)
        if (wanted(t, i, d->n))
            sample_add(s, d, t, i);
    return true;
}

/* Whether there is anything to tell apart. */
static bool one_class(const struct sample *s, enum solve_kind kind)
{
    if (kind == SOLVE_SVR)
        return s->n == 0;
    for (size_t i = 1; i < s->n; i++)
        if (s->y[i] != s->y[0])
            return false;
    return true;
}

static bool call(const struct solve_data *d, const struct solve_task *t,
                 const struct sample *s, double *w, struct err *e)
{
    struct problem p = {.l = (int)s->n,
                        .n = (int)d->columns + 1,
                        .y = s->y,
                        .x = s->x,
                        .bias = 1};
    struct parameter how = {0};
    struct model *m;
    const char *wrong;
    double sign;

    how.solver_type = solver[t->kind];
    how.C = t->C / s->copies;
    how.eps = t->eps;
    how.p = SVR_EPSILON;
    wrong = check_parameter(&p, &how);
    if (wrong)
        return err_set(e, ERR_STATE, "liblinear: %s", wrong);
    set_print_string_function(silent);
    srand(t->seed);
    m = train(&p, &how);
    if (!m)
        return err_set(e, ERR_MEMORY, "liblinear gave no model");
    /* Positive means the class of the first row. */
    sign = t->kind != SOLVE_SVR && m->label[0] < 0 ? -1 : 1;
    for (uint32_t i = 0; i <= d->columns; i++)
        w[i] = sign * m->w[solve_data_place(d, i)];
    free_and_destroy_model(&m);
    return true;
}

bool solve_run(const struct solve_data *d, const struct solve_task *t,
               double *w, bool *degenerate, struct err *e)
{
    struct sample s = {.copies = 1};
    bool ok = sample_take(&s, d, t, e);

    memset(w, 0, (d->columns + 1) * sizeof *w);
    *degenerate = ok && one_class(&s, t->kind);
    if (ok && s.n > INT32_MAX)
        ok = err_set(e, ERR_LIMIT, "more than %d training rows", INT32_MAX);
    if (ok && !*degenerate)
        ok = call(d, t, &s, w, e);
    free(s.x);
    free(s.y);
    return ok;
}
