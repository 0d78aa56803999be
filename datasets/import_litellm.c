/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM's spend logs: the JSON that GET /spend/logs answers, or the table
 * LiteLLM_SpendLogs written as CSV or JSON lines (docs.litellm.ai, schema in
 * github.com/BerriAI/litellm, schema.prisma).  Prompts are in them only with
 * store_prompts_in_spend_logs, and then in proxy_server_request; `messages`
 * is mostly an empty object.  No score: the rows are unlabelled.
 */
#include "datasets/csv.h"
#include "datasets/import.h"
#include "datasets/records.h"
#include "datasets/row.h"
#include "datasets/source.h"

#include <stdlib.h>
#include <string.h>

enum field {
    F_ID,
    F_MODEL,
    F_STATUS,
    F_CACHED,
    F_INPUT,
    F_OUTPUT,
    F_SPEND,
    F_BEGAN,
    F_ENDED,
    F_SESSION,
    F_MESSAGES,
    F_REQUEST,
    FIELDS,
};

static const char *const field_names[FIELDS] = {
    [F_ID] = "request_id",       [F_MODEL] = "model",
    [F_STATUS] = "status",       [F_CACHED] = "cache_hit",
    [F_INPUT] = "prompt_tokens", [F_OUTPUT] = "completion_tokens",
    [F_SPEND] = "spend",         [F_BEGAN] = "startTime",
    [F_ENDED] = "endTime",       [F_SESSION] = "session_id",
    [F_MESSAGES] = "messages",   [F_REQUEST] = "proxy_server_request",
};

/* One log entry: texts decoded, JSON values as they stand. */
struct entry {
    struct span f[FIELDS];
};

static const char no_text[] =
    "it holds no messages (LiteLLM stores them only with "
    "store_prompts_in_spend_logs: true)";

static bool number(const struct entry *en, enum field f, double *out,
                   struct err *e)
{
    struct span s = span_trim(en->f[f]);

    if (s.len == 0)
        return true;
    if (span_double(s, out) && *out >= 0)
        return true;
    return err_set(e, ERR_INPUT,
                   "%s: wanted a number of 0 or more, found "
                   "'%.*s'",
                   field_names[f], s.len < 60 ? (int)s.len : 60, s.ptr);
}

static bool json_field(const struct entry *en, enum field f, struct json *out,
                       struct err *e)
{
    *out = (struct json){JSON_NONE, false, {NULL, 0}};
    if (span_trim(en->f[f]).len == 0)
        return true;
    return json_parse(en->f[f], out, e) || err_wrap(e, "%s", field_names[f]);
}

/* *found: the row has messages now. */
static bool prompt(struct import *im, const struct entry *en, bool *found,
                   struct err *e)
{
    struct json messages, request, body, bad;

    if (!json_field(en, F_MESSAGES, &messages, e) ||
        !json_field(en, F_REQUEST, &request, e))
        return false;
    body = json_get(&request, "body");
    *found = import_request(im, &request) || import_request(im, &body);
    if (!*found && row_messages_ok(&messages, &bad)) {
        im->row.messages = messages.raw;
        *found = true;
    }
    return true;
}

static bool measures(const struct entry *en, struct outcome *o,
                     int64_t *time_ms, struct err *e)
{
    double spend = 0;
    int64_t ended = import_time(en->f[F_ENDED]);
    bool cached = span_is_nocase(span_trim(en->f[F_CACHED]), "true");

    *time_ms = import_time(en->f[F_BEGAN]);
    if (!number(en, F_INPUT, &o->input_tokens, e) ||
        !number(en, F_OUTPUT, &o->output_tokens, e) ||
        !number(en, F_SPEND, &spend, e))
        return false;
    /* LiteLLM writes 0 where it knows no price or had the answer cached. */
    if (spend > 0)
        o->cost_usd = spend;
    if (!cached && *time_ms >= 0 && ended >= *time_ms)
        o->latency_ms = (double)(ended - *time_ms);
    return true;
}

static bool fill(struct import *im, const struct entry *en, uint64_t line,
                 bool *use, struct err *e)
{
    struct outcome *o;

    *use = false;
    if (span_is_nocase(en->f[F_STATUS], "failure")) {
        import_leave(im, "the request failed");
        return true;
    }
    if (en->f[F_ID].len == 0)
        return err_set(e, ERR_INPUT, "request_id: wanted a text, found none");
    if (!prompt(im, en, use, e))
        return false;
    if (!*use) {
        import_leave(im, no_text);
        return true;
    }
    o = import_outcome(im, en->f[F_MODEL], e);
    if (!o)
        return err_wrap(e, "model");
    im->row.session = en->f[F_SESSION];
    return measures(en, o, &im->row.time_ms, e) &&
           (import_id(im, SPAN("litellm"), en->f[F_ID], line) ||
            err_set(e, ERR_LIMIT, "wanted a smaller entry"));
}

