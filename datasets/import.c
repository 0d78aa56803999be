/* SPDX-License-Identifier: Apache-2.0 */
#include "datasets/import.h"

#include "base/clock.h"
#include "datasets/row.h"
#include "datasets/source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct import_format import_formats[] = {
    {"routellm-csv", import_routellm,
     "RouteLLM's evaluation tables: prompt and one True/False column a model"},
    {"routerbench-csv", import_routerbench,
     "RouterBench's table as CSV: score, response and cost columns a model"},
    {"openai-jsonl", import_openai,
     "chat logs: fine-tuning lines, request/response pairs, batch files"},
    {"litellm-spend", import_litellm,
     "LiteLLM's spend logs: JSON of /spend/logs or CSV of the table"},
    {"weir-log", import_dataset, "the log of weir serve (log.path)"},
};

const size_t import_formats_n =
    sizeof import_formats / sizeof import_formats[0];

bool import_run(struct import *im, const struct import_format *f, struct err *e)
{
    arena_init(&im->arena, SOURCE_WINDOW_MAX);
    buf_init(&im->buf, SOURCE_WINDOW_MAX);
    for (size_t i = 0; i < im->n_paths; i++) {
        im->path = im->paths[i];
        if (!f->read(im, e))
            return false;
    }
    return true;
}

void import_free(struct import *im)
{
    if (im->free_state)
        im->free_state(im->state);
    im->state = NULL;
    arena_free(&im->arena);
    buf_free(&im->buf);
}

void import_begin(struct import *im)
{
    arena_reset(&im->arena);
    buf_reset(&im->buf);
    row_clear(&im->row);
    if (im->opt.task)
        im->row.task = span_of(im->opt.task);
}

struct outcome *import_outcome(struct import *im, struct span arm,
                               struct err *e)
{
    struct dataset_row *row = &im->row;

    if (arm.len == 0) {
        err_set(e, ERR_INPUT, "wanted a model's name, found none");
        return NULL;
    }
    if (row->n_outcomes == DATASET_OUTCOMES_MAX) {
        err_set(e, ERR_LIMIT, "wanted at most %d models, found more",
                DATASET_OUTCOMES_MAX);
        return NULL;
    }
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        if (span_eq(row->outcomes[i].arm, arm)) {
            err_set(e, ERR_INPUT, "wanted each model once, found '%.*s' again",
                    SPAN_ARGS(arm));
            return NULL;
        }
    }
    row->outcomes[row->n_outcomes] = outcome_unknown();
    row->outcomes[row->n_outcomes].arm = arm;
    return &row->outcomes[row->n_outcomes++];
}

/* What was appended to im->buf since `from`, kept until the next row. */
static bool keep(struct import *im, size_t from, struct span *out)
{
    struct span made = buf_view(&im->buf);

    if (im->buf.failed)
        return false;
    made.ptr += from;
    made.len -= from;
    *out = arena_copy(&im->arena, made);
    return out->len == made.len;
}

bool import_id(struct import *im, struct span prefix, struct span text,
               uint64_t number)
{
    size_t from = im->buf.len;

    buf_span(&im->buf, prefix);
    buf_char(&im->buf, '/');
    if (text.len)
        buf_span(&im->buf, text);
    else
        buf_printf(&im->buf, "%llu", (unsigned long long)number);
    return keep(im, from, &im->row.id);
}

bool import_prompt(struct import *im, const struct span *texts, size_t n)
{
    size_t from = im->buf.len;

    for (size_t i = 0; i < n; i++) {
        buf_str(&im->buf, i ? "," : "[");
        buf_str(&im->buf, "{\"role\":\"user\",\"content\":");
        buf_json_str(&im->buf, texts[i]);
        buf_char(&im->buf, '}');
    }
    buf_char(&im->buf, ']');
    return n > 0 && keep(im, from, &im->row.messages);
}

static bool labelled(const struct dataset_row *row)
{
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        if (!isnan(row->outcomes[i].score))
            return true;
    }
    return false;
}

bool import_row(struct import *im, struct err *e)
{
    if (!dataset_write(im->out, &im->row, e))
        return false;
    im->count.rows++;
    im->count.unlabelled += !labelled(&im->row);
    return true;
}

