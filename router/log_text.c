/* SPDX-License-Identifier: Apache-2.0 */
#include "router/log_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { TEXT_MAX = 200 };

/* ---- values ---- */

static double number(const struct json *row, const char *key)
{
    struct json v = json_get(row, key);
    double d;

    return json_double(&v, &d) ? d : NAN;
}

/* A member's text, unescaped; instead: where there is none. */
static const char *text(const struct json *row, const char *key,
                        const char *instead, char out[TEXT_MAX])
{
    struct json v = json_get(row, key);
    struct span in = json_inner(&v);

    if (v.type != JSON_STRING || in.len == 0)
        in = span_of(instead);
    span_copy(out, TEXT_MAX, in);
    return out;
}

/* A column that holds JSON as text: parsed into room, which then holds it. */
static struct json inner(const struct json *row, const char *key,
                         struct arena *room)
{
    struct json v = json_get(row, key), out = {JSON_NONE, false, {NULL, 0}};
    struct span s;

    if (v.type != JSON_STRING || !json_text(&v, room, &s) ||
        !json_parse(s, &out, NULL))
        return (struct json){JSON_NONE, false, {NULL, 0}};
    return out;
}

static void put_usd(double usd, struct buf *out)
{
    if (isnan(usd))
        buf_str(out, "-");
    else
        buf_printf(out, usd < .01 ? "$%.6f" : "$%.4f", usd);
}

static double cost_of(const struct json *row)
{
    return number(row, "cost_pico") / 1e12;
}

/* "holds", "void", "none" of "void: drift in task". */
static int first_word(const char *s)
{
    return (int)strcspn(s, ":; ");
}

/* ---- a line of a list ---- */

#define LINE "%-24s  %-28s  %-12.12s %-16.16s %6s  %-18.18s %10s %8s  %s\n"

void log_text_head(struct buf *out)
{
    buf_printf(out, LINE, "time (UTC)", "id", "route", "arm", "status", "why",
               "cost", "ms", "promise");
}

void log_text_line(const struct json *row, struct buf *out)
{
    char id[TEXT_MAX], route[TEXT_MAX], arm[TEXT_MAX], why[TEXT_MAX];
    char promise[TEXT_MAX], when[32], usd[32], ms[32], status[32];
    struct buf cost;

    buf_init(&cost, sizeof usd);
    put_usd(cost_of(row), &cost);
    span_copy(usd, sizeof usd, buf_view(&cost));
    buf_free(&cost);
    clock_format((int64_t)number(row, "time_ms"), when);
    snprintf(status, sizeof status, "%.0f", number(row, "status"));
    snprintf(ms, sizeof ms, "%.1f", number(row, "latency_us") / 1000);
    text(row, "purpose", "", why);
    if (!*why)
        text(row, "error", "", why);
    if (!*why)
        text(row, "reason", "-", why);
    text(row, "guarantee", "-", promise);
    promise[first_word(promise)] = '\0';
    buf_printf(out, LINE, when, text(row, "id", "-", id),
               text(row, "route", "-", route), text(row, "arm", "-", arm),
               status, why, usd, ms, promise);
}

/* ---- one request ---- */

static void put(struct buf *out, const char *name, const char *fmt, ...)
    PRINTF(3, 4);

