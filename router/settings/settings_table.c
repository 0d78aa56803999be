/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting of weir.yaml: one row each.  Loading, the check of unknown
 * keys, showing, comparing at a reload, docs/configuration.md and the man
 * page weir.yaml(5) follow from these rows.
 */
#include "router/settings/settings.h"

#include <stddef.h>

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, field) offsetof(struct type, field)
#define MAX_U64 9e15

static const char *const prompts_words[] = {"features", "full", "none", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug",
                                          NULL};
static const char *const form_words[] = {"text", "json", NULL};
static const char *const whence_words[] = {"loopback", "anywhere", "nowhere",
                                           NULL};
static const char *const policy_words[] = {"cheapest_adequate", "budget",
                                           "fixed", "rules", NULL};
static const char *const unsupported_words[] = {"warn", "drop", "reject", NULL};
static const char *const plan_words[] = {"single", "cascade", "verify", NULL};
static const char *const tier_words[] = {"unknown", "economy", "workhorse",
                                         "frontier", NULL};
static const char *const tri_words[] = {"any", "no", "yes", NULL};

static const struct setting log_rows[] = {
    {.key = "path",
     .kind = SETTING_TEXT,
     .offset = AT(log_settings, path),
     .initial = "weir.db",
     .restart = true,
     .help = "SQLite file of the outcome log; an empty text keeps none."},
    {.key = "prompts",
     .kind = SETTING_WORD,
     .offset = AT(log_settings, prompts),
     .initial = "features",
     .words = prompts_words,
     .help = "What of a request is kept: its hashed features, the full texts "
             "(messages, tools, answer), or nothing."},
    {.key = "flush",
     .kind = SETTING_MS,
     .offset = AT(log_settings, flush_ms),
     .initial = "200ms",
     .min = 1,
     .max = 60000,
     .restart = true,
     .help = "A row is on disk after this time at the latest."},
    {.key = "queue_rows",
     .kind = SETTING_COUNT,
     .offset = AT(log_settings, queue_rows),
     .initial = "8192",
     .min = 16,
     .max = 1e6,
     .restart = true,
     .help = "Rows that may wait for the writer before they spill."},
    {.key = "queue_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(log_settings, queue_bytes),
     .initial = "4MB",
     .min = 65536,
     .max = 4e9,
     .restart = true,
     .help = "Memory that waiting rows may take before they spill."},
    {.key = "spill_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(log_settings, spill_bytes),
     .initial = "256MB",
     .min = 65536,
     .max = 1e12,
     .restart = true,
     .help = "Size of the file beside the database that takes rows while the "
             "database cannot be written."},
    {.key = "level",
     .kind = SETTING_WORD,
     .offset = AT(log_settings, level),
     .initial = "warn",
     .words = level_words,
     .help = "Lines on standard error: this level and the graver ones; info "
             "is one line for each finished request."},
    {.key = "form",
     .kind = SETTING_WORD,
     .offset = AT(log_settings, form),
     .initial = "text",
     .words = form_words,
     .help = "Form of the lines on standard error."},
};

static const struct section log_section = {"log", sizeof(struct log_settings),
                                           log_rows, LEN(log_rows)};

#define LIMIT_BYTES(name, field_, from, to, first, text)                       \
    {                                                                          \
        .key = name, .kind = SETTING_BYTES,                                    \
        .offset = AT(limit_settings, field_), .min = from, .max = to,          \
        .initial = first, .restart = true, .help = text                        \
    }
#define LIMIT_TIME(name, field_, first, again, text)                           \
    {                                                                          \
        .key = name, .kind = SETTING_MS, .offset = AT(limit_settings, field_), \
        .min = 1, .max = 864e5, .initial = first, .restart = again,            \
        .help = text                                                           \
    }
#define LIMIT_COUNT(name, field_, to, first, again, text)                      \
    {                                                                          \
        .key = name, .kind = SETTING_COUNT,                                    \
        .offset = AT(limit_settings, field_), .min = 1, .max = to,             \
        .initial = first, .restart = again, .help = text                       \
    }

