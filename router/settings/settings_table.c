/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting of weir.yaml: one row each.  Loading, the check of unknown
 * keys, showing, comparing at a reload, docs/configuration.md and the man
 * page weir.yaml(5) follow from these rows.
 */
#include "router/settings/settings.h"
#include "router/settings/settings_parts.h"

#include <stddef.h>

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(type, field) offsetof(struct type, field)
#define MAX_U64 9e15

static const char *const policy_words[] = {"cheapest_adequate", "budget",
                                           "fixed", "rules", NULL};
static const char *const unsupported_words[] = {"warn", "drop", "reject", NULL};
static const char *const unproven_words[] = {"reference", "floor", NULL};
static const char *const outside_words[] = {"reference", "task", "floor", NULL};
static const char *const stay_words[] = {"loops", "always", "never", NULL};
static const char *const tier_words[] = {"unknown", "economy", "workhorse",
                                         "frontier", NULL};

static const struct setting provider_rows[] = {
    {.key = "dialect",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, dialect),
     .help = "The API it speaks: openai, responses (OpenAI's other one), "
             "anthropic, gemini, bedrock or cohere.  Needed where the name "
             "(or `like`) is none that weir knows."},
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
             "vertex, vertex-anthropic: made of project and region."},
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
             "(SigV4); api_key is then the access key's id.  Without any: "
             "AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID, "
             "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the "
             "environment."},
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
     .help = "Where it computes, for `regions` of routes and keys.  bedrock: "
             "AWS region, initially AWS_REGION of the environment, else "
             "us-east-1; vertex: initially global."},
    {.key = "project",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, project),
     .help = "vertex: project of Google Cloud, initially the service "
             "account's."},
    {.key = "credentials",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, credentials),
     .help = "vertex: key file (JSON) of a Google service account, initially "
             "GOOGLE_APPLICATION_CREDENTIALS of the environment; api_key is "
             "an access token instead."},
    {.key = "ca_file",
     .kind = SETTING_TEXT,
     .offset = AT(provider_settings, ca_file),
     .help = "PEM file of the authorities by which its certificate is "
             "checked, instead of the system's; read at the start and on "
             "reload."},
    {.key = "cache_time",
     .kind = SETTING_MS,
     .offset = AT(provider_settings, cache_ms),
     .initial = "5m",
     .max = MAX_U64,
     .help = "How long its prompt cache keeps what a conversation has sent; "
             "while it does, staying with the model is the cheaper for it."},
    {.key = "headers",
     .kind = SETTING_PAIRS,
     .offset = AT(provider_settings, headers),
     .help = "More headers to send with each call; their values are treated "
             "as secrets."},
    {.key = "keys",
     .kind = SETTING_ITEMS,
     .offset = AT(provider_settings, more_keys),
     .section = &settings_provider_key_section,
     .help = "Several keys by name, instead of api_key: calls are spread over "
             "them by weight, and one that is limited or refused rests."},
    {.key = "pass_through",
     .kind = SETTING_TEXTS,
     .offset = AT(provider_settings, pass_through),
     .help = "Paths that go to it as they came, with its key instead of the "
             "client's, where weir has nothing of its own there: /v1/images/ "
             "and all below, /v1/moderations alone, /v1/ whatever is left.  "
             "Not routed and not priced: a key with routes or a budget may "
             "not."},
    {.key = "check",
     .kind = SETTING_MS,
     .offset = AT(provider_settings, check_ms),
     .initial = "0",
     .max = 864e5,
     .help = "How often it is asked for its models, without a key, to see "
             "whether it is up; 0: never, requests alone show it."},
};

static const struct section provider_section = {
    "providers.NAME", sizeof(struct provider_settings), provider_rows,
    LEN(provider_rows)};

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
     .section = &settings_price_section,
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
             "logprobs, stream, sampling, embeddings (makes these and "
             "answers no chat)."},
    {.key = "deployments",
     .kind = SETTING_ITEMS,
     .offset = AT(model_settings, deployments),
     .section = &settings_deployment_section,
     .help = "The same model elsewhere, at the same price: calls go to the "
             "less busy and quicker of two at random, and on to another when "
             "one fails."},
    {.key = "enabled",
     .kind = SETTING_BOOL,
     .offset = AT(model_settings, enabled),
     .initial = "true",
     .help = "false takes it out of every route."},
};

static const struct section model_section = {
    "models.NAME", sizeof(struct model_settings), model_rows, LEN(model_rows)};

