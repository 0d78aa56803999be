/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of the server's outcome log (docs/log-format.md): each request that
 * an arm served is a row with that arm's outcome, and those of the arms that
 * weir itself asked the same in its shadow.  Where a plan of several models
 * served, whether it needed its `else` and what its members took are outcomes
 * too, without scores: a draft that was accepted is no fair sample of the
 * drafts.  But a panel's model has the panel's score, for its answer goes out
 * whatever the review says.  The file is only read, and the server may go on
 * writing meanwhile: all is seen as it was when reading began.
 */
#include "base/arena.h"
#include "base/json.h"
#include "base/vec.h"
#include "datasets/log_db.h"
#include "datasets/log_plan.h"
#include "datasets/reader.h"
#include "datasets/row.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_BYTES = 256 << 20, SQL_MAX = 1024 };

struct weir_log {
    char *name; /* (owned) */
    struct log_db db;
    sqlite3_stmt *rows, *label, *beside, *after;
    sqlite3_stmt *shadows; /* NULL: the log knows none */
    struct arena arena;    /* of one row: shadows' texts, names */
    uint64_t done, total;  /* rows */
    int64_t contradictory; /* requests */
};

/* A task that the classifier guessed is no evidence for the next one.  The
 * last columns are `plan` and `signals`, or NULL in a log that lacks them. */
#define COLUMNS                                                                \
    "SELECT id, time_ms, session, CASE task_given WHEN 1 THEN task END,"       \
    "  arm, propensity, input_tokens,"                                         \
    "  CASE WHEN status < 400 THEN output_tokens END,"                         \
    "  cost_pico, latency_us, features, messages, tools, params, answer,"      \
    "  arms, est_input, %s, %s FROM requests"

static const char rows_sql[] =
    COLUMNS " WHERE arm IS NOT NULL%s"
            "  AND (features IS NOT NULL OR messages IS NOT NULL)"
            "  AND time_ms >= ?1 AND time_ms < ?2"
            "  AND (?3 IS NULL OR route = ?3)"
            " ORDER BY time_ms, id";

static const char shadows_sql[] =
    COLUMNS " WHERE id IN (SELECT id FROM temp.shadows WHERE parent = ?1)"
            " ORDER BY time_ms, id";

/* Found once: the log has no index for it. */
static const char find_shadows_sql[] =
    "PRAGMA temp_store = MEMORY;"
    "CREATE TEMP TABLE shadows (parent TEXT, id TEXT);"
    "INSERT INTO temp.shadows SELECT parent, id FROM requests"
    " WHERE purpose = 'shadow' AND parent IS NOT NULL AND arm IS NOT NULL;"
    "CREATE INDEX temp.shadows_parent ON shadows(parent)";

static const char count_sql[] =
    "SELECT count(*) FROM requests WHERE time_ms >= ?1 AND time_ms < ?2";

static const char contradictory_sql[] =
    "SELECT count(DISTINCT request_id) FROM"
    " (SELECT request_id FROM labels WHERE source <> 'signal'"
    "  GROUP BY request_id, source"
    "  HAVING min(score) < 0.5 AND max(score) > 0.5)";

static const char label_sql[] =
    "SELECT score, source, confidence FROM labels WHERE request_id = ?1"
    " AND" LOG_DB_BEST_LABEL;

static const char beside_sql[] =
    "SELECT score FROM labels WHERE request_id = ?1 AND source NOT IN"
    " ('feedback', 'benchmark') AND" LOG_DB_BEST_LABEL;

/* What the conversation's next request showed. */
static const char after_sql[] =
    "SELECT group_concat(DISTINCT comment) FROM labels"
    " WHERE request_id = ?1 AND source = 'signal' AND comment IS NOT NULL";

enum column {
    C_ID,
    C_TIME,
    C_SESSION,
    C_TASK,
    C_ARM,
    C_PROPENSITY,
    C_INPUT,
    C_OUTPUT,
    C_COST,
    C_LATENCY,
    C_FEATURES,
    C_MESSAGES,
    C_TOOLS,
    C_PARAMS,
    C_ANSWER,
    C_CHOICES,
    C_EST_INPUT,
    C_PLAN,
    C_SIGNALS,
};

static struct log_db_range range_of(const struct dataset_options *o)
{
    return (struct log_db_range){o->since_ms, o->until_ms, o->route};
}

