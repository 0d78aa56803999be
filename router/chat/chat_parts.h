/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One chat exchange, for the chat_*.c files only.
 *
 *   An arm that is a plan of several models has a state before CALLING:
 *   PLANNING, in which inner chats of its members answer (chat_plan.h).
 *
 *            read, judged          head: not a stream
 *   DECIDING ------------> CALLING --------------------> READING --+
 *      |                    ^  |  \                         |      |
 *      |   next try, later  |  |   \ first content          |      |
 *      |                    +--|----\-----------------------+      |
 *      |                       |     v                             |
 *      |                       |   STREAMING                       |
 *      v                       v      v                            v
 *    ENDED <-------------------+------+----------------------------+
 *                                      |     ^
 *                             end mark +-> CLOSING
 *
 * chat_set() alone changes the state.  The row is written once, whatever
 * happened, on the way to ENDED or CLOSING; the last bytes go out behind it.
 * CLOSING: the client has its end mark and the provider's connection is
 * given the time to end its answer, so that it can be used again.  The chat
 * lives in the exchange's arena: after ENDED it must not be touched.
 */
#ifndef WEIR_ROUTER_CHAT_CHAT_PARTS_H
#define WEIR_ROUTER_CHAT_CHAT_PARTS_H

#include "router/cache/cache.h"
#include "router/chat/ask.h"
#include "router/chat/head.h"
#include "router/codec/aws_stream.h"
#include "router/gate/purse.h"
#include "router/health/pick.h"
#include "router/http/sse.h"
#include "router/route/makers.h"
#include "router/route/promise.h"

enum chat_state {
    CHAT_DECIDING,
    CHAT_PLANNING,
    CHAT_CALLING,
    CHAT_READING,
    CHAT_STREAMING,
    CHAT_CLOSING,
    CHAT_ENDED,
    CHAT_STATES,
};

enum {
    FORWARD_MAX = 24,
    STATUS_CLIENT_GONE = 499,
    TRIES_MAX = 12, /* calls for one request, hedges too */
    PAYERS_MAX = 2,
};

/* Why weir itself asks. */
enum purpose { PURPOSE_NONE, PURPOSE_SHADOW, PURPOSE_JUDGE };

/* Whose money a chat's calls cost. */
struct payer {
    struct purse *purse; /* (borrowed: router) */
    int64_t limit;       /* pico-USD a day */
    const char *whose;   /* for people */
    struct hold hold;
};

/* One call of a provider: what it was, how it ended.  While two run (a hedge)
 * the one that is not c->now keeps here how its answer is to be read. */
struct chat_try {
    struct chat *chat;            /* (borrowed) */
    struct chat_try *prev, *next; /* open: in the worker's list */
    struct pick at;
    int arm;
    enum fault fault; /* FAULT_NONE: none as yet */
    int status;       /* HTTP status, 0: none came */
    bool open;        /* its end has not been told to its place's health */
    bool hedge;
    uint64_t start_ns, head_ns, end_ns; /* monotonic; 0: not yet */
    uint64_t told_ms;                   /* retry-after; UINT64_MAX: none */
    int64_t cost_pico;                  /* of a failed one */
    int64_t most;                       /* pico-USD that it can cost */
    struct upstream_call *call;         /* while it runs */
    const struct codec *from, *to;
    void *reader, *writer;
    struct losses *losses;
};

enum chat_timer { TIMER_NONE, TIMER_RETRY, TIMER_HEDGE, TIMER_HOLD };

struct forwarded {
    const char *name;
    struct span value; /* (arena) */
};

struct chat {
    struct worker *worker;      /* (borrowed) */
    struct http_exchange *x;    /* (borrowed) */
    struct plan_run *plan;      /* (arena) where its arm is a plan, or NULL */
    struct plan_member *member; /* (borrowed: plan) what it is in another
                                   chat's plan, or NULL: a client's own */
    struct shadow *shadow;      /* (borrowed: worker) or NULL: then there is
                                   no exchange, x is NULL */
    struct snapshot *snapshot;  /* (owned reference) until ENDED */
    struct arena *arena;        /* (borrowed: exchange) */
    enum chat_state state;
    char id[REQUEST_ID_LEN + 1];
    uint64_t start_ns, first_ns; /* monotonic; first_ns 0: nothing sent */
    int64_t time_ms;             /* UTC */

