/* SPDX-License-Identifier: Apache-2.0 */
/* Made logs of a server, for tests of what reads them. */
#ifndef WEIR_TESTS_LOG_RIG_H
#define WEIR_TESTS_LOG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char log_path[64];

/* Logs that are made from now on have their requests in the order of id, as
 * those of older programs. */
static bool log_is_old;

/* The schema as docs/log-format.md has it: the manual is what is tested. */
static char *log_schema(void)
{
    static char text[8192];
    FILE *f = fopen("docs/log-format.md", "r");
    char *from, *to;
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    from = strstr(text, "```sql\n");
    assert_non_null(from);
    to = strstr(from + 7, "```");
    assert_non_null(to);
    *to = '\0';
    return from + 7;
}

static void log_run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
}

/* A statement whose ?1 is a blob. */
static inline void log_put(sqlite3 *db, const char *sql, const void *blob,
                           size_t n)
{
    sqlite3_stmt *st;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, blob, (int)n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
}

static void log_remove(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (int i = 0; i < 3; i++) {
        char name[80];

        snprintf(name, sizeof name, "%s%s", log_path, ends[i]);
        unlink(name);
    }
}

static void log_create(sqlite3 *db)
{
    static const char behind[] = "\n);\nCREATE INDEX requests_time";
    char *sql = log_schema(), *end = strstr(sql, behind);
    char *first;

    assert_non_null(end);
    first = sqlite3_mprintf("%.*s\n)%s", (int)(end - sql), sql,
                            log_is_old ? " WITHOUT ROWID" : "");
    log_run(db, first);
    sqlite3_free(first);
    log_run(db, end + 3);
}

static sqlite3 *log_new(void)
{
    sqlite3 *db;

    snprintf(log_path, sizeof log_path, "/tmp/weir-log-%ld.db", (long)getpid());
    log_remove();
    assert_int_equal(sqlite3_open(log_path, &db), SQLITE_OK);
    log_run(db, "PRAGMA journal_mode=WAL; PRAGMA user_version=1;");
    log_create(db);
    return db;
}

#endif
