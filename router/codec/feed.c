/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/feed.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 4096 }; /* bytes of decoded text handed on at once */

static bool give(struct feed *f, const struct chunk *c)
{
    return f->failed || f->ended || f->sink->take(f->sink->ctx, c);
}

bool feed_start(struct feed *f, struct span id, struct span model,
                int64_t created)
{
    struct chunk c = {
        .kind = CHUNK_START, .id = id, .name = model, .created = created};

    if (f->started)
        return true;
    f->started = true;
    f->seed = span_hash(id, 0);
    return give(f, &c);
}

bool feed_close(struct feed *f, unsigned choice, struct span signature)
{
    struct feed_choice *at = &f->at[choice];
    struct chunk c = {.kind = CHUNK_CLOSE,
                      .choice = choice,
                      .block = at->blocks - 1,
                      .part = at->part,
                      .signature = signature};

    if (!at->open)
        return true;
    at->open = false;
    return give(f, &c);
}

bool feed_open(struct feed *f, struct chunk proto)
{
    struct feed_choice *at = &f->at[proto.choice];
    char made[40];

    if (!feed_start(f, SPAN(""), SPAN(""), 0) ||
        !feed_close(f, proto.choice, SPAN("")))
        return false;
    proto.kind = CHUNK_OPEN;
    proto.block = at->blocks++;
    if (proto.part == PART_TOOL_CALL && at->calls++ < UINT32_MAX &&
        proto.id.len == 0) {
        snprintf(made, sizeof made, "call_%016" PRIx64 "_%u_%u", f->seed,
                 proto.choice, at->calls);
        proto.id = span_of(made);
    }
    at->used = at->open = true;
    at->part = proto.part;
    at->filled = false;
    return give(f, &proto);
}

bool feed_more(struct feed *f, unsigned choice, struct text t)
{
    struct feed_choice *at = &f->at[choice];
    struct chunk c = {.kind = CHUNK_TEXT,
                      .choice = choice,
                      .block = at->blocks - 1,
                      .part = at->part};
    char piece[PIECE];

    if (!at->open || t.raw.len == 0)
        return true;
    at->filled = true;
    if (!t.escaped) {
        c.text = t.raw;
        return give(f, &c);
    }
    while (t.raw.len) {
        c.text = (struct span){piece, text_next(&t, piece, sizeof piece)};
        if (c.text.len == 0)
            break;
        if (!give(f, &c))
            return false;
    }
    return true;
}

bool feed_text(struct feed *f, unsigned choice, enum part_kind part,
               struct text t)
{
    struct feed_choice *at = &f->at[choice];

    if (t.raw.len == 0)
        return true;
    if ((!at->open || at->part != part) &&
        !feed_open(f, (struct chunk){.choice = choice, .part = part}))
        return false;
    return feed_more(f, choice, t);
}

bool feed_raw(struct feed *f, unsigned choice, struct span raw)
{
    struct feed_choice *at = &f->at[choice];
    struct chunk c = {.kind = CHUNK_TEXT,
                      .choice = choice,
                      .block = at->blocks - 1,
                      .part = at->part,
                      .raw = raw};

    return !at->open || give(f, &c);
}

void feed_finish(struct feed *f, unsigned choice, enum finish finish,
                 struct span name)
{
    struct feed_choice *at = &f->at[choice];

    at->used = true;
    at->finish = finish;
    name.len = utf8_cut(name, sizeof at->finish_name - 1);
    span_copy(at->finish_name, sizeof at->finish_name, name);
}

bool feed_error(struct feed *f, int status, struct span type,
                struct span message)
{
    struct chunk c = {.kind = CHUNK_ERROR,
                      .status = status >= 400 && status < 600 ? status : 502,
                      .name = type,
                      .text = message};
    bool ok = give(f, &c);

    f->failed = true;
    return ok;
}

/* ---- errors as they are written ---- */

static const struct {
    const char *word;
    int status;
} words[] = {
    {"invalid_request_error", 400},
    {"context_length_exceeded", 400},
    {"authentication_error", 401},
    {"invalid_api_key", 401},
    {"insufficient_quota", 429},
    {"permission_error", 403},
    {"not_found_error", 404},
    {"model_not_found", 404},
    {"rate_limit_error", 429},
    {"rate_limit_exceeded", 429},
    {"server_error", 500},
    {"overloaded_error", 503},
    {"timeout", 504},
};

static int status_of(struct span word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (span_is(word, words[i].word))
            return words[i].status;
    }
    return 502;
}

/* The first of the members that is a text. */
static struct span text_of(const struct json *v, const char *const *names,
                           struct arena *a)
{
    struct span s;

    for (; *names; names++) {
        struct json one = json_get(v, *names);

        if (one.type == JSON_STRING && json_text(&one, a, &s) && s.len)
            return s;
    }
    return (struct span){NULL, 0};
}

bool feed_error_body(struct feed *f, int status, const struct json *body,
                     struct arena *a)
{
    static const char *const messages[] = {"message", "detail", "error", NULL};
    static const char *const types[] = {"type", "code", NULL};
    struct json in = json_get(body, "error"), code;
    struct span message, type;
    int64_t n;

    if (in.type != JSON_OBJECT)
        in = *body;
    message = text_of(&in, messages, a);
    type = text_of(&in, types, a);
    code = json_get(&in, "code");
    if (status < 400 && json_i64(&code, &n) && n >= 400 && n < 600)
        status = (int)n;
    if (status < 400)
        status = status_of(type);
    return feed_error(f, status, type,
                      message.len ? message : SPAN("error of the provider"));
}

/* ---- the end ---- */

static bool finish_choice(struct feed *f, unsigned i)
{
    struct feed_choice *at = &f->at[i];
    struct chunk c = {.kind = CHUNK_FINISH,
                      .choice = i,
                      .finish = at->finish,
                      .name = span_of(at->finish_name)};

    /* A provider that says "stop" behind its tool calls, or when one call
     * was asked for by name. */
    if (c.finish == FINISH_STOP && at->calls)
        c.finish = FINISH_TOOLS;
    return give(f, &c);
}

static bool unfinished(const struct feed *f)
{
    bool any = false;

    for (unsigned i = 0; i < GATHER_CHOICES_MAX; i++) {
        if (f->at[i].used && f->at[i].finish == FINISH_NONE)
            return true;
        any = any || f->at[i].used;
    }
    return !any;
}

bool feed_end(struct feed *f)
{
    struct chunk c = {
        .kind = CHUNK_USAGE, .usage = f->usage, .has_usage = true};

    if (f->failed || f->ended)
        return true;
    for (unsigned i = 0; i < GATHER_CHOICES_MAX; i++) {
        if (!feed_close(f, i, SPAN("")))
            return false;
    }
    if (unfinished(f))
        return feed_error(f, 502, SPAN("truncated"),
                          SPAN("the answer ended before its finish"));
    if (!feed_start(f, SPAN(""), SPAN(""), 0) || (f->has_usage && !give(f, &c)))
        return false;
    for (unsigned i = 0; i < GATHER_CHOICES_MAX; i++) {
        if (f->at[i].used && !finish_choice(f, i))
            return false;
    }
    c = (struct chunk){.kind = CHUNK_END};
    if (!give(f, &c))
        return false;
    f->ended = true;
    return true;
}
