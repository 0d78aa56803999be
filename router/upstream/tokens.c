/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "router/upstream/google_auth.h"
#include "router/upstream/upstream.h"

enum {
    ACCOUNTS_MAX = 64,
    CONNECT_MS = 5000,
    TOTAL_MS = 10000,
    TEXT_MAX = 64 << 10,
};

struct token_account {
    struct tokens *all; /* (borrowed) */
    uint64_t hash;      /* of its key file */
    size_t len;
    struct google_auth *auth;     /* (owned) NULL: the place is free */
    struct upstream_call *call;   /* running, or NULL */
    char *uri;                    /* (owned) */
    struct buf body, answer;      /* (owned) */
    struct token_waiter *waiters; /* (borrowed) list */
    int64_t used_ms;              /* UTC */
};

struct tokens {
    struct upstream *upstream; /* (borrowed) */
    struct token_account at[ACCOUNTS_MAX];
};

struct tokens *tokens_new(struct upstream *u, struct err *e)
{
    struct tokens *t = calloc(1, sizeof *t);

    if (t)
        t->upstream = u;
    else
        err_set(e, ERR_MEMORY, "tokens: out of memory");
    return t;
}

static void wipe(struct buf *b)
{
    if (b->ptr)
        digest_wipe(b->ptr, b->cap);
    buf_free(b);
}

static void close_account(struct token_account *a)
{
    upstream_cancel(a->call);
    google_auth_free(a->auth);
    free(a->uri);
    wipe(&a->body);
    wipe(&a->answer);
    *a = (struct token_account){.all = NULL};
}

void tokens_free(struct tokens *t)
{
    for (unsigned i = 0; t && i < ACCOUNTS_MAX; i++)
        close_account(&t->at[i]);
    free(t);
}

/* ---- who waits ---- */

static void join(struct token_account *a, struct token_waiter *w)
{
    w->at = a;
    w->prev = NULL;
    w->next = a->waiters;
    if (a->waiters)
        a->waiters->prev = w;
    a->waiters = w;
}

void tokens_forget(struct token_waiter *w)
{
    if (!w->at)
        return;
    if (w->prev)
        w->prev->next = w->next;
    else
        w->at->waiters = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->at = NULL;
}

/* One may make others leave, or come back to wait for the next token. */
static void call_waiters(struct token_account *a, const char *why)
{
    struct token_waiter mark = {.at = NULL};
    struct token_waiter *w;

    join(a, &mark); /* who joins from now on stands before it */
    while ((w = mark.next)) {
        tokens_forget(w);
        w->ready(w->ctx, why);
    }
    tokens_forget(&mark);
}

/* ---- the call ---- */

static void on_head(void *ctx, int status)
{
    (void)ctx;
    (void)status;
}

static void on_body(void *ctx, struct span bytes)
{
    struct token_account *a = ctx;

    buf_span(&a->answer, bytes);
}

static void on_done(void *ctx, const struct upstream_result *r)
{
    struct token_account *a = ctx;
    int status = r->end == UPSTREAM_OK && !a->answer.failed ? r->status : 0;
    struct err e = {0};
    bool ok;

    a->call = NULL;
    ok = google_auth_answer(a->auth, status, buf_view(&a->answer),
                            clock_utc_ms(), &e);
    wipe(&a->answer);
    wipe(&a->body);
    if (!ok)
        log_event(LOG_WARN, "no token", "reason=\"%s\" call=\"%s\"", e.msg,
                  r->end == UPSTREAM_OK ? "answered" : r->reason);
    call_waiters(a, ok ? NULL : e.msg);
}

static bool ask(struct token_account *a, struct err *e)
{
    const struct upstream_header form[] = {
        {"content-type", SPAN("application/x-www-form-urlencoded")},
        {"accept", SPAN("application/json")}};
    struct upstream_request r = {.method = "POST",
                                 .url = a->uri,
                                 .headers = form,
                                 .n_headers = 2,
                                 .connect_ms = CONNECT_MS,
                                 .total_ms = TOTAL_MS,
                                 .max_body = TEXT_MAX};
    struct upstream_events events = {a, on_head, on_body, on_done};
    struct err ignored;

    buf_init(&a->body, TEXT_MAX);
    buf_init(&a->answer, TEXT_MAX);
    if (google_auth_ask(a->auth, clock_utc_ms(), &a->body, e)) {
        r.body = buf_view(&a->body);
        a->call = upstream_start(a->all->upstream, &r, &events, e);
    }
    if (a->call)
        return true;
    wipe(&a->body);
    return google_auth_answer(a->auth, 0, SPAN(""), clock_utc_ms(), &ignored);
}

/* ---- accounts ---- */

static bool open_account(struct token_account *a, struct span key,
                         struct err *e)
{
    a->auth = google_auth_new(key, e);
    if (!a->auth)
        return false;
    a->uri =
        strndup(google_auth_uri(a->auth).ptr, google_auth_uri(a->auth).len);
    if (a->uri)
        return true;
    google_auth_free(a->auth);
    a->auth = NULL;
    return err_set(e, ERR_MEMORY, "service account: out of memory");
}

/* The account of this key; else a free place, or that which was used last
 * the longest ago and nobody waits for. */
static struct token_account *place_of(struct tokens *t, uint64_t hash,
                                      size_t len)
{
    struct token_account *old = NULL;

    for (unsigned i = 0; i < ACCOUNTS_MAX; i++) {
        struct token_account *a = &t->at[i];

        if (a->auth && a->hash == hash && a->len == len)
            return a;
        if (!a->call && !a->waiters && (!old || a->used_ms < old->used_ms))
            old = a;
    }
    if (old)
        close_account(old);
    return old;
}

static struct token_account *account(struct tokens *t, struct span key,
                                     struct err *e)
{
    uint64_t hash = span_hash(key, 1);
    struct token_account *a = place_of(t, hash, key.len);

    if (!a) {
        err_set(e, ERR_STATE, "service account: too many of them wait");
        return NULL;
    }
    if (!a->auth && !open_account(a, key, e))
        return NULL;
    a->all = t;
    a->hash = hash;
    a->len = key.len;
    a->used_ms = clock_utc_ms();
    return a;
}

enum token_state tokens_get(struct tokens *t, struct span key,
                            struct token_waiter *w, struct span *token,
                            struct err *e)
{
    struct token_account *a = account(t, key, e);
    int64_t now = clock_utc_ms();
    struct err late = {0};
    bool due;

    if (!a)
        return TOKEN_FAILED;
    due = !a->call && google_auth_due(a->auth, now);
    if (due && !ask(a, &late))
        log_event(LOG_WARN, "no token", "reason=\"%s\"", late.msg);
    *token = google_auth_token(a->auth, now);
    if (token->len)
        return TOKEN_READY;
    if (a->call) {
        join(a, w);
        return TOKEN_WAIT;
    }
    err_set(e, ERR_STATE, "%s",
            late.msg[0] ? late.msg
                        : "service account: a token was refused just now");
    return TOKEN_FAILED;
}
