/* SPDX-License-Identifier: Apache-2.0 */
#include "router/attempt/fault.h"

#include <string.h>

#include "base/json.h"

static const struct {
    const char *name;
    enum blame blame;
} rows[FAULT_KINDS] = {
    [FAULT_NONE] = {"none", BLAME_WELL},
    [FAULT_CONNECT] = {"connect", BLAME_ILL},
    [FAULT_DEAD] = {"connect_timeout", BLAME_DEAD},
    [FAULT_TIMEOUT] = {"timeout", BLAME_ILL},
    [FAULT_CUT] = {"truncated", BLAME_ILL},
    [FAULT_RATE] = {"rate_limit", BLAME_KEY},
    [FAULT_OVERLOADED] = {"overloaded", BLAME_ILL},
    [FAULT_SERVER] = {"server", BLAME_ILL},
    [FAULT_AUTH] = {"auth", BLAME_KEY},
    [FAULT_QUOTA] = {"quota", BLAME_KEY},
    [FAULT_POLICY] = {"content_policy", BLAME_WELL},
    [FAULT_CONTEXT] = {"context_window", BLAME_WELL},
    [FAULT_MODEL] = {"model", BLAME_ILL},
    [FAULT_INVALID] = {"invalid", BLAME_ILL},
    [FAULT_UNSUPPORTED] = {"unsupported", BLAME_NONE},
    [FAULT_REQUEST] = {"request", BLAME_WELL},
    [FAULT_GONE] = {"client_gone", BLAME_NONE},
    [FAULT_LOST] = {"slower", BLAME_NONE},
};

const char *fault_name(enum fault f)
{
    return rows[f].name;
}

enum blame fault_blame(enum fault f)
{
    return rows[f].blame;
}

/* Words of providers' errors, in lower case: in their code, type or status
 * (exact), or within their message.  The first row that fits is taken.
 * Facts of the providers' API references and of their answers as seen. */
static const struct {
    const char *word;
    bool in_message;
    enum fault fault;
} words[] = {
    {"context_length_exceeded", false, FAULT_CONTEXT},
    {"exceed_context_size_error", false, FAULT_CONTEXT},
    {"maximum context length", true, FAULT_CONTEXT},
    {"prompt is too long", true, FAULT_CONTEXT},
    {"exceed context limit", true, FAULT_CONTEXT},
    {"exceeds the maximum number of tokens", true, FAULT_CONTEXT},
    {"input is too long", true, FAULT_CONTEXT},
    {"too many input tokens", true, FAULT_CONTEXT},
    {"too many tokens: total", true, FAULT_CONTEXT},
    {"reduce the length of the messages", true, FAULT_CONTEXT},
    {"content_policy_violation", false, FAULT_POLICY},
    {"content_filter", false, FAULT_POLICY},
    {"responsibleaipolicyviolation", false, FAULT_POLICY},
    {"content filtering policy", true, FAULT_POLICY},
    {"content management policy", true, FAULT_POLICY},
    {"safety system", true, FAULT_POLICY},
    {"content exists risk", true, FAULT_POLICY},
    {"usage policy", true, FAULT_POLICY},
    {"insufficient_quota", false, FAULT_QUOTA},
    {"billing_hard_limit_reached", false, FAULT_QUOTA},
    {"credit balance is too low", true, FAULT_QUOTA},
    {"insufficient balance", true, FAULT_QUOTA},
    {"invalid_api_key", false, FAULT_AUTH},
    {"authentication_error", false, FAULT_AUTH},
    {"permission_error", false, FAULT_AUTH},
    {"api key not valid", true, FAULT_AUTH},
    {"rate_limit_error", false, FAULT_RATE},
    {"rate_limit_exceeded", false, FAULT_RATE},
    {"resource_exhausted", false, FAULT_RATE},
    {"throttlingexception", false, FAULT_RATE},
    {"overloaded_error", false, FAULT_OVERLOADED},
    {"engine_overloaded", false, FAULT_OVERLOADED},
    {"overloaded", true, FAULT_OVERLOADED},
    {"unavailable", false, FAULT_OVERLOADED},
    {"model_not_found", false, FAULT_MODEL},
    {"deploymentnotfound", false, FAULT_MODEL},
    {"invalid_request_error", false, FAULT_REQUEST},
    {"invalid_argument", false, FAULT_REQUEST},
};

enum { WORDS = sizeof words / sizeof words[0], TEXT_MAX = 2048 };

static const struct {
    int status;
    enum fault fault;
} statuses[] = {
    {401, FAULT_AUTH},    {402, FAULT_QUOTA},  {403, FAULT_AUTH},
    {404, FAULT_MODEL},   {408, FAULT_SERVER}, {409, FAULT_SERVER},
    {413, FAULT_CONTEXT}, {429, FAULT_RATE},   {529, FAULT_OVERLOADED},
};

static struct span lower(char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (char)(dst[i] >= 'A' && dst[i] <= 'Z' ? dst[i] + 32 : dst[i]);
    return (struct span){dst, n};
}

/* A member's text in lower case; empty when it is none. */
static struct span member(const struct json *obj, const char *key, char *dst)
{
    struct json v = json_get(obj, key);

    if (v.type != JSON_STRING)
        return (struct span){dst, 0};
    return lower(dst, json_unescape(json_inner(&v), dst, TEXT_MAX));
}

/* The error's names and its message, in lower case. */
struct told {
    char room[4][TEXT_MAX];
    struct span names[3], message;
};

static enum fault by_words(const struct told *t)
{
    for (unsigned i = 0; i < WORDS; i++) {
        if (words[i].in_message && span_has(t->message, span_of(words[i].word)))
            return words[i].fault;
        for (unsigned j = 0; !words[i].in_message && j < 3; j++) {
            if (span_is(t->names[j], words[i].word))
                return words[i].fault;
        }
    }
    return FAULT_NONE;
}

/* OpenAI, Anthropic and Gemini have an object `error`; Bedrock, Cohere and an
 * error event of the Responses API the same members at the top. */
static bool read_error(struct span body, struct told *t)
{
    static const char *const keys[3] = {"code", "type", "status"};
    struct json top, error;

    if (!json_parse(body, &top, NULL) || top.type != JSON_OBJECT)
        return false;
    error = json_get(&top, "error");
    if (error.type != JSON_OBJECT)
        error = top;
    for (unsigned i = 0; i < 3; i++)
        t->names[i] = member(&error, keys[i], t->room[i]);
    t->message = member(&error, "message", t->room[3]);
    return true;
}

/* A key's, a filter's or a window's word goes before the status, a general one
 * does not. */
static enum fault judge(int status, enum fault f)
{
    bool general = f == FAULT_REQUEST || f == FAULT_OVERLOADED ||
                   f == FAULT_RATE || f == FAULT_NONE;

    if (status < 400 || !general)
        return f;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].status == status)
            return statuses[i].fault;
    }
    if (status >= 500)
        return f == FAULT_OVERLOADED ? f : FAULT_SERVER;
    return FAULT_REQUEST;
}

enum fault fault_of_answer(int status, struct span body)
{
    struct told told;
    bool read = body.len && read_error(body, &told);

    return judge(status, read ? by_words(&told) : FAULT_NONE);
}

enum fault fault_of_words(int status, struct span name, struct span message)
{
    struct told t = {.names = {{0}}};

    span_copy(t.room[0], TEXT_MAX, name);
    span_copy(t.room[3], TEXT_MAX, message);
    t.names[0] = lower(t.room[0], strlen(t.room[0]));
    t.message = lower(t.room[3], strlen(t.room[3]));
    return judge(status, by_words(&t));
}
