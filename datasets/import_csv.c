/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables with one line a prompt and columns a model.
 *
 * RouteLLM (github.com/lm-sys/RouteLLM, routellm/evals/{mmlu,gsm8k}): prompt,
 * MODEL (True or False) ..., and at times MODEL_response.
 * RouterBench (huggingface.co/datasets/withmartian/routerbench, the pickled
 * table written as CSV): sample_id, prompt, eval_name, MODEL (score),
 * MODEL|model_response, MODEL|total_cost, oracle_model_to_route_to.
 */
#include "datasets/csv.h"
#include "datasets/import.h"
#include "datasets/pylist.h"
#include "datasets/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = DATASET_OUTCOMES_MAX, PROMPTS_MAX = 64 };

/* A model's columns; -1: none. */
struct model {
    char *name; /* (owned) */
    int score, response, cost;
};

struct table {
    struct csv *csv; /* (owned) */
    size_t columns;
    int id, prompt, task; /* columns; -1: none */
    struct model models[MODELS_MAX];
    size_t n_models;
    struct csv_record rec;
};

/* How a kind of table names its columns. */
struct layout {
    const char *id, *prompt, *task;
    const char *response_end, *cost_end; /* behind the model's name */
    bool bare_models; /* any other column is a model's score */
    bool lists;       /* prompts are written as lists of strings */
};

static const struct layout routellm = {
    .prompt = "prompt",
    .response_end = "_response",
    .bare_models = true,
};

static const struct layout routerbench = {
    .id = "sample_id",
    .prompt = "prompt",
    .task = "eval_name",
    .response_end = "|model_response",
    .cost_end = "|total_cost",
    .lists = true,
};

static void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_models; i++)
        free(t->models[i].name);
    csv_close(t->csv);
    free(t);
}

static int column_of(const struct table *t, struct span name, const char *end)
{
    for (size_t i = 0; i < t->rec.n; i++) {
        struct span f = t->rec.fields[i];
        size_t n = end ? strlen(end) : 0;

        if (f.len == name.len + n && !memcmp(f.ptr, name.ptr, name.len) &&
            (n == 0 || !memcmp(f.ptr + name.len, end, n)))
            return (int)i;
    }
    return -1;
}

static int named(const struct table *t, const char *name)
{
    return name ? column_of(t, span_of(name), NULL) : -1;
}

/* True where the column belongs to the model of another column. */
static bool belongs(const struct table *t, struct span name, const char *end)
{
    size_t n = end ? strlen(end) : 0;

    if (!end || name.len <= n || memcmp(name.ptr + name.len - n, end, n) != 0)
        return false;
    name.len -= n;
    return column_of(t, name, NULL) >= 0;
}

static bool is_model(const struct table *t, const struct layout *l, int i)
{
    struct span name = t->rec.fields[i];

    if (i == t->id || i == t->prompt || i == t->task || name.len == 0 ||
        span_starts(name, "Unnamed: "))
        return false;
    if (l->bare_models)
        return !belongs(t, name, l->response_end);
    return column_of(t, name, l->cost_end) >= 0 ||
           column_of(t, name, l->response_end) >= 0;
}

static bool add_model(struct table *t, const struct layout *l, int i,
                      struct err *e)
{
    struct span name = t->rec.fields[i];
    struct model *m = &t->models[t->n_models];

    if (t->n_models == MODELS_MAX)
        return err_set(e, ERR_LIMIT, "wanted at most %d models, found more",
                       MODELS_MAX);
    if (column_of(t, name, NULL) != i)
        return err_set(e, ERR_INPUT,
                       "wanted each column once, found '%.*s' "
                       "again",
                       SPAN_ARGS(name));
    m->name = strndup(name.ptr, name.len);
    if (!m->name)
        return err_set(e, ERR_MEMORY, "no memory");
    m->score = i;
    m->response = l->response_end ? column_of(t, name, l->response_end) : -1;
    m->cost = l->cost_end ? column_of(t, name, l->cost_end) : -1;
    t->n_models++;
    return true;
}

static bool read_header(struct table *t, const struct layout *l, struct err *e)
{
    t->columns = t->rec.n;
    t->prompt = named(t, l->prompt);
    t->id = named(t, l->id);
    t->task = named(t, l->task);
    if (t->prompt < 0)
        return err_set(e, ERR_INPUT,
                       "wanted a column named '%s', found none (the first is "
                       "'%.*s')",
                       l->prompt, SPAN_ARGS(t->rec.fields[0]));
    for (size_t i = 0; i < t->rec.n; i++) {
        if (is_model(t, l, (int)i) && !add_model(t, l, (int)i, e))
            return false;
    }
    if (t->n_models == 0 && l->cost_end)
        return err_set(e, ERR_INPUT,
                       "wanted columns 'MODEL' with 'MODEL%s' or 'MODEL%s', "
                       "found none",
                       l->response_end, l->cost_end);
    return t->n_models > 0 ||
           err_set(e, ERR_INPUT, "wanted a column a model, found none");
}

/* ---- one line ---- */

static bool score_of(struct span text, double *out)
{
    if (span_is_nocase(text, "true") || span_is_nocase(text, "false")) {
        *out = text.ptr[0] == 't' || text.ptr[0] == 'T';
        return true;
    }
    return span_double(text, out) && *out >= 0 && *out <= 1;
}