static bool add(struct import *im, const struct entry *en, uint64_t line,
                struct err *e)
{
    bool use;

    if (!fill(im, en, line, &use, e))
        return import_bad(im, line, e);
    return !use || import_row(im, e);
}

/* ---- JSON ---- */

static bool entry_of(struct import *im, const struct json *v, struct entry *en,
                     struct err *e)
{
    for (int i = 0; i < FIELDS; i++) {
        struct json f = json_get(v, field_names[i]);

        en->f[i] = f.type == JSON_NONE || f.type == JSON_NULL
                       ? (struct span){NULL, 0}
                       : f.raw;
        if (f.type == JSON_STRING && !json_text(&f, &im->arena, &en->f[i]))
            return err_set(e, ERR_LIMIT, "wanted a smaller entry");
    }
    return true;
}

static bool read_json(struct import *im, struct source *src, struct err *e)
{
    struct records r;
    struct entry en;
    struct json v;
    uint64_t line;
    bool ok = true;
    int got;

    records_begin(&r, src);
    while (ok && (got = records_next(&r, &v, &line, e)) != 0) {
        ok = got == 1 || (got == -1 && im->opt.skip_bad);
        if (!ok)
            break;
        import_begin(im);
        if (got == -1)
            im->count.bad++;
        else if (entry_of(im, &v, &en, e))
            ok = add(im, &en, line, e);
        else
            ok = import_bad(im, line, e);
        import_tick(im, src);
    }
    source_close(src);
    return ok;
}

/* ---- CSV ---- */

static bool columns_of(const struct csv_record *rec, int columns[FIELDS],
                       struct err *e)
{
    for (int i = 0; i < FIELDS; i++) {
        columns[i] = -1;
        for (size_t k = 0; k < rec->n; k++) {
            if (span_is(rec->fields[k], field_names[i]))
                columns[i] = (int)k;
        }
    }
    if (columns[F_ID] >= 0 && columns[F_MODEL] >= 0)
        return true;
    return err_set(e, ERR_INPUT,
                   "wanted columns request_id and model, found "
                   "none of that name (the first is '%.*s')",
                   SPAN_ARGS(rec->fields[0]));
}

static bool read_records(struct import *im, struct csv *csv,
                         struct csv_record *rec, struct err *e)
{
    int columns[FIELDS];
    struct entry en;
    size_t n;
    int got = csv_next(csv, rec, e);

    if (got == 0)
        return true;
    if (got < 0)
        return false;
    n = rec->n;
    if (!columns_of(rec, columns, e))
        return err_wrap(e, "%s:%llu", im->path, (unsigned long long)rec->line);
    while ((got = csv_next(csv, rec, e)) == 1) {
        bool ok;

        import_begin(im);
        for (int i = 0; i < FIELDS; i++)
            en.f[i] = columns[i] >= 0 && (size_t)columns[i] < rec->n
                          ? rec->fields[columns[i]]
                          : (struct span){NULL, 0};
        if (rec->n == n)
            ok = add(im, &en, rec->line, e);
        else
            ok = !err_set(e, ERR_INPUT,
                          "wanted %zu fields as in the header, "
                          "found %zu",
                          n, rec->n) &&
                 import_bad(im, rec->line, e);
        if (!ok)
            return false;
    }
    return got == 0;
}

static bool read_csv(struct import *im, struct source *src, struct err *e)
{
    struct csv_record *rec = malloc(sizeof *rec);
    struct csv *csv = csv_open(src, e);
    bool ok = rec && csv && read_records(im, csv, rec, e);

    if (!rec)
        err_set(e, ERR_MEMORY, "%s: no memory", im->path);
    csv_close(csv);
    free(rec);
    return ok;
}

bool import_litellm(struct import *im, struct err *e)
{
    struct source *src = source_open(im->path, e);
    struct span head;

    if (!src)
        return false;
    if (source_more(src, e) == SOURCE_FAIL) {
        source_close(src);
        return false;
    }
    head = span_trim(source_view(src));
    if (head.len == 0 || head.ptr[0] == '[' || head.ptr[0] == '{')
        return read_json(im, src, e);
    return read_csv(im, src, e);
}
