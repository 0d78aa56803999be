/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir bench decision: what one routing decision costs.  Timed are the
 * features, the prediction of every head and the policy's choice; the
 * request has been read before, as the router has by then.  The runs:
 *   repeated   the same prompt again and again: the best case
 *   varied     a different prompt each time, as a busy server sees them
 *   cold       the same, with the caches flushed before each decision
 *   1 MB       a long prompt
 *   full       varied, and all that a server does for a decision
 *              (bench/served.h): not with a classifier of somebody's own
 */
#include "bench/modes.h"

#include "base/args.h"
#include "base/clock.h"
#include "bench/made_classifier.h"
#include "bench/report.h"
#include "bench/served.h"
#include "bench/words.h"
#include "datasets/dataset.h"
#include "features/features.h"
#include "models/choose.h"
#include "models/classifier.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH = 64 << 20, /* bytes walked to empty the caches */
    CARD_MAX = 256 << 20,
    LONG_PROMPT = 1 << 20,
    LONG_RUNS = 200,
    COLD_RUNS = 1000,
};

struct options {
    struct arg_list data;
    const char *classifier, *save;
    double filled;
    uint64_t arms, bits, tasks, bytes, prompts, runs, seed;
    bool json;
};

struct lab {
    struct options o;
    struct classifier *classifier;
    struct served *served; /* NULL: the run is left out */
    struct features_scratch *scratch;
    struct vec *vec;
    struct prediction *prediction;
    struct arena arena;     /* of the requests */
    struct request *prompt; /* (owned) [prompts] */
    size_t n;
    struct request long_prompt;
    char *flush; /* (owned) [FLUSH] */
    volatile unsigned sink;
    unsigned long (*allocations)(void); /* NULL: not counted */
};

struct timing {
    double total[3]; /* p50, p99, max; microseconds */
    double parts[3]; /* p50: features, heads, policy; or what of a full one
                        was for deciding, writing, noting */
    unsigned long allocations;
    size_t n;
};

/* ---- prompts ---- */

static bool add_prompt(struct lab *l, struct span text, struct request *out,
                       struct err *e)
{
    struct buf b;
    struct span messages;
    bool ok;

    buf_init(&b, text.len * 6 + 1024);
    buf_str(&b, "[{\"role\":\"system\",\"content\":\"You are a helpful "
                "assistant.\"},{\"role\":\"user\",\"content\":");
    buf_json_str(&b, text);
    buf_str(&b, "}]");
    messages = arena_copy(&l->arena, buf_view(&b));
    buf_free(&b);
    ok = messages.len > 0 || err_set(e, ERR_MEMORY, "no memory for prompts");
    return ok &&
           request_from_parts((struct request_pieces){.messages = messages},
                              &l->arena, out, e);
}

static bool made_prompt(struct lab *l, uint64_t seed, size_t bytes,
                        struct request *out, struct err *e)
{
    struct buf b;
    bool ok;

    buf_init(&b, bytes + 1);
    words_write(&b, seed, bytes);
    ok = add_prompt(l, buf_view(&b), out, e);
    buf_free(&b);
    return ok;
}

/* The last message's text; "" when it is not plain. */
static struct span content_of(struct span messages)
{
    struct json list, one, content = {.type = JSON_NONE};
    struct json_iter it;
    struct err e;

    if (!json_parse(messages, &list, &e))
        return (struct span){NULL, 0};
    it = json_begin(&list);
    while (json_next(&it, NULL, &one))
        content = json_get(&one, "content");
    return content.type == JSON_STRING ? json_inner(&content)
                                       : (struct span){NULL, 0};
}

/* Rows' texts one behind the other until a prompt is full. */
static bool read_prompts(struct lab *l, const char *path, struct buf *text,
                         struct err *e)
{
    struct dataset *d = dataset_open(path, (struct dataset_options){false}, e);
    struct dataset_row *row = malloc(sizeof *row);
    bool ok = d && row;
    int got = 0;

    while (ok && l->n < l->o.prompts && (got = dataset_next(d, row, e)) == 1) {
        struct span inner = content_of(row->messages);
        size_t room = (size_t)l->o.bytes - text->len;
        char *at = buf_room(text, room);

        if (!at)
            break;
        text->len += json_unescape(inner, at, room);
        buf_char(text, ' ');
        if (text->len < (size_t)l->o.bytes)
            continue;
        ok = add_prompt(l, buf_view(text), &l->prompt[l->n++], e);
        buf_reset(text);
    }
    dataset_close(d);
    free(row);
    return ok && got >= 0;
}