static bool count_rows(struct weir_log *l, const struct dataset_options *o,
                       struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool ok = log_db_prepare(&l->db, count_sql, &st, e);

    if (ok) {
        log_db_bind(st, range_of(o));
        ok = sqlite3_step(st) == SQLITE_ROW ||
             log_db_fail(&l->db, "counting", e);
        l->total = (uint64_t)sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return ok;
}

static bool prepare_rows(struct weir_log *l, struct err *e)
{
    char sql[SQL_MAX];
    int64_t shadows;
    bool plans = l->db.has_plans;

    const char *signals = l->db.has_signals ? "signals" : "NULL";

    snprintf(sql, sizeof sql, rows_sql, plans ? "plan" : "NULL", signals,
             plans ? " AND purpose IS NULL" : "");
    if (!log_db_prepare(&l->db, sql, &l->rows, e) || !plans)
        return l->rows != NULL;
    if (sqlite3_exec(l->db.sql, find_shadows_sql, NULL, NULL, NULL) !=
        SQLITE_OK)
        return log_db_fail(&l->db, "looking for shadows", e);
    if (!log_db_ask(&l->db, "SELECT count(*) FROM temp.shadows", &shadows, e))
        return false;
    snprintf(sql, sizeof sql, shadows_sql, "plan", signals);
    return shadows == 0 || log_db_prepare(&l->db, sql, &l->shadows, e);
}

static bool begin(struct weir_log *l, const struct dataset_options *o,
                  struct err *e)
{
    if (!log_db_open(&l->db, l->name, e) || !count_rows(l, o, e) ||
        !log_db_ask(&l->db, contradictory_sql, &l->contradictory, e) ||
        !prepare_rows(l, e) ||
        !log_db_prepare(&l->db, label_sql, &l->label, e) ||
        !log_db_prepare(&l->db, beside_sql, &l->beside, e) ||
        !log_db_prepare(&l->db, after_sql, &l->after, e))
        return false;
    log_db_bind(l->rows, range_of(o));
    return true;
}

static void weir_log_close(void *r)
{
    struct weir_log *l = r;

    if (!l)
        return;
    sqlite3_finalize(l->rows);
    sqlite3_finalize(l->label);
    sqlite3_finalize(l->beside);
    sqlite3_finalize(l->after);
    sqlite3_finalize(l->shadows);
    log_db_close(&l->db);
    arena_free(&l->arena);
    free(l->name);
    free(l);
}

void *weir_log_open(const char *path, const struct dataset_options *o,
                    struct err *e)
{
    struct weir_log *l = calloc(1, sizeof *l);

    if (l) {
        arena_init(&l->arena, ROW_BYTES);
        l->name = strdup(path);
    }
    if (!l || !l->name) {
        err_set(e, ERR_MEMORY, "%s: no memory", path);
    } else if (begin(l, o, e)) {
        return l;
    }
    weir_log_close(l);
    return NULL;
}

/* ---- one row ---- */

static bool check_amounts(const struct outcome *o, struct err *e)
{
    const struct {
        const char *name;
        double value, most;
    } list[] = {
        {"score", o->score, 1},
        {"a judge's score", o->beside, 1},
        {"propensity", o->propensity, 1},
        {"input_tokens", o->input_tokens, HUGE_VAL},
        {"output_tokens", o->output_tokens, HUGE_VAL},
        {"cost", o->cost_usd, HUGE_VAL},
        {"latency", o->latency_ms, HUGE_VAL},
    };

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        double v = list[i].value;

        if (!isnan(v) && (!isfinite(v) || v < 0 || v > list[i].most))
            return err_set(e, ERR_INPUT, "%s: wanted %s, found %g",
                           list[i].name,
                           list[i].most <= 1 ? "a number in [0,1]"
                                             : "a finite number of 0 or more",
                           v);
    }
    return true;
}

static bool check_json(const char *name, struct span text,
                       enum json_type wanted, struct err *e)
{
    struct json v;

    if (text.len == 0)
        return true;
    if (!json_parse(text, &v, e))
        return err_wrap(e, "%s", name);
    return v.type == wanted ||
           err_set(e, ERR_INPUT, "%s: wanted %s, found %s", name,
                   json_type_name(wanted), json_type_name(v.type));
}

static bool check_row(const struct dataset_row *row, struct err *e)
{
    struct vec vec;
    struct json v, bad;

    if (row->id.len == 0)
        return err_set(e, ERR_INPUT, "wanted an id, found none");
    if (row->features.len && !vec_unpack(row->features, &vec, e))
        return err_wrap(e, "features");
    if (row->messages.len) {
        if (!json_parse(row->messages, &v, e))
            return err_wrap(e, "messages");
        if (!row_messages_ok(&v, &bad))
            return err_set(e, ERR_INPUT,
                           "messages: wanted objects with a \"role\", found "
                           "%s",
                           json_type_name(bad.type));
    }
    if (row->est_input < 0 || isinf(row->est_input))
        return err_set(e, ERR_INPUT, "est_input: wanted 0 or more, found %g",
                       row->est_input);
    return check_json("tools", row->tools, JSON_ARRAY, e) &&
           check_json("params", row->params, JSON_OBJECT, e);
}

