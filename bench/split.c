/* SPDX-License-Identifier: Apache-2.0 */
/* weir bench split: parts of a dataset that share no question, so that what
 * a router was trained on is never what it is judged by. */
#include "bench/modes.h"

#include "base/args.h"
#include "base/rng.h"
#include "datasets/dataset.h"
#include "features/features.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 16, ROW_ARENA_MAX = 256 << 20 };

struct options {
    struct arg_list data, parts; /* parts: FILE=SHARE */
    const char *arms;
    uint64_t seed;
    bool json;
};

struct share {
    char path[512];
    double upto; /* sum of the shares up to this one */
    struct dataset_writer *to;
    uint64_t rows;
};

struct splitter {
    struct options o;
    struct share part[PARTS_MAX];
    unsigned n_parts;
    uint64_t read, left_out;
    struct arena arena;
    struct features_scratch *scratch; /* (owned) */
    struct vec *vec;                  /* (owned) */
    struct dataset_row *row;          /* (owned) */
};

static bool add_part(struct splitter *s, const char *text, struct err *e)
{
    struct share *p = &s->part[s->n_parts];
    const char *eq = strrchr(text, '=');
    double share;

    if (s->n_parts == PARTS_MAX)
        return err_set(e, ERR_USAGE, "--part: wanted at most %d", PARTS_MAX);
    if (!eq || eq == text || !span_double(span_of(eq + 1), &share) ||
        share <= 0 || share > 1 ||
        !span_copy(p->path, sizeof p->path,
                   (struct span){text, (size_t)(eq - text)}))
        return err_set(e, ERR_USAGE,
                       "--part: wanted FILE=SHARE with a share above 0 and "
                       "up to 1, found '%s'",
                       text);
    p->upto = share + (s->n_parts ? s->part[s->n_parts - 1].upto : 0);
    if (p->upto > 1 + 1e-9)
        return err_set(e, ERR_USAGE,
                       "--part: the shares sum to %g, wanted at "
                       "most 1",
                       p->upto);
    s->n_parts++;
    return true;
}

/* Keeps the outcomes of the wanted arms; false when one is not there. */
static bool keep_arms(struct splitter *s)
{
    struct span rest = span_of(s->o.arms);
    struct dataset_row *row = s->row;
    uint32_t kept = 0, wanted = 0;

    while (s->o.arms && rest.ptr) {
        struct span name = span_trim(span_cut(&rest, ','));

        if (name.len == 0)
            continue;
        wanted++;
        for (uint32_t i = kept; i < row->n_outcomes; i++) {
            struct outcome o = row->outcomes[i];

            if (!span_eq(o.arm, name) || !isfinite(o.score))
                continue;
            row->outcomes[i] = row->outcomes[kept];
            row->outcomes[kept++] = o;
            break;
        }
    }
    if (s->o.arms)
        row->n_outcomes = kept;
    return kept == wanted;
}

static bool place_row(struct splitter *s, struct err *e)
{
    struct request r;
    struct facts facts;
    double u;

    s->read++;
    arena_reset(&s->arena);
    if (!request_from_parts((struct request_pieces){s->row->messages,
                                                    s->row->tools,
                                                    s->row->params},
                            &s->arena, &r, e))
        return err_wrap(e, "row %llu", (unsigned long long)s->row->line);
    features_extract(&r, s->scratch, s->vec, &facts);
    u = (double)(rng_mix(s->o.seed, facts.stem_hash) >> 11) * 0x1p-53;
    if (!keep_arms(s) || u >= s->part[s->n_parts - 1].upto) {
        s->left_out++;
        return true;
    }
    for (unsigned i = 0; i < s->n_parts; i++) {
        if (u < s->part[i].upto) {
            s->part[i].rows++;
            return dataset_write(s->part[i].to, s->row, e);
        }
    }
    return true;
}

