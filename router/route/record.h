/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision on record: the log's column `question`.  It holds what a
 * decision rested on besides the features, the classifier and the route's
 * settings, and what came of it, so that `weir replay` can make it again to
 * the bit.  Numbers and names of arms only, and hashes of the headers that the
 * route's rules name: nothing of a prompt.
 */
#ifndef WEIR_ROUTER_ROUTE_RECORD_H
#define WEIR_ROUTER_ROUTE_RECORD_H

#include "router/route/decide.h"

enum { RECORD_HEADERS = 16 };

/* Plain data; the table in record.c names each member in the JSON. */
struct record {
    /* struct wish */
    double quality, max_cost; /* NAN: not said */
    bool listed, pin;         /* arms were asked for; a single one, by name */
    uint32_t asked;           /* bit mask of them */
    /* struct question */
    double price, room;
    bool bounded;
    uint32_t drifted, down, resting, abroad;
    uint64_t seed;
    /* struct stay */
    bool stays; /* there was one */
    int64_t stay_arm;
    double read, written;
    bool hold;
    /* struct request and facts, as far as arms can be dropped for them */
    int64_t max_tokens, n, parallel, format;
    bool stream, logprobs, tools, embeds;
    uint64_t body;
    uint32_t input, images, files, audios;
    int64_t rule;       /* that held; -1: none */
    bool risky, capped; /* struct decision */
    /* what it was made by and what came of it */
    uint64_t settings; /* record_settings() */
    int64_t chosen;
    uint32_t reason;
    uint64_t outcome; /* record_outcome() */
    /* The first headers that the route's rules and high_risk name (borrowed:
     * settings, or the JSON). */
    struct header_mark headers[RECORD_HEADERS];
    unsigned n_headers;
};

void record_take(struct record *r, const struct question *q,
                 const struct decision *d);
/* Members that are as nothing was said are left out. */
void record_write(const struct record *r, struct buf *out);
/* False: not such a record.  Names of headers are borrowed from the JSON. */
MUST_USE bool record_read(struct span json, struct record *r, struct err *e);
/* Does the record say what this header was? */
bool record_knows_header(const struct record *r, const char *lower_name);

/* What decide() needs, filled from the record; what q points to lives here. */
struct recorded {
    struct request request; /* without texts */
    struct tool tool;       /* that stands for all */
    struct facts facts;
    struct stay stay;
    bool capped;
    char arms[ARMS_MAX * 70]; /* the wish's list */
};
/* q->route, classifier, prediction and wish.task are the caller's. */
void record_ask(const struct record *r, struct recorded *to,
                struct question *q);

/* The log's column `arms`. */
void record_arms(const struct route_settings *set, const struct decision *d,
                 struct buf *b);

/* A hash of the route's settings, of its models' prices and limits, and of
 * its plans' members: equal where nothing that decides has changed. */
uint64_t record_settings(const struct settings *s,
                         const struct route_settings *set);
/* A hash of all that decide() found. */
uint64_t record_outcome(const struct decision *d);

#endif