static const struct setting limit_rows[] = {
    LIMIT_BYTES("headers", header_bytes, 1024, 1 << 20, "32KiB",
                "All headers of a request together; beyond: 431."),
    LIMIT_BYTES("body", body_bytes, 1024, 1 << 30, "32MiB",
                "A request's body; beyond: 413."),
    LIMIT_BYTES("answer", answer_bytes, 1024, 1 << 30, "64MiB",
                "A whole answer of a provider; beyond: 502.  Streams have no "
                "such limit."),
    LIMIT_BYTES("write_buffer", write_buffer, 4096, 1 << 26, "64KiB",
                "Bytes a slow client may leave unread before its provider is "
                "paused."),
    LIMIT_TIME("header_time", header_ms, "10s", true,
               "From the first byte of a request to the end of its headers."),
    LIMIT_TIME("body_time", body_ms, "30s", true,
               "Between two pieces of a request's body."),
    LIMIT_TIME("idle_time", idle_ms, "75s", true,
               "A connection without a request is closed after this time."),
    LIMIT_TIME("write_time", write_ms, "60s", true,
               "A client that takes nothing for this time is cut off."),
    LIMIT_TIME("connect_time", connect_ms, "5s", false,
               "To connect to a provider."),
    LIMIT_TIME("first_byte_time", first_byte_ms, "120s", false,
               "Until a provider's answer begins."),
    LIMIT_TIME("stall_time", stall_ms, "120s", false,
               "Between two pieces of a provider's answer."),
    LIMIT_TIME("total_time", total_ms, "20m", false,
               "A whole call of a provider."),
    LIMIT_TIME("ping_time", ping_ms, "15s", false,
               "A stream that has nothing to send for this time gets a "
               "comment (Anthropic: a ping) that keeps it alive."),
    LIMIT_TIME("drain_time", drain_ms, "10s", true,
               "At the end, requests in flight may take this long."),
    LIMIT_COUNT("connections", connections, 1e6, "10000", true,
                "Client connections of one worker."),
    LIMIT_COUNT("upstream_connections", upstream_connections, 65536, "256",
                true, "Connections of one worker to one provider's host."),
    LIMIT_COUNT("attempts", attempts, 8, "3", false,
                "Arms tried for one request before its error is final."),
};

static const struct section limit_section = {
    "limits", sizeof(struct limit_settings), limit_rows, LEN(limit_rows)};

static const struct setting admin_rows[] = {
    {.key = "metrics",
     .kind = SETTING_WORD,
     .offset = AT(admin_settings, metrics),
     .initial = "anywhere",
     .words = whence_words,
     .help = "From where GET /metrics is answered."},
    {.key = "explain",
     .kind = SETTING_WORD,
     .offset = AT(admin_settings, explain),
     .initial = "loopback",
     .words = whence_words,
     .help = "From where POST /v1/weir/explain is answered."},
    {.key = "reload",
     .kind = SETTING_WORD,
     .offset = AT(admin_settings, reload),
     .initial = "loopback",
     .words = whence_words,
     .help = "From where POST /v1/weir/reload is answered; `anywhere` counts "
             "as `loopback`."},
};

static const struct section admin_section = {
    "admin", sizeof(struct admin_settings), admin_rows, LEN(admin_rows)};

