/* SPDX-License-Identifier: Apache-2.0 */
/* struct dataset_row -> one line. */
#include "datasets/row.h"

#include "base/base64.h"
#include "base/clock.h"

#include <math.h>

static void put_key(struct buf *b, const char *key, bool *first)
{
    buf_str(b, *first ? "\"" : ",\"");
    buf_str(b, key);
    buf_str(b, "\":");
    *first = false;
}

static void put_text(struct buf *b, const char *key, struct span text,
                     bool *first)
{
    if (text.len == 0)
        return;
    put_key(b, key, first);
    buf_json_str(b, text);
}

/* JSON as it came, on one line: valid JSON has line ends only as space. */
static void put_json(struct buf *b, const char *key, struct span json,
                     bool *first)
{
    size_t from;

    if (json.len == 0)
        return;
    put_key(b, key, first);
    from = b->len;
    buf_span(b, json);
    for (size_t i = from; i < b->len; i++) {
        if (b->ptr[i] == '\n' || b->ptr[i] == '\r')
            b->ptr[i] = ' ';
    }
}

static void put_features(struct buf *b, struct span bytes, bool *first)
{
    size_t n = BASE64_SIZE(bytes.len);
    char *room;

    if (bytes.len == 0)
        return;
    put_key(b, "features", first);
    buf_char(b, '"');
    room = buf_room(b, n);
    if (room)
        b->len += base64_encode(bytes, room);
    buf_char(b, '"');
}

static bool put_number(struct buf *b, const char *key, double v, bool *first)
{
    if (isnan(v))
        return true;
    put_key(b, key, first);
    buf_json_num(b, v);
    return v >= 0 && isfinite(v);
}

static bool put_outcome(struct buf *b, const struct outcome *o, struct err *e)
{
    bool first = true, ok = o->arm.len > 0;

    buf_json_str(b, o->arm);
    buf_str(b, ":{");
    ok = put_number(b, "score", o->score, &first) && !(o->score > 1) && ok;
    ok = put_number(b, "input_tokens", o->input_tokens, &first) && ok;
    ok = put_number(b, "output_tokens", o->output_tokens, &first) && ok;
    ok = put_number(b, "cost_usd", o->cost_usd, &first) && ok;
    ok = put_number(b, "latency_ms", o->latency_ms, &first) && ok;
    ok = ok && !first;
    ok = put_number(b, "confidence", o->confidence, &first) &&
         !(o->confidence > 1) && ok;
    ok = put_number(b, "propensity", o->propensity, &first) &&
         !(o->propensity > 1) && ok;
    put_text(b, "answer", o->answer, &first);
    put_text(b, "source", o->source, &first);
    buf_char(b, '}');
    return ok ||
           err_set(e, ERR_INPUT,
                   "outcomes.%.*s: wanted a named arm, a score in [0,1] and "
                   "finite amounts of 0 or more, found something else",
                   SPAN_ARGS(o->arm));
}

static void put_time(struct buf *b, int64_t time_ms, bool *first)
{
    char text[32];

    if (time_ms < 0)
        return;
    clock_format(time_ms, text);
    put_text(b, "time", span_of(text), first);
}

bool row_format(const struct dataset_row *row, struct buf *out, struct err *e)
{
    bool first = true;

    if (row->id.len == 0 || (!row->messages.len && !row->features.len) ||
        row->n_outcomes == 0)
        return err_set(e, ERR_INPUT,
                       "row '%.*s': wanted an id, messages or features, and "
                       "an outcome, found less",
                       SPAN_ARGS(row->id));
    buf_char(out, '{');
    put_text(out, "id", row->id, &first);
    put_text(out, "task", row->task, &first);
    put_time(out, row->time_ms, &first);
    put_text(out, "session", row->session, &first);
    put_json(out, "messages", row->messages, &first);
    put_json(out, "tools", row->tools, &first);
    put_json(out, "params", row->params, &first);
    put_features(out, row->features, &first);
    buf_str(out, ",\"outcomes\":{");
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        if (i)
            buf_char(out, ',');
        if (!put_outcome(out, &row->outcomes[i], e))
            return false;
    }
    buf_str(out, "}}\n");
    return !out->failed || err_set(e, ERR_LIMIT,
                                   "row '%.*s': wanted at most %zu bytes, "
                                   "found more",
                                   SPAN_ARGS(row->id), out->max);
}
