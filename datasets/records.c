/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/records.h"

#include "datasets/source.h"

enum {
    TOP,       /* wanted: an object, or '[' at the file's beginning */
    TOP_AGAIN, /* the same, but no '[' any more */
    FIRST,     /* in the array; wanted: an object or ']' */
    COMMA,     /* in the array, behind an object; wanted: ',' or ']' */
    ELEMENT,   /* in the array, behind a comma; wanted: an object */
    OVER,      /* behind the array; wanted: the end */
};

/* Where an object ends. */
struct scan {
    size_t at; /* bytes of the view looked at */
    size_t depth;
    bool in_string, escaped;
};

void records_begin(struct records *r, struct source *src)
{
    *r = (struct records){.src = src, .line = 1, .place = TOP};
}

static int fail(const struct records *r, const char *what, struct err *e)
{
    err_set(e, ERR_INPUT, "%s:%llu: %s", source_name(r->src),
            (unsigned long long)r->line, what);
    return -2;
}

static void take(struct records *r, size_t n)
{
    struct span v = source_view(r->src);

    for (size_t i = 0; i < n; i++)
        r->line += v.ptr[i] == '\n';
    source_take(r->src, n);
}

/* Passes white space; false at the end (or on failure: *failed). */
static bool to_byte(struct records *r, char *ch, bool *failed, struct err *e)
{
    for (;;) {
        struct span v = source_view(r->src);
        enum source_end end;
        size_t n = 0;

        while (n < v.len && (v.ptr[n] == ' ' || v.ptr[n] == '\t' ||
                             v.ptr[n] == '\r' || v.ptr[n] == '\n'))
            n++;
        if (n < v.len)
            *ch = v.ptr[n];
        take(r, n);
        if (n < v.len)
            return true;
        end = source_more(r->src, e);
        *failed = end == SOURCE_FAIL;
        if (end != SOURCE_MORE)
            return false;
    }
}

struct step {
    int place;
    char ch;
    int next; /* place behind it; the byte is taken */
};

static const struct step steps[] = {
    {TOP, '[', FIRST},
    {FIRST, ']', OVER},
    {COMMA, ',', ELEMENT},
    {COMMA, ']', OVER},
};

static bool step(struct records *r, char ch)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].place == r->place && steps[i].ch == ch) {
            r->place = steps[i].next;
            take(r, 1);
            return true;
        }
    }
    return false;
}

/* 1: the view begins with '{'; 0: the end. */
static int to_object(struct records *r, struct err *e)
{
    bool failed = false;
    char ch;

    while (to_byte(r, &ch, &failed, e)) {
        if (step(r, ch))
            continue;
        if (ch != '{' || r->place == COMMA || r->place == OVER)
            return fail(r, "wanted a JSON object, found something else", e);
        return 1;
    }
    if (failed)
        return -2;
    if (r->place != TOP && r->place != TOP_AGAIN && r->place != OVER)
        return fail(r, "wanted the end of the array, found the end of the file",
                    e);
    return 0;
}

static bool scan_byte(struct scan *s, char ch)
{
    if (s->in_string) {
        if (!s->escaped && ch == '"')
            s->in_string = false;
        s->escaped = !s->escaped && ch == '\\';
        return false;
    }
    s->in_string = ch == '"';
    if (ch == '{' || ch == '[')
        s->depth++;
    else if (ch == '}' || ch == ']')
        return --s->depth == 0;
    return false;
}

/* 1: the view begins with an object of s->at bytes. */
static int find_end(struct records *r, struct scan *s, struct err *e)
{
    for (;;) {
        struct span v = source_view(r->src);
        enum source_end end;

        while (s->at < v.len) {
            if (scan_byte(s, v.ptr[s->at++]))
                return 1;
        }
        end = source_more(r->src, e);
        if (end == SOURCE_FAIL)
            return -2;
        if (end == SOURCE_LIMIT)
            return fail(r,
                        "wanted an object of at most 64 MiB, found a "
                        "larger one",
                        e);
        if (end == SOURCE_END)
            return fail(r,
                        "wanted the end of the object that begins here, "
                        "found the end of the file",
                        e);
    }
}

int records_next(struct records *r, struct json *v, uint64_t *line,
                 struct err *e)
{
    struct scan s = {0};
    struct span text;
    int got = to_object(r, e);

    if (got <= 0)
        return got;
    *line = r->line;
    got = find_end(r, &s, e);
    if (got < 0)
        return got;
    text = (struct span){source_view(r->src).ptr, s.at};
    take(r, s.at);
    r->place = r->place == TOP || r->place == TOP_AGAIN ? TOP_AGAIN : COMMA;
    if (json_parse(text, v, e))
        return 1;
    err_wrap(e, "%s:%llu", source_name(r->src), (unsigned long long)*line);
    return -1;
}
