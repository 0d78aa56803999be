/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int sink_level = LOG_INFO;
static _Atomic int sink_form = LOG_TEXT;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

enum { LINE_MAX_BYTES = 4096 };

void log_setup(enum log_level level, enum log_form form)
{
    atomic_store(&sink_level, (int)level);
    atomic_store(&sink_form, (int)form);
}

bool log_wants(enum log_level level)
{
    return (int)level <=
           atomic_load_explicit(&sink_level, memory_order_relaxed);
}

/* Takes one key=value (value may be in double quotes) off the front. */
static bool next_pair(struct span *rest, struct span *key, struct span *value)
{
    char end = ' ';

    *rest = span_trim(*rest);
    if (rest->len == 0)
        return false;
    *key = span_cut(rest, '=');
    if (rest->len && rest->ptr[0] == '"') {
        rest->ptr++;
        rest->len--;
        end = '"';
    }
    *value = span_cut(rest, end);
    return true;
}

static void as_json(struct buf *b, struct span pairs)
{
    struct span key, value;

    while (next_pair(&pairs, &key, &value)) {
        buf_char(b, ',');
        buf_json_str(b, key);
        buf_char(b, ':');
        buf_json_str(b, value);
    }
    buf_str(b, "}\n");
}

static void line(struct buf *b, enum log_level level, const char *event,
                 struct span pairs)
{
    char when[32];

    clock_format(clock_utc_ms(), when);
    if (atomic_load(&sink_form) == LOG_JSON) {
        buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", when,
                   level_names[level]);
        buf_json_str(b, span_of(event));
        as_json(b, pairs);
        return;
    }
    buf_printf(b, "%s %-5s %s %.*s\n", when, level_names[level], event,
               SPAN_ARGS(pairs));
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    char pairs[LINE_MAX_BYTES / 2];
    struct buf b;
    va_list ap;

    if (!log_wants(level))
        return;
    va_start(ap, fmt);
    vsnprintf(pairs, sizeof pairs, fmt, ap);
    va_end(ap);
    for (char *p = pairs; *p; p++) {
        if ((unsigned char)*p < 0x20)
            *p = ' '; /* one event, one line */
    }
    buf_init(&b, 2 * LINE_MAX_BYTES);
    line(&b, level, event, span_of(pairs));
    /* A log that cannot be written has nobody to tell. */
    if (b.len > 0 && write(STDERR_FILENO, b.ptr, b.len) < 0)
        b.failed = true;
    buf_free(&b);
}

const char *log_mask(const char *secret, char dst[16])
{
    size_t n = secret ? strlen(secret) : 0;

    snprintf(dst, 16, "****%s", n >= 12 ? secret + n - 4 : "");
    return dst;
}
