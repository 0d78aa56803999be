/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_table.h"

#include <math.h>
#include <string.h>

#include "router/outlog/outlog.h"

#define ROW(name, kind)                                                        \
    {                                                                          \
#name, kind, offsetof(struct outlog_row, name), ""                     \
    }
#define LABEL(name, kind, clause)                                              \
    {                                                                          \
#name, kind, offsetof(struct outlog_label, name), clause               \
    }

static const struct column REQUESTS[] = {
    {"id", COLUMN_TEXT, offsetof(struct outlog_row, id), " PRIMARY KEY"},
    {"time_ms", COLUMN_INT, offsetof(struct outlog_row, time_ms), " NOT NULL"},
    ROW(route, COLUMN_TEXT),
    ROW(session, COLUMN_TEXT),
    ROW(key_name, COLUMN_TEXT),
    ROW(task, COLUMN_TEXT),
    ROW(task_given, COLUMN_BOOL),
    ROW(dialect, COLUMN_TEXT),
    ROW(stream, COLUMN_BOOL),
    ROW(classifier, COLUMN_TEXT),
    ROW(policy, COLUMN_TEXT),
    ROW(quality_target, COLUMN_REAL),
    ROW(price, COLUMN_REAL),
    ROW(arm, COLUMN_TEXT),
    ROW(model, COLUMN_TEXT),
    ROW(provider, COLUMN_TEXT),
    ROW(reason, COLUMN_TEXT),
    ROW(arms, COLUMN_TEXT),
    ROW(propensity, COLUMN_REAL),
    ROW(status, COLUMN_INT),
    ROW(finish, COLUMN_TEXT),
    ROW(error, COLUMN_TEXT),
    ROW(attempts, COLUMN_INT),
    ROW(input_tokens, COLUMN_INT),
    ROW(cached_tokens, COLUMN_INT),
    ROW(cache_write_tokens, COLUMN_INT),
    ROW(output_tokens, COLUMN_INT),
    ROW(reasoning_tokens, COLUMN_INT),
    ROW(usage_estimated, COLUMN_BOOL),
    ROW(cost_pico, COLUMN_INT),
    ROW(latency_us, COLUMN_INT),
    ROW(ttft_us, COLUMN_INT),
    ROW(decision_us, COLUMN_INT),
    ROW(features, COLUMN_BLOB),
    ROW(est_input, COLUMN_INT),
    ROW(messages, COLUMN_TEXT),
    ROW(tools, COLUMN_TEXT),
    ROW(params, COLUMN_TEXT),
    ROW(answer, COLUMN_TEXT),
};

static const struct column LABELS[] = {
    LABEL(request_id, COLUMN_TEXT, " NOT NULL"),
    LABEL(time_ms, COLUMN_INT, " NOT NULL"),
    LABEL(source, COLUMN_TEXT, " NOT NULL"),
    LABEL(score, COLUMN_REAL, " NOT NULL"),
    LABEL(confidence, COLUMN_REAL, " NOT NULL"),
    LABEL(comment, COLUMN_TEXT, ""),
};

const struct table OUTLOG_TABLES[OUTLOG_KINDS] = {
    [OUTLOG_ROW] = {"requests", REQUESTS, sizeof REQUESTS / sizeof *REQUESTS,
                    " WITHOUT ROWID"},
    [OUTLOG_LABEL] = {"labels", LABELS, sizeof LABELS / sizeof *LABELS, ""},
};

void outlog_row_init(struct outlog_row *row)
{
    const struct table *t = &OUTLOG_TABLES[OUTLOG_ROW];

    memset(row, 0, sizeof *row);
    for (size_t i = 0; i < t->n; i++) {
        void *at = (char *)row + t->columns[i].offset;

        if (t->columns[i].kind == COLUMN_INT)
            *(int64_t *)at = -1;
        else if (t->columns[i].kind == COLUMN_REAL)
            *(double *)at = NAN;
    }
}

void table_create(const struct table *t, struct buf *sql)
{
    static const char *const types[] = {
        [COLUMN_TEXT] = "TEXT",   [COLUMN_BLOB] = "BLOB",
        [COLUMN_INT] = "INTEGER", [COLUMN_BOOL] = "INTEGER",
        [COLUMN_REAL] = "REAL",
    };

    buf_printf(sql, "CREATE TABLE %s (", t->name);
    for (size_t i = 0; i < t->n; i++)
        buf_printf(sql, "%s%s %s%s", i ? ", " : "", t->columns[i].name,
                   types[t->columns[i].kind], t->columns[i].clause);
    buf_printf(sql, ")%s;", t->tail);
}

static const void *at(const struct table *t, size_t i, const void *row)
{
    return (const char *)row + t->columns[i].offset;
}

/* Bytes of a column's fixed part. */
static size_t fixed(enum column_kind kind)
{
    static const size_t sizes[] = {
        [COLUMN_TEXT] = sizeof(uint32_t), [COLUMN_BLOB] = sizeof(uint32_t),
        [COLUMN_INT] = sizeof(int64_t),   [COLUMN_BOOL] = sizeof(uint8_t),
        [COLUMN_REAL] = sizeof(double),
    };

    return sizes[kind];
}

static bool spans(enum column_kind kind)
{
    return kind == COLUMN_TEXT || kind == COLUMN_BLOB;
}

size_t table_size(const struct table *t, const void *row)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        n += fixed(t->columns[i].kind);
        if (spans(t->columns[i].kind))
            n += ((const struct span *)at(t, i, row))->len;
    }
    return n;
}

void table_pack(const struct table *t, const void *row, char *dst)
{
    for (size_t i = 0; i < t->n; i++) {
        enum column_kind kind = t->columns[i].kind;
        const void *from = at(t, i, row);
        const struct span *s = from;

        if (spans(kind)) {
            uint32_t len = (uint32_t)s->len;

            memcpy(dst, &len, sizeof len);
            if (len)
                memcpy(dst + sizeof len, s->ptr, len);
            dst += sizeof len + len;
        } else {
            memcpy(dst, from, fixed(kind));
            dst += fixed(kind);
        }
    }
}

static bool unpack_span(struct span *rest, struct span *out)
{
    uint32_t len;

    memcpy(&len, rest->ptr, sizeof len);
    rest->ptr += sizeof len;
    rest->len -= sizeof len;
    if (len > rest->len)
        return false;
    *out = (struct span){rest->ptr, len};
    rest->ptr += len;
    rest->len -= len;
    return true;
}

bool table_unpack(const struct table *t, struct span rest, void *row)
{
    for (size_t i = 0; i < t->n; i++) {
        enum column_kind kind = t->columns[i].kind;
        void *to = (char *)row + t->columns[i].offset;

        if (rest.len < fixed(kind))
            return false;
        if (spans(kind)) {
            if (!unpack_span(&rest, to))
                return false;
            continue;
        }
        if (kind == COLUMN_BOOL)
            *(bool *)to = rest.ptr[0] != 0;
        else
            memcpy(to, rest.ptr, fixed(kind));
        rest.ptr += fixed(kind);
        rest.len -= fixed(kind);
    }
    return rest.len == 0;
}