bool import_bad(struct import *im, uint64_t line, struct err *e)
{
    err_wrap(e, "%s:%llu", im->path, (unsigned long long)line);
    if (!im->opt.skip_bad)
        return false;
    if (im->count.bad++ == 0)
        snprintf(im->first_bad, sizeof im->first_bad, "%s", e->msg);
    return true;
}

void import_leave(struct import *im, const char *why)
{
    if (im->count.left_out++ == 0)
        snprintf(im->left_why, sizeof im->left_why, "%s", why);
}

void import_tick(struct import *im, const struct source *src)
{
    uint64_t read, size;

    if (!im->progress)
        return;
    source_progress(src, &read, &size);
    if (size)
        im->progress(im->ctx, (double)read / (double)size);
}

/* ---- pieces of requests and answers ---- */

static const char *const param_names[] = {
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "response_format",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "seed",
    NULL,
};

static void put_params(struct import *im, const struct json *body)
{
    size_t from = im->buf.len;

    for (size_t i = 0; param_names[i]; i++) {
        struct json v = json_get(body, param_names[i]);

        if (v.type == JSON_NONE || v.type == JSON_NULL)
            continue;
        buf_str(&im->buf, im->buf.len == from ? "{\"" : ",\"");
        buf_str(&im->buf, param_names[i]);
        buf_str(&im->buf, "\":");
        buf_span(&im->buf, v.raw);
    }
    if (im->buf.len == from)
        return;
    buf_char(&im->buf, '}');
    if (!keep(im, from, &im->row.params))
        im->row.params = (struct span){NULL, 0};
}

/* Anthropic's dialect has the system prompt beside the messages. */
static bool with_system(struct import *im, const struct json *system,
                        const struct json *messages)
{
    size_t from = im->buf.len;
    struct span rest = messages->raw;

    buf_str(&im->buf, "[{\"role\":\"system\",\"content\":");
    buf_span(&im->buf, system->raw);
    buf_str(&im->buf, "},");
    rest.ptr++;
    rest.len--;
    buf_span(&im->buf, rest);
    return keep(im, from, &im->row.messages);
}

bool import_request(struct import *im, const struct json *body)
{
    struct json messages = json_get(body, "messages");
    struct json tools = json_get(body, "tools");
    struct json system = json_get(body, "system");
    struct json bad;

    if (!row_messages_ok(&messages, &bad))
        return false;
    im->row.messages = messages.raw;
    if (tools.type == JSON_ARRAY && json_count(&tools) > 0)
        im->row.tools = tools.raw;
    put_params(im, body);
    return system.type != JSON_STRING || with_system(im, &system, &messages);
}

static void number_at(const struct json *obj, const char *key, double *out)
{
    struct json v = json_get(obj, key);
    double x;

    if (json_double(&v, &x) && x >= 0)
        *out = x;
}

void import_usage(const struct json *completion, struct outcome *o)
{
    struct json usage = json_get(completion, "usage");

    number_at(&usage, "prompt_tokens", &o->input_tokens);
    number_at(&usage, "completion_tokens", &o->output_tokens);
    number_at(&usage, "input_tokens", &o->input_tokens);
    number_at(&usage, "output_tokens", &o->output_tokens);
}

/* ---- names, times, tokens ---- */

struct span import_stem(const char *path)
{
    static const char *const ends[] = {".gz", ".csv", ".jsonl", ".json"};
    const char *slash = strrchr(path, '/');
    struct span s = span_of(slash ? slash + 1 : path);

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);

        if (s.len > n && !memcmp(s.ptr + s.len - n, ends[i], n))
            s.len -= n;
    }
    return span_is(s, "-") ? SPAN("stdin") : s;
}

int64_t import_time(struct span text)
{
    char copy[48];
    size_t n = text.len;
    int64_t ms;

    if (n < 19 || n + 4 > sizeof copy || !span_copy(copy, sizeof copy, text))
        return -1;
    if (copy[10] == ' ')
        copy[10] = 'T';
    if (copy[n - 3] == '+' || copy[n - 3] == '-')
        memcpy(copy + n, ":00", 4);
    else if (!strpbrk(copy + 19, "Zz+-"))
        memcpy(copy + n, "Z", 2);
    return clock_parse(span_of(copy), &ms) ? ms : -1;
}

double import_tokens(struct span text)
{
    return ceil((double)text.len / 4);
}
