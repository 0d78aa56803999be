/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's JSON lines, the kinds mixed as they come:
 *   fine-tuning   {"messages":[..., {"role":"assistant",...}],"tools":[]}
 *   pairs         {"request":{"model","messages",...},"response":{...}}
 *   batch input   {"custom_id","method","url","body":{"model",...}}
 *   batch output  {"custom_id","response":{"status_code","body":{...}}}
 * (platform.openai.com/docs: guides/supervised-fine-tuning, guides/batch.)
 * What a batch answered is looked up by custom_id in all inputs, so both its
 * files are named; some 80 bytes an answer are kept for that.
 * None of them knows a score: the rows are unlabelled.
 */
#include "datasets/import.h"
#include "datasets/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An answer of a batch.  Open addressing by the hash of custom_id. */
struct answer {
    uint64_t id; /* hash, 0: free */
    char *model; /* (owned) */
    double input, output;
    int64_t time_ms;
};

struct answers {
    struct answer *at; /* (owned) [size], size a power of two */
    size_t n, size;
};

static void answers_free(void *state)
{
    struct answers *t = state;

    if (!t)
        return;
    for (size_t i = 0; i < t->size; i++)
        free(t->at[i].model);
    free(t->at);
    free(t);
}

static uint64_t id_hash(const struct json *custom_id)
{
    uint64_t h = span_hash(custom_id->raw, 0x62617463);

    return h ? h : 1;
}

static struct answer *slot_of(const struct answers *t, uint64_t id)
{
    size_t i = id & (t->size - 1);

    while (t->at[i].id && t->at[i].id != id)
        i = (i + 1) & (t->size - 1);
    return &t->at[i];
}

static bool grow(struct answers *t)
{
    struct answers bigger = {.size = t->size ? t->size * 2 : 256};

    if (t->n * 2 < t->size)
        return true;
    bigger.at = calloc(bigger.size, sizeof *bigger.at);
    if (!bigger.at)
        return false;
    for (size_t i = 0; i < t->size; i++) {
        if (t->at[i].id)
            *slot_of(&bigger, t->at[i].id) = t->at[i];
    }
    free(t->at);
    t->at = bigger.at;
    t->size = bigger.size;
    return true;
}

/* ---- first pass: the answers of batches ---- */

static int64_t created_ms(const struct json *completion)
{
    struct json v = json_get(completion, "created");
    int64_t s;

    return json_i64(&v, &s) && s > 0 && s < INT64_MAX / 1000 ? s * 1000 : -1;
}

/* The completion in a batch's output line; false where it failed. */
static bool batch_completion(const struct json *line, struct json *out)
{
    struct json response = json_get(line, "response");
    struct json status = json_get(&response, "status_code");
    int64_t code;

    *out = json_get(&response, "body");
    return out->type == JSON_OBJECT && json_i64(&status, &code) &&
           code >= 200 && code < 300;
}

static bool remember(struct answers *t, const struct json *custom_id,
                     const struct json *completion)
{
    struct json model = json_get(completion, "model");
    struct span name = json_inner(&model);
    struct outcome o = {.input_tokens = NAN, .output_tokens = NAN};
    struct answer *a;

    if (!grow(t))
        return false;
    a = slot_of(t, id_hash(custom_id));
    if (a->id || name.len == 0)
        return true;
    a->model = strndup(name.ptr, name.len);
    if (!a->model)
        return false;
    import_usage(completion, &o);
    a->id = id_hash(custom_id);
    a->input = o.input_tokens;
    a->output = o.output_tokens;
    a->time_ms = created_ms(completion);
    t->n++;
    return true;
}

static bool is_output(const struct json *line)
{
    struct json id = json_get(line, "custom_id");
    struct json body = json_get(line, "body");

    return id.type == JSON_STRING && body.type == JSON_NONE;
}

static bool collect_file(struct answers *t, const char *path, struct err *e)
{
    struct source *src = source_open(path, e);
    struct span line;
    struct json v, id, completion;
    bool ok = true;
    int got = 0;

    while (ok && src && (got = source_line(src, &line, e)) != 0 && got != -2) {
        /* Only these lines are of interest; mistakes are told later. */
        if (got < 0 || !span_has(line, SPAN("\"custom_id\"")) ||
            !json_parse(line, &v, NULL) || !is_output(&v))
            continue;
        id = json_get(&v, "custom_id");
        if (batch_completion(&v, &completion))
            ok = remember(t, &id, &completion) ||
                 err_set(e, ERR_MEMORY, "%s: no memory", path);
    }
    ok = ok && src && got != -2;
    source_close(src);
    return ok;
}

static bool collect(struct import *im, struct err *e)
{
    struct answers *t = calloc(1, sizeof *t);

    if (!t)
        return err_set(e, ERR_MEMORY, "no memory");
    im->state = t;
    im->free_state = answers_free;
    for (size_t i = 0; i < im->n_paths; i++) {
        if (strcmp(im->paths[i], "-") != 0 && !collect_file(t, im->paths[i], e))
            return false;
    }
    return true;
}

/* ---- second pass: rows ---- */

static struct span answer_text(const struct json *message)
{
    struct json content = json_get(message, "content");
    struct json calls = json_get(message, "tool_calls");

    return content.type == JSON_STRING && content.raw.len > 2
               ? json_inner(&content)
               : calls.raw;
}

/* The messages without the last one, which is the answer. */
static bool before_last(struct import *im, const struct json *messages,
                        struct json *last)
{
    struct json_iter it = json_begin(messages);
    struct json m;
    const char *end = messages->raw.ptr + 1;
    struct span head;
    char *copy;