static void put(struct buf *out, const char *name, const char *fmt, ...)
{
    char line[8 * TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_printf(out, "%-11s%s\n", name, line);
}

static void put_asked(const struct json *row, struct buf *out)
{
    char route[TEXT_MAX], key[TEXT_MAX], dialect[TEXT_MAX], task[TEXT_MAX];
    char parent[TEXT_MAX], purpose[TEXT_MAX];

    put(out, "asked", "%s, by %s, as %s%s, task %s%s, some %.0f tokens",
        text(row, "route", "no route", route),
        text(row, "key_name", "no key", key),
        text(row, "dialect", "-", dialect),
        number(row, "stream") > 0 ? " stream" : "",
        text(row, "task", "unknown", task),
        number(row, "task_given") > 0 ? " (said)" : "",
        number(row, "est_input"));
    if (*text(row, "purpose", "", purpose))
        put(out, "by weir", "%s of %s", purpose,
            text(row, "parent", "-", parent));
}

static void put_chosen(const struct json *row, struct buf *out)
{
    char arm[TEXT_MAX], why[TEXT_MAX], policy[TEXT_MAX], promise[TEXT_MAX];
    char by[TEXT_MAX], wanted[40] = "";
    double target = number(row, "quality_target");

    if (!*text(row, "arm", "", arm))
        return;
    text(row, "policy", "-", policy);
    if (!isnan(target))
        snprintf(wanted, sizeof wanted, ", quality %.4g", target);
    put(out, "chosen", "%s: %s (policy %s%s), by classifier %s", arm,
        text(row, "reason", "-", why), policy, wanted,
        text(row, "classifier", "none", by));
    if (*text(row, "guarantee", "", promise))
        put(out, "promise", "%s", promise);
}

static void put_value(struct buf *out, int decimals, double v)
{
    char s[32] = "-";

    if (!isnan(v))
        snprintf(s, sizeof s, "%.*f", decimals, v);
    buf_printf(out, " %10s", s);
}

static void put_arms(const struct json *row, struct arena *room,
                     struct buf *out)
{
    struct json arms = inner(row, "arms", room), arm;
    struct json_iter it = json_begin(&arms);
    char name[TEXT_MAX], why[TEXT_MAX];

    if (arms.type != JSON_ARRAY)
        return;
    buf_printf(out, "\n%-18s %10s %10s %10s %10s\n", "arm", "quality",
               "tokens out", "USD", "chance");
    while (json_next(&it, NULL, &arm)) {
        buf_printf(out, "%-18.18s", text(&arm, "arm", "-", name));
        put_value(out, 4, number(&arm, "quality"));
        put_value(out, 0, number(&arm, "tokens"));
        put_value(out, 6, number(&arm, "cost_usd"));
        put_value(out, 4, number(&arm, "propensity"));
        if (*text(&arm, "dropped", "", why))
            buf_printf(out, "  dropped: %s", why);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
}

static void put_calls(const struct json *row, struct arena *room,
                      struct buf *out)
{
    struct json tries = inner(row, "tries", room), one;
    struct json_iter it = json_begin(&tries);
    char arm[TEXT_MAX], at[TEXT_MAX], model[TEXT_MAX], error[TEXT_MAX];
    unsigned n = 0;

    while (tries.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        double status = number(&one, "status");

        put(out, n++ ? "then" : "called", "%s: %s at %s, %.0f ms: %s%.0f%s%s",
            text(&one, "arm", "-", arm), text(&one, "model", "-", model),
            text(&one, "provider", "-", at), number(&one, "ms"),
            isnan(status) ? "no status " : "status ",
            isnan(status) ? 0 : status,
            *text(&one, "error", "", error) ? ", " : "", error);
    }
}

static void put_plan(const struct json *row, struct arena *room,
                     struct buf *out)
{
    struct json plan = inner(row, "plan", room), members, one;
    char kind[TEXT_MAX], verdict[TEXT_MAX], why[TEXT_MAX], role[TEXT_MAX];
    char arm[TEXT_MAX];
    struct json_iter it;

    if (plan.type != JSON_OBJECT)
        return;
    put(out, "plan", "%s: %s, %s", text(&plan, "kind", "-", kind),
        text(&plan, "verdict", "-", verdict), text(&plan, "why", "-", why));
    members = json_get(&plan, "members");
    it = json_begin(&members);
    while (members.type == JSON_ARRAY && json_next(&it, NULL, &one)) {
        buf_printf(out, "  %-8s %s, %.0f ms, ", text(&one, "role", "-", role),
                   text(&one, "arm", "-", arm), number(&one, "ms"));
        put_usd(number(&one, "cost_usd"), out);
        buf_char(out, '\n');
    }
}

static double or_0(double v)
{
    return isnan(v) ? 0 : v;
}

static void put_answer(const struct json *row, struct buf *out)
{
    char model[TEXT_MAX], at[TEXT_MAX], finish[TEXT_MAX], error[TEXT_MAX];
    double first = number(row, "ttft_us");

    put(out, "answered", "%s at %s: status %.0f, %s%s%s",
        text(row, "model", "nobody", model), text(row, "provider", "-", at),
        number(row, "status"), text(row, "finish", "no finish", finish),
        *text(row, "error", "", error) ? ", error " : "", error);
    put(out, "took", "%.1f ms, the first byte %.1f; decided in %.0f us",
        number(row, "latency_us") / 1000, or_0(first) / 1000,
        or_0(number(row, "decision_us")));
    put(out, "tokens", "%.0f in (%.0f from the cache), %.0f out%s",
        or_0(number(row, "input_tokens")), or_0(number(row, "cached_tokens")),
        or_0(number(row, "output_tokens")),
        number(row, "usage_estimated") > 0 ? ", estimated" : "");
    buf_printf(out, "%-11s", "cost");
    put_usd(cost_of(row), out);
    buf_char(out, '\n');
}

static void put_seen(const struct json *row, struct buf *out)
{
    struct json labels = json_get(row, "labels"), one;
    struct json_iter it = json_begin(&labels);
    char s[TEXT_MAX], comment[TEXT_MAX];

    if (*text(row, "signals", "", s))
        put(out, "signals", "%s", s);
    if (*text(row, "losses", "", s))
        put(out, "lost", "%s", s);
    while (labels.type == JSON_ARRAY && json_next(&it, NULL, &one))
        put(out, "label", "%s %.4g, confidence %.4g%s%s",
            text(&one, "source", "-", s), number(&one, "score"),
            number(&one, "confidence"),
            *text(&one, "comment", "", comment) ? ": " : "", comment);
}

void log_text_row(const struct json *row, struct buf *out)
{
    char id[TEXT_MAX], when[32];
    struct arena room;

    arena_init(&room, 64 << 20);
    clock_format((int64_t)number(row, "time_ms"), when);
    buf_printf(out, "%s, %s\n\n", text(row, "id", "-", id), when);
    put_asked(row, out);
    put_chosen(row, out);
    put_arms(row, &room, out);
    put_calls(row, &room, out);
    put_plan(row, &room, out);
    put_answer(row, out);
    put_seen(row, out);
    arena_free(&room);
}
