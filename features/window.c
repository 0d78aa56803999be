/* SPDX-License-Identifier: Apache-2.0 */
#include "features/window.h"

#include "base/utf8.h"

#include <string.h>

/* Appends to the window while it holds at most `most` bytes; false as soon
 * as the text goes beyond.  *raw: the bytes read, as they are written. */
static bool append(struct window *w, struct text t, size_t most, size_t *raw)
{
    size_t len = t.raw.len;

    if (w->n) {
        if (w->n >= most)
            return false;
        w->text[w->n++] = '\n';
    }
    /* Four bytes more than allowed: a decoder that stops below that has
     * come to the end of the text, not of the room. */
    w->n += text_next(&t, w->text + w->n, most + 4 - w->n);
    *raw += len - t.raw.len;
    return w->n <= most;
}

static bool wanted(const struct part *p, enum part_kind kind)
{
    return p->kind == kind;
}

/* Puts the last bytes of the text, at most `room`, before w->text[at];
 * returns where they begin. */
static size_t prepend(struct window *w, struct text t, size_t at, size_t room)
{
    char tail[WINDOW_MAX];
    size_t n = text_tail(t, tail, room);

    memcpy(w->text + at - n, tail, n);
    return at - n;
}

static void add_tail(struct window *w, const struct message *m,
                     enum part_kind kind, size_t size)
{
    size_t at = w->n + size, from = w->n;
    bool first = true;

    for (size_t i = m->n_parts; i-- > 0 && at > from;) {
        if (!wanted(&m->parts[i], kind))
            continue;
        if (!first)
            w->text[--at] = '\n';
        first = false;
        at = prepend(w, m->parts[i].text, at, at - from);
    }
    memmove(w->text + from, w->text + at, from + size - at);
    w->split = from;
    w->n = from + (from + size - at);
}

void window_fill(struct window *w, const struct message *m, enum part_kind kind,
                 size_t head, size_t tail)
{
    size_t raw = 0, read = 0;
    bool all = true;

    w->n = w->split = w->whole = 0;
    for (size_t i = 0; m && i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];

        if (!wanted(p, kind))
            continue;
        raw += p->text.raw.len;
        all = all && append(w, p->text, head + tail, &read);
    }
    w->whole = w->split = w->n;
    if (all)
        return;
    w->whole = read ? (size_t)((uint64_t)raw * w->n / read) : raw;
    w->n = utf8_cut((struct span){w->text, w->n}, head);
    add_tail(w, m, kind, tail);
}

void window_fill_text(struct window *w, struct text t, size_t head, size_t tail)
{
    struct part p = {.kind = PART_TEXT, .text = t};
    struct message m = {.parts = &p, .n_parts = 1};

    window_fill(w, &m, PART_TEXT, head, tail);
}

struct span window_head(const struct window *w)
{
    return (struct span){w->text, w->split};
}

struct span window_tail(const struct window *w)
{
    return (struct span){w->text + w->split, w->n - w->split};
}
