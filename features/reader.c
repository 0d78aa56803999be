/* SPDX-License-Identifier: Apache-2.0 */
#include "features/reader.h"

#include "features/text.h"

#include <stdio.h>

static void *place(const struct field *f, void *target)
{
    return (char *)target + f->at;
}

void reader_enter(struct reader *rd, const char *name, int64_t index)
{
    if (rd->n_places < READER_PLACES)
        rd->places[rd->n_places] = (struct reader_place){name, index};
    rd->n_places++;
}

void reader_leave(struct reader *rd)
{
    rd->n_places--;
}

bool reader_wrong(struct reader *rd, const char *field, const char *want,
                  enum json_type found)
{
    char path[200] = "";
    size_t n = 0;

    for (int i = 0; i < rd->n_places && i < READER_PLACES; i++) {
        const struct reader_place *p = &rd->places[i];
        char index[24] = "";

        if (p->index != READER_NO_INDEX)
            snprintf(index, sizeof index, "[%lld]", (long long)p->index);
        snprintf(path + n, sizeof path - n, "%s%s%s", i ? "." : "", p->name,
                 index);
        while (path[n])
            n++;
    }
    return err_set(rd->e, ERR_INPUT, "%s%s%s: wanted %s, found %s", path,
                   *path && *field ? "." : "", *path || *field ? field : "body",
                   want, json_type_name(found));
}

bool reader_no_memory(struct reader *rd)
{
    return err_set(rd->e, ERR_MEMORY,
                   "request: wanted memory below its cap, found none left");
}

/* Most rows are ruled out by their first letter. */
const struct field *reader_row(const struct field *table,
                               const struct json *key)
{
    struct span k = json_inner(key);

    for (const struct field *f = table; k.len && f->name; f++) {
        if (f->name[0] == k.ptr[0] && span_is(k, f->name))
            return f;
    }
    return NULL;
}

bool reader_object(struct reader *rd, const struct json *obj,
                   const struct field *table, void *target)
{
    struct json_iter it = json_begin(obj);
    struct json key, v;

    if (obj->type != JSON_OBJECT)
        return reader_wrong(rd, "", "an object", obj->type);
    while (json_next(&it, &key, &v)) {
        const struct field *f = reader_row(table, &key);

        if (!f || (v.type == JSON_NULL && !f->strict))
            continue;
        if (!f->read(rd, f, &v, target))
            return false;
    }
    return true;
}

bool read_str(struct reader *rd, const struct field *f, const struct json *v,
              void *target)
{
    struct span *s = place(f, target);

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    return json_text(v, rd->a, s) || reader_no_memory(rd);
}

bool read_text(struct reader *rd, const struct field *f, const struct json *v,
               void *target)
{
    struct text *t = place(f, target);

    if (v->type != JSON_STRING)
        return reader_wrong(rd, f->name, "a string", v->type);
    *t = (struct text){json_inner(v), v->escaped};
    return true;
}

bool read_raw(struct reader *rd, const struct field *f, const struct json *v,
              void *target)
{
    struct span *s = place(f, target);

    (void)rd;
    *s = v->raw;
    return true;
}

bool read_raw_object(struct reader *rd, const struct field *f,
                     const struct json *v, void *target)
{
    if (v->type != JSON_OBJECT)
        return reader_wrong(rd, f->name, "an object", v->type);
    return read_raw(rd, f, v, target);
}

bool read_json(struct reader *rd, const struct field *f, const struct json *v,
               void *target)
{
    struct json *j = place(f, target);

    (void)rd;
    *j = *v;
    return true;
}

bool read_bool(struct reader *rd, const struct field *f, const struct json *v,
               void *target)
{
    bool *b = place(f, target);

    if (v->type != JSON_BOOL)
        return reader_wrong(rd, f->name, "a boolean", v->type);
    *b = json_true(v);
    return true;
}

bool read_i64(struct reader *rd, const struct field *f, const struct json *v,
              void *target)
{
    int64_t *n = place(f, target), got;

    if (!json_i64(v, &got) || got < 0)
        return reader_wrong(rd, f->name, "a whole number of at least 0",
                            v->type);
    *n = got;
    return true;
}

bool read_double(struct reader *rd, const struct field *f, const struct json *v,
                 void *target)
{
    double *d = place(f, target);

    if (!json_double(v, d))
        return reader_wrong(rd, f->name, "a number", v->type);
    return true;
}