static bool make_prompts(struct lab *l, struct err *e)
{
    struct buf text;
    bool ok = true;

    l->prompt = calloc((size_t)l->o.prompts, sizeof *l->prompt);
    if (!l->prompt)
        return err_set(e, ERR_MEMORY, "no memory for prompts");
    buf_init(&text, (size_t)l->o.bytes + 16);
    for (unsigned i = 0; ok && i < l->o.data.n; i++)
        ok = read_prompts(l, l->o.data.at[i], &text, e);
    buf_free(&text);
    while (ok && l->n < l->o.prompts) {
        ok = made_prompt(l, l->o.seed + l->n, (size_t)l->o.bytes,
                         &l->prompt[l->n], e);
        l->n += ok;
    }
    return ok && made_prompt(l, l->o.seed, LONG_PROMPT, &l->long_prompt, e);
}

/* ---- one decision ---- */

struct moments {
    uint64_t begin, features, heads, end; /* ns */
};

static void decide_once(struct lab *l, const struct request *r,
                        struct moments *at)
{
    struct candidate arms[CLASSIFIER_ARMS_MAX];
    struct facts facts;
    int chosen;

    at->begin = clock_ns();
    features_extract(r, l->scratch, l->vec, &facts);
    at->features = clock_ns();
    classifier_predict(l->classifier, l->vec, -1, l->prediction);
    at->heads = clock_ns();
    for (uint32_t i = 0; i < l->prediction->n_arms; i++)
        arms[i] = (struct candidate){
            l->prediction->quality[i],
            (facts.input_tokens + 4.0 * l->prediction->tokens[i]) * 1e-7 *
                (i + 1),
            true};
    chosen = choose_by_price(arms, l->prediction->n_arms, 50);
    at->end = clock_ns();
    l->sink += (unsigned)chosen;
}

static void flush_caches(struct lab *l)
{
    for (size_t i = 0; i < FLUSH; i += 64)
        l->flush[i]++;
}

enum run_kind { REPEATED, VARIED, COLD, LONG, FULL, RUN_KINDS };

static const struct request *pick(const struct lab *l, enum run_kind kind,
                                  size_t i)
{
    if (kind == LONG)
        return &l->long_prompt;
    return &l->prompt[kind == REPEATED ? 0 : i % l->n];
}

static void decide_fully(struct lab *l, const struct request *r,
                         struct moments *at)
{
    struct served_moments m;

    served_ask(l->served, r, &m);
    *at = (struct moments){m.begin, m.decided, m.written, m.end};
}

/* values: [4][n] microseconds: total and its three parts. */
static void time_run(struct lab *l, enum run_kind kind, size_t n,
                     double *values)
{
    for (size_t i = 0; i < n; i++) {
        struct moments at;

        if (kind == COLD)
            flush_caches(l);
        if (kind == FULL)
            decide_fully(l, pick(l, kind, i), &at);
        else
            decide_once(l, pick(l, kind, i), &at);
        values[i] = (double)(at.end - at.begin) * 1e-3;
        values[n + i] = (double)(at.features - at.begin) * 1e-3;
        values[2 * n + i] = (double)(at.heads - at.features) * 1e-3;
        values[3 * n + i] = (double)(at.end - at.heads) * 1e-3;
    }
}

static bool measure(struct lab *l, enum run_kind kind, struct timing *t,
                    struct err *e)
{
    size_t n = kind == LONG                            ? LONG_RUNS
               : kind == COLD && l->o.runs > COLD_RUNS ? COLD_RUNS
                                                       : (size_t)l->o.runs;
    double *values = calloc(4 * n, sizeof *values);
    unsigned long before;

    if (!values)
        return err_set(e, ERR_MEMORY, "no memory");
    if (kind != COLD)
        time_run(l, kind, n / 4 + 1, values);
    before = l->allocations ? l->allocations() : 0;
    time_run(l, kind, n, values);
    t->allocations = l->allocations ? l->allocations() - before : 0;
    t->n = n;
    t->total[0] = report_quantile(values, n, 0.5);
    t->total[1] = report_quantile(values, n, 0.99);
    t->total[2] = report_quantile(values, n, 1);
    for (unsigned i = 0; i < 3; i++)
        t->parts[i] = report_quantile(values + (i + 1) * n, n, 0.5);
    free(values);
    return true;
}

/* ---- making ready ---- */

