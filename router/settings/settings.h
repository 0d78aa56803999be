/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir.yaml: what an operator can say, loaded, checked and resolved against
 * the catalogue of models.  settings_table.c holds one row for each setting.
 * Immutable once loaded; everything lives in the settings' own arena.
 */
#ifndef WEIR_ROUTER_SETTINGS_SETTINGS_H
#define WEIR_ROUTER_SETTINGS_SETTINGS_H

#include "models/registry.h"
#include "router/attempt/fault.h"
#include "router/codec/codec.h"
#include "router/codec/dialect.h"
#include "router/gate/key.h"
#include "router/health/breaker.h"
#include "router/settings/providers.h"
#include "router/settings/schema.h"

enum {
    ARMS_MAX = 32, /* of one route */
    RULES_MAX = 64,
    TASKS_MAX = 64,
    PROVIDER_KEYS_MAX = 16, /* of one provider */
    DEPLOYMENTS_MAX = 16,   /* of one model */
};

enum prompts { PROMPTS_FEATURES, PROMPTS_FULL, PROMPTS_NONE };
enum policy { POLICY_CHEAPEST, POLICY_BUDGET, POLICY_FIXED, POLICY_RULES };
enum plan_kind { PLAN_SINGLE, PLAN_CASCADE, PLAN_VERIFY, PLAN_PANEL };
/* What a member does in a plan of several models. */
enum plan_role { PLAN_DRAFT, PLAN_CHECK, PLAN_ELSE, PLAN_REVIEW, PLAN_ROLES };
enum unsupported { UNSUPPORTED_WARN, UNSUPPORTED_DROP, UNSUPPORTED_REJECT };
enum unproven { UNPROVEN_REFERENCE, UNPROVEN_FLOOR };
enum outside { OUTSIDE_REFERENCE, OUTSIDE_TASK, OUTSIDE_FLOOR };
enum stay_rule { STAY_LOOPS, STAY_ALWAYS, STAY_NEVER };
enum feedback_of { FEEDBACK_OWN, FEEDBACK_ANY };
enum whence { WHENCE_LOOPBACK, WHENCE_ANYWHERE, WHENCE_NOWHERE };

struct log_settings {
    const char *path;
    unsigned prompts; /* enum prompts */
    uint64_t flush_ms, queue_rows, queue_bytes, spill_bytes;
    uint64_t max_age_ms, max_bytes; /* 0: for ever, no limit */
    unsigned level, form; /* enum log_level, log_form: standard error */
};

struct limit_settings {
    uint64_t header_bytes, body_bytes, answer_bytes, write_buffer;
    uint64_t header_ms, body_ms, idle_ms, write_ms;
    uint64_t connections, upstream_connections, attempts;
    uint64_t requests, queue, queue_ms; /* of one worker */
    uint64_t connect_ms, first_byte_ms, stall_ms, total_ms, drain_ms;
    uint64_t ping_ms, busy_poll_us;
};

/* What stands at addresses in clients' requests. */
struct fetch_settings {
    unsigned images; /* enum fetch_images */
    uint64_t max_bytes, most, redirects, timeout_ms;
    bool allow_private;
};

enum fetch_images { FETCH_OFF, FETCH_ON };

struct session_settings {
    const char *header;
    uint64_t most;
    /* When the next request speaks against the answer before. */
    uint64_t again_ms, retry_ms, abandoned_ms;
    double alike;
};

struct tls_settings {
    const char *cert, *key; /* both or none */
};

struct admin_settings {
    unsigned metrics, explain, reload; /* enum whence */
};

/* A key that clients show. */
struct key_settings {
    struct item item;
    const char *hash;
    struct text_list routes;                         /* empty: all */
    struct text_list regions;                        /* empty: anywhere */
    uint64_t requests_per_minute, tokens_per_minute; /* 0: no limit */
    double budget;     /* USD a day, NAN: no limit */
    unsigned feedback; /* enum feedback_of */
    /* resolved */
    struct key_hash parsed;
};

/* How a failed call is tried again: settings_attempts.c says what each is. */
enum retry_how {
    RETRY_FAIL,
    RETRY_AGAIN,
    RETRY_NEXT,
    RETRY_OTHER,
    RETRY_PROVIDER,
    RETRY_LARGER,
};

struct retry_settings {
    unsigned how[FAULT_KINDS]; /* enum retry_how; by enum fault */
    uint64_t wait_ms, wait_max_ms;
};

struct health_settings {
    struct breaker_rules rules;
    uint64_t rest_ms, rest_max_ms;
};

