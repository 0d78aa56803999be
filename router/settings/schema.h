/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration by tables: one row a setting, from which loading, the check
 * of unknown keys, showing, comparing (reload) and the documentation follow.
 * A section is an array of rows over one C struct.
 */
#ifndef WEIR_ROUTER_SETTINGS_SCHEMA_H
#define WEIR_ROUTER_SETTINGS_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"

enum setting_kind {
    SETTING_TEXT,    /* const char * */
    SETTING_SECRET,  /* const char *, shown masked */
    SETTING_BOOL,    /* bool */
    SETTING_WORD,    /* unsigned: position in words */
    SETTING_BYTES,   /* uint64_t */
    SETTING_MS,      /* uint64_t */
    SETTING_US,      /* uint64_t */
    SETTING_COUNT,   /* uint64_t */
    SETTING_REAL,    /* double; NAN where it was not given */
    SETTING_PRICE,   /* int64_t pico-USD a token, written as USD per million
                        tokens; -1 where it was not given */
    SETTING_TEXTS,   /* struct text_list: a list of scalars */
    SETTING_PAIRS,   /* struct pair_list: a map of scalars */
    SETTING_SECTION, /* a struct: a map with its own rows */
    SETTING_ITEMS,   /* struct item_list: a map of named structs */
    SETTING_ROWS,    /* struct item_list: a list of structs */
};

struct text_list {
    const char **at;         /* (arena) [n] */
    const struct conf **why; /* (arena) [n] where each stands */
    unsigned n;
};

struct pair {
    const char *name, *value; /* (arena) */
};

struct pair_list {
    struct pair *at; /* (arena) [n] */
    unsigned n;
};

/* Every struct of an item list begins with one of these. */
struct item {
    const char *name;       /* (arena) its key; "" in a list */
    const struct conf *why; /* (arena) where it stands */
};

struct item_list {
    void *at; /* (arena) [n] structs of section->size bytes */
    unsigned n;
};

struct section;

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset;
    const char *initial;           /* as in the file; NULL: "not given" */
    double min, max;               /* numbers (amounts: of the amount) */
    const char *const *words;      /* SETTING_WORD: NULL-terminated */
    const struct section *section; /* of a nested kind */
    bool needed;                   /* must be given */
    bool restart;                  /* a change holds only after a restart */
    const char *help;              /* one sentence */
};

struct section {
    const char *name; /* for people: "providers.NAME" */
    size_t size;      /* bytes of its struct */
    const struct setting *rows;
    unsigned n;
};

/*
 * Fills the struct at `target` (cleared before) from the map; map NULL: all
 * as initial.  Everything lives in the arena.  e: "file:line:column: ...".
 */
MUST_USE bool schema_load(const struct section *s, const struct conf *map,
                          void *target, struct arena *a, struct err *e);

/* Calls back for each row, nested ones with their path ("log.path",
 * "providers.NAME.api_key"). */
void schema_walk(const struct section *s, const char *prefix,
                 void (*row)(void *ctx, const char *path,
                             const struct setting *r),
                 void *ctx);

/* The values in force as YAML, secrets masked. */
void schema_show(const struct section *s, const void *target, unsigned indent,
                 struct buf *out);

/* Calls back with the path of each `restart` row whose value differs. */
void schema_changed(const struct section *s, const void *was, const void *now,
                    void (*row)(void *ctx, const char *path), void *ctx);

/* What a row wants, for people: "a size such as 32MB". */
void schema_wanted(const struct setting *r, struct buf *out);

#endif
