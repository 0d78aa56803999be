/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/replay.h"

#include "base/json.h"
#include "bench/client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEEDBACK = 1 }; /* bit 0 of a call's tag */

struct label {
    char id[64];
    double score;
};

struct replay {
    struct replay_way *w;
    const struct rows *rows;
    const struct pool *pool;
    const struct replay_options *o;
    size_t next, done;
    struct label *labels; /* (owned) [n] to be sent */
    size_t n_labels, sent;
    struct progress progress;
};

static bool next_label(struct replay *r, struct client_call *call)
{
    const struct label *l;

    if (r->sent == r->n_labels)
        return false;
    l = &r->labels[r->sent++];
    call->tag = FEEDBACK;
    snprintf(call->path, sizeof call->path, "/feedback");
    buf_str(&call->body, "{\"request_id\":");
    buf_json_str(&call->body, span_of(l->id));
    buf_str(&call->body, ",\"score\":");
    buf_json_num(&call->body, l->score);
    buf_char(&call->body, '}');
    return true;
}

static bool on_next(void *ctx, struct client_call *call)
{
    struct replay *r = ctx;

    if (next_label(r, call))
        return true;
    if (r->next == r->rows->n)
        return false;
    call->tag = (uint64_t)r->next << 1;
    snprintf(call->path, sizeof call->path, "/chat/completions");
    if (isfinite(r->w->quality))
        snprintf(call->header, sizeof call->header, "x-weir-quality: %g",
                 r->w->quality);
    rows_body(&r->rows->row[r->next], span_of(r->w->route), &call->body);
    r->next++;
    return true;
}

static void count_error(struct replay_way *w, const char *kind)
{
    unsigned i = 0;

    while (i < w->n_errors && strcmp(w->error[i].kind, kind) != 0)
        i++;
    if (i == REPLAY_ERRORS_MAX)
        i--; /* the last row takes what does not fit */
    if (i == w->n_errors) {
        snprintf(w->error[i].kind, sizeof w->error[i].kind, "%s", kind);
        w->n_errors++;
    }
    w->error[i].n++;
}

/* "429 rate_limit_exceeded": the status and the body's own word for it. */
static void error_kind(const struct client_answer *a, char *kind, size_t size)
{
    struct json root, error, code;
    struct err e;

    if (a->failure) {
        snprintf(kind, size, "%s", a->failure);
        return;
    }
    snprintf(kind, size, "%d", a->status);
    if (!json_parse(a->body, &root, &e))
        return;
    error = json_get(&root, "error");
    code = json_get(&error, "code");
    if (code.type != JSON_STRING)
        code = json_get(&error, "type");
    if (code.type == JSON_STRING)
        snprintf(kind, size, "%d %.*s", a->status,
                 SPAN_ARGS(json_inner(&code)));
}

/* The model that answered, by header, else as the body names it. */
static int model_of(const struct replay *r, const struct client_answer *a,
                    const struct json *root)
{
    struct json model;
    int at = -1;

    if (a->model[0])
        at = pool_find(r->pool, span_of(a->model));
    if (at < 0 && a->arm[0])
        at = pool_find(r->pool, span_of(a->arm));
    if (at >= 0)
        return at;
    model = json_get(root, "model");
    return model.type == JSON_STRING ? pool_find(r->pool, json_inner(&model))
                                     : -1;
}

/* As weir says, else tokens by price, else as the dataset says. */
static double cost_of(const struct replay *r, const struct client_answer *a,
                      const struct json *root, int model, double expected)
{
    const struct pool_model *m = &r->pool->model[model];
    struct json usage = json_get(root, "usage");
    struct json in = json_get(&usage, "prompt_tokens");
    struct json out = json_get(&usage, "completion_tokens");
    double n_in, n_out;

    if (isfinite(a->cost_usd))
        return a->cost_usd;
    if (isfinite(m->usd_in) && json_double(&in, &n_in) &&
        json_double(&out, &n_out))
        return n_in * m->usd_in + n_out * m->usd_out;
    return expected;
}