static const struct setting provider_rows[] = {
    {.key = "dialect",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, dialect),
     .help = "The API it speaks: openai, anthropic, gemini, bedrock or "
             "cohere.  Needed where the name (or `like`) "
             "is none that weir knows."},
    {.key = "like",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, like),
     .help = "A provider known to weir whose address and habits are taken; "
             "initially the one of the same name."},
    {.key = "base_url",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, base_url),
     .help = "Address below which the API's paths stand, with its /v1; "
             "initially the known provider's.  azure: without /openai; "
             "vertex, vertex-anthropic: with project and location."},
    {.key = "api_key",
     .kind = SETTING_SECRET,
     .offset = AT(provider_settings, api_key),
     .help = "Sent as the dialect wants it: bearer token, x-api-key, "
             "x-goog-api-key, api-key.  Write ${NAME} to take it from the "
             "environment."},
    {.key = "secret_key",
     .kind = SETTING_SECRET,
     .offset = AT(provider_settings, secret_key),
     .help = "bedrock: AWS secret access key, with which calls are signed "
             "(SigV4); api_key is then the access key's id."},
    {.key = "session_token",
     .kind = SETTING_SECRET,
     .offset = AT(provider_settings, session_token),
     .help = "bedrock: token of temporary AWS keys."},
    {.key = "api_version",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, api_version),
     .help = "azure: its api-version; anthropic: its anthropic-version, "
             "where the client sends none."},
    {.key = "region",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, region),
     .help = "Where it computes; bedrock: AWS region, initially us-east-1."},
    {.key = "headers",
     .kind = SETTING_PAIRS,
     .offset = AT(provider_settings, headers),
     .help = "More headers to send with each call; their values are treated "
             "as secrets."},
};

static const struct section provider_section = {
    "providers.NAME", sizeof(struct provider_settings), provider_rows,
    LEN(provider_rows)};

#define PRICE(name, field_, text)                                              \
    {                                                                          \
        .key = name, .kind = SETTING_PRICE,                                    \
        .offset = AT(price_settings, field_), .help = text                     \
    }

static const struct setting price_rows[] = {
    PRICE("input", input, "USD per million input tokens."),
    PRICE("output", output, "USD per million output tokens, reasoning too."),
    PRICE("cached_input", cached_input,
          "USD per million input tokens read from the provider's cache."),
    PRICE("cache_write", cache_write,
          "USD per million input tokens written to the cache."),
    PRICE("cache_write_1h", cache_write_1h,
          "The same for the cache of one hour."),
};

static const struct section price_section = {"models.NAME.price",
                                             sizeof(struct price_settings),
                                             price_rows, LEN(price_rows)};

static const struct setting model_rows[] = {
    {.key = "provider",
     .kind = SETTING_TEXT,
     .offset = AT(model_settings, provider),
     .needed = true,
     .help = "Which provider serves it."},
    {.key = "name",
     .kind = SETTING_TEXT,
     .offset = AT(model_settings, upstream),
     .help = "Its name at the provider; initially the key."},
    {.key = "like",
     .kind = SETTING_TEXT,
     .offset = AT(model_settings, like),
     .help = "The catalogue's entry from which prices, windows and "
             "capabilities are taken; initially the one of its name."},
    {.key = "tier",
     .kind = SETTING_WORD,
     .offset = AT(model_settings, tier),
     .initial = "unknown",
     .words = tier_words,
     .help = "How able and dear it is; initially the catalogue's."},
    {.key = "family",
     .kind = SETTING_TEXT,
     .offset = AT(model_settings, family),
     .help = "Models of one family err alike; initially the catalogue's."},
    {.key = "price",
     .kind = SETTING_SECTION,
     .offset = AT(model_settings, price),
     .section = &price_section,
     .help = "Prices that go before the catalogue's."},
    {.key = "context",
     .kind = SETTING_COUNT,
     .offset = AT(model_settings, context),
     .initial = "0",
     .max = 1e9,
     .help = "Tokens of input and output together; 0: the catalogue's."},
    {.key = "max_output",
     .kind = SETTING_COUNT,
     .offset = AT(model_settings, max_output),
     .initial = "0",
     .max = 1e9,
     .help = "Tokens of one answer; 0: the catalogue's."},
    {.key = "capabilities",
     .kind = SETTING_TEXTS,
     .offset = AT(model_settings, capabilities),
     .help = "What it can do, instead of what the catalogue says: tools, "
             "parallel_tools, vision, audio, files, json, schema, reasoning, "
             "logprobs, stream, sampling."},
    {.key = "enabled",
     .kind = SETTING_BOOL,
     .offset = AT(model_settings, enabled),
     .initial = "true",
     .help = "false takes it out of every route."},
};

