/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the tree: libyaml gives events, this file keeps the chain of open
 * containers (struct build) and hangs each finished node behind its elder
 * sibling.
 */
#include "base/conf.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, FILE_BYTES_MAX = 1 << 20, NODES_MAX = 20000 };

struct open_node {
    struct conf *node;
    struct conf *last; /* newest child */
    struct conf *key;  /* in a map: the key that waits for its value */
};

struct build {
    struct arena *a;
    const char *file;
    struct err *e;
    struct conf *root;
    struct open_node open[DEPTH_MAX];
    unsigned depth, nodes;
};

static bool at_mark(struct build *b, yaml_mark_t m, const char *what)
{
    return err_set(b->e, ERR_INPUT, "%s:%zu:%zu: %s", b->file, m.line + 1,
                   m.column + 1, what);
}

static struct conf *node_new(struct build *b, enum conf_type type,
                             yaml_mark_t m)
{
    struct conf *n = arena_zalloc(b->a, 1, sizeof *n);

    if (!n || ++b->nodes > NODES_MAX) {
        err_set(b->e, ERR_MEMORY, "%s: larger than a configuration may be",
                b->file);
        return NULL;
    }
    n->type = type;
    n->file = b->file;
    n->line = (unsigned)m.line + 1;
    n->column = (unsigned)m.column + 1;
    return n;
}

static const struct conf *find(const struct conf *map, struct span key)
{
    for (const struct conf *k = map->kids; k; k = k->next) {
        if (span_eq(k->key, key))
            return k;
    }
    return NULL;
}

/* A scalar where a key is due. */
static bool take_key(struct build *b, struct open_node *o, struct conf *n,
                     yaml_mark_t m)
{
    const struct conf *twin = find(o->node, n->value);

    if (n->type != CONF_SCALAR)
        return at_mark(b, m, "wanted a plain key, found a list or mapping");
    if (twin) {
        conf_failf(n, b->e, "key '%.*s' stands twice, first on line %u",
                   SPAN_ARGS(n->value), twin->key_line);
        return false;
    }
    o->key = n;
    return true;
}

static bool attach(struct build *b, struct conf *n, yaml_mark_t m)
{
    struct open_node *o = b->depth ? &b->open[b->depth - 1] : NULL;

    if (!o) {
        b->root = n;
        return true;
    }
    n->parent = o->node;
    if (o->node->type == CONF_MAP) {
        if (!o->key)
            return take_key(b, o, n, m);
        n->key = o->key->value;
        n->key_line = o->key->line;
        n->key_column = o->key->column;
        o->key = NULL;
    }
    if (o->last)
        o->last->next = n;
    else
        o->node->kids = n;
    o->last = n;
    return true;
}

static bool open_container(struct build *b, enum conf_type type,
                           const yaml_event_t *ev)
{
    struct conf *n;

    if (b->depth == DEPTH_MAX)
        return at_mark(b, ev->start_mark, "nested deeper than 32");
    if (b->depth && b->open[b->depth - 1].node->type == CONF_MAP &&
        !b->open[b->depth - 1].key)
        return at_mark(b, ev->start_mark,
                       "wanted a plain key, found a list or mapping");
    n = node_new(b, type, ev->start_mark);
    if (!n || !attach(b, n, ev->start_mark))
        return false;
    b->open[b->depth++] = (struct open_node){.node = n};
    return true;
}

/* Replaces the ${NAME} or ${NAME:-default} at s->ptr; moves s behind it. */
static bool replace_one(struct build *b, const struct conf *n, struct span *s,
                        struct buf *out)
{
    const char *close = memchr(s->ptr, '}', s->len);
    struct span name, fallback = {NULL, 0};
    char copy[128];
    const char *value, *sep;

    if (!close) {
        conf_failf(n, b->e, "wanted '}' behind '${', found the end");
        return false;
    }
    name = (struct span){s->ptr + 2, (size_t)(close - s->ptr) - 2};
    sep = memmem(name.ptr, name.len, ":-", 2);
    if (sep) {
        fallback.ptr = sep + 2;
        fallback.len = (size_t)(close - fallback.ptr);
        name.len = (size_t)(sep - name.ptr);
    }
    value = span_copy(copy, sizeof copy, name) ? getenv(copy) : NULL;
    if (value && *value) {
        buf_str(out, value);
    } else if (sep) {
        buf_span(out, fallback);
    } else {
        conf_failf(n, b->e,
                   "wanted the environment variable %.*s, found it unset or "
                   "empty",
                   SPAN_ARGS(name));
        return false;
    }
    s->len -= (size_t)(close + 1 - s->ptr);
    s->ptr = close + 1;
    return true;
}