    struct ask ask;
    struct facts facts;
    struct decision *decision; /* (arena) NULL until judged */
    struct record *record;     /* (arena) of it */
    float unseen;              /* of the prediction, where there is one */
    double reserved;           /* USD of the route's budget; NAN: nothing */
    enum purpose purpose;
    struct span parent; /* (arena) id of the request it is asked for */
    struct payer payers[PAYERS_MAX];
    unsigned n_payers;
    const struct payer *broke; /* who could not pay the last try; or NULL */
    int64_t wanted_pico;       /* and what for */
    int64_t ahead_pico;        /* set aside for all of a plan before it began;
                                  0: each call for itself */
    bool judged;          /* the worker's judge still holds what was decided */
    struct span features; /* (arena) room for it, then packed; or empty */
    struct span arms_json, question_json; /* (arena) of the row, or empty */

    struct token_waiter token; /* for the account of c->arm's provider */
    struct span bearer;        /* (arena) of such an account */
    struct media *media;       /* (arena) fetched by address, or NULL */
    int arm;                   /* that is being tried or answered, -1: none */
    uint32_t tried;            /* bit mask of arms */
    unsigned attempts;         /* calls started */
    unsigned hedges;           /* of them */
    unsigned waits;            /* before another call of the same arm */
    bool again;                /* any place and key of the arm will do */
    struct chat_try *tries[TRIES_MAX]; /* (arena) [attempts] */
    struct chat_try *now;              /* the present one, or NULL */
    struct chat_try *rival; /* runs beside it until one answers, or NULL */
    int64_t spent_pico;     /* by calls that failed */
    struct event *timer;    /* (owned) or NULL */
    enum chat_timer timer_for;
    struct upstream_call *call; /* now's, running, or NULL */
    int upstream_status;        /* of the present call, 0: none yet */
    bool is_stream;             /* the present answer is an event stream */
    struct forwarded *forward;  /* (arena) [n_forward] of the present answer */
    unsigned n_forward;

    /* How the present answer is read and written; both NULL: OpenAI chat as
     * it came.  from alone: as it came, looked at by its codec. */
    const struct codec *from, *to;
    struct made made;      /* whose signatures the conversation holds */
    void *reader, *writer; /* (arena) state of the stream, or NULL */
    struct losses *losses; /* (arena) of the present attempt, or NULL */
    struct buf out;        /* (worker's spare) what an event becomes */
    struct span mark;      /* (borrowed) the frame that ends the stream */
    struct buf held;       /* (worker's spare) a stream's first bytes */
    bool hold_over;        /* nothing is held back any more */
    char *refusal;         /* (arena) error before anything was sent */
    int refused;           /* its status; 0: none */
    bool head_sent;        /* of a stream: status and headers are out */
    uint64_t sent_ns;      /* monotonic, of the last bytes to the client */
    struct chat *next_waiting, *prev_waiting; /* in the worker's list */
    bool waiting;
    bool ending; /* the provider's bytes have ended */

    struct buf body; /* (worker's spare) whole answers, event pieces */
    struct buf text; /* (worker's spare) the answer's text, log.prompts full */
    struct sse sse;  /* (owned) while the answer is a stream */
    struct aws_stream aws; /* (owned) likewise, of such a framing */
    bool aws_ready;
    bool sse_ready, stop; /* stop: nothing more is taken from the stream */
    uint64_t events;      /* of the provider, passed on as they came */
    bool whole_event;     /* the frame being looked at goes to the client */
    struct answer answer;
    bool strip_usage;  /* the client did not ask for the usage chunk */
    int64_t cost_pico; /* once ENDED */
    bool estimated;    /* usage was not told */
    bool charged;      /* cut off while a provider worked on it */
    bool truncated;    /* the client has the beginning of an answer only */
    const char *error; /* word for the row, or NULL */

