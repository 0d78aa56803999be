/* SPDX-License-Identifier: Apache-2.0 */
/* A labelled dataset as a book of answers: (stem, model) -> answer. */
#include "bench/mock.h"

#include "datasets/dataset.h"
#include "features/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = DATASET_OUTCOMES_MAX };

struct entry {
    uint64_t key; /* stem and model */
    struct mock_played played;
};

struct mock_book {
    struct entry *entries; /* (owned) sorted by key */
    size_t n, cap, rows;
    struct arena texts;
    char *models[MODELS_MAX]; /* (texts) */
    size_t n_models;
};

static uint64_t key_of(uint64_t stem, struct span model)
{
    return span_hash(model, stem);
}

static void note_model(struct mock_book *b, struct span name)
{
    for (size_t i = 0; i < b->n_models; i++) {
        if (span_is(name, b->models[i]))
            return;
    }
    if (b->n_models < MODELS_MAX)
        b->models[b->n_models++] = arena_strdup(&b->texts, name);
}

static bool add(struct mock_book *b, uint64_t stem, const struct outcome *o)
{
    struct entry *at;

    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 1024;
        struct entry *grown = realloc(b->entries, cap * sizeof *grown);

        if (!grown)
            return false;
        b->entries = grown;
        b->cap = cap;
    }
    at = &b->entries[b->n++];
    at->key = key_of(stem, o->arm);
    at->played = (struct mock_played){
        .answer = arena_copy(&b->texts, o->answer),
        .input_tokens = o->input_tokens,
        .output_tokens = o->output_tokens,
        .score = o->score,
    };
    note_model(b, o->arm);
    return true;
}

struct reading {
    struct arena arena; /* of one row */
    struct features_scratch *scratch;
    struct vec vec;
};

static bool add_row(struct mock_book *b, struct reading *rd,
                    const struct dataset_row *row, struct err *e)
{
    struct request r;
    struct facts facts;

    arena_reset(&rd->arena);
    if (!request_from_parts(
            (struct request_pieces){row->messages, row->tools, row->params},
            &rd->arena, &r, e))
        return err_wrap(e, "row %llu", (unsigned long long)row->line);
    features_extract(&r, rd->scratch, &rd->vec, &facts);
    for (uint32_t i = 0; i < row->n_outcomes; i++) {
        if (!add(b, facts.stem_hash, &row->outcomes[i]))
            return err_set(e, ERR_MEMORY, "no memory for the answers");
    }
    b->rows++;
    return true;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct entry *)a)->key;
    uint64_t y = ((const struct entry *)b)->key;

    return (x > y) - (x < y);
}

static bool read_all(struct mock_book *b, struct dataset *d, struct err *e)
{
    struct reading *rd = calloc(1, sizeof *rd);
    struct dataset_row *row = malloc(sizeof *row);
    bool ok = rd && row;
    int got = 0;

    if (ok)
        rd->scratch = features_scratch_new();
    if (!ok || !rd->scratch) {
        ok = err_set(e, ERR_MEMORY, "no memory");
        goto out;
    }
    arena_init(&rd->arena, (size_t)64 << 20);
    while (ok && (got = dataset_next(d, row, e)) == 1)
        ok = add_row(b, rd, row, e);
    ok = ok && got == 0;
    arena_free(&rd->arena);
out:
    if (rd)
        features_scratch_free(rd->scratch);
    free(rd);
    free(row);
    return ok;
}

struct mock_book *mock_book_open(const char *path, struct err *e)
{
    struct dataset *d = dataset_open(path, (struct dataset_options){false}, e);
    struct mock_book *b;
    bool ok;

    if (!d)
        return NULL;
    b = calloc(1, sizeof *b);
    ok = b || err_set(e, ERR_MEMORY, "%s: no memory", path);
    if (ok) {
        arena_init(&b->texts, (size_t)1 << 30);
        ok = read_all(b, d, e) || err_wrap(e, "%s", path);
    }
    dataset_close(d);
    if (!ok) {
        mock_book_free(b);
        return NULL;
    }
    qsort(b->entries, b->n, sizeof *b->entries, by_key);
    return b;
}

void mock_book_free(struct mock_book *b)
{
    if (!b)
        return;
    arena_free(&b->texts);
    free(b->entries);
    free(b);
}

bool mock_book_find(const struct mock_book *b, uint64_t stem, struct span model,
                    struct mock_played *out)
{
    struct entry want = {.key = key_of(stem, model)};
    const struct entry *got =
        b->n ? bsearch(&want, b->entries, b->n, sizeof want, by_key) : NULL;

    if (got)
        *out = got->played;
    return got != NULL;
}

size_t mock_book_rows(const struct mock_book *b)
{
    return b->rows;
}

const char *mock_book_model(const struct mock_book *b, size_t i)
{
    return i < b->n_models ? b->models[i] : NULL;
}
