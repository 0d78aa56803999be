/* SPDX-License-Identifier: Apache-2.0 */
/* A whole answer from chunks. */
#include "router/codec/chunk.h"

#include <string.h>

void gather_init(struct gathered *g, struct arena *a)
{
    memset(g, 0, sizeof *g);
    g->arena = a;
}

/* Copies s; false only when there is no memory for it. */
static bool keep(struct gathered *g, struct span s, struct span *to)
{
    *to = arena_copy(g->arena, s);
    return s.len == 0 || to->ptr;
}

/* What grows by many small pieces does so in place: room is doubled, so that
 * they cost as much as one large one. */
struct growth {
    struct span *text;
    char **write;
    size_t *room;
};

static bool append(struct gathered *g, struct growth to, struct span text)
{
    size_t need = to.text->len + text.len;
    char *grown;

    if (text.len == 0)
        return true;
    if (need > *to.room) {
        size_t room = need * 2 < 64 ? 64 : need * 2;

        grown = arena_alloc(g->arena, room);
        if (!grown)
            return false;
        if (to.text->len)
            memcpy(grown, to.text->ptr, to.text->len);
        *to.write = grown;
        *to.room = room;
        to.text->ptr = grown;
    }
    memcpy(*to.write + to.text->len, text.ptr, text.len);
    to.text->len = need;
    return true;
}

/* One more item of the array that raw becomes. */
static bool append_raw(struct gathered *g, struct gathered_block *b,
                       struct span item)
{
    struct growth to = {&b->raw, &b->write_raw, &b->room_raw};

    if (item.len == 0)
        return true;
    if (b->raw.len && b->raw.ptr == b->write_raw)
        b->raw.len--; /* the bracket that closed it */
    else
        b->raw.len = 0; /* OPEN's own gives way */
    return append(g, to, b->raw.len ? SPAN(",") : SPAN("[")) &&
           append(g, to, item) && append(g, to, SPAN("]"));
}

static bool add_text(struct gathered *g, struct gathered_block *b,
                     const struct chunk *c)
{
    struct growth to = {&b->text, &b->write, &b->room};

    return append(g, to, c->text) && append_raw(g, b, c->raw);
}

static struct gathered_choice *choice_of(struct gathered *g,
                                         const struct chunk *c)
{
    if (c->choice >= GATHER_CHOICES_MAX)
        return NULL;
    if (c->choice >= g->n_choices)
        g->n_choices = c->choice + 1;
    return &g->choices[c->choice];
}

static bool start(struct gathered *g, const struct chunk *c)
{
    g->created = c->created;
    if (c->has_usage) {
        g->usage = c->usage;
        g->has_usage = true;
    }
    return keep(g, c->id, &g->id) && keep(g, c->name, &g->model);
}

static bool open_block(struct gathered *g, const struct chunk *c)
{
    struct gathered_choice *ch = choice_of(g, c);
    struct gathered_block *b;

    if (!ch)
        return true;
    b = arena_zalloc(g->arena, 1, sizeof *b);
    if (!b || !keep(g, c->id, &b->id) || !keep(g, c->name, &b->name) ||
        !keep(g, c->media, &b->media) || !keep(g, c->raw, &b->raw))
        return false;
    b->part = c->part;
    b->redacted = c->redacted;
    if (ch->last)
        ch->last->next = b;
    else
        ch->first = b;
    ch->last = b;
    return true;
}

static bool close_block(struct gathered *g, const struct chunk *c)
{
    struct gathered_choice *ch = choice_of(g, c);

    if (!ch || !ch->last)
        return true;
    if (c->raw.len && !keep(g, c->raw, &ch->last->raw))
        return false;
    return c->signature.len == 0 || keep(g, c->signature, &ch->last->signature);
}

static bool finish(struct gathered *g, const struct chunk *c)
{
    struct gathered_choice *ch = choice_of(g, c);

    if (!ch)
        return true;
    ch->finish = c->finish;
    return keep(g, c->name, &ch->finish_name) &&
           keep(g, c->sequence, &ch->sequence);
}

static bool fail(struct gathered *g, const struct chunk *c)
{
    g->error_status = c->status ? c->status : 502;
    return keep(g, c->name, &g->error_type) &&
           keep(g, c->text, &g->error_message);
}

static bool take(void *ctx, const struct chunk *c)
{
    struct gathered *g = ctx;
    struct gathered_choice *ch;

    switch (c->kind) {
    case CHUNK_START:
        return start(g, c);
    case CHUNK_OPEN:
        return open_block(g, c);
    case CHUNK_TEXT:
        ch = choice_of(g, c);
        return !ch || !ch->last || add_text(g, ch->last, c);
    case CHUNK_CLOSE:
        return close_block(g, c);
    case CHUNK_USAGE:
        g->usage = c->usage;
        g->has_usage = true;
        return true;
    case CHUNK_FINISH:
        return finish(g, c);
    case CHUNK_ERROR:
        return fail(g, c);
    case CHUNK_END:
        g->ended = true;
        return true;
    }
    return true;
}

struct chunk_sink gather_sink(struct gathered *g)
{
    return (struct chunk_sink){g, take};
}