static bool wrong(const struct model *m, const char *end, const char *wanted,
                  struct span found, struct err *e)
{
    return err_set(e, ERR_INPUT, "column '%s%s': wanted %s, found '%.*s'",
                   m->name, end, wanted, found.len < 60 ? (int)found.len : 60,
                   found.ptr);
}

static bool read_model(struct import *im, const struct table *t,
                       const struct model *m, struct err *e)
{
    struct span score = span_trim(t->rec.fields[m->score]), text;
    struct outcome *o;

    if (score.len == 0 || span_is_nocase(score, "nan"))
        return true;
    o = import_outcome(im, span_of(m->name), e);
    if (!o)
        return false;
    if (!score_of(score, &o->score))
        return wrong(m, "", "True, False or a number in [0,1]", score, e);
    o->source = SPAN("benchmark");
    if (m->response >= 0)
        o->output_tokens = import_tokens(t->rec.fields[m->response]);
    text = m->cost >= 0 ? span_trim(t->rec.fields[m->cost]) : SPAN("");
    if (text.len && !span_is_nocase(text, "nan") &&
        (!span_double(text, &o->cost_usd) || o->cost_usd < 0))
        return wrong(m, "|total_cost", "USD of 0 or more", text, e);
    return true;
}

static bool put_prompt(struct import *im, struct span text, bool lists)
{
    struct span parts[PROMPTS_MAX];
    size_t n = 0;

    if (lists && pylist_parse(text, &im->arena, parts, PROMPTS_MAX, &n) && n)
        return import_prompt(im, parts, n);
    return import_prompt(im, &text, 1);
}

/* "mmlu_anatomy" and "gsm8k_responses" are the names of the files. */
static struct span task_of_file(struct span stem)
{
    static const char end[] = "_responses";
    size_t n = sizeof end - 1;

    if (span_starts(stem, "mmlu_")) {
        stem.ptr += 5;
        stem.len -= 5;
    }
    if (stem.len > n && !memcmp(stem.ptr + stem.len - n, end, n))
        stem.len -= n;
    return stem;
}

static bool read_line(struct import *im, const struct table *t,
                      const struct layout *l, uint64_t number, struct err *e)
{
    struct span stem = import_stem(im->path);
    struct span prompt, id = {NULL, 0};

    import_begin(im);
    if (t->rec.n != t->columns)
        return err_set(e, ERR_INPUT,
                       "wanted %zu fields as in the header, found %zu",
                       t->columns, t->rec.n);
    prompt = t->rec.fields[t->prompt];
    if (span_trim(prompt).len == 0)
        return err_set(e, ERR_INPUT,
                       "column 'prompt': wanted a text, found "
                       "none");
    if (t->id >= 0)
        id = t->rec.fields[t->id];
    if (!im->opt.task)
        im->row.task =
            t->task >= 0 ? t->rec.fields[t->task] : task_of_file(stem);
    if (!import_id(im, stem, id, number) || !put_prompt(im, prompt, l->lists))
        return err_set(e, ERR_LIMIT,
                       "wanted a shorter prompt, found one that "
                       "does not fit in memory");
    for (size_t i = 0; i < t->n_models; i++) {
        if (!read_model(im, t, &t->models[i], e))
            return false;
        if (im->row.n_outcomes)
            im->row.outcomes[im->row.n_outcomes - 1].input_tokens =
                import_tokens(prompt);
    }
    return im->row.n_outcomes > 0 ||
           err_set(e, ERR_INPUT, "wanted at least one score, found none");
}

static bool read_lines(struct import *im, struct table *t,
                       const struct layout *l, struct source *src,
                       struct err *e)
{
    int got = csv_next(t->csv, &t->rec, e);

    if (got == 0)
        return err_set(e, ERR_INPUT,
                       "%s: wanted a line of column names, "
                       "found nothing",
                       im->path);
    if (got < 0)
        return false;
    if (!read_header(t, l, e))
        return err_wrap(e, "%s:%llu", im->path,
                        (unsigned long long)t->rec.line);
    for (uint64_t n = 1; (got = csv_next(t->csv, &t->rec, e)) == 1; n++) {
        if (!read_line(im, t, l, n, e)) {
            if (!import_bad(im, t->rec.line, e))
                return false;
        } else if (!import_row(im, e)) {
            return false;
        }
        import_tick(im, src);
    }
    return got == 0;
}

static bool read_table(struct import *im, const struct layout *l, struct err *e)
{
    struct source *src = source_open(im->path, e);
    struct table *t;
    bool ok = false;

    if (!src)
        return false;
    t = calloc(1, sizeof *t);
    if (!t) {
        source_close(src);
        return err_set(e, ERR_MEMORY, "%s: no memory", im->path);
    }
    t->csv = csv_open(src, e);
    if (t->csv)
        ok = read_lines(im, t, l, src, e);
    table_free(t);
    return ok;
}

bool import_routellm(struct import *im, struct err *e)
{
    return read_table(im, &routellm, e);
}

bool import_routerbench(struct import *im, struct err *e)
{
    return read_table(im, &routerbench, e);
}