static bool read_file(struct splitter *s, const char *path, struct err *e)
{
    struct dataset *d = dataset_open(path, (struct dataset_options){false}, e);
    bool ok = d != NULL;
    int got = 0;

    while (ok && (got = dataset_next(d, s->row, e)) == 1)
        ok = place_row(s, e) || err_wrap(e, "%s", path);
    dataset_close(d);
    return ok && got == 0;
}

static bool finish(struct splitter *s, struct err *e)
{
    for (unsigned i = 0; i < s->n_parts; i++) {
        struct dataset_writer *to = s->part[i].to;

        s->part[i].to = NULL;
        if (!dataset_finish(to, e))
            return false;
    }
    return true;
}

static bool run(struct splitter *s, struct err *e)
{
    bool ok = true;

    if (s->o.data.n == 0 || s->o.parts.n == 0)
        return err_set(e, ERR_USAGE,
                       "wanted --data and --part, found %u and "
                       "%u of them",
                       s->o.data.n, s->o.parts.n);
    for (unsigned i = 0; ok && i < s->o.parts.n; i++)
        ok = add_part(s, s->o.parts.at[i], e);
    for (unsigned i = 0; ok && i < s->n_parts; i++)
        ok = (s->part[i].to = dataset_create(s->part[i].path, e)) != NULL;
    s->scratch = features_scratch_new();
    s->vec = malloc(sizeof *s->vec);
    s->row = malloc(sizeof *s->row);
    arena_init(&s->arena, ROW_ARENA_MAX);
    if (ok && (!s->scratch || !s->vec || !s->row))
        ok = err_set(e, ERR_MEMORY, "no memory");
    for (unsigned i = 0; ok && i < s->o.data.n; i++)
        ok = read_file(s, s->o.data.at[i], e);
    ok = ok && finish(s, e);
    for (unsigned i = 0; i < s->n_parts; i++)
        dataset_abandon(s->part[i].to);
    features_scratch_free(s->scratch);
    free(s->vec);
    free(s->row);
    arena_free(&s->arena);
    return ok;
}

static void show(const struct splitter *s)
{
    if (s->o.json) {
        printf("{\"read\":%llu,\"left_out\":%llu,\"parts\":[",
               (unsigned long long)s->read, (unsigned long long)s->left_out);
        for (unsigned i = 0; i < s->n_parts; i++)
            printf("%s%llu", i ? "," : "", (unsigned long long)s->part[i].rows);
        puts("]}");
        return;
    }
    for (unsigned i = 0; i < s->n_parts; i++)
        printf("%8llu rows  %s\n", (unsigned long long)s->part[i].rows,
               s->part[i].path);
    printf("%8llu rows  left out\n", (unsigned long long)s->left_out);
}

int bench_split(int argc, char **argv)
{
    struct splitter s = {.o = {.seed = 1}};
    const struct arg list[] = {
        {"data", ARG_LIST, &s.o.data, "F", "labelled dataset; may be repeated"},
        {"part", ARG_LIST, &s.o.parts, "F=P",
         "a part's file and its share of the questions; may be repeated"},
        {"arms", ARG_TEXT, &s.o.arms, "A,B",
         "keep these arms' outcomes, and the rows that have them all"},
        {"seed", ARG_U64, &s.o.seed, "N", "which question goes where [1]"},
        {"json", ARG_FLAG, &s.o.json, NULL, "print JSON"},
    };
    const struct args a = {
        "bench split", "--data F... --part F=SHARE... [options]",
        "Deals the rows of datasets into parts.  Rows that ask the same go "
        "to the same part.",
        list, sizeof list / sizeof list[0]};
    struct err e;
    int first = 0;
    enum args_end end = args_parse(&a, argc, argv, &first, &e);

    if (end == ARGS_HELP)
        return 0;
    if (end == ARGS_OK && run(&s, &e)) {
        show(&s);
        return 0;
    }
    fprintf(stderr, "weir bench split: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
