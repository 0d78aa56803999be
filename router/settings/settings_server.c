/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the server itself: its log, limits and administration; and
 * models' prices. */
#include "router/settings/settings_parts.h"

#include <stddef.h>

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, field) offsetof(struct type, field)

static const char *const prompts_words[] = {"features", "full", "none", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug",
                                          NULL};
static const char *const form_words[] = {"text", "json", NULL};
static const char *const whence_words[] = {"loopback", "anywhere", "nowhere",
                                           NULL};

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
    {.key = "max_age",
     .kind = SETTING_MS,
     .offset = AT(log_settings, max_age_ms),
     .initial = "0",
     .max = 3.2e12,
     .restart = true,
     .help = "Rows older than this are removed with their labels, e.g. 90d; "
             "0: never."},
    {.key = "max_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(log_settings, max_bytes),
     .initial = "0",
     .max = 1e15,
     .restart = true,
     .help = "When the log's pages in use take more, the oldest rows are "
             "removed; 0: no limit.  Freed room is used again; the file "
             "itself shrinks with `weir log prune --shrink`."},
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

const struct section settings_log_section = {"log", sizeof(struct log_settings),
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
    LIMIT_BYTES("write_buffer", write_buffer, 65536, 1 << 26, "64KiB",
                "Memory for what a slow client has not read of its stream, "
                "beside one event; before it is full, the provider is "
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
    LIMIT_COUNT("requests", requests, 1e6, "1024", false,
                "Requests that one worker serves at once; more wait their "
                "turn."),
    LIMIT_COUNT("queue", queue, 1e6, "512", false,
                "Requests of one worker that may wait; beyond: 503 with "
                "retry-after.  As many as limits.requests double the time of "
                "an answer in overload."),
    LIMIT_TIME("queue_time", queue_ms, "5s", false,
               "A request that has waited so long gets 503."),
    LIMIT_COUNT("upstream_connections", upstream_connections, 65536, "256",
                true, "Connections of one worker to one provider's host."),
    {.key = "busy_poll",
     .kind = SETTING_US,
     .offset = AT(limit_settings, busy_poll_us),
     .initial = "0",
     .max = 1e5,
     .restart = true,
     .help = "After each event a worker looks for the next one for this long "
             "before it sleeps: answers come sooner, for up to a core a "
             "worker.  0: it sleeps at once."},
    LIMIT_COUNT("attempts", attempts, 8, "3", false,
                "Arms tried for one request before its error is final."),
};

const struct section settings_limit_section = {
    "limits", sizeof(struct limit_settings), limit_rows, LEN(limit_rows)};

static const char *const fetch_words[] = {"off", "on", NULL};

static const struct setting fetch_rows[] = {
    {.key = "images",
     .kind = SETTING_WORD,
     .offset = AT(fetch_settings, images),
     .initial = "on",
     .words = fetch_words,
     .help = "on: images and PDF documents by address are fetched for "
             "providers that take data only.  off: they are a loss there."},
    {.key = "max_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(fetch_settings, max_bytes),
     .initial = "16MiB",
     .min = 1024,
     .max = 1 << 28,
     .help = "All that is fetched for one request; beyond: 400."},
    {.key = "most",
     .kind = SETTING_COUNT,
     .offset = AT(fetch_settings, most),
     .initial = "20",
     .min = 1,
     .max = 1000,
     .help = "Addresses of one request that are fetched; beyond: 400."},
    {.key = "timeout",
     .kind = SETTING_MS,
     .offset = AT(fetch_settings, timeout_ms),
     .initial = "10s",
     .min = 10,
     .max = 6e5,
     .help = "For one address with its redirects."},
    {.key = "redirects",
     .kind = SETTING_COUNT,
     .offset = AT(fetch_settings, redirects),
     .initial = "3",
     .max = 20,
     .help = "How many are followed; each is looked at like the first."},
    {.key = "allow_private",
     .kind = SETTING_BOOL,
     .offset = AT(fetch_settings, allow_private),
     .initial = "false",
     .help = "true: also from loopback, private and link-local addresses, "
             "cloud metadata among them: every client can then read what "
             "weir's host can reach."},
};

const struct section settings_fetch_section = {
    "fetch", sizeof(struct fetch_settings), fetch_rows, LEN(fetch_rows)};

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

const struct section settings_admin_section = {
    "admin", sizeof(struct admin_settings), admin_rows, LEN(admin_rows)};

static const struct setting session_rows[] = {
    {.key = "header",
     .kind = SETTING_TEXT,
     .offset = AT(session_settings, header),
     .initial = "x-weir-session",
     .help = "Header that names a request's conversation.  Without it: "
             "prompt_cache_key, or session_id, conversation_id or thread_id "
             "in metadata; else the system prompt and the first message."},
    {.key = "most",
     .kind = SETTING_COUNT,
     .offset = AT(session_settings, most),
     .initial = "16k",
     .min = 8,
     .max = 1e8,
     .restart = true,
     .help = "Conversations remembered at once, 160 bytes each; those longest "
             "silent go first."},
    {.key = "again_within",
     .kind = SETTING_MS,
     .offset = AT(session_settings, again_ms),
     .initial = "10m",
     .max = 864e5,
     .help = "What is asked again so soon after its answer speaks against it "
             "(labels of the source signal); 0: nothing does."},
    {.key = "alike",
     .kind = SETTING_REAL,
     .offset = AT(session_settings, alike),
     .initial = "0.5",
     .max = 1,
     .help = "Share of words and pairs of words from which on two questions "
             "count as the same one, said otherwise."},
    {.key = "retry_within",
     .kind = SETTING_MS,
     .offset = AT(session_settings, retry_ms),
     .initial = "5s",
     .max = 864e5,
     .help = "The same bytes so soon again are a client's retry, not a "
             "person's wish for another answer."},
    {.key = "abandoned_after",
     .kind = SETTING_MS,
     .offset = AT(session_settings, abandoned_ms),
     .initial = "5s",
     .max = 864e5,
     .help = "A client that left after so long without a byte of an answer "
             "did not want to wait (signal abandoned)."},
};

const struct section settings_session_section = {
    "sessions", sizeof(struct session_settings), session_rows,
    LEN(session_rows)};

static const struct setting cache_rows[] = {
    {.key = "ttl",
     .kind = SETTING_MS,
     .offset = AT(cache_settings, ttl_ms),
     .initial = "0s",
     .max = 9e15,
     .help = "How long an answer may be given again; 0: never.  Streams are "
             "played again as streams.  A request with cache-control: "
             "no-cache asks anew."},
    {.key = "shared",
     .kind = SETTING_BOOL,
     .offset = AT(cache_settings, shared),
     .initial = "false",
     .help = "true: an answer that one inbound key paid for is given to "
             "others too."},
};

const struct section settings_cache_section = {"routes.NAME.cache",
                                               sizeof(struct cache_settings),
                                               cache_rows, LEN(cache_rows)};

static const struct setting tls_rows[] = {
    {.key = "cert",
     .kind = SETTING_TEXT,
     .offset = AT(tls_settings, cert),
     .help = "PEM file of the certificate and those between it and the "
             "root; read anew at each reload."},
    {.key = "key",
     .kind = SETTING_TEXT,
     .offset = AT(tls_settings, key),
     .help = "PEM file of its private key."},
};

const struct section settings_tls_section = {"tls", sizeof(struct tls_settings),
                                             tls_rows, LEN(tls_rows)};

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
    PRICE("web_search", web_search,
          "USD per thousand searches of the web that the provider makes."),
    PRICE("flex", flex,
          "Factor of the prices for what was answered at OpenAI's flex "
          "service, 0.5 for half of them."),
    PRICE("priority", priority, "Likewise at the priority service."),
};

const struct section settings_price_section = {"models.NAME.price",
                                               sizeof(struct price_settings),
                                               price_rows, LEN(price_rows)};
