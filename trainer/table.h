/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A labelled dataset in memory, ready for training: feature vectors and the
 * outcomes of each arm, column by column.  Read once; rows are chosen by
 * index lists, so folds cost nothing.
 *
 * Rows that ask the same (equal normalised last user message and system
 * prompt; in conversations also the same session and depth; without text the
 * same features) are one row: the first one's outcomes, and from later ones
 * the arms that it lacks.  `session` is the session where rows have one, else
 * the conversation or the stem; `group` joins these where they ask the same
 * (trainer/table_group.h): no group is ever split between folds.
 */
#ifndef WEIR_TRAINER_TABLE_H
#define WEIR_TRAINER_TABLE_H

#include "base/err.h"
#include "base/vec.h"
#include "models/plan_form.h"
#include "models/weights.h"

#define TABLE_NO_TASK UINT32_MAX

enum { TABLE_QUESTIONS = 2 }; /* keys of a row's question: text, features */

/* What an arm is there for. */
enum table_role {
    TABLE_CHOICE,    /* may be chosen: a model, or a plan of several */
    TABLE_MEMBER,    /* a model that only plans ask */
    TABLE_ESCALATES, /* no arm: score 1 where a plan needed its `else` */
};

struct table_arm {
    char *name; /* (owned) */
    enum table_role role;
    float *score;          /* [n] in [0,1], NAN: no label */
    float *trust;          /* [n] confidence in the score, NAN: not said: 1 */
    uint8_t *second;       /* [n] 1: the score is second-hand, a judge's */
    float *beside;         /* [n] beside a score that is not: a judge's; NAN */
    float *soft;           /* [n] by signals, where there is no score; NAN */
    float *cost;           /* [n] USD, NAN: not known */
    float *input_tokens;   /* [n] NAN: not known */
    float *output_tokens;  /* [n] NAN: not known */
    float *propensity;     /* [n] NAN: not from a log */
    float *latency_ms;     /* [n] NAN: not known */
    uint32_t *answer;      /* [n] hash of the normalised answer, 0: none */
    double price_in;       /* USD a token, NAN: not known */
    double price_out;      /* USD a token, NAN: not known */
    double price_each;     /* USD a request besides */
    size_t n_scores;       /* rows with a score */
    size_t assumed_tokens; /* rows whose output tokens were assumed */
};

/* A plan among the arms, by indices of arms. */
struct table_plan {
    uint32_t arm;       /* the plan itself */
    uint32_t escalates; /* so that the probability can be learned */
    uint32_t member[PLAN_FORM_MEMBERS];
    enum plan_form_kind kind;
    unsigned n_members;
};

struct table_file {
    char *path;      /* (owned) */
    char sha256[65]; /* of its contents; "" for standard input */
    uint64_t rows;   /* read and used */
    bool is_log;     /* of a server */
};

struct table {
    size_t n, cap; /* rows, and room for rows */
    uint32_t n_arms, n_tasks, n_files, n_plans;
    struct table_arm *arms;   /* (owned) [n_arms] */
    struct table_plan *plans; /* (owned) [n_plans] */
    struct plan_seen *seen;   /* (owned) [n_seen] trainer/plan_seen.h */
    uint32_t n_seen;
    char **tasks;             /* (owned) [n_tasks] names, by first use */
    struct table_file *files; /* (owned) [n_files] */
    uint32_t *task;           /* [n] index into tasks, TABLE_NO_TASK */
    uint64_t *group;          /* [n] what is never split */
    uint64_t *session;        /* [n] conversation or stem */
    uint64_t *question;       /* [n * TABLE_QUESTIONS] 0: not known */
    int64_t *time_ms;         /* [n] -1: not known */
    /* Feature vectors, rows one behind the other. */
    size_t *start;      /* [n + 1] first term of each row, words first */
    uint32_t *n_words;  /* [n] of them are words, the rest marks */
    struct term *terms; /* [start[n]] */
    size_t terms_cap;
    float *dense; /* [n * n_dense] */
    uint32_t n_dense;
    uint32_t features_version;
    float *est_input;       /* [n] estimated input tokens */
    float *mean_score;      /* [n] over all labelled outcomes of the row, also
                               those of arms that are not wanted; NAN: none */
    uint64_t bad_rows;      /* malformed, left out by skip_bad */
    uint64_t duplicates;    /* merged into an earlier row */
    uint64_t again;         /* rows that ask what another conversation did */
    uint64_t contradictory; /* labels against an earlier one, more than .5 */
    uint64_t soft;          /* answers with a soft score and no other */
    uint64_t unused;        /* rows without an outcome of any wanted arm */
    char first_bad[256];    /* message of the first bad row, or "" */
    struct table_index *index; /* (owned) keys of the rows */
};

