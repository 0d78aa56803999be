/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON (RFC 8259) in place: a text is checked once as a whole, then
 * walked by spans into it.  Nothing is allocated or copied, so numbers keep
 * their digits, strings their escapes, and every value knows which bytes of
 * the text it is: what the codecs need to pass on what they do not touch.
 * For building trees and for configuration-sized documents cJSON is used
 * (json_tree).  Spans die with the text.
 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum { JSON_DEPTH_MAX = 512 };

enum json_type {
    JSON_NONE, /* not there */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_type type;
    bool escaped;    /* a string that has a backslash in it */
    struct span raw; /* the value's bytes; a string with its quotes */
};

struct json_iter {
    const char *p, *end;
};

/*
 * Checks the whole text: grammar, UTF-8, escapes (a lone surrogate is an
 * error), depth <= JSON_DEPTH_MAX, nothing behind the value but white space.
 * On failure the message says the byte and what was wanted there.
 */
MUST_USE bool json_parse(struct span text, struct json *out, struct err *e);

/* Walks a checked array or object (other types: no members).  For arrays
 * key may be NULL; keys come as JSON_STRING values.  False at the end. */
struct json_iter json_begin(const struct json *container);
bool json_next(struct json_iter *it, struct json *key, struct json *value);
size_t json_count(const struct json *container);

/* The member of a checked object (the last one where the key repeats; keys
 * with escapes are compared as written).  JSON_NONE when it is not there or
 * when obj is no object. */
struct json json_get(const struct json *obj, const char *key);
/* True when key stands more than once. */
bool json_repeats(const struct json *obj, const char *key);

/* A string's bytes without quotes, as written (escapes not resolved). */
struct span json_inner(const struct json *str);
/* A string's text.  Borrows from the input when it has no escapes, else is
 * decoded into the arena; false when that is full or v is no string. */
MUST_USE bool json_text(const struct json *v, struct arena *a,
                        struct span *out);
/* Decodes at most `size` bytes of escaped text (as json_inner gives it; it
 * may end in the middle of an escape, which is then left out) into dst;
 * returns the bytes written.  Never cuts a code point. */
size_t json_unescape(struct span inner, char *dst, size_t size);
/* The same, and *rest becomes what was not decoded. */
size_t json_unescape_some(struct span *rest, char *dst, size_t size);
bool json_is(const struct json *v, const char *str); /* unescaped equal */
bool json_true(const struct json *v);
/* False when v is no number; integers: when not whole or out of range. */
bool json_double(const struct json *v, double *out);
bool json_i64(const struct json *v, int64_t *out);
const char *json_type_name(enum json_type type); /* "a string" ... */

struct cJSON;
/* The text as a cJSON tree (owned by the caller: cJSON_Delete), checked as
 * by json_parse first; NULL with e filled. */
MUST_USE struct cJSON *json_tree(struct span text, struct err *e);

#endif
