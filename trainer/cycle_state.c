/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cycle_state.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "models/journal.h"

enum { TEXT_MAX = 1 << 16 };

static const char *const stages[CYCLE_STAGES] = {"idle", "gate", "shadow",
                                                 "canary", "watch"};

static const struct {
    const char *key;
    size_t offset;
} times[] =
    {
        {"since_ms", offsetof(struct cycle_state, since_ms)},
        {"last_ms", offsetof(struct cycle_state, last_ms)},
        {"cut_ms", offsetof(struct cycle_state, cut_ms)},
        {"watch_ms", offsetof(struct cycle_state, watch_ms)},
        {"alarm_ms", offsetof(struct cycle_state, alarm_ms)},
        {"looks", offsetof(struct cycle_state, looks)},
        {"look_at", offsetof(struct cycle_state, look_at)},
},
  numbers[] =
      {
          {"before_quality", offsetof(struct cycle_state, before_quality)},
          {"price", offsetof(struct cycle_state, price)},
          {"priced", offsetof(struct cycle_state, priced)},
},
  ids[] = {
      {"running", offsetof(struct cycle_state, running)},
      {"challenger", offsetof(struct cycle_state, challenger)},
      {"before", offsetof(struct cycle_state, before)},
};

enum {
    TIMES = sizeof times / sizeof times[0],
    NUMBERS = sizeof numbers / sizeof numbers[0],
    IDS = sizeof ids / sizeof ids[0],
};

const char *cycle_stage_name(enum cycle_stage s)
{
    return s < CYCLE_STAGES ? stages[s] : "?";
}

void cycle_state_begin(struct cycle_state *s)
{
    *s = (struct cycle_state){
        .before_quality = NAN, .price = NAN, .priced = NAN};
}

void cycle_state_changed(struct cycle_state *s, const char *arm, int64_t ms)
{
    uint32_t i = 0;

    while (i < s->n_arms && strcmp(s->arms[i].arm, arm) != 0)
        i++;
    if (i == CLASSIFIER_ARMS_MAX)
        return;
    if (i == s->n_arms)
        s->n_arms++;
    snprintf(s->arms[i].arm, sizeof s->arms[i].arm, "%s", arm);
    s->arms[i].ms = ms;
}

void cycle_state_json(const struct cycle_state *s, struct buf *out)
{
    buf_printf(out, "{\"seq\":%llu,\"stage\":\"%s\"",
               (unsigned long long)s->seq, stages[s->stage]);
    for (size_t i = 0; i < TIMES; i++)
        buf_printf(
            out, ",\"%s\":%lld", times[i].key,
            (long long)*(const int64_t *)(const void *)((const char *)s +
                                                        times[i].offset));
    for (size_t i = 0; i < IDS; i++) {
        buf_printf(out, ",\"%s\":", ids[i].key);
        buf_json_str(out, span_of((const char *)s + ids[i].offset));
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        buf_printf(out, ",\"%s\":", numbers[i].key);
        buf_json_num(out, *(const double *)(const void *)((const char *)s +
                                                          numbers[i].offset));
    }
    buf_str(out, ",\"changed\":{");
    for (uint32_t i = 0; i < s->n_arms; i++) {
        buf_str(out, i ? "," : "");
        buf_json_str(out, span_of(s->arms[i].arm));
        buf_printf(out, ":%lld", (long long)s->arms[i].ms);
    }
    buf_str(out, "}}");
}

static bool stage_of(const struct json *v, enum cycle_stage *out)
{
    for (unsigned i = 0; i < CYCLE_STAGES; i++) {
        *out = (enum cycle_stage)i;
        if (json_is(v, stages[i]))
            return true;
    }
    return false;
}

static bool changed_read(const struct json *map, struct cycle_state *s)
{
    struct json_iter it = json_begin(map);
    struct json key, value;
    char name[64];
    int64_t ms;

    while (json_next(&it, &key, &value)) {
        size_t n = json_unescape(json_inner(&key), name, sizeof name - 1);

        name[n] = '\0';
        if (!json_i64(&value, &ms))
            return false;
        cycle_state_changed(s, name, ms);
    }
    return true;
}

static bool members_read(const struct json *v, struct cycle_state *s)
{
    struct json stage = json_get(v, "stage"), seq = json_get(v, "seq");
    struct json changed = json_get(v, "changed");
    int64_t number;

    if (!stage_of(&stage, &s->stage) || !json_i64(&seq, &number) || number < 0)
        return false;
    s->seq = (uint64_t)number;
    for (size_t i = 0; i < TIMES; i++) {
        struct json t = json_get(v, times[i].key);

        /* What an older one did not know is 0. */
        if (t.type != JSON_NONE &&
            !json_i64(&t, (int64_t *)(void *)((char *)s + times[i].offset)))
            return false;
    }
    for (size_t i = 0; i < IDS; i++) {
        struct json id = json_get(v, ids[i].key);

        if (id.type != JSON_STRING ||
            !span_copy((char *)s + ids[i].offset, CYCLE_ID, json_inner(&id)))
            return false;
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        struct json number_of = json_get(v, numbers[i].key);
        double *to = (double *)(void *)((char *)s + numbers[i].offset);

        if (!json_double(&number_of, to))
            *to = NAN;
    }
    return changed_read(&changed, s);
}

bool cycle_state_parse(struct span text, struct cycle_state *s, struct err *e)
{
    struct json v;

    cycle_state_begin(s);
    if (!json_parse(text, &v, e))
        return false;
    return (v.type == JSON_OBJECT && members_read(&v, s)) ||
           err_set(e, ERR_INPUT,
                   "wanted a cycle's state, found another JSON "
                   "value");
}

static bool path_of(const char *model, char dst[PATH_MAX], struct err *e)
{
    int n = snprintf(dst, PATH_MAX, "%s.cycle", model);

    return (n > 0 && n < PATH_MAX) ||
           err_set(e, ERR_USAGE, "%s: the path is too long", model);
}

bool cycle_state_read(const char *model, struct cycle_state *s, struct err *e)
{
    char path[PATH_MAX];
    struct buf text;
    bool ok;

    cycle_state_begin(s);
    if (!path_of(model, path, e))
        return false;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    buf_init(&text, TEXT_MAX);
    ok = file_read(path, &text, e) &&
         (cycle_state_parse(buf_view(&text), s, e) || err_wrap(e, "%s", path));
    buf_free(&text);
    return ok;
}

bool cycle_state_write(const char *model, const struct cycle_state *s,
                       struct err *e)
{
    char path[PATH_MAX];
    struct buf text;
    bool ok;

    if (!path_of(model, path, e))
        return false;
    buf_init(&text, TEXT_MAX);
    cycle_state_json(s, &text);
    buf_char(&text, '\n');
    ok = !text.failed ? file_write(path, buf_view(&text), e)
                      : err_set(e, ERR_MEMORY, "no memory for the state");
    buf_free(&text);
    return ok;
}

bool cycle_state_journalled(const char *model, struct cycle_state *s,
                            struct err *e)
{
    struct buf line;
    struct json v, state;
    bool ok;

    cycle_state_begin(s);
    buf_init(&line, JOURNAL_TAIL);
    ok = journal_last(model, "state", &line, e);
    if (ok && line.len) {
        ok = json_parse(buf_view(&line), &v, e);
        state = ok ? json_get(&v, "state") : v;
        ok = ok && cycle_state_parse(state.raw, s, e);
    }
    buf_free(&line);
    return ok || err_wrap(e, "%s.journal", model);
}