static void want_feedback(struct replay *r, const struct client_answer *a,
                          double score)
{
    struct label *l;

    if (!r->o->feedback || !a->request_id[0])
        return;
    l = &r->labels[r->n_labels++];
    snprintf(l->id, sizeof l->id, "%s", a->request_id);
    l->score = score;
}

static void take_answer(struct replay *r, size_t i,
                        const struct client_answer *a)
{
    struct replay_way *w = r->w;
    struct json root = {.type = JSON_NONE};
    char kind[40];
    struct err e;
    int m;

    if (a->status != 200) {
        error_kind(a, kind, sizeof kind);
        count_error(w, kind);
        return;
    }
    if (!json_parse(a->body, &root, &e))
        root.type = JSON_NONE;
    m = model_of(r, a, &root);
    if (m < 0) {
        count_error(w, "answered by an unknown model");
        return;
    }
    w->model[i] = m;
    w->score[i] = r->rows->score[(size_t)m * r->rows->n + i];
    w->cost[i] =
        cost_of(r, a, &root, m, r->rows->cost[(size_t)m * r->rows->n + i]);
    w->expected_cost += r->rows->cost[(size_t)m * r->rows->n + i];
    w->seconds[i] = a->seconds;
    w->decision_us[i] = a->decision_us;
    w->answered++;
    w->chosen[m]++;
    snprintf(w->sample_id, sizeof w->sample_id, "%s", a->request_id);
    want_feedback(r, a, w->score[i]);
}

static void on_done(void *ctx, const struct client_call *call,
                    const struct client_answer *a)
{
    struct replay *r = ctx;
    char kind[40], full[40];

    if (call->tag & FEEDBACK) {
        if (a->status == 200) {
            r->w->labelled++;
            return;
        }
        error_kind(a, kind, sizeof kind);
        snprintf(full, sizeof full, "feedback: %.28s", kind);
        count_error(r->w, full);
        return;
    }
    take_answer(r, (size_t)(call->tag >> 1), a);
    r->done++;
    progress_at(&r->progress, (double)r->done / (double)r->rows->n);
}

static bool allocate(struct replay_way *w, size_t n, struct err *e)
{
    w->n = n;
    w->score = calloc(n, sizeof *w->score);
    w->cost = calloc(n, sizeof *w->cost);
    w->seconds = calloc(n, sizeof *w->seconds);
    w->decision_us = calloc(n, sizeof *w->decision_us);
    w->model = calloc(n, sizeof *w->model);
    if (!w->score || !w->cost || !w->seconds || !w->decision_us || !w->model)
        return err_set(e, ERR_MEMORY, "no memory for %zu answers", n);
    for (size_t i = 0; i < n; i++) {
        w->seconds[i] = w->decision_us[i] = NAN;
        w->model[i] = -1;
    }
    return true;
}

bool replay_run(struct replay_way *w, const struct rows *rows,
                const struct pool *pool, const struct replay_options *o,
                struct err *e)
{
    struct replay r = {.w = w, .rows = rows, .pool = pool, .o = o};
    struct client c = {.base_url = w->url ? w->url : o->url,
                       .api_key = o->api_key,
                       .concurrency = o->concurrency,
                       .timeout = o->timeout,
                       .next = on_next,
                       .done = on_done,
                       .ctx = &r};
    char what[96];
    bool ok;

    if (!allocate(w, rows->n, e))
        return false;
    r.labels = calloc(rows->n, sizeof *r.labels);
    if (!r.labels)
        return err_set(e, ERR_MEMORY, "no memory for the labels");
    snprintf(what, sizeof what, "asking %s", w->label);
    progress_start(&r.progress, what);
    ok = client_run(&c, e);
    progress_end(&r.progress);
    free(r.labels);
    return ok;
}

void replay_free(struct replay_way *w)
{
    free(w->score);
    free(w->cost);
    free(w->seconds);
    free(w->decision_us);
    free(w->model);
}
