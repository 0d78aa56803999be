/* SPDX-License-Identifier: Apache-2.0 */
#include "router/outlog/outlog_prune.h"

#include "router/outlog/sql.h"

enum { ROWS_BY_SIZE = 32 };

bool prune_used(struct sqlite3 *h, int64_t *bytes, struct err *e)
{
    int64_t pages, free_pages, size;

    if (!sql_int(h, "PRAGMA page_count", NULL, &pages, e) ||
        !sql_int(h, "PRAGMA freelist_count", NULL, &free_pages, e) ||
        !sql_int(h, "PRAGMA page_size", NULL, &size, e))
        return false;
    *bytes = (pages - free_pages) * size;
    return true;
}

/* Rows before this time go; INT64_MAX: whatever their age; 0: none. */
static bool find_limit(struct sqlite3 *h, const struct retention *r,
                       int64_t now_ms, int64_t *limit, struct err *e)
{
    int64_t used;

    *limit = r->max_age_ms ? now_ms - (int64_t)r->max_age_ms : 0;
    if (!r->max_bytes)
        return true;
    if (!prune_used(h, &used, e))
        return false;
    if (used > (int64_t)r->max_bytes)
        *limit = INT64_MAX;
    return true;
}

#define OLDEST                                                                 \
    "(SELECT id FROM requests WHERE time_ms<?1"                                \
    " ORDER BY time_ms LIMIT ?2)"

static bool remove_rows(struct sqlite3 *h, int64_t limit, unsigned most,
                        uint64_t *n, struct err *e)
{
    const int64_t args[2] = {limit, most};

    return sql_run2(h, "DELETE FROM labels WHERE request_id IN " OLDEST, args,
                    NULL, e) &&
           sql_run2(h, "DELETE FROM requests WHERE id IN " OLDEST, args, n, e);
}

bool prune_rows(struct sqlite3 *h, const struct retention *r, int64_t now_ms,
                uint64_t *n, struct err *e)
{
    unsigned most = PRUNE_ROWS;
    int64_t limit;
    struct err ignored;

    *n = 0;
    if (!find_limit(h, r, now_ms, &limit, e))
        return false;
    if (limit <= 0)
        return true;
    if (limit == INT64_MAX)
        most = ROWS_BY_SIZE; /* not far below what was allowed */
    if (!sql_run(h, "BEGIN IMMEDIATE", e))
        return false;
    if (remove_rows(h, limit, most, n, e) && sql_run(h, "COMMIT", e))
        return true;
    (void)!sql_run(h, "ROLLBACK", &ignored);
    return false;
}