static bool save(const struct lab *l, const struct buf *file, struct err *e)
{
    FILE *f = l->o.save ? fopen(l->o.save, "wb") : NULL;
    bool ok;

    if (!l->o.save)
        return true;
    if (!f)
        return err_sys(e, "%s", l->o.save);
    ok = fwrite(file->ptr, 1, file->len, f) == file->len;
    return (fclose(f) == 0 && ok) || err_sys(e, "%s", l->o.save);
}

static bool make_classifier(struct lab *l, struct err *e)
{
    struct made_size size = {.arms = (uint32_t)l->o.arms,
                             .tasks = (uint32_t)l->o.tasks,
                             .bits = (uint32_t)l->o.bits,
                             .filled = l->o.filled,
                             .seed = l->o.seed};
    struct buf file;
    bool ok;

    if (l->o.classifier) {
        l->classifier = classifier_open(l->o.classifier, FEATURES_VERSION, e);
        return l->classifier != NULL;
    }
    while (features_dense_name(size.dense))
        size.dense++;
    buf_init(&file, CARD_MAX);
    ok =
        made_classifier(&size, FEATURES_VERSION, &file, e) && save(l, &file, e);
    if (ok)
        l->classifier = classifier_from(buf_view(&file), FEATURES_VERSION, e);
    buf_free(&file);
    if (l->classifier)
        l->served = served_new(&size, e);
    return ok && l->classifier && l->served;
}

static bool make_ready(struct lab *l, struct err *e)
{
    void *count = dlsym(RTLD_DEFAULT, "count_malloc_calls");

    memcpy(&l->allocations, &count, sizeof count);
    arena_init(&l->arena, (size_t)2 << 30);
    l->scratch = features_scratch_new();
    l->vec = malloc(sizeof *l->vec);
    l->prediction = calloc(1, sizeof *l->prediction);
    l->flush = calloc(1, FLUSH);
    if (!l->scratch || !l->vec || !l->prediction || !l->flush)
        return err_set(e, ERR_MEMORY, "no memory");
    return make_classifier(l, e) && make_prompts(l, e);
}

static void lab_free(struct lab *l)
{
    classifier_close(l->classifier);
    served_free(l->served);
    features_scratch_free(l->scratch);
    free(l->vec);
    free(l->prediction);
    free(l->flush);
    free(l->prompt);
    arena_free(&l->arena);
}

/* ---- showing ---- */

static const char *const names[] = {"repeated", "varied", "cold", "1 MB",
                                    "full"};
static const char *const parts[] = {"features", "heads", "policy"};
static const char *const full_parts[] = {"decided", "written", "noted"};

static unsigned kinds(const struct lab *l)
{
    return l->served ? RUN_KINDS : FULL;
}

static void show_json(const struct lab *l, const struct timing *t)
{
    printf("{\"arms\":%u,\"tasks\":%u,\"bytes\":%llu,\"prompts\":%zu,"
           "\"allocations_counted\":%s",
           classifier_n_arms(l->classifier), classifier_n_tasks(l->classifier),
           (unsigned long long)l->o.bytes, l->n,
           l->allocations ? "true" : "false");
    for (unsigned i = 0; i < kinds(l); i++) {
        printf(",\"%s\":{\"n\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,"
               "\"max_us\":%.2f",
               names[i], t[i].n, t[i].total[0], t[i].total[1], t[i].total[2]);
        for (unsigned k = 0; k < 3; k++)
            printf(",\"%s_us\":%.2f", (i == FULL ? full_parts : parts)[k],
                   t[i].parts[k]);
        printf(",\"allocations\":%lu}", t[i].allocations);
    }
    puts("}");
}

static void show_head(const char *const *what)
{
    printf("%-10s %8s %8s %8s %8s   %8s %8s %8s  %s\n", "", "n", "median",
           "p99", "max", what[0], what[1], what[2], "allocations");
}

static void show_row(const struct lab *l, enum run_kind kind,
                     const struct timing *t)
{
    printf("%-10s %8zu %8.1f %8.1f %8.1f   %8.1f %8.1f %8.2f  ", names[kind],
           t->n, t->total[0], t->total[1], t->total[2], t->parts[0],
           t->parts[1], t->parts[2]);
    if (l->allocations)
        printf("%lu\n", t->allocations);
    else
        puts("not counted");
}

/* What the full decisions were, so that the row can be judged. */
static void show_full(const struct lab *l, const struct timing *t)
{
    struct served_counts c = served_counts(l->served);
    double n = (double)c.asked / 100;

    puts("");
    show_head(full_parts);
    show_row(l, FULL, t);
    printf(
        "  6 models, 2 plans, 5 rules, conversations, explore 0.02 under a "
        "budget, out of domain; of the\n  decisions %.1f %% by the promise, "
        "%.1f %% by a rule, %.1f %% explored, %.1f %% to a plan, %.1f %% with "
        "a\n  conversation known; of %.1f %% the promise holds; the last "
        "one's row has %zu bytes (wanted: a median of 35)\n",
        (double)c.by_level / n, (double)c.by_rule / n, (double)c.explored / n,
        (double)c.plans / n, (double)c.known / n, (double)c.held / n, c.bytes);
}

