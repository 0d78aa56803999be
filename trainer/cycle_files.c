/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_files.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "features/features.h"
#include "models/classifier.h"
#include "trainer/cycle_price.h"
#include "trainer/deploy.h"

enum { FILE_MAX = 1 << 30 };

bool cycle_file_path(const char *model, const char *suffix, char *dst,
                     size_t size)
{
    int n = snprintf(dst, size, "%s%s", model, suffix);

    return n > 0 && (size_t)n < size;
}

void cycle_file_id(const char *model, const char *suffix, char id[CYCLE_ID])
{
    char path[PATH_MAX];
    struct classifier *c = NULL;
    struct err e;

    if (cycle_file_path(model, suffix, path, sizeof path))
        c = classifier_open(path, FEATURES_VERSION, &e);
    snprintf(id, CYCLE_ID, "%s", c ? classifier_id(c) : "");
    classifier_close(c);
}

static bool is(const char *model, const char *suffix, const char *wanted)
{
    char id[CYCLE_ID];

    cycle_file_id(model, suffix, id);
    return !strcmp(id, wanted);
}

static void gone(const char *model, const char *suffix)
{
    char path[PATH_MAX];

    if (cycle_file_path(model, suffix, path, sizeof path))
        unlink(path);
}

static bool read_of(const char *model, const char *suffix, struct buf *out,
                    struct err *e)
{
    char path[PATH_MAX];

    return (cycle_file_path(model, suffix, path, sizeof path) ||
            err_set(e, ERR_USAGE, "%s: the path is too long", model)) &&
           file_read(path, out, e);
}

/* The running classifier is the one that the state names. */
static bool put_running(const char *model, const struct cycle_state *s,
                        struct err *e)
{
    static const char *const from[] = {".challenger", ".canary"};
    struct buf bytes;
    bool ok = true;

    if (!*s->running || is(model, "", s->running))
        return true;
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        if (!is(model, from[i], s->running))
            continue;
        buf_init(&bytes, FILE_MAX);
        ok = read_of(model, from[i], &bytes, e) &&
             deploy_write(model, buf_view(&bytes), e);
        buf_free(&bytes);
        return ok;
    }
    if (is(model, ".1", s->running))
        return deploy_rollback(model, e);
    return err_set(e, ERR_STATE, "%s: classifier %s is nowhere to be found",
                   model, s->running);
}

static bool put_canary(const char *model, const struct cycle_state *s,
                       double share, struct err *e)
{
    char path[PATH_MAX], text[160], now[32];
    struct buf bytes;
    bool ok = true;

    if (!cycle_file_path(model, ".canary", path, sizeof path))
        return err_set(e, ERR_USAGE, "%s: the path is too long", model);
    buf_init(&bytes, FILE_MAX);
    if (!is(model, ".canary", s->challenger))
        ok = read_of(model, ".challenger", &bytes, e) &&
             file_write(path, buf_view(&bytes), e);
    buf_free(&bytes);
    clock_format(s->since_ms, now);
    snprintf(text, sizeof text, "{\"share\":%.6g,\"since\":\"%s\"}\n", share,
             now);
    return ok && cycle_file_path(model, ".canary.json", path, sizeof path) &&
           file_write(path, span_of(text), e);
}

/* The challenger has the price that the gate gave it.  Nothing to do where it
 * is not there: whoever looks for it says so. */
static bool put_price(const char *model, const struct cycle_state *s,
                      struct err *e)
{
    struct classifier *c;
    char path[PATH_MAX], id[CYCLE_ID];
    struct err none;
    struct buf bytes;
    bool ok;

    if (isnan(s->price) || !*s->challenger ||
        is(model, ".challenger", s->challenger) ||
        !cycle_file_path(model, ".challenger", path, sizeof path))
        return true;
    c = classifier_open(path, FEATURES_VERSION, &none);
    if (!c)
        return true;
    buf_init(&bytes, FILE_MAX);
    ok = cycle_price_file(c, (struct cycle_price){s->priced, s->price}, &bytes,
                          id, e);
    if (ok && !strcmp(id, s->challenger))
        ok = file_write(path, buf_view(&bytes), e);
    classifier_close(c);
    buf_free(&bytes);
    return ok;
}

bool cycle_files_put(const char *model, const struct cycle_state *s,
                     double share, struct err *e)
{
    if (!put_price(model, s, e) || !put_running(model, s, e))
        return false;
    if (s->stage == CYCLE_CANARY)
        return put_canary(model, s, share, e);
    gone(model, ".canary.json");
    gone(model, ".canary");
    if (s->stage == CYCLE_IDLE || s->stage == CYCLE_WATCH)
        gone(model, ".challenger");
    return true;
}
