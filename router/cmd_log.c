/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/units.h"
#include "router/log_text.h"
#include "router/outlog/outlog_care.h"
#include "router/settings/settings.h"

struct options {
    const char *config, *db, *out, *since, *until, *age, *size;
    const char *id;  /* show: of the request */
    uint64_t newest; /* list: so many */
    bool json, whole, shrink, dry;
};

/* ---- check ---- */

static void print_json(const struct care_report *r, bool sound)
{
    struct buf fault;

    buf_init(&fault, 4096);
    buf_json_str(&fault, span_of(r->fault));
    printf("{\"sound\":%s,\"fault\":%s,\"version\":%lld,\"rows\":%lld,"
           "\"labels\":%lld,\"labels_without_request\":%lld,\"bytes\":%lld,"
           "\"used_bytes\":%lld,\"oldest_ms\":%lld,\"newest_ms\":%lld,"
           "\"spilled\":%llu}\n",
           sound ? "true" : "false", sound ? "null" : buf_cstr(&fault),
           (long long)r->version, (long long)r->rows, (long long)r->labels,
           (long long)r->orphans, (long long)r->bytes, (long long)r->used,
           (long long)r->oldest_ms, (long long)r->newest_ms,
           (unsigned long long)r->spilled);
    buf_free(&fault);
}

static void print_text(const struct care_report *r)
{
    char oldest[32] = "-", newest[32] = "-";

    if (r->rows) {
        clock_format(r->oldest_ms, oldest);
        clock_format(r->newest_ms, newest);
    }
    printf("sound       %s%s%s\n", r->sound ? "yes" : "no",
           r->sound ? "" : ": ", r->fault);
    printf("schema      %lld\n", (long long)r->version);
    printf("rows        %lld, %s to %s\n", (long long)r->rows, oldest, newest);
    printf("labels      %lld, %lld without their request\n",
           (long long)r->labels, (long long)r->orphans);
    printf("bytes       %lld, %lld in use\n", (long long)r->bytes,
           (long long)r->used);
    printf("in spills   %llu\n", (unsigned long long)r->spilled);
}

static bool check(const char *db, const struct options *o, struct err *e)
{
    struct care_report r;

    if (!care_check(db, o->whole, &r, e))
        return false;
    if (o->json)
        print_json(&r, r.sound);
    else
        print_text(&r);
    return r.sound || err_set(e, ERR_STATE,
                              "%s is broken: `weir log repair` saves what can "
                              "be read",
                              db);
}

/* ---- repair ---- */

static bool repair(const char *db, const struct options *o, struct err *e)
{
    struct care_mended m;

    if (!care_repair(db, &m, e))
        return false;
    printf(o->json ? "{\"rows\":%llu,\"labels\":%llu,\"lost_rows\":%llu,"
                     "\"lost_labels\":%llu}\n"
                   : "%llu rows and %llu labels saved; %llu rows and %llu "
                     "labels known of but not readable\n",
           (unsigned long long)m.rows, (unsigned long long)m.labels,
           (unsigned long long)m.lost_rows, (unsigned long long)m.lost_labels);
    if (!o->json)
        printf("the old file is %s\n", m.kept);
    return true;
}

/* ---- prune ---- */

static bool amount(const char *name, const char *text, enum unit_kind kind,
                   uint64_t *out, struct err *e)
{
    return !text || units_parse(span_of(text), kind, out) ||
           err_set(e, ERR_USAGE, "--%s: wanted %s, found %s", name,
                   units_wanted(kind), text);
}

static bool prune(const char *db, const struct options *o, struct err *e)
{
    struct care_thin how = {.shrink = o->shrink, .dry = o->dry};
    uint64_t rows;

    if (!amount("older-than", o->age, UNIT_MS, &how.keep.max_age_ms, e) ||
        !amount("larger-than", o->size, UNIT_BYTES, &how.keep.max_bytes, e))
        return false;
    if (!o->age && !o->size && !o->shrink)
        return err_set(e, ERR_USAGE,
                       "wanted --older-than, --larger-than or --shrink");
    if (o->dry && !o->age)
        return err_set(e, ERR_USAGE, "--dry-run counts with --older-than only");
    if (!care_prune(db, &how, &rows, e))
        return false;
    printf(o->json  ? "{\"rows\":%llu}\n"
           : o->dry ? "%llu rows would be removed\n"
                    : "%llu rows removed\n",
           (unsigned long long)rows);
    return true;
}

/* ---- export ---- */

static bool put_line(void *ctx, struct span json)
{
    return fwrite(json.ptr, 1, json.len, ctx) == json.len;
}

static bool moment(const char *name, const char *text, int64_t *out,
                   struct err *e)
{
    return !text || clock_parse(span_of(text), out) ||
           err_set(e, ERR_USAGE,
                   "--%s: wanted a time such as 2026-05-01T12:00:00Z, found "
                   "%s",
                   name, text);
}