struct plan_seen;
struct signals;
struct pricebook;
struct tiers;

struct table_options {
    const char *const *files; /* [n_files] */
    uint32_t n_files;
    const char *const *arms; /* [n_arms]; none: all that occur */
    uint32_t n_arms;
    /* Arms behind those that may lack outcomes: plans, which can be derived */
    const char *const *welcome; /* [n_welcome] */
    uint32_t n_welcome;
    /* Plans whose members are known beforehand, as plan_add takes them. */
    const char *const *plans; /* [n_plans] */
    uint32_t n_plans;
    const struct tiers *tiers;      /* models -> tier arms, or NULL */
    const struct pricebook *prices; /* or NULL */
    const struct signals *signals;  /* makes soft scores; or NULL */
    bool skip_bad;
    int64_t until_ms; /* only rows before; 0: all (also those without a time) */
    bool task_hint;   /* the row's task is given to the features as a hint */
    /* Rows that ask the same stay rows of their own, in groups of their own:
     * only to repeat figures that were made so. */
    bool keep_duplicates;
    void (*progress)(void *ctx, double done); /* may be NULL */
    void *ctx;
};

/*
 * Cost of an outcome: as given, else its tokens times the model's price.
 * Missing input tokens count as the estimate from the text, missing output
 * tokens as 1 (an answer of one letter: a lower bound; counted per arm in
 * assumed_tokens).  Fails where a wanted arm has no outcome in any row.
 */
MUST_USE struct table *table_load(const struct table_options *o, struct err *e);
void table_free(struct table *t); /* NULL: no-op */

int table_find_arm(const struct table *t, struct span name); /* -1 */
/* The plan that an arm is; NULL: it is none. */
const struct table_plan *table_plan_of(const struct table *t, uint32_t arm);
bool table_may_choose(const struct table *t, uint32_t arm);
/* Of the row's score: 1 where nothing is said of it. */
float table_trust(const struct table *t, uint32_t arm, size_t row);
/* The row's vector where it stands. */
struct weights_input table_row(const struct table *t, size_t row);
size_t table_bytes(const struct table *t); /* memory held, about */

/* Making tables: an empty one, then rows. */
struct table_outcome {
    uint32_t arm;
    double score, input_tokens, output_tokens, cost_usd, propensity; /* NAN */
    double confidence; /* in the score; not above 0 or NAN: not said */
    uint32_t answer;
    double latency_ms; /* not above 0: not known */
    bool has_soft, second, has_beside;
    double soft;   /* by signals, with has_soft */
    double beside; /* second-hand, beside a score that is not; has_beside */
};

struct table_new_row {
    const struct vec *vec;
    uint64_t key, group; /* key: rows of equal key are one; 0: never equal */
    uint64_t question[TABLE_QUESTIONS]; /* 0: not known */
    int64_t time_ms;
    struct span task; /* may be empty */
    double est_input;
    const double *mean_score; /* NULL: of the outcomes here */
    const struct table_outcome *outcomes;
    uint32_t n_outcomes;
};

MUST_USE struct table *table_new(struct err *e);
MUST_USE bool table_add(struct table *t, const struct table_new_row *r,
                        struct err *e);
/* A further arm without outcomes (for a plan: the caller fills the columns);
 * its index, or -1.  Pointers to arms before it become invalid. */
MUST_USE int table_add_arm(struct table *t, struct span name, struct err *e);

#endif
