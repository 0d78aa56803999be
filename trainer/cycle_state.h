/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a classifier's cycle stands: F.weir.cycle, one JSON object, replaced
 * by rename.  The same object stands in each line that the cycle writes into
 * the journal, before anything is done; so whoever was killed in between is
 * known by a journal that is ahead of the file.
 */
#ifndef WEIR_TRAINER_CYCLE_STATE_H
#define WEIR_TRAINER_CYCLE_STATE_H

#include "base/buf.h"
#include "base/err.h"
#include "models/weights.h"

enum cycle_stage {
    CYCLE_IDLE,   /* collects labels */
    CYCLE_GATE,   /* a challenger is trained and must show that it is better */
    CYCLE_SHADOW, /* the same on requests that came after its training */
    CYCLE_CANARY, /* it serves a share of the sessions */
    CYCLE_WATCH,  /* it serves all, the one before is kept at hand */
    CYCLE_STAGES,
};

enum { CYCLE_ID = 24 };

/* An arm's outcomes before this are of another model: it has changed. */
struct cycle_since {
    char arm[64];
    int64_t ms;
};

struct cycle_state {
    uint64_t seq; /* of the journal's line */
    enum cycle_stage stage;
    int64_t since_ms; /* this stage began: rows that count are newer */
    int64_t last_ms;  /* the last training was begun; labels since are new */
    int64_t cut_ms;   /* the challenger has seen rows before this only */
    int64_t watch_ms; /* residuals are counted from here */
    int64_t alarm_ms; /* the challenger was trained for an alarm then; else 0 */
    int64_t looks;    /* at the challenger so far, in the gate */
    int64_t look_at;  /* labels of the log that the next one waits for */
    double price;     /* that the gate gave the challenger's levels of at
                         least `priced`; NAN: its own */
    double priced;
    char running[CYCLE_ID];    /* id of the classifier in place; "": none */
    char challenger[CYCLE_ID]; /* "": there is none */
    char before[CYCLE_ID];     /* that a rollback brings back; "": none */
    double before_quality;     /* mean label under it; NAN: not known */
    struct cycle_since arms[CLASSIFIER_ARMS_MAX];
    uint32_t n_arms;
};

const char *cycle_stage_name(enum cycle_stage s);
void cycle_state_begin(struct cycle_state *s); /* idle, nothing known */
/* One more arm that has changed, or again. */
void cycle_state_changed(struct cycle_state *s, const char *arm, int64_t ms);
void cycle_state_json(const struct cycle_state *s, struct buf *out);
MUST_USE bool cycle_state_parse(struct span text, struct cycle_state *s,
                                struct err *e);
/* The file beside the classifier; a missing one is the beginning. */
MUST_USE bool cycle_state_read(const char *model, struct cycle_state *s,
                               struct err *e);
MUST_USE bool cycle_state_write(const char *model, const struct cycle_state *s,
                                struct err *e);
/* The newest state that the journal holds; seq 0: none. */
MUST_USE bool cycle_state_journalled(const char *model, struct cycle_state *s,
                                     struct err *e);

#endif
