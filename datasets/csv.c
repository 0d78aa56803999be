/* SPDX-License-Identifier: Apache-2.0 */
/*
 *            "                        "
 *  START ---------> QUOTED <-------------------> CLOSED
 *    | text           (all but a quote stays)      | , LF
 *    v                                             v
 *  BARE  -- , LF -->  START of the next field or of the next record
 */
#include "datasets/csv.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "datasets/source.h"

#include <stdlib.h>
#include <string.h>

enum state { START, BARE, QUOTED, CLOSED, DONE };

struct csv {
    struct source *src; /* (owned) */
    struct arena arena; /* fields that had doubled quotes */
    uint64_t line;      /* of the next byte, 1-based */
    bool begun;
};

/* Looking for the end of a record. */
struct scan {
    size_t at; /* bytes of the view looked at */
    enum state state;
    uint64_t lines;  /* line ends passed */
    uint64_t opened; /* line of the newest opening quote */
};

struct csv *csv_open(struct source *src, struct err *e)
{
    struct csv *c = calloc(1, sizeof *c);

    if (!c) {
        err_set(e, ERR_MEMORY, "%s: no memory", source_name(src));
        source_close(src);
        return NULL;
    }
    c->src = src;
    c->line = 1;
    arena_init(&c->arena, SOURCE_WINDOW_MAX);
    return c;
}

void csv_close(struct csv *c)
{
    if (!c)
        return;
    source_close(c->src);
    arena_free(&c->arena);
    free(c);
}

static bool bad(const struct csv *c, uint64_t line, const char *what,
                struct err *e)
{
    return err_set(e, ERR_INPUT, "%s:%llu: %s", source_name(c->src),
                   (unsigned long long)line, what);
}

static enum state bare(char ch, enum state stay)
{
    return ch == ',' ? START : ch == '\n' ? DONE : stay;
}

static bool scan_byte(const struct csv *c, struct scan *s, char ch,
                      struct err *e)
{
    uint64_t line = c->line + s->lines;

    if (ch == '\n')
        s->lines++;
    switch (s->state) {
    case START:
        if (ch == '"')
            s->opened = line;
        s->state = ch == '"' ? QUOTED : bare(ch, BARE);
        return true;
    case BARE:
        if (ch == '"')
            return bad(c, line,
                       "wanted a field that is quoted as a whole, found a "
                       "quote inside a bare one",
                       e);
        s->state = bare(ch, BARE);
        return true;
    case QUOTED:
        s->state = ch == '"' ? CLOSED : QUOTED;
        return true;
    case CLOSED:
        if (ch != '"' && ch != ',' && ch != '\n' && ch != '\r')
            return bad(c, line,
                       "wanted a comma or the line's end behind a closing "
                       "quote, found text",
                       e);
        s->state = ch == '"' ? QUOTED : bare(ch, CLOSED);
        return true;
    case DONE:
        break;
    }
    return true;
}

static bool scan_view(const struct csv *c, struct scan *s, struct err *e)
{
    struct span v = source_view(c->src);

    while (s->at < v.len && s->state != DONE) {
        if (!scan_byte(c, s, v.ptr[s->at], e))
            return false;
        s->at++;
    }
    return true;
}

static bool too_long(const struct csv *c, const struct scan *s, struct err *e)
{
    return err_set(
        e, ERR_LIMIT,
        "%s:%llu: wanted a record of at most %d MiB, found a longer "
        "one (%s at line %llu)",
        source_name(c->src), (unsigned long long)c->line,
        SOURCE_WINDOW_MAX >> 20,
        s->state == QUOTED ? "its last quote was opened" : "it begins",
        (unsigned long long)(s->state == QUOTED ? s->opened : c->line));
}