static void fill_row(sqlite3_stmt *st, struct dataset_row *row)
{
    row_clear(row);
    row->id = log_db_text(st, C_ID);
    row->time_ms = sqlite3_column_int64(st, C_TIME);
    row->session = log_db_text(st, C_SESSION);
    row->task = log_db_text(st, C_TASK);
    row->features = log_db_text(st, C_FEATURES);
    row->messages = log_db_text(st, C_MESSAGES);
    row->tools = log_db_text(st, C_TOOLS);
    row->params = log_db_text(st, C_PARAMS);
    row->choices = log_db_text(st, C_CHOICES);
    row->est_input = log_db_number(st, C_EST_INPUT, 1);
    row->from_log = true;
}

/* Its row, if there is one. */
static int ask_of(sqlite3_stmt *st, struct span id)
{
    sqlite3_reset(st);
    sqlite3_bind_text(st, 1, id.ptr, (int)id.len, SQLITE_TRANSIENT);
    return sqlite3_step(st);
}

static bool add_label(struct weir_log *l, struct span id, struct outcome *o,
                      struct err *e)
{
    int rc = ask_of(l->label, id);

    if (rc == SQLITE_ROW) {
        o->score = log_db_number(l->label, 0, 1);
        o->source = arena_copy(&l->arena, log_db_text(l->label, 1));
        o->confidence = fmax(0, fmin(log_db_number(l->label, 2, 1), 1));
        if (outcome_is_gold(o) && ask_of(l->beside, id) == SQLITE_ROW)
            o->beside = log_db_number(l->beside, 0, 1);
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE ||
           log_db_fail(&l->db, "reading labels", e);
}

/* What the answer shows of itself, then what came after it. */
static bool add_signals(struct weir_log *l, sqlite3_stmt *st, struct outcome *o,
                        struct err *e)
{
    struct span id = log_db_text(st, C_ID), own = log_db_text(st, C_SIGNALS);
    struct span after;
    char both[512];

    o->signals_known = l->db.has_signals && !isnan(o->output_tokens);
    if (!o->signals_known)
        return true;
    sqlite3_reset(l->after);
    sqlite3_bind_text(l->after, 1, id.ptr, (int)id.len, SQLITE_TRANSIENT);
    if (sqlite3_step(l->after) != SQLITE_ROW)
        return log_db_fail(&l->db, "reading signals", e);
    after = log_db_text(l->after, 0);
    snprintf(both, sizeof both, "%.*s%s%.*s", SPAN_ARGS(own),
             own.len && after.len ? "," : "", SPAN_ARGS(after));
    o->signals = arena_copy(&l->arena, span_of(both));
    return true;
}

/* A new outcome of this arm; NULL: the row has one, or no room. */
static struct outcome *outcome_new(struct dataset_row *row, struct span arm)
{
    struct outcome *o = &row->outcomes[row->n_outcomes];

    for (uint32_t i = 0; i < row->n_outcomes; i++)
        if (span_eq(row->outcomes[i].arm, arm))
            return NULL;
    if (row->n_outcomes == DATASET_OUTCOMES_MAX)
        return NULL;
    *o = outcome_unknown();
    o->arm = arm;
    row->n_outcomes++;
    return o;
}

/* What one arm did: the request's own, or a shadow's. */
static enum reader_end outcome_take(struct weir_log *l, sqlite3_stmt *st,
                                    struct dataset_row *row, struct err *e)
{
    struct arena *a = &l->arena;
    struct outcome *o = outcome_new(row, arena_copy(a, log_db_text(st, C_ARM)));

    if (!o)
        return READER_ROW;
    o->propensity = log_db_number(st, C_PROPENSITY, 1);
    o->input_tokens = log_db_number(st, C_INPUT, 1);
    o->output_tokens = log_db_number(st, C_OUTPUT, 1);
    o->cost_usd = log_db_number(st, C_COST, 1e-12);
    o->latency_ms = log_db_number(st, C_LATENCY, 1e-3);
    o->answer = arena_copy(a, log_db_text(st, C_ANSWER));
    o->plan = arena_copy(a, log_db_text(st, C_PLAN));
    if (!add_label(l, log_db_text(st, C_ID), o, e) || !add_signals(l, st, o, e))
        return READER_FAIL;
    if (o->arm.len == 0) {
        err_set(e, ERR_INPUT, "wanted an arm, found none");
        return READER_BAD;
    }
    return check_amounts(o, e) ? READER_ROW : READER_BAD;
}

static enum reader_end shadows_take(struct weir_log *l, struct dataset_row *row,
                                    struct err *e)
{
    enum reader_end end = READER_ROW;
    int rc = SQLITE_DONE;

