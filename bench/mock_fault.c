/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/mock_fault.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MOST = 100000000, SCRIPT_MAX = 1 << 20, RULE_NAME = 96 };

struct key {
    const char *name;
    size_t offset; /* of an int64_t in struct mock_fault */
    bool flag;
};

#define NUMBER(name, field)                                                    \
    {                                                                          \
        name, offsetof(struct mock_fault, field), false                        \
    }
#define FLAG(name, field)                                                      \
    {                                                                          \
        name, offsetof(struct mock_fault, field), true                         \
    }

static const struct key keys[] = {
    NUMBER("status", status),
    NUMBER("retry-after", retry_after),
    NUMBER("retry-after-ms", retry_after_ms),
    NUMBER("limit", limit),
    NUMBER("remaining", remaining),
    NUMBER("reset-ms", reset_ms),
    NUMBER("latency-ms", latency_ms),
    NUMBER("cut", cut),
    NUMBER("cut-at", cut_at),
    NUMBER("reset-at", reset_at),
    NUMBER("stall-frame", stall_frame),
    NUMBER("stall-at", stall_at),
    NUMBER("stall-ms", stall_ms),
    NUMBER("trickle", trickle),
    NUMBER("length", length),
    NUMBER("error-frame", error_frame),
    NUMBER("error-status", error_status),
    NUMBER("garbage-frame", garbage_frame),
    NUMBER("down-ms", down_ms),
    FLAG("garbage", garbage),
    FLAG("empty", empty),
    FLAG("html", html),
    FLAG("gzip", gzip),
    FLAG("no-usage", no_usage),
    FLAG("no-finish", no_finish),
    FLAG("no-done", no_done),
};

enum { KEYS = sizeof keys / sizeof keys[0] };

static int64_t *field(struct mock_fault *f, size_t i)
{
    return (int64_t *)(void *)((char *)f + keys[i].offset);
}

void mock_fault_init(struct mock_fault *f)
{
    for (size_t i = 0; i < KEYS; i++)
        *field(f, i) = -1;
}

bool mock_fault_set(struct mock_fault *f, struct span key, struct span value)
{
    uint64_t n = 1;

    for (size_t i = 0; i < KEYS; i++) {
        if (!span_is(key, keys[i].name))
            continue;
        if ((value.len || !keys[i].flag) &&
            (!span_u64(value, &n) || n > VALUE_MOST))
            return false;
        *field(f, i) = keys[i].flag && n == 0 ? -1 : (int64_t)n;
        return true;
    }
    /* Reset before the first byte: what a client sees of a program that
     * accepts and dies. */
    if (!span_is(key, "refuse"))
        return false;
    f->reset_at = 0;
    return true;
}

/* The next word; blanks, commas and exclamation marks stand between. */
static struct span next_word(struct span *rest)
{
    static const char between[] = " \t\r\n,!";
    struct span word;

    while (rest->len && memchr(between, rest->ptr[0], sizeof between - 1)) {
        rest->ptr++;
        rest->len--;
    }
    word = (struct span){rest->ptr, 0};
    while (rest->len && !memchr(between, rest->ptr[0], sizeof between - 1)) {
        rest->ptr++;
        rest->len--;
        word.len++;
    }
    return word;
}

void mock_fault_read(struct mock_fault *f, struct span pairs)
{
    struct span word;

    while ((word = next_word(&pairs)).len) {
        struct span key = span_cut(&word, '=');

        mock_fault_set(f, key, word);
    }
}

void mock_fault_merge(struct mock_fault *f, const struct mock_fault *from)
{
    struct mock_fault said = *from;

    for (size_t i = 0; i < KEYS; i++) {
        if (*field(&said, i) >= 0)
            *field(f, i) = *field(&said, i);
    }
}

bool mock_fault_by_byte(const struct mock_fault *f)
{
    return f->cut_at >= 0 || f->reset_at >= 0 || f->stall_at >= 0 ||
           f->trickle > 0 || f->length >= 0 || f->gzip > 0;
}

/* ---- scripts ---- */

struct rule {
    char model[RULE_NAME]; /* a star at its end leads longer ones; "": any */
    char dialect[RULE_NAME];
    double share;       /* of the requests that fit; by number, seeded */
    double from, until; /* seconds since the script began */
    uint64_t first, last, every, times;
    bool same;  /* drawn by what is asked: a retry fares alike */
    int stream; /* -1: either */
    struct mock_fault fault;
    struct rule *next;
};

struct mock_script {
    uint64_t seed;
    struct rule *first, **end; /* (owned) in their order */
};

static bool real(struct span value, double most, double *out)
{
    return span_double(value, out) && *out >= 0 && *out <= most;
}