static bool export(const char *db, const struct options *o, struct err *e)
{
    struct care_range r = {.until_ms = INT64_MAX};
    FILE *f = stdout;
    bool ok;

    if (!moment("since", o->since, &r.since_ms, e) ||
        !moment("until", o->until, &r.until_ms, e))
        return false;
    if (o->out)
        f = fopen(o->out, "w");
    if (!f)
        return err_sys(e, "%s", o->out);
    ok = care_export(db, &r, put_line, f, e);
    if ((f == stdout ? fflush(f) : fclose(f)) != 0 && ok)
        return err_sys(e, "%s", o->out ? o->out : "standard output");
    return ok;
}

/* ---- list, show ---- */

struct telling {
    bool json;
    void (*write)(const struct json *row, struct buf *out);
    size_t n;
    struct buf text;
};

static bool tell(void *ctx, struct span line)
{
    struct telling *t = ctx;
    struct json row;

    t->n++;
    if (t->json)
        return put_line(stdout, line);
    if (!json_parse(line, &row, NULL))
        return false;
    buf_reset(&t->text);
    t->write(&row, &t->text);
    return !t->text.failed && put_line(stdout, buf_view(&t->text));
}

static bool tell_all(const char *db, const struct care_range *r,
                     struct telling *t, struct err *e)
{
    bool ok;

    buf_init(&t->text, 64 << 20);
    ok = care_export(db, r, tell, t, e);
    buf_free(&t->text);
    return ok && (fflush(stdout) == 0 || err_sys(e, "standard output"));
}

static bool list_rows(const char *db, const struct options *o, struct err *e)
{
    struct care_range r = {.until_ms = INT64_MAX, .newest = o->newest};
    struct telling t = {.json = o->json, .write = log_text_line};
    struct buf head;

    if (o->newest < 1)
        return err_set(e, ERR_USAGE, "--newest: wanted 1 or more, found 0");
    if (!moment("since", o->since, &r.since_ms, e) ||
        !moment("until", o->until, &r.until_ms, e))
        return false;
    buf_init(&head, 1024);
    log_text_head(&head);
    if (!o->json)
        (void)put_line(stdout, buf_view(&head));
    buf_free(&head);
    return tell_all(db, &r, &t, e);
}

static bool show(const char *db, const struct options *o, struct err *e)
{
    struct care_range r = {.id = o->id};
    struct telling t = {.json = o->json, .write = log_text_row};

    if (!o->id)
        return err_set(e, ERR_USAGE, "show: wanted the id of a request");
    return tell_all(db, &r, &t, e) &&
           (t.n || err_set(e, ERR_INPUT, "%s has no request %s", db, o->id));
}

/* ---- the command ---- */

static const struct {
    const char *name;
    bool (*run)(const char *db, const struct options *o, struct err *e);
} verbs[] = {
    {"check", check},   {"repair", repair},  {"prune", prune},
    {"export", export}, {"list", list_rows}, {"show", show},
};

#define VERBS "list, show, check, repair, prune or export"

/* The database: --db, else the configuration's. */
static bool run(const char *verb, const struct options *o, struct err *e)
{
    struct settings *s = NULL;
    const char *db = o->db;
    bool ok;

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb) != 0)
            continue;
        if (!db)
            s = settings_load(o->config, e);
        if (!db && !s)
            return false;
        ok = verbs[i].run(db ? db : s->log.path, o, e);
        settings_free(s);
        return ok;
    }
    return err_set(e, ERR_USAGE, "wanted " VERBS ", found %s", verb);
}

static bool takes_id(const char *verb)
{
    return !strcmp(verb, "show");
}

/* long: the table of options is the function. */
int cmd_log(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml", .newest = 20};
    const struct arg list[] = {
        {"config", ARG_TEXT, &o.config, "F",
         "configuration whose log.path is meant [weir.yaml]"},
        {"db", ARG_TEXT, &o.db, "F", "the database instead"},
        {"json", ARG_FLAG, &o.json, NULL, "print JSON"},
        {"whole", ARG_FLAG, &o.whole, NULL, "check: every index entry too"},
        {"older-than", ARG_TEXT, &o.age, "TIME",
         "prune: rows of that age, e.g. 30d"},
        {"larger-than", ARG_TEXT, &o.size, "SIZE",
         "prune: the oldest until the rest is smaller, e.g. 2GB"},
        {"shrink", ARG_FLAG, &o.shrink, NULL,
         "prune: give the freed room back to the disk"},
        {"dry-run", ARG_FLAG, &o.dry, NULL, "prune: only count"},
        {"since", ARG_TEXT, &o.since, "TIME",
         "export, list: rows from then on"},
        {"until", ARG_TEXT, &o.until, "TIME", "export, list: rows before then"},
        {"newest", ARG_U64, &o.newest, "N", "list: so many rows at most [20]"},
        {"out", ARG_TEXT, &o.out, "F", "export: to this file"},
    };
    const struct args args = {
        "log", "list|show ID|check|repair|prune|export [options]",
        "Shows the outcome log of `weir serve`, and looks after it.", list,
        sizeof list / sizeof list[0]};
    struct err e = {0};
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        o.id = first + 1 < argc ? argv[first + 1] : NULL;
        if (first >= argc || first + 2 < argc ||
            (o.id && !takes_id(argv[first])))
            err_set(&e, ERR_USAGE, "wanted " VERBS);
        else if (run(argv[first], &o, &e))
            return 0;
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir log: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
