/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of calls to providers: keys, equal deployments, what is tried again
 * and when a provider is left alone; one row each. */
#include "router/settings/settings_parts.h"

#include <stddef.h>

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, field) offsetof(struct type, field)

static const struct setting key_rows[] = {
    {.key = "api_key",
     .kind = SETTING_SECRET,
     .offset = AT(provider_key, api_key),
     .needed = true,
     .help = "As the provider's own api_key."},
    {.key = "secret_key",
     .kind = SETTING_SECRET,
     .offset = AT(provider_key, secret_key),
     .help = "bedrock: the secret that belongs to it."},
    {.key = "session_token",
     .kind = SETTING_SECRET,
     .offset = AT(provider_key, session_token),
     .help = "bedrock: the token that belongs to it."},
    {.key = "weight",
     .kind = SETTING_REAL,
     .offset = AT(provider_key, weight),
     .initial = "1",
     .max = 1e6,
     .help = "Its share of the calls, beside the other keys' weights; 0: only "
             "where all others rest."},
};

const struct section settings_provider_key_section = {
    "providers.NAME.keys.NAME", sizeof(struct provider_key), key_rows,
    LEN(key_rows)};

static const struct setting deployment_rows[] = {
    {.key = "provider",
     .kind = SETTING_TEXT,
     .offset = AT(deployment_settings, provider),
     .needed = true,
     .help = "Which provider serves it."},
    {.key = "name",
     .kind = SETTING_TEXT,
     .offset = AT(deployment_settings, upstream),
     .help = "Its name there; initially the model's."},
};

const struct section settings_deployment_section = {
    "models.NAME.deployments.NAME", sizeof(struct deployment_settings),
    deployment_rows, LEN(deployment_rows)};

/* ---- what is tried again ---- */

static const char *const how_words[] = {[RETRY_FAIL] = "fail",
                                        [RETRY_AGAIN] = "again",
                                        [RETRY_NEXT] = "next",
                                        [RETRY_OTHER] = "other",
                                        [RETRY_PROVIDER] = "provider",
                                        [RETRY_LARGER] = "larger",
                                        NULL};

#define HOW(name, fault, first, text)                                          \
    {                                                                          \
        .key = name, .kind = SETTING_WORD,                                     \
        .offset = AT(retry_settings, how[fault]), .words = how_words,          \
        .initial = first, .help = text                                         \
    }
#define WAIT(type, name, field, least, first, text)                            \
    {                                                                          \
        .key = name, .kind = SETTING_MS, .offset = AT(type, field),            \
        .min = least, .max = 864e5, .initial = first, .help = text             \
    }

static const struct setting retry_rows[] = {
    HOW("connect", FAULT_CONNECT, "next",
        "No connection.  fail: the error is final; again: the same arm after a "
        "wait, then another; next: another arm, where none is left the same "
        "after a wait; other: another arm only; provider: an arm of another "
        "provider only; larger: an arm with a larger context window only."),
    HOW("connect_timeout", FAULT_DEAD, "other",
        "Nobody took the connection in time."),
    HOW("timeout", FAULT_TIMEOUT, "other",
        "Connected, then no answer in time."),
    HOW("truncated", FAULT_CUT, "next",
        "The answer ended before anything of it reached the client."),
    HOW("rate_limit", FAULT_RATE, "next",
        "Status 429.  The key rests; another key of the provider goes first."),
    HOW("overloaded", FAULT_OVERLOADED, "next",
        "Status 529, or a 503 that says so."),
    HOW("server", FAULT_SERVER, "next", "Any other status from 500, or 408."),
    HOW("auth", FAULT_AUTH, "other",
        "Status 401 or 403.  The key rests; another key goes first."),
    HOW("quota", FAULT_QUOTA, "other",
        "The account has no money left.  The key rests."),
    HOW("content_policy", FAULT_POLICY, "provider",
        "The provider's filter refused the request."),
    HOW("context_window", FAULT_CONTEXT, "larger",
        "The prompt was larger than the model's window."),
    HOW("model", FAULT_MODEL, "other", "The provider does not have the model."),
    HOW("invalid", FAULT_INVALID, "other", "Not an answer of its dialect."),
    HOW("unsupported", FAULT_UNSUPPORTED, "other",
        "`unsupported: reject`, and the arm's dialect cannot carry it."),
    WAIT(retry_settings, "wait", wait_ms, 0, "250ms",
         "Before the same arm is called again: a random part of this, of its "
         "double, and so on (full jitter)."),
    WAIT(retry_settings, "wait_max", wait_max_ms, 0, "5s",
         "The longest such wait.  A provider's retry-after that is longer is "
         "not waited for."),
};

const struct section settings_retry_section = {"routes.NAME.retry",
                                               sizeof(struct retry_settings),
                                               retry_rows, LEN(retry_rows)};

/* ---- when a provider is left alone ---- */

#define SHARE(name, field, first, text)                                        \
    {                                                                          \
        .key = name, .kind = SETTING_REAL,                                     \
        .offset = AT(health_settings, rules.field), .max = 1.01,               \
        .initial = first, .help = text                                         \
    }
#define COUNT(name, field, first, text)                                        \
    {                                                                          \
        .key = name, .kind = SETTING_COUNT,                                    \
        .offset = AT(health_settings, rules.field), .min = 1, .max = 60000,    \
        .initial = first, .help = text                                         \
    }

static const struct setting health_rows[] = {
    WAIT(health_settings, "window", rules.window_ms, 100, "30s",
         "Over this time a model's calls at its provider are counted."),
    COUNT("min_calls", min_calls, "20",
          "Calls in the window before a share of them counts."),
    SHARE("error_share", error_share, "0.5",
          "Share of failed calls at which it is left alone."),
    COUNT("failures", failures, "5",
          "Failures in a row at which it is left alone.  A connection that "
          "nobody takes in time is enough by itself."),
    WAIT(health_settings, "slow_time", rules.slow_ms, 0, "0",
         "A call whose answer begins later is slow; 0: none is."),
    SHARE("slow_share", slow_share, "0.5",
          "Share of slow calls at which it is left alone."),
    WAIT(health_settings, "pause", rules.pause_ms, 1, "2s",
         "How long it is left alone at first; doubled while it stays down."),
    WAIT(health_settings, "pause_max", rules.pause_max_ms, 1, "60s",
         "The longest such pause."),
    COUNT("probes", probes, "1", "Calls at once that try whether it is back."),
    WAIT(health_settings, "rest", rest_ms, 0, "5s",
         "A key rests after a 429 without retry-after."),
    WAIT(health_settings, "rest_max", rest_max_ms, 0, "5m",
         "The longest rest of a key, and the one after it was not taken (401, "
         "403) or has no money left."),
};

const struct section settings_health_section = {
    "health", sizeof(struct health_settings), health_rows, LEN(health_rows)};
