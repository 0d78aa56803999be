/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a JSON value fit a JSON schema?  Draft 7 and the forms that LLM APIs
 * use: 2020-12's prefixItems and $defs, OpenAPI's nullable, Gemini's types
 * in capitals.  References stay inside the schema.  A keyword that is not
 * known here (and pattern, format, propertyNames with patterns, which need
 * another language) holds for every value, as the standard has it for
 * unknown ones.
 */
#ifndef WEIR_BASE_JSON_SCHEMA_H
#define WEIR_BASE_JSON_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"

enum fit {
    FITS,
    FITS_NOT,     /* e says where, what was wanted, what was found */
    FITS_UNKNOWN, /* too much work, no memory, or a foreign reference */
};

/* Both checked JSON; work holds what is decoded meanwhile. */
enum fit json_fits(const struct json *schema, const struct json *value,
                   struct arena *work, struct err *e);

#endif