static const struct section model_section = {
    "models.NAME", sizeof(struct model_settings), model_rows, LEN(model_rows)};

#define PLAN_TEXT(name, field_, text)                                          \
    {                                                                          \
        .key = name, .kind = SETTING_TEXT,                                     \
        .offset = AT(plan_settings, field_), .help = text                      \
    }

static const struct setting plan_rows[] = {
    {.key = "kind",
     .kind = SETTING_WORD,
     .offset = AT(plan_settings, kind),
     .initial = "single",
     .words = plan_words,
     .help = "single: one model under another name.  cascade and verify are "
             "read and checked, but not served by this version."},
    PLAN_TEXT("model", model, "single: the model."),
    PLAN_TEXT("draft", draft, "cascade, verify: the model that drafts."),
    PLAN_TEXT("check", check, "verify: the model whose agreement is asked."),
    PLAN_TEXT("else", otherwise, "cascade, verify: the model escalated to."),
};

static const struct section plan_section = {
    "plans.NAME", sizeof(struct plan_settings), plan_rows, LEN(plan_rows)};

#define WHEN_TRI(name, field_, text)                                           \
    {                                                                          \
        .key = name, .kind = SETTING_WORD,                                     \
        .offset = AT(when_settings, field_), .initial = "any",                 \
        .words = tri_words, .help = text                                       \
    }
#define WHEN_COUNT(name, field_, first, text)                                  \
    {                                                                          \
        .key = name, .kind = SETTING_COUNT,                                    \
        .offset = AT(when_settings, field_), .initial = first, .max = 1e12,    \
        .help = text                                                           \
    }

static const struct setting when_rows[] = {
    {.key = "headers",
     .kind = SETTING_PAIRS,
     .offset = AT(when_settings, headers),
     .help = "Headers of the request with exactly these values."},
    {.key = "key",
     .kind = SETTING_TEXT,
     .offset = AT(when_settings, key),
     .help = "Name of the inbound key."},
    {.key = "task",
     .kind = SETTING_TEXT,
     .offset = AT(when_settings, task),
     .help = "Task: the request's x-weir-task, else the likeliest one."},
    WHEN_TRI("tools", tools, "Whether the request offers tools."),
    WHEN_TRI("images", images, "Whether it holds images."),
    WHEN_TRI("json", json, "Whether it asks for JSON."),
    WHEN_TRI("stream", stream, "Whether it asks for a stream."),
    WHEN_COUNT("min_tokens", min_tokens, "0", "Input tokens at the least."),
    WHEN_COUNT("max_tokens", max_tokens, "1000000000000",
               "Input tokens at the most."),
    WHEN_COUNT("min_turns", min_turns, "0", "User messages at the least."),
};

static const struct section when_section = {"routes.NAME.rules[].when",
                                            sizeof(struct when_settings),
                                            when_rows, LEN(when_rows)};

static const struct setting rule_rows[] = {
    {.key = "when",
     .kind = SETTING_SECTION,
     .offset = AT(rule_settings, when),
     .section = &when_section,
     .help = "All of it must hold; without it the rule always holds."},
    {.key = "arm",
     .kind = SETTING_TEXT,
     .offset = AT(rule_settings, arm),
     .needed = true,
     .help = "The arm that is then taken."},
};

static const struct section rule_section = {"routes.NAME.rules[]",
                                            sizeof(struct rule_settings),
                                            rule_rows, LEN(rule_rows)};

