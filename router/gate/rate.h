/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each inbound key has used of its requests and tokens a minute: the
 * generic cell rate algorithm, one number for each (ITU-T I.371, A.1).  A
 * key may use a minute's worth at once, then as much as time gives back.
 * Shared by all workers, kept across reloads by the key's name; thread-safe,
 * without locks once a key is known.
 */
#ifndef WEIR_ROUTER_GATE_RATE_H
#define WEIR_ROUTER_GATE_RATE_H

#include "base/err.h"

#include <stdint.h>

struct rate_book;
struct rate;

MUST_USE struct rate_book *rate_book_new(void); /* NULL: no memory */
void rate_book_free(struct rate_book *b);       /* NULL: no-op */
/* Made at the first call, lives as long as the book; NULL: no memory. */
struct rate *rate_of(struct rate_book *book, const char *key);

/* Takes one request of so many a minute (0: no limit).  Returns 0, or the
 * milliseconds after which to come again. */
uint64_t rate_take_request(struct rate *r, uint64_t per_minute,
                           uint64_t now_ns);
/* 0 while tokens are left, else the milliseconds until some are. */
uint64_t rate_tokens_wait(const struct rate *r, uint64_t per_minute,
                          uint64_t now_ns);
/* A request begins: what it will use at the least. */
void rate_use_tokens(struct rate *r, uint64_t tokens, uint64_t per_minute,
                     uint64_t now_ns);
/* It is over: what it used, known only now. */
void rate_settle_tokens(struct rate *r, uint64_t reserved, uint64_t used,
                        uint64_t per_minute, uint64_t now_ns);

#endif