static void show_text(const struct lab *l, const struct timing *t)
{
    const struct weights *w = classifier_weights(l->classifier);

    printf("one decision, %llu-byte prompts (%zu different), %u arms, %u "
           "tasks, 2^%u buckets, %u rows; microseconds\n\n",
           (unsigned long long)l->o.bytes, l->n, w->n_arms, w->n_tasks, w->bits,
           w->n_rows);
    show_head(parts);
    for (unsigned i = 0; i < FULL; i++)
        show_row(l, (enum run_kind)i, &t[i]);
    if (l->served)
        show_full(l, &t[FULL]);
}

static bool run(struct lab *l, struct err *e)
{
    struct timing t[RUN_KINDS];

    if (l->o.arms < 1 || l->o.arms > CLASSIFIER_ARMS_MAX || l->o.tasks < 1 ||
        l->o.tasks > CLASSIFIER_TASKS_MAX || l->o.bits < WEIGHTS_BITS_MIN ||
        l->o.bits > WEIGHTS_BITS_MAX)
        return err_set(e, ERR_USAGE,
                       "wanted --arms 1 to %d, --tasks 1 to %d, --bits %d to "
                       "%d",
                       CLASSIFIER_ARMS_MAX, CLASSIFIER_TASKS_MAX,
                       WEIGHTS_BITS_MIN, WEIGHTS_BITS_MAX);
    if (l->o.bytes < 16 || l->o.bytes > LONG_PROMPT || l->o.prompts < 1 ||
        l->o.prompts > 100000 || l->o.runs < 100 || l->o.runs > 10000000)
        return err_set(e, ERR_USAGE,
                       "wanted --bytes 16 to %d, --prompts 1 to "
                       "100000, --runs 100 to 10000000",
                       LONG_PROMPT);
    if (!make_ready(l, e))
        return false;
    for (unsigned i = 0; i < kinds(l); i++) {
        if (!measure(l, (enum run_kind)i, &t[i], e))
            return false;
    }
    if (l->o.json)
        show_json(l, t);
    else
        show_text(l, t);
    return true;
}

/* long: a table of options. */
int bench_decision(int argc, char **argv)
{
    struct lab l = {.o = {.arms = 8,
                          .filled = 0.75,
                          .bits = 18,
                          .tasks = 20,
                          .bytes = 2048,
                          .prompts = 4000,
                          .runs = 20000,
                          .seed = 1}};
    const struct arg list[] = {
        {"data", ARG_LIST, &l.o.data, "F",
         "prompts from this dataset's texts; may be repeated [made up]"},
        {"classifier", ARG_TEXT, &l.o.classifier, "F.weir",
         "instead of a made-up one"},
        {"save", ARG_TEXT, &l.o.save, "F.weir",
         "write the made-up one: arms arm0, arm1, ..."},
        {"arms", ARG_U64, &l.o.arms, "N", "of the made-up classifier [8]"},
        {"bits", ARG_U64, &l.o.bits, "N", "of its hash space [18]"},
        {"filled", ARG_REAL, &l.o.filled, "P",
         "share of its buckets with a row [0.75]"},
        {"tasks", ARG_U64, &l.o.tasks, "N", "of it [20]"},
        {"bytes", ARG_U64, &l.o.bytes, "N", "of each prompt [2048]"},
        {"prompts", ARG_U64, &l.o.prompts, "N", "different ones [4000]"},
        {"runs", ARG_U64, &l.o.runs, "N", "decisions timed [20000]"},
        {"seed", ARG_U64, &l.o.seed, "N", "of prompts and weights [1]"},
        {"json", ARG_FLAG, &l.o.json, NULL, "print JSON"},
    };
    const struct args a = {
        "bench decision", "[options]",
        "Times one routing decision: features, all heads, policy; and all that "
        "a server does for it.",
        list, sizeof list / sizeof list[0]};
    struct err e;
    int first = 0;
    enum args_end end = args_parse(&a, argc, argv, &first, &e);
    bool ok = end == ARGS_OK && run(&l, &e);

    lab_free(&l);
    if (end == ARGS_HELP || ok)
        return 0;
    fprintf(stderr, "weir bench decision: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
