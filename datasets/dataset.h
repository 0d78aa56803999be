/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labelled outcomes, one row a request: reader and writer of weir's dataset
 * format (docs/dataset-format.md): .jsonl, .jsonl.gz, or a weir log (.db).
 * Streaming: memory does not grow with the file.
 */
#ifndef WEIR_DATASETS_DATASET_H
#define WEIR_DATASETS_DATASET_H

#include "base/err.h"
#include "base/span.h"

#include <stdio.h>

enum { DATASET_OUTCOMES_MAX = 64 };

/* What one arm did with the request; NAN: not known. */
struct outcome {
    struct span arm;
    double score;      /* [0,1], NAN: no label */
    double confidence; /* [0,1] in the score, NAN: not said, which is 1 */
    double input_tokens, output_tokens;
    double cost_usd;
    double latency_ms;
    double propensity;  /* with which a log's arm was chosen; NAN */
    struct span answer; /* normalised final answer, or empty */
    struct span source; /* label's source: feedback, judge, check, ... */
    /* Logs: what a judge or a check said of an answer whose score is of
     * feedback or a benchmark; NAN: nothing.  Not written. */
    double beside;
    /* Logs: what the answer and the conversation's next request showed of it,
     * with commas; empty: nothing, where it was looked at.  Not written. */
    struct span signals;
    bool signals_known;
    bool member;      /* logs: of a plan's member, not an answer of its own */
    struct span plan; /* logs: how a plan of several models went, as JSON
                         (log-format.md), or empty; not written either */
};

struct dataset_row {
    uint64_t line; /* 1-based line or row number in its file */
    struct span id, task, session;
    int64_t time_ms;                     /* UTC; -1: not known */
    struct span messages, tools, params; /* JSON, or empty */
    struct span features;                /* packed struct vec, or empty */
    double est_input; /* logs: input tokens as the server estimated them; NAN;
                         not written by dataset_write */
    bool from_log;    /* answers are whole texts then, not final answers */
    struct span choices; /* logs: the arms there were, as JSON (log-format.md),
                            or empty; not written by dataset_write */
    /* Of a log's request: first the arm that served, then the arms that were
     * asked in its shadow, then what members of plans cost. */
    struct outcome outcomes[DATASET_OUTCOMES_MAX];
    uint32_t n_outcomes;
};

/* Is it the score of who knows: feedback, a benchmark, or one without a
 * source?  Else a judge's, a check's or a signal's, which is second-hand. */
bool outcome_is_gold(const struct outcome *o);

struct dataset;

struct dataset_options {
    bool skip_bad; /* count and remember malformed rows instead of failing */
    /* Only rows of this time (UTC ms; 0: no limit), since <= time < until;
     * rows without a time are left out where a limit is set. */
    int64_t since_ms, until_ms;
    const char *route; /* logs: only this route; NULL: all */
};

/* The format is known by content (gzip magic, SQLite magic, else JSON
 * lines); "-" is standard input. */
MUST_USE struct dataset *
dataset_open(const char *path, struct dataset_options opt, struct err *e);
/* Is it a server's log (by SQLite's magic)?  False also where it cannot be
 * read. */
bool dataset_is_log(const char *path);
/* 1: *row is filled, valid until the next call; 0: end; -1: e is filled and
 * names file, line and what was wanted. */
MUST_USE int dataset_next(struct dataset *d, struct dataset_row *row,
                          struct err *e);
/* Rows left out by skip_bad, and the first one's message ("" if none). */
uint64_t dataset_bad(const struct dataset *d, const char **first);
/* Requests of a log with labels of one strength for and against the answer:
 * the newest counts.  0 for other files. */
uint64_t dataset_contradictory(const struct dataset *d);
/* How much of the file was read (bytes, or a log's rows) and how much there
 * is (0: not known), for a progress bar. */
void dataset_progress(const struct dataset *d, uint64_t *read, uint64_t *size);
void dataset_close(struct dataset *d); /* NULL: no-op */

/* Writes rows as JSON lines, gzipped when the path ends in .gz; "-" is
 * standard output.  The file appears under its name, all at once, only in
 * dataset_finish(); until then it has a temporary name beside it. */
struct dataset_writer;
MUST_USE struct dataset_writer *dataset_create(const char *path, struct err *e);
/* Refuses a row that could not be read back; the writer stays usable. */
MUST_USE bool dataset_write(struct dataset_writer *w,
                            const struct dataset_row *row, struct err *e);
/* Flushes, closes, puts in place and frees; false when not all of it reached
 * the disk (nothing is left behind then). */
MUST_USE bool dataset_finish(struct dataset_writer *w, struct err *e);
/* Frees, leaves no file behind; NULL: no-op. */
void dataset_abandon(struct dataset_writer *w);

#endif