/* Of these the server uses the first three. */
struct retrain_settings {
    uint64_t every_ms, min_new_labels; /* both 0: the server runs no cycle */
    uint64_t look_ms;
    const char *route; /* or NULL */
    struct text_list data;
    double held, share, confidence, margin;
    uint64_t shadow, canary, watch;
};

struct health; /* router/health/health.h */

struct provider_key {
    struct item item;
    const char *api_key, *secret_key, *session_token; /* or NULL */
    double weight;
    /* resolved */
    const char *authorization; /* "Bearer ...", or NULL */
    struct health *health;     /* (borrowed: book) NULL: none is kept */
};

struct deployment_settings {
    struct item item;
    const char *provider, *upstream;
};

struct provider_settings {
    struct item item;
    const char *dialect;  /* NULL: the known provider's */
    const char *like;     /* a known provider, or NULL */
    const char *base_url; /* NULL in the file: the known provider's; without
                             a slash at its end once resolved */
    const char *api_key;  /* or NULL */
    const char *secret_key, *session_token; /* AWS keys, or NULL */
    const char *region, *api_version;
    const char *ca_file;               /* or NULL */
    uint64_t cache_ms;                 /* how long its prompt cache holds */
    const char *project, *credentials; /* Google Cloud */
    struct pair_list headers;
    struct item_list more_keys;    /* of struct provider_key: `keys` */
    struct text_list pass_through; /* paths that go to it as they came */
    uint64_t check_ms;             /* 0: it is not looked after */
    /* resolved */
    struct provider_key *keys; /* (arena) [n_keys], n_keys >= 1 */
    unsigned n_keys;
    const struct known_provider *known; /* (borrowed: table) */
    const struct provider_form *form;   /* of known */
    const struct codec *codec;          /* of its dialect */
    const struct dialect_ops *ops;      /* clients' row of its dialect, or NULL:
                                           no client speaks it */
    const struct quirks *quirks;        /* OpenAI-compatible ones; or NULL */
    bool responses;                     /* speaks the Responses API too */
    struct span account;                /* a service account's key file, or
                                           empty */
};

struct price_settings {
    int64_t input, output, cached_input, cache_write, cache_write_1h;
    int64_t web_search, flex, priority;
};

struct model_settings {
    struct item item;
    const char *provider, *upstream, *like, *family;
    unsigned tier; /* enum tier */
    struct price_settings price;
    uint64_t context, max_output; /* 0: the catalogue's */
    struct text_list capabilities;
    struct item_list deployments; /* of struct deployment_settings */
    bool enabled;
    /* resolved */
    struct model model;
    /* (arena) [n_places] itself and its deployments: copies with another
     * provider, name and addresses, called without distinction */
    struct model_settings *places;
    unsigned n_places;
    struct health *health; /* (borrowed: book) of a place; NULL: none is kept */
    struct health **lanes; /* (arena) [at->n_keys] likewise, of each key */
    struct provider_settings *at; /* its provider */
    const char *upstream_json;    /* the upstream name as a JSON string */
    const char *url, *stream_url; /* where it is called */
    const char *responses_url;    /* likewise in the Responses API, or NULL */
    const char *embeddings_url;   /* or NULL: its provider has none */
    const char *count_url;        /* of tokens; or NULL, likewise */
};

struct plan_settings {
    struct item item;
    unsigned kind; /* enum plan_kind */
    const char *model, *draft, *check, *otherwise, *review;
    uint64_t deadline_ms;
    double agreement; /* overlap of words from which long answers agree */
    double accept;    /* P(the draft is adequate) from which it stands */
};

struct when_settings {
    struct pair_list headers, metadata;
    struct text_list language; /* empty: any */
    const char *key, *task, *tool;
    unsigned tools, images, json, stream; /* enum tri */
    uint64_t min_tokens, max_tokens, min_turns;
};

enum tri { TRI_ANY, TRI_NO, TRI_YES };

struct rule_settings {
    struct item item;
    struct when_settings when;
    const char *arm;    /* or NULL: then `answer` */
    const char *answer; /* given without a model; or NULL */
    int index;          /* resolved: in the route's arms; -1: answer */
};

struct arm {
    const char *name; /* model or plan key */
    /* That answers; of a plan the one that does when nothing else stands:
     * cascade and verify `else`, panel `model`. */
    const struct model_settings *model;
    const struct plan_settings *plan; /* of several models; NULL: none */
    int8_t member[PLAN_ROLES];        /* of a plan: indices in the route's arms,
                                         -1: has none */
};