static const struct setting route_rows[] = {
    {.key = "arms",
     .kind = SETTING_TEXTS,
     .offset = AT(route_settings, arm_names),
     .needed = true,
     .help = "Models and plans that may serve it."},
    {.key = "policy",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, policy),
     .initial = "cheapest_adequate",
     .words = policy_words,
     .help = "How an arm is chosen."},
    {.key = "reference",
     .kind = SETTING_TEXT,
     .offset = AT(route_settings, reference_name),
     .help = "The arm against which quality is promised, and the one that a "
             "`fixed` route takes; initially the arm of the highest tier, "
             "among equals the last."},
    {.key = "quality",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, quality),
     .initial = "0.98",
     .max = 1.5,
     .help = "cheapest_adequate: wanted share of the reference's quality."},
    {.key = "explore",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, explore),
     .initial = "0",
     .max = 0.5,
     .help = "Share of requests that try the arm next in cost, so that the "
             "log can be learned from."},
    {.key = "budget",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, budget),
     .max = 1e6,
     .help = "budget: USD a request may cost in the mean."},
    {.key = "max_cost",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, max_cost),
     .max = 1e6,
     .help = "Arms expected to cost more USD for a request are dropped."},
    {.key = "attempts",
     .kind = SETTING_COUNT,
     .offset = AT(route_settings, attempts),
     .initial = "0",
     .max = 8,
     .help = "Arms tried before an error is final; 0: limits.attempts."},
    {.key = "unsupported",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, unsupported),
     .initial = "warn",
     .words = unsupported_words,
     .help = "What of a request an arm of another dialect cannot take: warn "
             "leaves it out and says so in x-weir-warnings; drop says so in "
             "the log only; reject tries another arm, then answers 400."},
    {.key = "rules",
     .kind = SETTING_ROWS,
     .offset = AT(route_settings, rules),
     .section = &rule_section,
     .help = "rules: the first that holds takes its arm; none: the "
             "reference."},
};

static const struct section route_section = {
    "routes.NAME", sizeof(struct route_settings), route_rows, LEN(route_rows)};

static const struct setting top_rows[] = {
    {.key = "listen",
     .kind = SETTING_TEXT,
     .offset = AT(settings, listen),
     .initial = "127.0.0.1:8080",
     .restart = true,
     .help = "Address and port; port 0 takes a free one."},
    {.key = "listen_public",
     .kind = SETTING_TEXT,
     .offset = AT(settings, listen_public),
     .restart = true,
     .help = "Addresses other than loopback are refused unless this says "
             "`yes-without-keys`: everybody who reaches the port can then "
             "spend your money."},
    {.key = "workers",
     .kind = SETTING_COUNT,
     .offset = AT(settings, workers),
     .initial = "0",
     .max = 256,
     .restart = true,
     .help = "Threads that serve; 0: one for each core."},
    {.key = "pid_file",
     .kind = SETTING_TEXT,
     .offset = AT(settings, pid_file),
     .restart = true,
     .help = "Written at the start, removed at the end; for SIGHUP."},
    {.key = "classifier",
     .kind = SETTING_TEXT,
     .offset = AT(settings, classifier),
     .initial = "default",
     .help = "File that `weir train` wrote; `default`: the one that comes "
             "with weir; `none`: every request goes to the reference."},
    {.key = "catalogue",
     .kind = SETTING_TEXT,
     .offset = AT(settings, catalogue),
     .help = "File of `weir models update` with newer prices, instead of the "
             "catalogue that comes with weir."},
    {.key = "log",
     .kind = SETTING_SECTION,
     .offset = AT(settings, log),
     .section = &log_section,
     .help = "The outcome log and the lines on standard error."},
    {.key = "limits",
     .kind = SETTING_SECTION,
     .offset = AT(settings, limits),
     .section = &limit_section,
     .help = "Sizes, times and counts."},
    {.key = "admin",
     .kind = SETTING_SECTION,
     .offset = AT(settings, admin),
     .section = &admin_section,
     .help = "Who may look and steer."},
    {.key = "providers",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, providers),
     .section = &provider_section,
     .needed = true,
     .help = "Accounts at APIs."},
    {.key = "models",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, models),
     .section = &model_section,
     .needed = true,
     .help = "Models that may be called."},
    {.key = "plans",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, plans),
     .section = &plan_section,
     .help = "Further arms."},
    {.key = "routes",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, routes),
     .section = &route_section,
     .help = "Names that clients ask for as `model`."},
};

const struct section settings_schema = {"weir.yaml", sizeof(struct settings),
                                        top_rows, LEN(top_rows)};