static const struct setting route_rows[] = {
    {.key = "arms",
     .kind = SETTING_TEXTS,
     .offset = AT(route_settings, arm_names),
     .needed = true,
     .help = "Models and plans that may serve it."},
    {.key = "match",
     .kind = SETTING_TEXTS,
     .offset = AT(route_settings, match),
     .help = "Patterns of other names that mean it too: claude-*, or *."},
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
    {.key = "unproven",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, unproven),
     .initial = "reference",
     .words = unproven_words,
     .help = "cheapest_adequate while no promise holds (none could be made, "
             "the classifier is the one that comes with weir, or the traffic "
             "is no longer of the mix that it was made on): reference takes "
             "the reference; floor goes by predictions alone, at your "
             "risk."},
    {.key = "out_of_domain",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, out_of_domain),
     .initial = "reference",
     .words = outside_words,
     .help = "cheapest_adequate, what a request far from the training data "
             "gets: reference, as the promise takes it; task, the cheapest "
             "arm that is adequate by its tasks' means alone; floor, likewise "
             "by predictions.  The last two at your risk."},
    {.key = "regions",
     .kind = SETTING_TEXTS,
     .offset = AT(route_settings, regions),
     .help = "Requests go to providers of these regions only (eu allows "
             "eu-west-1 too), also when others fail; a provider without a "
             "region is in none.  None: anywhere."},
    {.key = "explore",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, explore),
     .initial = "0",
     .max = 0.5,
     .help = "Share of requests that try the arm next in cost, so that the "
             "log can be learned from."},
    {.key = "explore_budget",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, explore_budget),
     .max = 1e6,
     .help = "USD a day (UTC) that such requests may be expected to cost "
             "beyond the arm that was chosen; then nothing is explored until "
             "the day ends.  Not given: no limit."},
    {.key = "high_risk",
     .kind = SETTING_SECTION,
     .offset = AT(route_settings, high_risk),
     .section = &settings_risk_section,
     .help = "Requests that are never explored."},
    {.key = "shadow",
     .kind = SETTING_SECTION,
     .offset = AT(route_settings, shadow),
     .section = &settings_shadow_section,
     .help = "Requests whose answer another arm gives too, for the log only."},
    {.key = "budget",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, budget),
     .max = 1e6,
     .help = "budget: USD a request may cost in the mean. What is saved on "
             "cheap requests pays for dear ones; no more than that is "
             "spent."},
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
    {.key = "retry",
     .kind = SETTING_SECTION,
     .offset = AT(route_settings, retry),
     .section = &settings_retry_section,
     .help = "What is done when a call fails, by the kind of failure."},
    {.key = "deadline",
     .kind = SETTING_MS,
     .offset = AT(route_settings, deadline_ms),
     .initial = "20m",
     .min = 1,
     .max = 864e5,
     .help = "A request with all its attempts and waits."},
    {.key = "hold_time",
     .kind = SETTING_MS,
     .offset = AT(route_settings, hold_ms),
     .initial = "1s",
     .max = 6e5,
     .help = "A stream's beginning without content is kept back for so long, "
             "so that another arm can take over unseen; 0: not at all."},
    {.key = "hold_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(route_settings, hold_bytes),
     .initial = "16KiB",
     .max = 1 << 20,
     .help = "Bytes of it that are kept back at most."},
    {.key = "hedge",
     .kind = SETTING_MS,
     .offset = AT(route_settings, hedge_ms),
     .initial = "0",
     .max = 6e5,
     .help = "An answer that has not begun after this time is asked for a "
             "second time, elsewhere; the quicker one is taken.  0: never."},
    {.key = "hedge_share",
     .kind = SETTING_REAL,
     .offset = AT(route_settings, hedge_share),
     .initial = "0.05",
     .max = 1,
     .help = "Share of the route's requests that may be asked twice."},
    {.key = "unsupported",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, unsupported),
     .initial = "warn",
     .words = unsupported_words,
     .help = "What of a request an arm of another dialect cannot take, and "
             "log-probabilities where no arm of the route gives any: warn "
             "leaves it out and says so in x-weir-warnings; drop says so in "
             "the log only; reject tries another arm, then answers 400."},
    {.key = "cache",
     .kind = SETTING_SECTION,
     .offset = AT(route_settings, cache),
     .section = &settings_cache_section,
     .help = "Answers given again to requests of the same bytes."},
    {.key = "stay",
     .kind = SETTING_WORD,
     .offset = AT(route_settings, stay),
     .initial = "loops",
     .words = stay_words,
     .help = "When a conversation keeps its model: loops while tools' results "
             "come back or its thinking is signed; always; never."},
    {.key = "rules",
     .kind = SETTING_ROWS,
     .offset = AT(route_settings, rules),
     .section = &settings_rule_section,
     .help = "Before the policy: the first that holds is followed.  policy "
             "rules: none holds: the reference."},
    {.key = "tasks",
     .kind = SETTING_PAIRS,
     .offset = AT(route_settings, tasks),
     .help = "Arms by task, behind the rules and before the policy: the "
             "request's x-weir-task, else a guess of 50 % or more."},
};