    uint32_t flaws; /* enum flaw bits, seen in a whole answer */

    bool cached;  /* the answer is from the cache */
    bool keeping; /* what the client gets is gathered for it */
    uint8_t cache_key[CACHE_KEY];
    struct buf keep; /* (worker's spare) while keeping */
};

const struct model_settings *chat_model(const struct chat *c);
const struct limit_settings *chat_limits(const struct chat *c);

/* chat_outlet.c: to the client, or into a plan's hands. */
void chat_out_set(struct chat *c, const char *name, struct span value);
void chat_out_reply(struct chat *c, int status, const char *type,
                    struct span body);
void chat_out_problem(struct chat *c, const struct problem *p);
void chat_out_begin(struct chat *c);
void chat_out_write(struct chat *c, struct span bytes);
/* With its end mark: nothing more comes but the end. */
void chat_out_mark(struct chat *c, struct span bytes);
void chat_out_end(struct chat *c);

/* The one place where the state changes. */
void chat_set(struct chat *c, enum chat_state next);
/* Cost, row, metrics, log line. */
void chat_record(struct chat *c, int status);
/* ENDED; records unless that was done; releases what the chat holds except
 * c->body, which the caller may still send. */
void chat_end(struct chat *c, int status);
/* The client gets this problem, in the form its answer is in. */
void chat_fail(struct chat *c, enum problem_kind kind, const char *fmt, ...)
    PRINTF(3, 4);
void chat_fail_with(struct chat *c, const struct problem *p, const char *error);
/* It is given up: ENDED, what runs is cancelled. */
void chat_cancel(struct chat *c, enum fault f);

/* ---- attempts ---- */

/* Calls a place of c->arm; what cannot even begin goes to chat_retry. */
void chat_attempt(struct chat *c);
/* c->now has failed, its call is over: what is next begins, now or later.
 * False: nothing is left, or the route wants none; the caller fails. */
MUST_USE bool chat_retry(struct chat *c);
/* chat_retry, else the problem. */
void chat_retry_or(struct chat *c, enum problem_kind kind, const char *why);
/* A place of the arm that this request has not tried may be called now. */
bool chat_has_place(const struct chat *c, int arm);
/* Another arm that may be called now; -1: none. */
int chat_other_arm(const struct chat *c);
/* chat_money.c: so many USD a day are there, of this purse. */
void chat_pays(struct chat *c, enum purse_kind kind, struct span name,
               double usd);
void chat_key_pays(struct chat *c);
/* Sets aside what another try, t of c->arm, may cost.  False: c->broke. */
MUST_USE bool chat_hold(struct chat *c, struct chat_try *t);
/* Likewise, ahead, what all members of c->arm's plan may cost: none of it is
 * begun that could not be ended. */
MUST_USE bool chat_hold_plan(struct chat *c);
/* x-weir-purpose, -parent and -budget of a request; false: it is refused. */
MUST_USE bool chat_read_purpose(struct chat *c);
const char *chat_purpose_name(enum purpose p); /* "judge"; NULL: a client's */
/* Who could not pay says so: 429, until the day ends. */
void chat_broke(struct chat *c);
/* The chat is over and cost c->cost_pico. */
void chat_settle(struct chat *c);
/* What it has cost, and what its open calls may cost at the most. */
int64_t chat_held(const struct chat *c);

/* What the present attempt came to; the first word counts. */
void chat_fault(struct chat *c, enum fault f);
/* Bounds of a call by the request's deadline. */
void chat_bounds(const struct chat *c, struct upstream_request *r);

void chat_timer(struct chat *c, enum chat_timer what, uint64_t ms);
/* A second call beside the present one, which is slow. */
void chat_hedge(struct chat *c);
/* t's answer has begun or failed while two run: true when it goes on, as the
 * present one; false: it is over and the other is the present one. */
MUST_USE bool chat_hedge_head(struct chat *c, struct chat_try *t);
/* The rival is given up, where there is one. */
void chat_hedge_end(struct chat *c, enum fault f);