static bool replace_env(struct build *b, struct conf *n)
{
    struct span s = n->value;
    struct buf out;
    bool ok = true;

    if (!span_has(s, SPAN("${")))
        return true;
    buf_init(&out, 1 << 16);
    while (ok && s.len) {
        if (s.len >= 2 && s.ptr[0] == '$' && s.ptr[1] == '{') {
            ok = replace_one(b, n, &s, &out);
            continue;
        }
        buf_char(&out, *s.ptr++);
        s.len--;
    }
    if (ok && out.failed)
        ok = conf_failf(n, b->e, "longer than 64 kB after replacement");
    if (ok)
        n->value = arena_copy(b->a, buf_view(&out));
    buf_free(&out);
    return ok;
}

static bool scalar(struct build *b, const yaml_event_t *ev)
{
    struct conf *n = node_new(b, CONF_SCALAR, ev->start_mark);

    if (!n)
        return false;
    if (ev->data.scalar.anchor || ev->data.scalar.tag)
        return at_mark(b, ev->start_mark,
                       "anchors and tags are not allowed here");
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->value =
        arena_copy(b->a, (struct span){(const char *)ev->data.scalar.value,
                                       ev->data.scalar.length});
    if (ev->data.scalar.length && !n->value.ptr)
        return err_set(b->e, ERR_MEMORY, "%s: no memory", b->file);
    if (!n->quoted && (span_is(n->value, "~") || span_is(n->value, "null")))
        n->value.len = 0;
    return replace_env(b, n) && attach(b, n, ev->start_mark);
}

static bool close_container(struct build *b)
{
    b->depth--;
    return true;
}

static bool take(struct build *b, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return scalar(b, ev);
    case YAML_ALIAS_EVENT:
        return at_mark(b, ev->start_mark, "aliases are not allowed here");
    case YAML_SEQUENCE_START_EVENT:
        if (ev->data.sequence_start.anchor || ev->data.sequence_start.tag)
            return at_mark(b, ev->start_mark,
                           "anchors and tags are not allowed here");
        return open_container(b, CONF_LIST, ev);
    case YAML_MAPPING_START_EVENT:
        if (ev->data.mapping_start.anchor || ev->data.mapping_start.tag)
            return at_mark(b, ev->start_mark,
                           "anchors and tags are not allowed here");
        return open_container(b, CONF_MAP, ev);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(b);
    case YAML_DOCUMENT_START_EVENT:
        if (b->root)
            return at_mark(b, ev->start_mark,
                           "wanted one document, found "
                           "a second");
        return true;
    default:
        return true;
    }
}

static bool run(struct build *b, yaml_parser_t *p)
{
    yaml_event_t ev;
    bool more = true, ok;

    while (more) {
        if (!yaml_parser_parse(p, &ev))
            return at_mark(b, p->problem_mark,
                           p->problem ? p->problem : "no valid YAML");
        more = ev.type != YAML_STREAM_END_EVENT;
        ok = take(b, &ev);
        yaml_event_delete(&ev);
        if (!ok)
            return false;
    }
    return true;
}

const struct conf *conf_parse(struct span text, const char *file,
                              struct arena *a, struct err *e)
{
    struct build b = {.a = a, .e = e};
    yaml_parser_t p;
    bool ok;

    b.file = arena_strdup(a, span_of(file));
    if (!b.file || text.len > FILE_BYTES_MAX) {
        err_set(e, ERR_LIMIT, "%s: wanted at most 1 MiB, found %zu bytes", file,
                text.len);
        return NULL;
    }
    if (!yaml_parser_initialize(&p)) {
        err_set(e, ERR_MEMORY, "%s: no memory", file);
        return NULL;
    }
    yaml_parser_set_input_string(&p, (const unsigned char *)text.ptr, text.len);
    ok = run(&b, &p);
    yaml_parser_delete(&p);
    if (ok && !b.root)
        ok = err_set(e, ERR_INPUT,
                     "%s: wanted a configuration, found an "
                     "empty file",
                     file);
    return ok ? b.root : NULL;
}

static bool read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "rb");
    size_t n = 1;

    if (!f)
        return err_sys(e, "%s", path);
    while (n > 0 && !out->failed) {
        char *at = buf_room(out, 4096);

        n = at ? fread(at, 1, 4096, f) : 0;
        out->len += n;
    }
    if (ferror(f)) {
        err_sys(e, "%s", path);
        fclose(f);
        return false;
    }
    fclose(f);
    if (out->failed)
        return err_set(e, ERR_LIMIT, "%s: wanted at most 1 MiB, found more",
                       path);
    return true;
}

const struct conf *conf_load(const char *path, struct arena *a, struct err *e)
{
    const struct conf *root = NULL;
    struct buf text;

    buf_init(&text, FILE_BYTES_MAX + 4096);
    if (read_file(path, &text, e))
        root = conf_parse(buf_view(&text), path, a, e);
    buf_free(&text);
    return root;
}

const struct conf *conf_get(const struct conf *map, const char *key)
{
    if (!map || map->type != CONF_MAP)
        return NULL;
    return find(map, span_of(key));
}