static bool condition(struct rule *r, struct span key, struct span value)
{
    uint64_t n;

    if (span_is(key, "always"))
        return value.len == 0;
    if (span_is(key, "model"))
        return value.len && span_copy(r->model, sizeof r->model, value);
    if (span_is(key, "dialect"))
        return value.len && span_copy(r->dialect, sizeof r->dialect, value);
    if (span_is(key, "share"))
        return real(value, 1, &r->share);
    if (span_is(key, "from"))
        return real(value, 1e9, &r->from);
    if (span_is(key, "until"))
        return real(value, 1e9, &r->until);
    if (span_is(key, "draw"))
        return (r->same = span_is(value, "content")) ||
               span_is(value, "number");
    if (!span_u64(value, &n))
        return false;
    if (span_is(key, "stream"))
        return (r->stream = (int)n) <= 1;
    if (span_is(key, "first"))
        return (r->first = n) > 0;
    if (span_is(key, "last"))
        return (r->last = n) > 0;
    if (span_is(key, "every"))
        return (r->every = n) > 0;
    return span_is(key, "times") && (r->times = n) > 0;
}

static bool read_rule(struct rule *r, struct span line, struct err *e)
{
    struct span word, when = span_cut(&line, ':');

    *r = (struct rule){.share = 1,
                       .until = INFINITY,
                       .last = UINT64_MAX,
                       .every = 1,
                       .times = UINT64_MAX,
                       .stream = -1};
    mock_fault_init(&r->fault);
    if (!line.ptr)
        return err_set(e, ERR_INPUT,
                       "wanted \"conditions : faults\", found no colon");
    while ((word = next_word(&when)).len) {
        struct span whole = word, key = span_cut(&word, '=');

        if (!condition(r, key, word))
            return err_set(e, ERR_INPUT, "no condition: '%.*s'",
                           SPAN_ARGS(whole));
    }
    while ((word = next_word(&line)).len) {
        struct span whole = word, key = span_cut(&word, '=');

        if (!mock_fault_set(&r->fault, key, word))
            return err_set(e, ERR_INPUT, "no fault: '%.*s'", SPAN_ARGS(whole));
    }
    return true;
}

static bool read_line(struct mock_script *s, struct span line, struct err *e)
{
    struct span rest = line, word = next_word(&rest);
    struct rule *r;

    if (word.len == 0)
        return true;
    if (span_is(word, "seed"))
        return span_u64(span_trim(rest), &s->seed) ||
               err_set(e, ERR_INPUT, "seed: wanted a number, found '%.*s'",
                       SPAN_ARGS(rest));
    r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_MEMORY, "no memory for the script");
    *s->end = r;
    if (!read_rule(r, line, e))
        return false;
    s->end = &r->next;
    return true;
}

struct mock_script *mock_script_read(struct span text, struct err *e)
{
    struct mock_script *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(e, ERR_MEMORY, "no memory for the script");
        return NULL;
    }
    s->seed = 1;
    s->end = &s->first;
    for (unsigned line = 1; text.ptr; line++) {
        struct span one = span_cut(&text, '\n');

        if (!read_line(s, span_cut(&one, '#'), e)) {
            err_wrap(e, "line %u", line);
            mock_script_free(s);
            return NULL;
        }
    }
    return s;
}

struct mock_script *mock_script_open(const char *path, struct err *e)
{
    struct mock_script *s = NULL;
    struct buf text;

    buf_init(&text, SCRIPT_MAX);
    if (file_read(path, &text, e)) {
        s = mock_script_read(buf_view(&text), e);
        if (!s)
            err_wrap(e, "%s", path);
    }
    buf_free(&text);
    return s;
}

void mock_script_free(struct mock_script *s)
{
    struct rule *r = s ? s->first : NULL;

    while (r) {
        struct rule *next = r->next;

        free(r);
        r = next;
    }
    free(s);
}

static bool fits(const char *pattern, struct span text)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*')
        return text.len >= n - 1 && !memcmp(text.ptr, pattern, n - 1);
    return n == 0 || span_is(text, pattern);
}

static bool holds(const struct rule *r, const struct mock_moment *m)
{
    return fits(r->model, m->model) && fits(r->dialect, m->dialect) &&
           m->number >= r->first && m->number <= r->last &&
           (m->number - r->first) % r->every == 0 && m->seconds >= r->from &&
           m->seconds < r->until && r->times > 0 &&
           (r->stream < 0 || r->stream == m->stream);
}

void mock_script_apply(struct mock_script *s, const struct mock_moment *m,
                       struct mock_fault *f)
{
    uint64_t place = 0;

    for (struct rule *r = s ? s->first : NULL; r; r = r->next) {
        uint64_t drawn =
            rng_mix(s->seed + ++place * 1000003, r->same ? m->hash : m->number);

        if (!holds(r, m) || (double)(drawn >> 11) * 0x1p-53 >= r->share)
            continue;
        if (r->times != UINT64_MAX)
            r->times--;
        mock_fault_merge(f, &r->fault);
        return;
    }
}
