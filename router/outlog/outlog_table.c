/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_table.h"

#include <math.h>
#include <string.h>

#include "router/outlog/outlog.h"

#define ROW_OF(version, name, kind)                                            \
    {                                                                          \
#name, kind, offsetof(struct outlog_row, name), "", version            \
    }
#define ROW(name, kind) ROW_OF(1, name, kind)
#define LABEL(name, kind, clause)                                              \
    {                                                                          \
#name, kind, offsetof(struct outlog_label, name), clause, 1            \
    }

static const struct column REQUESTS[] = {
    {"id", COLUMN_TEXT, offsetof(struct outlog_row, id),
     " NOT NULL PRIMARY KEY", 1},
    {"time_ms", COLUMN_INT, offsetof(struct outlog_row, time_ms), " NOT NULL",
     1},
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
    /* Later ones, in order of version: ROW_OF(version, name, kind). */
    ROW_OF(2, queue_us, COLUMN_INT),
    ROW_OF(3, losses, COLUMN_TEXT),
    ROW_OF(4, tries, COLUMN_TEXT),
    ROW_OF(5, signals, COLUMN_TEXT),
    ROW_OF(6, plan, COLUMN_TEXT),
    ROW_OF(6, purpose, COLUMN_TEXT),
    ROW_OF(6, parent, COLUMN_TEXT),
    ROW_OF(6, guarantee, COLUMN_TEXT),
    ROW_OF(6, unseen, COLUMN_REAL),
    ROW_OF(6, question, COLUMN_TEXT),
    ROW_OF(7, about, COLUMN_TEXT),
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
    [OUTLOG_ROW] = {"requests", REQUESTS, sizeof REQUESTS / sizeof *REQUESTS},
    [OUTLOG_LABEL] = {"labels", LABELS, sizeof LABELS / sizeof *LABELS},
};

void table_init(const struct table *t, void *row)
{
    for (size_t i = 0; i < t->n; i++) {
        void *at = (char *)row + t->columns[i].offset;

        switch (t->columns[i].kind) {
        case COLUMN_TEXT:
        case COLUMN_BLOB:
            *(struct span *)at = (struct span){NULL, 0};
            break;
        case COLUMN_INT:
            *(int64_t *)at = -1;
            break;
        case COLUMN_REAL:
            *(double *)at = NAN;
            break;
        case COLUMN_BOOL:
            *(bool *)at = false;
            break;
        }
    }
}

void outlog_row_init(struct outlog_row *row)
{
    memset(row, 0, sizeof *row);
    table_init(&OUTLOG_TABLES[OUTLOG_ROW], row);
}

static void put_column(const struct column *c, struct buf *sql)
{
    static const char *const types[] = {
        [COLUMN_TEXT] = "TEXT",   [COLUMN_BLOB] = "BLOB",
        [COLUMN_INT] = "INTEGER", [COLUMN_BOOL] = "INTEGER",
        [COLUMN_REAL] = "REAL",
    };

    buf_printf(sql, "%s %s%s", c->name, types[c->kind], c->clause);
}

void table_create(const struct table *t, struct buf *sql)
{
    buf_printf(sql, "CREATE TABLE %s (", t->name);
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            buf_str(sql, ", ");
        put_column(&t->columns[i], sql);
    }
    buf_str(sql, ");");
}

void table_add_column(const struct table *t, const struct column *c,
                      struct buf *sql)
{
    buf_printf(sql, "ALTER TABLE %s ADD COLUMN ", t->name);
    put_column(c, sql);
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
    table_init(t, row);
    for (size_t i = 0; i < t->n; i++) {
        enum column_kind kind = t->columns[i].kind;
        void *to = (char *)row + t->columns[i].offset;

        if (rest.len == 0 && t->columns[i].since > 1)
            return true; /* an older program's row */
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