    uint32_t first = row->n_outcomes;

    if (!l->shadows)
        return READER_ROW;
    sqlite3_reset(l->shadows);
    sqlite3_bind_text(l->shadows, 1, row->id.ptr, (int)row->id.len,
                      SQLITE_TRANSIENT);
    while (end == READER_ROW && (rc = sqlite3_step(l->shadows)) == SQLITE_ROW) {
        end = outcome_take(l, l->shadows, row, e);
        /* Chosen to be looked at, not to serve. */
        if (end == READER_ROW)
            row->outcomes[row->n_outcomes - 1].propensity = NAN;
    }
    /* Chosen to be looked at, not to serve. */
    for (uint32_t i = first; i < row->n_outcomes; i++)
        row->outcomes[i].propensity = NAN;
    if (end == READER_ROW && rc != SQLITE_DONE) {
        log_db_fail(&l->db, "reading shadows", e);
        return READER_FAIL;
    }
    return end;
}

/* What else the plan of an outcome shows. */
static bool plan_take(struct weir_log *l, struct dataset_row *row, uint32_t i,
                      struct err *e)
{
    const struct outcome *of = &row->outcomes[i];
    struct outcome *o;
    struct log_plan p;
    char name[160];

    if (!log_plan_parse(of->plan, &p, e))
        return err_wrap(e, "plan");
    snprintf(name, sizeof name, LOG_ESCALATES "%.*s", SPAN_ARGS(of->arm));
    if (!isnan(log_plan_escalated(&p)) &&
        (o = outcome_new(row, arena_copy(&l->arena, span_of(name)))))
        o->score = log_plan_escalated(&p);
    for (unsigned m = 0; m < p.n_members; m++) {
        const struct log_plan_member *in = &p.members[m];
        if (span_is(in->role, "review") || in->status >= 400 ||
            (isnan(in->output_tokens) && isnan(in->cost_usd)) ||
            !(o = outcome_new(row, in->arm)))
            continue;
        o->member = true;
        if (span_is(p.kind, "panel") && span_is(p.verdict, "accepted")) {
            o->score = of->score;
            o->confidence = of->confidence;
            o->source = of->source;
            o->beside = of->beside;
        }
        o->input_tokens = in->input_tokens;
        o->output_tokens = in->output_tokens;
        o->cost_usd = in->cost_usd;
        o->latency_ms = in->ms;
    }
    return true;
}

static enum reader_end row_take(struct weir_log *l, struct dataset_row *row,
                                struct err *e)
{
    enum reader_end end = outcome_take(l, l->rows, row, e);
    uint32_t served;

    if (end == READER_ROW)
        end = shadows_take(l, row, e);
    if (end != READER_ROW)
        return end;
    served = row->n_outcomes;
    for (uint32_t i = 0; i < served; i++)
        if (row->outcomes[i].plan.len && !plan_take(l, row, i, e))
            return READER_BAD;
    return check_row(row, e) ? READER_ROW : READER_BAD;
}

static enum reader_end weir_log_next(void *r, struct dataset_row *row,
                                     struct err *e)
{
    struct weir_log *l = r;
    int rc = sqlite3_step(l->rows);
    enum reader_end end;

    if (rc == SQLITE_DONE)
        return READER_END;
    if (rc != SQLITE_ROW) {
        log_db_fail(&l->db, "reading", e);
        return READER_FAIL;
    }
    arena_reset(&l->arena);
    fill_row(l->rows, row);
    row->line = ++l->done;
    end = row_take(l, row, e);
    if (end == READER_BAD)
        err_wrap(e, "%s: row %llu, request '%.*s'", l->name,
                 (unsigned long long)l->done,
                 row->id.len < 64 ? (int)row->id.len : 64,
                 row->id.len ? row->id.ptr : "");
    return end;
}

static void weir_log_progress(const void *r, uint64_t *read, uint64_t *size)
{
    const struct weir_log *l = r;

    *read = l->done;
    *size = l->total;
}

static uint64_t weir_log_contradictory(const void *r)
{
    const struct weir_log *l = r;

    return (uint64_t)l->contradictory;
}

const struct reader_ops weir_log_ops = {
    .contradictory = weir_log_contradictory,
    .next = weir_log_next,
    .progress = weir_log_progress,
    .close = weir_log_close,
};