const struct section settings_route_section = {
    "routes.NAME", sizeof(struct route_settings), route_rows, LEN(route_rows)};

static const struct setting top_rows[] = {
    {.key = "listen",
     .kind = SETTING_TEXT,
     .offset = AT(settings, listen),
     .initial = "127.0.0.1:8080",
     .restart = true,
     .help = "Address and port; port 0 takes a free one; an empty text: "
             "none.  Sockets from systemd or from the program before this one "
             "take its place."},
    {.key = "listen_unix",
     .kind = SETTING_TEXT,
     .offset = AT(settings, listen_unix),
     .restart = true,
     .help = "Path of a Unix socket, besides; plain HTTP."},
    {.key = "listen_unix_mode",
     .kind = SETTING_TEXT,
     .offset = AT(settings, unix_mode_text),
     .initial = "0660",
     .restart = true,
     .help = "Its permissions, in octal."},
    {.key = "tls",
     .kind = SETTING_SECTION,
     .offset = AT(settings, tls),
     .section = &settings_tls_section,
     .help = "HTTPS instead of HTTP on `listen`; TLS 1.2 and later."},
    {.key = "proxy_protocol",
     .kind = SETTING_BOOL,
     .offset = AT(settings, proxy_protocol),
     .initial = "false",
     .restart = true,
     .help = "Connections to `listen` begin with a PROXY header, version 2: "
             "only load balancers may reach it."},
    {.key = "user",
     .kind = SETTING_TEXT,
     .offset = AT(settings, user),
     .restart = true,
     .help = "Whose rights weir has after binding its sockets; needs root at "
             "the start."},
    {.key = "watch",
     .kind = SETTING_MS,
     .offset = AT(settings, watch_ms),
     .initial = "0",
     .max = 864e5,
     .restart = true,
     .help = "Looks so often whether configuration, keys, classifier, "
             "catalogue or certificate have changed, and reloads; 0: on SIGHUP "
             "and `weir reload` only."},
    {.key = "listen_public",
     .kind = SETTING_TEXT,
     .offset = AT(settings, listen_public),
     .restart = true,
     .help = "Without keys, addresses other than loopback are refused "
             "unless this says `yes-without-keys`: everybody who reaches the "
             "port can then spend your money."},
    {.key = "key_file",
     .kind = SETTING_TEXT,
     .offset = AT(settings, key_file),
     .help = "YAML file with further `keys`, which may have other readers "
             "than the configuration."},
    {.key = "keys",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, keys),
     .section = &settings_key_section,
     .help = "Keys of clients (`weir keygen`).  With one or more, every "
             "request needs one, except /healthz and what `admin` allows."},
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
    {.key = "core_files",
     .kind = SETTING_BOOL,
     .offset = AT(settings, core_files),
     .initial = "false",
     .restart = true,
     .help = "Whether a crash may leave a core file: the providers' keys and "
             "clients' texts are in it.  Otherwise no other process of the "
             "user may look into weir's memory either."},
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
     .section = &settings_log_section,
     .help = "The outcome log and the lines on standard error."},
    {.key = "limits",
     .kind = SETTING_SECTION,
     .offset = AT(settings, limits),
     .section = &settings_limit_section,
     .help = "Sizes, times and counts."},
    {.key = "fetch",
     .kind = SETTING_SECTION,
     .offset = AT(settings, fetch),
     .section = &settings_fetch_section,
     .help = "Images and documents that requests name by address."},
    {.key = "admin",
     .kind = SETTING_SECTION,
     .offset = AT(settings, admin),
     .section = &settings_admin_section,
     .help = "Who may look and steer."},
    {.key = "cache_bytes",
     .kind = SETTING_BYTES,
     .offset = AT(settings, cache_bytes),
     .initial = "32MB",
     .max = MAX_U64,
     .restart = true,
     .help = "Memory for the answers that routes with a `cache` keep; those "
             "longest unused go first."},
    {.key = "sessions",
     .kind = SETTING_SECTION,
     .offset = AT(settings, sessions),
     .section = &settings_session_section,
     .help = "Conversations."},
    {.key = "health",
     .kind = SETTING_SECTION,
     .offset = AT(settings, health),
     .section = &settings_health_section,
     .help = "When a model at its provider is left alone."},
    {.key = "retrain",
     .kind = SETTING_SECTION,
     .offset = AT(settings, retrain),
     .section = &settings_retrain_section,
     .help = "The learning cycle."},
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
     .section = &settings_plan_section,
     .help = "Further arms."},
    {.key = "routes",
     .kind = SETTING_ITEMS,
     .offset = AT(settings, routes),
     .section = &settings_route_section,
     .help = "Names that clients ask for as `model`."},
};

const struct section settings_schema = {"weir.yaml", sizeof(struct settings),
                                        top_rows, LEN(top_rows)};
