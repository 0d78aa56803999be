/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the challenger better than what runs?  On requests that it has not
 * learnt from, by trainer/evidence.h.
 */
#ifndef WEIR_TRAINER_CYCLE_GATE_H
#define WEIR_TRAINER_CYCLE_GATE_H

#include "trainer/cycle_config.h"
#include "trainer/evidence.h"

enum gate_end {
    GATE_CHEAPER,   /* it keeps the promise and costs less: pass */
    GATE_BETTER,    /* its quality is higher: pass */
    GATE_KEEPS,     /* it keeps the promise, what runs does not: pass */
    GATE_LITTLE,    /* too little is known yet */
    GATE_UNDECIDED, /* neither better nor worse so far */
    GATE_BREAKS,    /* it breaks the promise */
    GATE_WORSE,     /* it costs more and is no better */
    GATE_SAME,      /* it chooses the same arms */
    GATE_ENDS,
};

struct gate {
    enum gate_end end;
    struct evidence found;
    double price;    /* of the level that was looked at; NAN: it has none */
    double given;    /* another that it is shown to keep the promise at; NAN */
    size_t rows;     /* requests that were looked at */
    size_t labelled; /* of them */
    double more;     /* further requests of this kind that it would take; NAN:
                        nobody knows */
    char why[400];   /* a sentence */
    struct gate_change {
        char arm[64]; /* "": none has */
        int64_t ms;   /* its outcomes were last as predicted */
        double by;    /* mean shortfall */
        uint64_t n;   /* labels */
    } changed;        /* an arm that is not any more what was learnt */
};

static inline bool gate_passes(const struct gate *g)
{
    return g->end == GATE_CHEAPER || g->end == GATE_BETTER ||
           g->end == GATE_KEEPS;
}

const char *gate_end_name(enum gate_end end);

/*
 * old NULL: the reference serves all.  Rows of since <= time < until (0: no
 * limit), without conversations that were begun before.
 *
 * look: which one it is, from 1, of looks at one challenger that end with the
 * first that passes.  The first may err with GATE_FIRST of the chance 1 -
 * confidence, each further one with half of what is left, so that all together
 * do with 1 - confidence, however many there are.  0: the only one.  A
 * challenger that is not shown to keep the promise at its price may pass at a
 * lower one, at GATE_PART of it or after GATE_PATIENT looks less.
 */
struct gate_ask {
    const struct cycle_config *set;
    const struct classifier *old, *fresh;
    bool old_void; /* its promise is: it is not what serves */
    int64_t since_ms, until_ms;
    unsigned look;
};

/* Where newer rows alone set the price: the trainer's own is lowered then. */
#define GATE_PART .5
enum { GATE_PATIENT = 3 };

#define GATE_FIRST .8
/* Confidence at each look of the bounds of costs, and of that what runs breaks
 * the promise: nothing is promised of either, and who is taken for cheaper by
 * mistake costs as much as before. */
#define GATE_COST .8

/* Of the bounds at a look. */
double gate_confidence(double confidence, unsigned look);

/* Fails only on what is no matter of evidence (files, memory). */
MUST_USE bool gate_run(const struct gate_ask *ask, struct gate *out,
                       struct err *e);
/* From figures alone. */
void gate_judge(struct gate *g);
/* ,"quality":{...},... : members for the journal. */
void gate_json(const struct gate *g, struct buf *out);

#endif
