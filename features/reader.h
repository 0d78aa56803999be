/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading checked JSON objects by tables: a row a member, with the function
 * that reads it and where its value goes.  Members without a row are left
 * alone.  The reader knows where in the body it is, so that an error names
 * the place: "messages[3].role: wanted a string, found a number".
 */
#ifndef WEIR_FEATURES_READER_H
#define WEIR_FEATURES_READER_H

#include "base/arena.h"
#include "base/json.h"

enum { READER_PLACES = 8, READER_NO_INDEX = -1 };

struct reader_place {
    const char *name; /* (borrowed: a literal) */
    int64_t index;    /* in a list, or READER_NO_INDEX */
};

struct reader {
    struct arena *a; /* (borrowed) takes arrays and decoded strings */
    struct err *e;   /* (borrowed) */
    struct reader_place places[READER_PLACES];
    int n_places;
};

struct field {
    const char *name;
    bool (*read)(struct reader *rd, const struct field *f, const struct json *v,
                 void *target);
    size_t at;   /* offset of the value's place in the target */
    bool strict; /* null is an error; else it counts as not said */
};

/* The key's row, or NULL. */
const struct field *reader_row(const struct field *table,
                               const struct json *key);

/* Reads obj's members into target by the table, which ends with a row
 * without a name.  obj must be an object. */
MUST_USE bool reader_object(struct reader *rd, const struct json *obj,
                            const struct field *table, void *target);

/* Says "<place>.<field>: wanted <want>, found <type>"; always false. */
bool reader_wrong(struct reader *rd, const char *field, const char *want,
                  enum json_type found);
bool reader_no_memory(struct reader *rd); /* always false */

/* Enters `name` (index: of a list's element) and leaves it again. */
void reader_enter(struct reader *rd, const char *name, int64_t index);
void reader_leave(struct reader *rd);

/* Row functions: string -> struct span (decoded), string -> struct text,
 * anything -> struct span of its JSON or struct json, and so on.  Wrong types
 * are errors. */
bool read_str(struct reader *rd, const struct field *f, const struct json *v,
              void *target);
bool read_text(struct reader *rd, const struct field *f, const struct json *v,
               void *target);
bool read_raw(struct reader *rd, const struct field *f, const struct json *v,
              void *target);
bool read_raw_object(struct reader *rd, const struct field *f,
                     const struct json *v, void *target);
bool read_json(struct reader *rd, const struct field *f, const struct json *v,
               void *target);
bool read_bool(struct reader *rd, const struct field *f, const struct json *v,
               void *target);
bool read_i64(struct reader *rd, const struct field *f, const struct json *v,
              void *target); /* >= 0 */
bool read_double(struct reader *rd, const struct field *f, const struct json *v,
                 void *target);

#endif
