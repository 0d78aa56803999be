/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_same.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct member {
    struct span key;
    struct json value;
};

static int by_key(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = n ? memcmp(a->key.ptr, b->key.ptr, n) : 0;

    return order ? order
                 : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static bool whole(struct span digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (strchr(".eE", digits.ptr[i]))
            return false;
    return true;
}

static bool same_number(const struct json *a, const struct json *b)
{
    double x, y;

    if (span_eq(a->raw, b->raw))
        return true;
    if (!json_double(a, &x) || !json_double(b, &y) || x != y)
        return false;
    /* Beyond 2^53 different whole numbers may be one double. */
    return fabs(x) < 9007199254740992.0 || !whole(a->raw) || !whole(b->raw);
}

static bool same_text(const struct json *a, const struct json *b,
                      struct arena *work)
{
    struct span x, y;

    return json_text(a, work, &x) && json_text(b, work, &y) && span_eq(x, y);
}

static bool same_array(const struct json *a, const struct json *b,
                       struct arena *work)
{
    struct json_iter i = json_begin(a), j = json_begin(b);
    struct json x, y;
    bool more;

    while ((more = json_next(&i, NULL, &x)))
        if (!json_next(&j, NULL, &y) || !json_same(&x, &y, work))
            return false;
    return !json_next(&j, NULL, &y);
}

/* The members by their keys' text; NULL where one stands twice or there is
 * no memory. */
static struct member *sorted(const struct json *v, size_t n, struct arena *work)
{
    struct member *m = arena_zalloc(work, n, sizeof *m);
    struct json_iter it = json_begin(v);
    struct json key;

    if (!m)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!json_next(&it, &key, &m[i].value) ||
            !json_text(&key, work, &m[i].key))
            return NULL;
    qsort(m, n, sizeof *m, by_key);
    for (size_t i = 1; i < n; i++)
        if (by_key(&m[i - 1], &m[i]) == 0)
            return NULL;
    return m;
}

static bool same_object(const struct json *a, const struct json *b,
                        struct arena *work)
{
    size_t n = json_count(a);
    struct member *x, *y;

    if (span_eq(a->raw, b->raw))
        return true;
    if (n != json_count(b))
        return false;
    if (n == 0)
        return true;
    if (!(x = sorted(a, n, work)) || !(y = sorted(b, n, work)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!span_eq(x[i].key, y[i].key) ||
            !json_same(&x[i].value, &y[i].value, work))
            return false;
    return true;
}

bool json_same(const struct json *a, const struct json *b, struct arena *work)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JSON_NUMBER:
        return same_number(a, b);
    case JSON_STRING:
        return same_text(a, b, work);
    case JSON_ARRAY:
        return same_array(a, b, work);
    case JSON_OBJECT:
        return same_object(a, b, work);
    default:
        return span_eq(a->raw, b->raw); /* true, false, null, nothing */
    }
}