/* A new try of c->arm; NULL: no place of it may be called, or no memory. */
struct chat_try *chat_try_new(struct chat *c);
/* Its call is over, however: health, keys, metrics.  Once; later: nothing. */
void chat_try_end(struct chat *c, struct chat_try *t);
/* What c->now had cost although it failed. */
void chat_try_spent(struct chat *c);
/* Retry-after and limits in the head of t's answer. */
void chat_try_head(struct chat_try *t, int status);
bool chat_try_skip(const void *ctx, const struct model_settings *place,
                   const struct provider_key *key);
void chat_tries_json(const struct chat *c, struct buf *b);
void chat_tries_headers(struct chat *c);
/* Its call, which has no connection, is given up. */
void chat_try_abandon(struct chat_try *t);
/* Starts the call of t, which is c->now. */
MUST_USE bool chat_call(struct chat *c, struct chat_try *t, struct err *e);

/* What c->now is there for: signs in, fetches, calls. */
void chat_go(struct chat *c);
/* The codec that the provider of c->now is spoken to in. */
const struct codec *chat_spoken(const struct chat *c);
/* For whom c->now's body is written; false: the client's bytes go as they
 * are, and t says for whom. */
MUST_USE bool chat_translates(struct chat *c, struct target *t);

/* chat_media.c.  WAIT: chat_go() is called when it is there; FAILED: c->refused
 * or no memory, e says why. */
enum token_state chat_media(struct chat *c, struct err *e);
/* c->now could not be called without waiting for it. */
bool chat_media_wanted(struct chat *c);
/* The request is again as it came; fetches that run are given up. */
void chat_media_end(struct chat *c);

/* The body for the provider of c->arm, in the arena; sets how its answer will
 * be read.  c->refused: the route's policy rejects what would be lost. */
MUST_USE bool chat_make_body(struct chat *c, struct span *body, struct err *e);
/* Where it goes and with which headers; what they hold lives in the arena. */
MUST_USE bool chat_make_head(struct chat *c, struct upstream_request *r,
                             struct upstream_header *h, struct err *e);

/* The head goes out, once. */
void chat_open_stream(struct chat *c);
void chat_write(struct chat *c, struct span bytes);
/* Row, then the last bytes that the client sees; CLOSING. */
void chat_mark(struct chat *c, struct span bytes);
/* A provider must not hand its key back to the client in an error. */
void chat_hide_key(const struct chat *c, char *text);
void chat_hide_key_in(const struct chat *c, struct buf *b);

/* What a chunk of the provider's says; signatures get their maker. */
void chat_tap(struct chat *c, const struct chunk *k);

/* chat_relay.c: answers in another dialect. */
void chat_relay_bytes(struct chat *c, struct span bytes);
/* The bytes have ended well; false: the stream was cut. */
bool chat_relay_end(struct chat *c);
void chat_relay_whole(struct chat *c);
/* Takes a chunk of the provider's; ctx is the chat. */
bool chat_take(void *ctx, const struct chunk *k);
/* The error p as the end of a stream that has begun. */
void chat_relay_error(struct chat *c, const struct problem *p, struct buf *out);
/* A stream's state for the present attempt. */
MUST_USE bool chat_relay_begin(struct chat *c);
void chat_relay_free(struct chat *c);

/* chat_cache.c.  True: the answer was there, and the chat is over. */
MUST_USE bool chat_from_cache(struct chat *c);
/* Bytes that went to the client. */
void chat_keep(struct chat *c, struct span bytes);
/* The answer was whole (type: its content type), or will not be: NULL. */
void chat_keep_end(struct chat *c, const char *type);

/* chat_signals.c.  A whole answer is looked into: gathered, or c->body, of
 * which this is only done where a form was asked for. */
