/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that go to a provider as they came, chosen by their path alone
 * (`providers.NAME.pass_through`): images, speech, files, batches and whatever
 * else an SDK asks for beside conversations.  Nothing is routed, translated,
 * tried again or priced; the provider's own key takes the client's place, the
 * answer is handed on as it comes, and the log gets a row.
 */
#ifndef WEIR_ROUTER_FORWARD_H
#define WEIR_ROUTER_FORWARD_H

#include "router/paths.h"

struct settings;

/* Whose list has the path, in the order of the file; NULL: nobody's, or the
 * path is written in a way that could mean another one. */
const struct provider_settings *forward_to(const struct settings *s,
                                           struct span path);

/* The address of a path below a provider's: base_url without its version and
 * with the path's, "https://api.openai.com/v1" and "/v1/files" make
 * "https://api.openai.com/v1/files".  The query goes along without `key`, in
 * which Google's clients show weir's key.  NULL: no memory. */
const char *forward_url(const char *base_url, struct span path,
                        struct span query, struct arena *a);

/* A turn of the gate's.  at->path: below what it is mounted at. */
void forward_start(struct worker *w, struct http_exchange *x,
                   const struct place *at);

#endif
