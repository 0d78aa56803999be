/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importers: other programs' files -> rows of a dataset.  An importer reads
 * one input and hands each row to import_row(); this module counts, names
 * the place in errors, and does what importers have in common.
 */
#ifndef WEIR_DATASETS_IMPORT_H
#define WEIR_DATASETS_IMPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "datasets/dataset.h"

struct source;

struct import_options {
    const char *task; /* for every row, NULL: what the importer knows */
    const char *arm;  /* where the input names no model; NULL: an error */
    bool skip_bad;    /* count malformed rows instead of failing */
    struct dataset_options log; /* since, until, route: from a weir log */
};

struct import_counts {
    uint64_t rows;       /* written */
    uint64_t unlabelled; /* of them: no outcome has a score */
    uint64_t bad;        /* malformed, left out by skip_bad */
    uint64_t left_out;   /* sound, but of no use: left_why */
};

struct import {
    struct import_options opt;
    struct import_counts count;
    struct dataset_writer *out; /* (borrowed) */
    const char *path;           /* (borrowed) the input being read */
    const char *const *paths;   /* (borrowed) [n_paths] all inputs */
    size_t n_paths;
    char first_bad[512]; /* the first malformed row's message */
    char left_why[128];  /* why the first one was left out */
    struct arena arena;  /* texts of the row */
    struct buf buf;      /* JSON made for the row */
    struct dataset_row row;
    void *state; /* (owned) the importer's, between inputs */
    void (*free_state)(void *state);
    /* Called now and then with the share of the input read; may be NULL. */
    void (*progress)(void *ctx, double done);
    void *ctx;
};

struct import_format {
    const char *name;                               /* --from */
    bool (*read)(struct import *im, struct err *e); /* im->path */
    const char *about;
};

extern const struct import_format import_formats[];
extern const size_t import_formats_n;

/* All inputs, in order, into the writer. */
MUST_USE bool import_run(struct import *im, const struct import_format *f,
                         struct err *e);
void import_free(struct import *im);

/* ---- for importers ---- */

/* Forgets the row before: clears im->row, the arena and the buffer. */
void import_begin(struct import *im);
/* A further outcome of the row, all unknown; NULL with e when there are too
 * many or the arm is there already. */
struct outcome *import_outcome(struct import *im, struct span arm,
                               struct err *e);
/* Sets row.id to "prefix/text" or, without text, "prefix/number". */
bool import_id(struct import *im, struct span prefix, struct span text,
               uint64_t number);
/* Sets row.messages to one user message for each text. */
bool import_prompt(struct import *im, const struct span *texts, size_t n);
/* Writes the row. */
MUST_USE bool import_row(struct import *im, struct err *e);
/* The row of `line` is malformed, e says why (the place is put before it
 * here): false when that ends the import. */
bool import_bad(struct import *im, uint64_t line, struct err *e);
void import_leave(struct import *im, const char *why);
void import_tick(struct import *im, const struct source *src);

/* Takes messages, tools and parameters from the body of an OpenAI chat
 * request; false where it has no messages. */
bool import_request(struct import *im, const struct json *body);
/* Model and usage of a chat completion into the outcome's numbers; *arm: the
 * model's name, or as it was. */
void import_usage(const struct json *completion, struct outcome *o);

/* The file's name without folder and endings (.csv, .jsonl, .json, .gz). */
struct span import_stem(const char *path);
/* "2026-05-01 12:00:00.5+00" too; -1 where it is no time. */
int64_t import_time(struct span text);
/* Estimated tokens of a text: a quarter of its bytes, rounded up. */
double import_tokens(struct span text);

/* One importer a file. */
bool import_routellm(struct import *im, struct err *e);
bool import_routerbench(struct import *im, struct err *e);
bool import_openai(struct import *im, struct err *e);
bool import_litellm(struct import *im, struct err *e);
bool import_dataset(struct import *im, struct err *e);

#endif
