/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "models/journal.h"
#include "trainer/cycle_files.h"
#include "trainer/cycle_parts.h"

enum { LINE_MAX_BYTES = 1 << 16, FIGURES_MAX = 1 << 14, STEPS_MAX = 16 };

static void point(const struct cycle_run *r, const char *name)
{
    if (r->point)
        r->point(r->ctx, name);
}

/* ---- the lock ---- */

static int lock(const struct cycle_run *r, struct err *e)
{
    char path[PATH_MAX];
    int fd;

    if (!cycle_file_path(r->set->model, ".cycle.lock", path, sizeof path)) {
        err_set(e, ERR_USAGE, "%s: the path is too long", r->set->model);
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        err_sys(e, "%s", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err_set(e, ERR_STATE, "%s: another cycle is running", path);
        close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- one change of state ---- */

static void write_line(const struct cycle_move *m, struct buf *line)
{
    char now[32];

    clock_format(clock_utc_ms(), now);
    buf_printf(line, "{\"time\":\"%s\",\"event\":", now);
    buf_json_str(line, span_of(m->event ? m->event : "wait"));
    buf_str(line, ",\"why\":");
    buf_json_str(line, span_of(m->why));
    buf_span(line, buf_view(&m->figures));
    if (m->event) {
        buf_str(line, ",\"state\":");
        cycle_state_json(&m->next, line);
    }
    buf_char(line, '}');
}

/* The only place that changes the state. */
static bool move(struct cycle_run *r, struct cycle_move *m, struct err *e)
{
    const char *model = r->set->model;
    struct buf line;
    bool ok;

    m->next.seq = r->state.seq + 1;
    buf_init(&line, LINE_MAX_BYTES);
    write_line(m, &line);
    r->say(r->ctx, buf_view(&line), m->event && !r->dry);
    ok = !line.failed || err_set(e, ERR_MEMORY, "no memory for the journal");
    if (ok && m->event && !r->dry) {
        point(r, "decided");
        ok = journal_append(model, buf_view(&line), e);
        point(r, "journal");
        ok = ok && cycle_files_put(model, &m->next, r->set->share, e);
        point(r, "files");
        ok = ok && cycle_state_write(model, &m->next, e);
        point(r, "state");
    }
    buf_free(&line);
    if (!ok || !m->event)
        return ok;
    r->state = m->next;
    r->steps++;
    return true;
}

/* ---- the beginning ---- */

/* A run was killed between its line in the journal and the state's file. */
static bool recover(struct cycle_run *r, struct err *e)
{
    struct cycle_state ahead;

    if (!cycle_state_read(r->set->model, &r->state, e) ||
        !cycle_state_journalled(r->set->model, &ahead, e))
        return false;
    if (ahead.seq <= r->state.seq || r->dry)
        return true;
    if (!cycle_files_put(r->set->model, &ahead, r->set->share, e))
        return err_wrap(e, "taking up what a killed cycle began");
    r->state = ahead;
    return cycle_state_write(r->set->model, &ahead, e);
}

/* Somebody put another classifier in place: it is watched like one that the
 * cycle promoted, and whatever was being tried is over. */
static bool look_at_running(struct cycle_run *r, struct err *e)
{
    struct cycle_move m = {.next = r->state, .event = "found"};
    char id[CYCLE_ID], kept[CYCLE_ID];
    bool ok;

    cycle_file_id(r->set->model, "", id);
    if (!strcmp(id, r->state.running))
        return true;
    cycle_file_id(r->set->model, ".1", kept);
    m.next.stage = CYCLE_WATCH;
    m.next.since_ms = clock_utc_ms();
    m.next.watch_ms = 0; /* all of its labels: it may have served for a while */
    snprintf(m.next.running, CYCLE_ID, "%s", id);
    snprintf(m.next.before, CYCLE_ID, "%s", kept);
    m.next.challenger[0] = '\0';
    m.next.before_quality = NAN;
    if (!*id || !*kept)
        m.next.stage = CYCLE_IDLE;
    snprintf(m.why, sizeof m.why,
             "%s is classifier %s; the last one known here was %s",
             r->set->model, *id ? id : "(none)",
             *r->state.running ? r->state.running : "(none)");
    buf_init(&m.figures, FIGURES_MAX);
    ok = move(r, &m, e);
    buf_free(&m.figures);
    return ok;
}

/* ---- all together ---- */

static bool go(struct cycle_run *r, struct err *e)
{
    bool more = true, ok = true;

    for (int i = 0; ok && more && i < STEPS_MAX; i++) {
        struct cycle_move m = {.next = r->state};

        buf_init(&m.figures, FIGURES_MAX);
        ok = cycle_step(r, &m, e) && move(r, &m, e);
        /* What would follow rests on what was not done. */
        more = ok && m.event && !r->dry;
        buf_free(&m.figures);
    }
    return ok;
}

bool cycle_run(struct cycle_run *r, struct err *e)
{
    int fd = r->dry ? -1 : lock(r, e);
    bool ok = (r->dry || fd >= 0) && recover(r, e) && look_at_running(r, e) &&
              go(r, e);

    if (fd >= 0)
        close(fd);
    return ok;
}

bool cycle_note_rollback(const char *model, const char *from, const char *to,
                         struct err *e)
{
    char line[300], now[32];

    clock_format(clock_utc_ms(), now);
    snprintf(line, sizeof line,
             "{\"time\":\"%s\",\"event\":\"rollback\",\"why\":\"by hand\","
             "\"from\":\"%s\",\"to\":\"%s\"}",
             now, from, to);
    return journal_append(model, span_of(line), e);
}
