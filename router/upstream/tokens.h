/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens of Google service accounts, one object a worker: asked for
 * over the worker's own loop, shared by all its calls of one account, and
 * renewed in the background while the old one still serves.  Who comes before
 * the first token waits for it without holding anything up.
 *
 * Accounts are told apart by their key file's text, so that a reload keeps
 * the tokens of those that it did not change.
 */
#ifndef WEIR_ROUTER_UPSTREAM_TOKENS_H
#define WEIR_ROUTER_UPSTREAM_TOKENS_H

#include "base/err.h"
#include "base/span.h"

struct tokens;
struct token_account;
struct upstream;

enum token_state {
    TOKEN_READY,
    TOKEN_WAIT,   /* the waiter will be called, once */
    TOKEN_FAILED, /* e says why */
};

/* Embedded by who waits; must stay until it was called or forgotten. */
struct token_waiter {
    void *ctx;
    /* why: NULL when there is a token now, else for people. */
    void (*ready)(void *ctx, const char *why);
    struct token_waiter *next, *prev;
    struct token_account *at; /* NULL: does not wait */
};

/* u (borrowed) must outlive it. */
MUST_USE struct tokens *tokens_new(struct upstream *u, struct err *e);
/* Waiters are not called any more.  NULL: no-op. */
void tokens_free(struct tokens *t);

/* key: the account's key file.  READY: *token lives until the loop's turn
 * ends. */
enum token_state tokens_get(struct tokens *t, struct span key,
                            struct token_waiter *w, struct span *token,
                            struct err *e);
void tokens_forget(struct token_waiter *w);

#endif