void chat_check(struct chat *c, const struct gathered *g);
void chat_check_body(struct chat *c);
/* Bits of enum flaw; for the row, as words with commas between. */
uint32_t chat_flaws(const struct chat *c);
void chat_flaws_text(uint32_t flaws, struct buf *out);
/* What a request says of its conversation's last answer. */
enum follow {
    FOLLOW_NONE,
    FOLLOW_REGENERATED, /* the same request once more */
    FOLLOW_ASKED_AGAIN, /* the same question after the answer */
    FOLLOW_UPGRADED,    /* a dearer arm by name */
    FOLLOW_TOOL_ERROR,  /* its call failed */
    FOLLOW_RETRIED,     /* the same bytes at once: a client's retry */
    FOLLOW_REPHRASED,   /* nearly the same question after the answer */
};
/* Of the bytes of the request; never 0. */
uint64_t chat_body_hash(const struct chat *c);
/* What the row's `signals` says: flaws, and what the client did. */
void chat_signals_text(const struct chat *c, int status, struct buf *out);
enum follow chat_follow(const struct chat *c);
void chat_label_last(struct chat *c);

/* chat_static.c: the decision's own answer. */
void chat_static(struct chat *c);

/* Streams that wait get a ping now and then. */
void chat_wait(struct chat *c);
void chat_wait_end(struct chat *c);

/* The whole answer b with its headers; the row goes before it.  b is given
 * back to the worker. */
void chat_reply(struct chat *c, int status, struct buf b);
/* The present call ended well or with a status: a whole answer. */
void chat_answer_whole(struct chat *c);
/* What is promised of the answer (route/promise.h); empty: the route promises
 * nothing ever, or nothing was decided. */
struct span chat_promise(const struct chat *c, char dst[PROMISE_MAX],
                         enum promise_state *state);
/* The body of an answer that did not end well holds its usage all the same. */
MUST_USE bool chat_read_cut(struct chat *c);
/* x-weir-* and forwarded headers of the answer. */
void chat_headers(struct chat *c, bool with_cost);

/* Behind chat_mark: the end. */
void chat_close_stream(struct chat *c);
/* The provider's own error stands in a stream that had begun. */
void chat_broken(struct chat *c);
/* What was held back of a stream goes out. */
void chat_unhold(struct chat *c);
/* The stream began with an error, nothing of it is out: another try, else the
 * error as a whole answer.  c->refused and c->refusal say it. */
void chat_stream_refused(struct chat *c);
/* Likewise with what is no event of the provider's dialect. */
void chat_stream_invalid(struct chat *c);

/* Events as they come, and how the call ended. */
void chat_stream_bytes(struct chat *c, struct span bytes);
void chat_stream_ended(struct chat *c, const struct upstream_result *r);

/* c->answer.usage (estimated where the provider told none) and c->cost_pico
 * of what was received so far. */
void chat_count_cost(struct chat *c);
/* What of the row the decision settles, while the provider works; no later
 * than in the turn of the decision. */
void chat_row_ahead(struct chat *c);
void chat_write_row(struct chat *c, int status);
void chat_count_metrics(struct chat *c, int status);
/* Tokens of its own answer by the arm that gave it. */
void chat_count_tokens(const struct chat *c);

/* chat_plan.c: the arm's plan begins.  False: it has none. */
MUST_USE bool chat_plan(struct chat *c);
/* Its members are given up and paid for; nothing where it is decided. */
void chat_plan_stop(struct chat *c);
void chat_plan_free(struct chat *c);
/* chat_plan_said.c.  Whether it is known which model answers. */
bool chat_plan_open(const struct chat *c);
/* The arm that answers: a plan's member, or c->arm. */
const char *chat_answerer(const struct chat *c);
/* Calls of the chat, with those of its plan's members. */
unsigned chat_calls(const struct chat *c);
const struct chat_try *chat_call_at(const struct chat *c, unsigned i);
/* Whose payers pay for it: itself, or the chat in whose plan it is. */
struct chat *chat_payer(struct chat *c);
/* Likewise of members, while the plan is not decided. */
int64_t chat_plan_held(const struct chat *c);
uint64_t chat_plan_tokens(const struct chat *c); /* of members passed over */
void chat_plan_headers(struct chat *c);
void chat_plan_json(const struct chat *c, int status, struct buf *out);
void chat_plan_count(struct chat *c, int status);
/* chat_member.c: what a member's provider said. */
void chat_member_take(struct chat *c, const struct chunk *k);
/* Its answer begins once more. */
void chat_member_again(struct chat *c);

#endif