    *last = (struct json){JSON_NONE, false, {NULL, 0}};
    while (json_next(&it, NULL, &m)) {
        if (last->type != JSON_NONE)
            end = last->raw.ptr + last->raw.len;
        *last = m;
    }
    head = (struct span){messages->raw.ptr, (size_t)(end - messages->raw.ptr)};
    copy = arena_alloc(&im->arena, head.len + 1);
    if (!copy)
        return false;
    memcpy(copy, head.ptr, head.len);
    copy[head.len] = ']';
    im->row.messages = (struct span){copy, head.len + 1};
    return head.len > 1;
}

static bool is_assistant(const struct json *message)
{
    struct json role = json_get(message, "role");

    return json_is(&role, "assistant");
}

static struct outcome *outcome_of(struct import *im, const struct json *model,
                                  struct err *e)
{
    struct span name = json_inner(model);

    if (name.len == 0 && im->opt.arm)
        name = span_of(im->opt.arm);
    if (name.len == 0) {
        err_set(e, ERR_INPUT,
                "wanted a \"model\", found none: say which one "
                "answered with --arm NAME");
        return NULL;
    }
    return import_outcome(im, name, e);
}

static bool from_conversation(struct import *im, const struct json *v,
                              struct err *e)
{
    struct json messages = json_get(v, "messages");
    struct json model = json_get(v, "model"), last;
    struct outcome *o;

    if (!import_request(im, v))
        return err_set(
            e, ERR_INPUT,
            "messages: wanted an array of objects with a \"role\", found "
            "%s without",
            json_type_name(messages.type));
    if (!before_last(im, &messages, &last) || !is_assistant(&last))
        return err_set(e, ERR_INPUT,
                       "messages: wanted a question and at the end an "
                       "assistant's answer, found another end");
    o = outcome_of(im, &model, e);
    if (!o)
        return false;
    o->output_tokens = import_tokens(answer_text(&last));
    import_usage(v, o);
    return true;
}

static bool from_pair(struct import *im, const struct json *v,
                      const struct json *request, struct err *e)
{
    struct json answer = json_get(v, "response");
    struct json body = json_get(&answer, "body");
    struct json model, asked = json_get(request, "model");
    struct outcome *o;

    if (body.type == JSON_OBJECT)
        answer = body;
    model = json_get(&answer, "model");
    if (answer.type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "response: wanted an object, found %s",
                       json_type_name(answer.type));
    if (!import_request(im, request))
        return err_set(e, ERR_INPUT, "request: wanted messages, found none");
    o = outcome_of(im, model.type == JSON_STRING ? &model : &asked, e);
    if (!o)
        return false;
    import_usage(&answer, o);
    im->row.time_ms = created_ms(&answer);
    return !isnan(o->output_tokens) ||
           err_set(e, ERR_INPUT, "response: wanted its usage, found none");
}

/* *use: false for a request that was not answered. */
static bool from_batch(struct import *im, const struct json *v, bool *use,
                       struct err *e)
{
    struct json id = json_get(v, "custom_id"), body = json_get(v, "body");
    const struct answers *t = im->state;
    const struct answer *a = t->size ? slot_of(t, id_hash(&id)) : NULL;
    struct outcome *o;

    *use = a && a->id;
    if (!*use)
        return true;
    if (!import_request(im, &body))
        return err_set(e, ERR_INPUT, "body: wanted messages, found none");
    o = import_outcome(im, span_of(a->model), e);
    if (!o)
        return false;
    o->input_tokens = a->input;
    o->output_tokens = a->output;
    im->row.time_ms = a->time_ms;
    return !isnan(a->output) ||
           err_set(e, ERR_INPUT, "wanted the answer's usage, found none");
}

static bool row_id(struct import *im, const struct json *v, uint64_t line)
{
    static const char *const names[] = {"custom_id", "id", "request_id"};
    struct json id = {JSON_NONE, false, {NULL, 0}};

    for (size_t i = 0; i < 3 && id.type != JSON_STRING; i++)
        id = json_get(v, names[i]);
    return import_id(im, import_stem(im->path), json_inner(&id), line);
}

static bool read_object(struct import *im, const struct json *v, bool *use,
                        struct err *e)
{
    struct json request = json_get(v, "request");
    struct json body = json_get(v, "body");

    *use = true;
    if (v->type != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "wanted an object, found %s",
                       json_type_name(v->type));
    if (request.type == JSON_OBJECT)
        return from_pair(im, v, &request, e);
    if (body.type == JSON_OBJECT)
        return from_batch(im, v, use, e);
    *use = !is_output(v);
    return !*use || from_conversation(im, v, e);
}

static bool read_line(struct import *im, struct span line, uint64_t number,
                      struct err *e)
{
    struct json v;
    bool use = true, ok;

    import_begin(im);
    ok = json_parse(line, &v, e) && read_object(im, &v, &use, e);
    if (ok && use && !row_id(im, &v, number))
        ok = err_set(e, ERR_LIMIT, "wanted a shorter line");
    if (!ok)
        return import_bad(im, number, e);
    if (use)
        return import_row(im, e);
    if (!is_output(&v))
        import_leave(im, "its batch has no answer for it in these files");
    return true;
}

bool import_openai(struct import *im, struct err *e)
{
    struct source *src;
    struct span line;
    bool ok = true;
    int got = 0;

    if (!im->state && !collect(im, e))
        return false;
    src = source_open(im->path, e);
    while (ok && src && (got = source_line(src, &line, e)) == 1) {
        if (span_trim(line).len)
            ok = read_line(im, line, source_line_number(src), e);
        import_tick(im, src);
    }
    ok = ok && src && got == 0;
    source_close(src);
    return ok;
}