struct cache_settings {
    uint64_t ttl_ms; /* 0: off */
    bool shared;     /* by all keys */
};

/* What is never explored. */
struct risk_settings {
    struct text_list tasks, keys;
    const char *header; /* lower-case; or NULL */
};

/* Answers of another arm, beside the client's. */
struct shadow_settings {
    double rate;           /* share of requests */
    double unproven;       /* while no promise of the route holds */
    struct text_list arms; /* empty: all */
    bool each;             /* of them is asked, not one */
    double budget;         /* USD a day; NAN: not given */
    /* resolved */
    uint32_t mask; /* of the route's arms */
};

struct route_settings {
    struct item item;
    struct text_list arm_names;
    struct text_list match; /* patterns of names that mean it too */
    unsigned policy;        /* enum policy */
    const char *reference_name;
    double quality;        /* share of the reference's quality */
    double explore;        /* share of requests */
    double explore_budget; /* USD a day beyond the chosen arms', NAN: none */
    struct risk_settings high_risk;
    struct shadow_settings shadow;
    double budget;   /* mean USD a request, NAN: none */
    double max_cost; /* USD of one request, NAN: none */
    uint64_t attempts;
    unsigned unsupported;   /* enum unsupported */
    unsigned stay;          /* enum stay_rule */
    unsigned unproven;      /* enum unproven */
    unsigned out_of_domain; /* enum outside */
    struct cache_settings cache;
    struct text_list regions; /* empty: anywhere */
    struct pair_list tasks;   /* task -> arm */
    struct retry_settings retry;
    uint64_t deadline_ms;         /* of a request with all its attempts */
    uint64_t hold_ms, hold_bytes; /* of a stream's beginning */
    uint64_t hedge_ms;            /* 0: never */
    double hedge_share;           /* of the route's requests */
    struct health *health;        /* (borrowed: book) its hedges; or NULL */
    struct item_list rules;       /* of struct rule_settings */
    /* resolved */
    /* Behind the n_arms that it chooses from stand those members of its plans
     * that are none of them. */
    struct arm arms[ARMS_MAX];
    unsigned n_arms, n_all;
    uint8_t task_arms[TASKS_MAX]; /* index of each of `tasks` */
    int reference;                /* index */
    bool pinned; /* stands for one model, made by weir itself */
};

struct settings {
    struct arena arena; /* holds all */
    const char *file;
    const char *listen, *listen_public, *pid_file;
    const char *listen_unix, *unix_mode_text, *user; /* or NULL */
    unsigned long unix_mode;                         /* resolved */
    bool proxy_protocol;
    uint64_t watch_ms; /* 0: never */
    struct tls_settings tls;
    bool core_files;
    const char *classifier, *catalogue;
    uint64_t workers; /* 0: one a core */
    uint64_t cache_bytes;
    struct log_settings log;
    struct limit_settings limits;
    struct fetch_settings fetch;
    struct admin_settings admin;
    struct session_settings sessions;
    const char *key_file;
    struct item_list keys, more_keys; /* of key_settings; more: key_file */
    struct health_settings health;
    struct retrain_settings retrain;
    struct item_list providers, models, plans, routes;
    struct catalogue *prices; /* (owned) */
    /* resolved: one for each enabled model, reached by its own name */
    struct route_settings *direct; /* (arena) [n_direct] */
    unsigned n_direct;
};

extern const struct section settings_schema;

/* NULL with e as "file:line:column: key: wanted, found". */
MUST_USE struct settings *settings_load(const char *path, struct err *e);
MUST_USE struct settings *settings_parse(struct span text, const char *file,
                                         struct err *e);
void settings_free(struct settings *s); /* NULL: no-op */

/* Whether the server runs the learning cycle. */
bool settings_retrain(const struct settings *s);
/* Whether clients must show a key. */
bool settings_have_keys(const struct settings *s);
/* NULL: there is none. */
const struct key_settings *settings_key_by_id(const struct settings *s,
                                              const char id[KEY_ID]);
const struct key_settings *settings_key(const struct settings *s,
                                        struct span name);

/* The provider computes in one of these regions: route/region.h. */
bool settings_in_region(const struct text_list *regions,
                        const struct provider_settings *p);

/* The route's values in force and the plans', as text. */
void settings_show_route(const struct settings *s,
                         const struct route_settings *r, struct buf *out);

/* True for 127.0.0.0/8, [::1] and localhost, with or without a port. */
bool settings_loopback(const char *address);

/* The commented file that `weir init` writes. */
extern const char settings_sample[];

#endif