/* 1: the view begins with a whole record of s->at bytes; 0: the end. */
static int find_record(struct csv *c, struct scan *s, struct err *e)
{
    for (;;) {
        enum source_end end;

        if (!scan_view(c, s, e))
            return -1;
        if (s->state == DONE)
            return 1;
        end = source_more(c->src, e);
        if (end == SOURCE_FAIL)
            return -1;
        if (end == SOURCE_LIMIT) {
            too_long(c, s, e);
            return -1;
        }
        if (end == SOURCE_END)
            break;
    }
    if (s->state == QUOTED) {
        bad(c, s->opened,
            "wanted the end of the quoted field that begins here, found the "
            "end of the file",
            e);
        return -1;
    }
    return s->at > 0;
}

/* ---- fields of a record that was found sound ---- */

static bool undouble(struct csv *c, struct span raw, struct span *out)
{
    char *copy = arena_alloc(&c->arena, raw.len);
    size_t n = 0;

    if (!copy)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        copy[n++] = raw.ptr[i];
        if (raw.ptr[i] == '"')
            i++;
    }
    *out = (struct span){copy, n};
    return true;
}

/* Cuts the next field off *rest, which ends where the record ends; NULL, or
 * what is wrong with it. */
static const char *cut_quoted(struct csv *c, struct span *rest,
                              struct span *out)
{
    const char *p = rest->ptr + 1, *end = rest->ptr + rest->len;
    bool doubled = false;

    for (;;) {
        p = memchr(p, '"', (size_t)(end - p));
        if (!p)
            return "wanted a closing quote, found the record's end";
        if (p + 1 >= end || p[1] != '"')
            break;
        doubled = true;
        p += 2;
    }
    if (p + 1 < end && p[1] != ',')
        return "wanted a comma behind a closing quote, found more text";
    *out = (struct span){rest->ptr + 1, (size_t)(p - rest->ptr) - 1};
    rest->ptr = p + 1;
    rest->len = (size_t)(end - rest->ptr);
    span_cut(rest, ',');
    return !doubled || undouble(c, *out, out) ? NULL : "no memory for a field";
}

static bool split(struct csv *c, struct span rest, struct csv_record *r,
                  struct err *e)
{
    r->n = 0;
    do {
        struct span *f = &r->fields[r->n];

        if (r->n == CSV_FIELDS_MAX)
            return bad(c, r->line, "wanted at most 1024 fields, found more", e);
        if (rest.len && rest.ptr[0] == '"') {
            const char *wrong = cut_quoted(c, &rest, f);

            if (wrong)
                return bad(c, r->line, wrong, e);
        } else {
            *f = span_cut(&rest, ',');
        }
        r->n++;
    } while (rest.ptr);
    return true;
}

static void skip_bom(struct csv *c)
{
    struct span v = source_view(c->src);

    if (v.len >= 3 && !memcmp(v.ptr, "\xef\xbb\xbf", 3))
        source_take(c->src, 3);
}

static bool fill_head(struct csv *c, struct err *e)
{
    enum source_end end = SOURCE_MORE;

    if (c->begun)
        return true;
    c->begun = true;
    while (end == SOURCE_MORE && source_view(c->src).len < 3)
        end = source_more(c->src, e);
    skip_bom(c);
    return end != SOURCE_FAIL;
}

static struct span without_end(struct span text)
{
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

int csv_next(struct csv *c, struct csv_record *r, struct err *e)
{
    struct span text;

    if (!fill_head(c, e))
        return -1;
    arena_reset(&c->arena);
    do {
        struct scan s = {.state = START};
        int got = find_record(c, &s, e);

        if (got <= 0)
            return got;
        text = without_end((struct span){source_view(c->src).ptr, s.at});
        source_take(c->src, s.at);
        r->line = c->line;
        c->line += s.lines;
    } while (text.len == 0);
    if (!utf8_valid(text) || memchr(text.ptr, '\0', text.len)) {
        bad(c, r->line, "wanted UTF-8 text, found other bytes", e);
        return -1;
    }
    return split(c, text, r, e) ? 1 : -1;
}
