/* SPDX-License-Identifier: Apache-2.0 */
/* Providers that weir knows by name: address, dialect and habits, one row
 * each.  A new OpenAI-compatible provider is one row. */
#ifndef WEIR_ROUTER_PROVIDERS_H
#define WEIR_ROUTER_PROVIDERS_H

#include "base/span.h"

struct known_provider {
    const char *name;
    const char *dialect;
    const char *base_url;
    bool stream_usage; /* takes stream_options.include_usage; the others send
                          usage unasked or refuse the field */
};

const struct known_provider *known_provider(const char *name); /* or NULL */
/* The row from which a dialect's providers without a known name start. */
const struct known_provider *known_dialect(const char *dialect); /* or NULL */
/* Row i, NULL behind the last. */
const struct known_provider *known_provider_at(unsigned i);

#endif
