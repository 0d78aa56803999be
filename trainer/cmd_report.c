/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cmd_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/file.h"
#include "trainer/savings.h"

enum { REPORT_MAX = 16 << 20 };

struct options {
    const char *log, *since, *until, *route, *html;
    uint64_t seed;
    bool json;
};

/* "2026-03-01", "2026-03-01T10:00" or "7d", "12h" before now; UTC. */
static bool read_time(const char *text, const char *option, int64_t *ms,
                      struct err *e)
{
    struct tm tm = {0};
    char *end;
    unsigned long n;

    if (!text)
        return true;
    end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    if (!end || *end) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (end && !*end) {
        *ms = (int64_t)timegm(&tm) * 1000;
        return true;
    }
    n = strtoul(text, &end, 10);
    if (end != text && n < 100000 && (!strcmp(end, "d") || !strcmp(end, "h"))) {
        *ms = clock_utc_ms() - (int64_t)n * (*end == 'd' ? 86400000 : 3600000);
        return true;
    }
    return err_set(e, ERR_USAGE,
                   "--%s: wanted a day such as 2026-03-01, a time such as "
                   "2026-03-01T10:00, or 7d or 12h, found '%s'",
                   option, text);
}

static enum args_end parse(int argc, char **argv, struct options *o, int *first,
                           struct err *e)
{
    const struct arg list[] = {
        {"log", ARG_TEXT, &o->log, "F.db", "the server's log (weir.db)"},
        {"since", ARG_TEXT, &o->since, "WHEN",
         "a day, a time (UTC), or 7d, 12h before now"},
        {"until", ARG_TEXT, &o->until, "WHEN", "likewise"},
        {"route", ARG_TEXT, &o->route, "NAME", "only this route"},
        {"html", ARG_TEXT, &o->html, "F.html",
         "write a page with pictures too"},
        {"seed", ARG_U64, &o->seed, "N", "of the bootstrap (default 1)"},
        {"json", ARG_FLAG, &o->json, NULL, "print JSON"},
    };
    const struct args a = {
        .command = "report",
        .usage = "[--log weir.db] [--since WHEN] [--html F.html] [options]",
        .about = "Says from a server's own log what was spent, what each\n"
                 "single model would have cost and been worth for everything,\n"
                 "with 95 % intervals, and what can and cannot be claimed.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };

    return args_parse(&a, argc, argv, first, e);
}

static bool print(const struct options *o, const struct savings *s,
                  struct err *e)
{
    struct buf out;
    bool ok;

    buf_init(&out, REPORT_MAX);
    (o->json ? savings_json : savings_text)(s, &out);
    ok = !out.failed || err_set(e, ERR_MEMORY, "no memory for the report");
    if (ok)
        fputs(buf_cstr(&out), stdout);
    buf_reset(&out);
    if (ok && o->html) {
        savings_page(s, &out);
        ok = out.failed ? err_set(e, ERR_MEMORY, "no memory for the page")
                        : file_write(o->html, buf_view(&out), e);
    }
    buf_free(&out);
    return ok;
}

static bool run(const struct options *o, struct err *e)
{
    struct log_range range = {.route = o->route};
    struct ledger *l = calloc(1, sizeof *l);
    struct savings *s = calloc(1, sizeof *s);
    bool ok = (l && s) || err_set(e, ERR_MEMORY, "no memory");

    ok = ok && read_time(o->since, "since", &range.since_ms, e) &&
         read_time(o->until, "until", &range.until_ms, e);
    if (ok) {
        ok = ledger_load(o->log, &range, l, e);
        if (ok && !savings_compute(l, o->seed, s, e))
            ok = err_wrap(e, "%s", o->log);
        ok = ok && print(o, s, e);
        ledger_free(l);
    }
    free(l);
    free(s);
    return ok;
}

int cmd_report(int argc, char **argv)
{
    struct options o = {.log = "weir.db", .seed = 1};
    struct err e;
    int first = argc;
    enum args_end end = parse(argc, argv, &o, &first, &e);

    if (end == ARGS_HELP)
        return 0;
    if (end == ARGS_OK && first < argc)
        end = err_set(&e, ERR_USAGE, "wanted options only, found '%s'",
                      argv[first])
                  ? ARGS_OK
                  : ARGS_BAD;
    if (end == ARGS_OK && run(&o, &e))
        return 0;
    fprintf(stderr, "weir report: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
