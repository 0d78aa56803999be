/* SPDX-License-Identifier: Apache-2.0 */
/* Providers that weir knows by name: address, dialect and habits, one row
 * each.  A new OpenAI-compatible provider is one row. */
#ifndef WEIR_ROUTER_SETTINGS_PROVIDERS_H
#define WEIR_ROUTER_SETTINGS_PROVIDERS_H

#include "base/span.h"
#include "router/codec/codec.h"

/* How an API is addressed.  Paths stand behind base_url; {model} and
 * {version} are put in. */
struct provider_form {
    const char *dialect; /* a row of codec.c */
    const char *path, *stream_path;
    const char *responses_path; /* where the Responses API is spoken, or NULL */
    const char *embeddings_path; /* of OpenAI's form, or NULL */
    const char *auth_header, *auth_prefix;
    const char *version_header; /* its name, or NULL */
    const char *version;        /* what is sent where nothing is configured */
    const char *body_version;   /* a member that stands in the body in the
                                   model's place, or NULL */
    /* Where and how tokens are counted before they are sent, or NULL. */
    const char *count_path;
    bool (*count_write)(const struct request *r, const struct target *t,
                        struct losses *l, struct buf *out, struct err *e);
    bool (*count_read)(struct span body, int64_t *tokens, struct err *e);
    bool takes_account; /* Google service accounts sign in */
    bool data_only;     /* refuses images by address, which its dialect has */
    uint32_t lends;     /* capabilities that its codec gives to any model */
};

struct known_provider {
    const char *name;
    const struct provider_form *form;
    const char *base_url; /* NULL: must be configured; {region},
                             {project}, {google} are put in */
    bool stream_usage;    /* takes stream_options.include_usage; the others send
                             usage unasked or refuse the field */
    bool responses;       /* speaks OpenAI's Responses API too */
};

const struct known_provider *known_provider(const char *name); /* or NULL */
/* The row from which a dialect's providers without a known name start. */
const struct known_provider *known_dialect(const char *dialect); /* or NULL */
/* Row i, NULL behind the last. */
const struct known_provider *known_provider_at(unsigned i);

#endif
