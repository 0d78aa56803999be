/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circuit breaker: stops calls to what fails, lets a few through after a
 * pause to see whether it is back.
 *
 *   CLOSED --failures in a row, share of the window, dead--> OPEN
 *      ^                                                      | pause
 *      +----- a probe went well ------- HALF OPEN <-----------+
 *                                          | a probe failed: a longer pause
 *                                          +--> OPEN
 *
 * Shared by threads without a lock; time is given by the caller.  Two threads
 * that meet at the end of a bucket may lose a count.
 */
#ifndef WEIR_ROUTER_HEALTH_BREAKER_H
#define WEIR_ROUTER_HEALTH_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_BUCKETS = 10 };

struct breaker_rules {
    uint64_t window_ms;              /* over which calls are counted */
    uint64_t min_calls;              /* in the window before a share counts */
    double error_share, slow_share;  /* of the window's calls that opens it */
    uint64_t failures;               /* in a row that open it */
    uint64_t slow_ms;                /* to the head: slow; 0: never */
    uint64_t pause_ms, pause_max_ms; /* first pause, doubled up to the last */
    uint64_t probes;                 /* calls at once while half open */
};

struct breaker {
    /* Each: time in bucket lengths, calls, failures, slow ones; 16 bits. */
    _Atomic uint64_t buckets[BREAKER_BUCKETS];
    _Atomic uint64_t until_ms; /* of the pause; 0: closed */
    _Atomic uint32_t opened;   /* pauses in a row */
    _Atomic uint32_t run;      /* failures in a row */
    _Atomic uint32_t probing;  /* probes out */
    _Atomic uint64_t times;    /* it has opened since the start */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };

/* What a call came to. */
enum breaker_news { BREAKER_GOOD, BREAKER_BAD, BREAKER_DEAD, BREAKER_NOTHING };

struct breaker_end {
    enum breaker_state was; /* what breaker_ask had answered */
    enum breaker_news news;
    uint64_t latency_ms; /* to the answer's head, 0: none came */
};

/* Looks only. */
enum breaker_state breaker_look(const struct breaker *b, uint64_t now_ms);
/* May a call be made?  OPEN: no.  HALF: yes, as a probe.  Each call let
 * through is told to breaker_tell once. */
enum breaker_state breaker_ask(struct breaker *b, const struct breaker_rules *r,
                               uint64_t now_ms);
/* True when this news opened it. */
bool breaker_tell(struct breaker *b, const struct breaker_rules *r,
                  uint64_t now_ms, const struct breaker_end *end);
/* It is known to be well: closed at once. */
void breaker_reset(struct breaker *b);
/* Milliseconds until a call may be made again, 0: now. */
uint64_t breaker_wait(const struct breaker *b, uint64_t now_ms);

const char *breaker_state_name(enum breaker_state s);

#endif
