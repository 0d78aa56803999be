/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mock provider: answers like a real one in its own dialect (usage, tool
 * calls, thinking, streams, errors), reproducibly, without a model, and fails
 * on request.  With a labelled dataset it plays that dataset's models, so
 * that routing can be watched end to end.
 *
 *   path    -> mock_place()     who is asked for what       (mock_paths.c)
 *   body    -> a codec reads it, mock_check() refuses what  (mock_check.c,
 *              the real API would                            mock_rules.c)
 *   request -> mock_reply()     what to answer              (mock_reply.c)
 *           -> a dialect's row  how it is written           (mock_openai.c,
 *                                                            mock_codec.c)
 *           -> a turn           when and how badly          (mock_turn.c,
 *                               it is sent                   mock_raw.c)
 */
#ifndef WEIR_BENCH_MOCK_H
#define WEIR_BENCH_MOCK_H

#include "base/buf.h"
#include "bench/mock_fault.h"
#include "features/request.h"
#include "router/codec/codec.h"

struct mock_book;

struct mock_options {
    const char *listen;    /* host */
    uint64_t port;         /* 0: any free one */
    const char *port_file; /* where the port is written, or NULL */
    const char *dialect;   /* "openai", ..., "all" */
    const char *answers;   /* dataset, or NULL */
    const char *script;    /* of faults, or NULL */
    const char *key;       /* the only API key that is taken, or NULL: any */
    const char *price;     /* "input/output[/cached]" of all models, or NULL */
    const char *journal;   /* a line for each call is added there, or NULL */
    bool lenient;          /* takes what the real API would refuse */
    uint64_t rps;          /* requests a second beyond which: 429; 0: any */
    const char *tls;       /* "self-signed", "expired": NULL: plain */
    uint64_t latency_ms;   /* to the first byte */
    double tps;            /* output tokens a second, 0: at once */
    double error_rate;     /* share of requests that fail, [0,1] */
    uint64_t seed;
};

/* ---- the dataset that is played (mock_book.c) ---- */

struct mock_played {
    struct span answer;   /* (borrowed: book) may be empty */
    double input_tokens;  /* NAN: not known */
    double output_tokens; /* NAN: not known */
    double score;         /* NAN: not known */
};

MUST_USE struct mock_book *mock_book_open(const char *path, struct err *e);
void mock_book_free(struct mock_book *b); /* NULL: no-op */
/* What `model` answered to the request with that stem; false: not there. */
bool mock_book_find(const struct mock_book *b, uint64_t stem, struct span model,
                    struct mock_played *out);
size_t mock_book_rows(const struct mock_book *b);
/* Model names in the book, for /v1/models; NULL from `i` = their number. */
const char *mock_book_model(const struct mock_book *b, size_t i);

/* ---- what to answer (mock_reply.c) ---- */

enum { MOCK_CALLS_MAX = 8 };

struct mock_call {
    struct span id, name, arguments; /* (arena) arguments: a JSON object */
};

struct mock_dialect;

struct mock_reply {
    const struct mock_dialect *dialect;
    struct span text; /* (arena) */
    struct mock_call calls[MOCK_CALLS_MAX];
    unsigned n_calls;
    const char *finish;    /* "stop", "length", "tool_calls", ... */
    struct span sequence;  /* the stop sequence that came, or empty */
    struct span thinking;  /* (arena) or empty */
    struct span signature; /* (arena) of the thinking, or of the first call */
    int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
    struct mock_fault fault;
    char id[48];
    int64_t created; /* seconds, derived from the request: reproducible */
    uint64_t hash;   /* of what is asked */
};

struct mock_context {
    const struct mock_options *options;
    const struct mock_dialect *dialect; /* of this request */
    struct mock_book *book;             /* (borrowed: server) or NULL */
    struct features_scratch *scratch;   /* (borrowed: server) */
    struct vec *vec;                    /* (borrowed: server) */
};

/* Everything in *out lives in the arena or the book. */
MUST_USE bool mock_reply(const struct mock_context *c, const struct request *r,
                         struct arena *a, struct mock_reply *out,
                         struct err *e);
/* What the request says, as JSON that is the same in every dialect: what the
 * directive "echo" answers with (mock_echo.c). */
struct span mock_echo(const struct request *r, struct arena *a);
/* The signature that this seed gives to a text, and whether it is one of
 * them; text empty: any that this seed gave (mock_sign.c). */
struct span mock_sign(uint64_t seed, struct span text, struct arena *a);
bool mock_signed(uint64_t seed, struct span text, struct span signature);

/* ---- how it is written (a row a dialect) ---- */

/* Where a stream is; starts as {0} but for the arena. */
struct mock_cursor {
    struct arena *arena;  /* (borrowed) */
    size_t frame;         /* frames written */
    size_t at;            /* bytes of the text written, or chunks */
    size_t tail;          /* frames written behind the content */
    struct chunk *chunks; /* (arena) [n] */
    size_t n;
    void *state;    /* (arena) of the codec's writer */
    int64_t events; /* of SSE, sent so far */
    bool ended;
    struct losses losses;
};

struct mock_error {
    int status;
    const char *message;
    const char *type, *code, *param; /* NULL: by the status */
    int64_t events; /* before it, where a stream numbers them */
};

struct mock_dialect {
    const char *name;
    const struct codec *codec;
    const char *id, *call; /* how ids begin; call NULL: calls have none */
    /* Where it is not the codec that writes. */
    void (*whole)(const struct request *r, const struct mock_reply *m,
                  struct buf *out);
    bool (*frame)(const struct request *r, const struct mock_reply *m,
                  struct mock_cursor *c, struct buf *out);
    void (*error)(const struct mock_error *p, struct buf *out);
    void (*stream_error)(const struct mock_error *p, struct buf *out);
    const char *request_id; /* header */
    const char *limits;     /* how headers of rate limits begin, or NULL */
};

const struct mock_dialect *mock_dialect_find(const char *name); /* or NULL */
extern const struct mock_dialect mock_openai, mock_responses, mock_anthropic,
    mock_gemini, mock_bedrock, mock_cohere;

/* The name of an error in Bedrock's header x-amzn-ErrorType. */
const char *mock_amazon_error(int status);

void mock_whole(const struct mock_dialect *d, const struct request *r,
                const struct mock_reply *m, struct mock_cursor *c,
                struct buf *out);
/* The next frame of a stream; false when there is none any more. */
bool mock_frame(const struct mock_dialect *d, const struct request *r,
                const struct mock_reply *m, struct mock_cursor *c,
                struct buf *out);
/* Releases what the cursor holds beside its arena. */
void mock_frames_end(const struct mock_dialect *d, struct mock_cursor *c);

/* What a stream sends of the text at a time, about a word: its beginning. */
struct span mock_piece(struct span text);
/* How likely a piece was: follows from its bytes. */
double mock_likely(struct span piece);
/* A piece as OpenAI's logprobs write a token, with as many others that it
 * might have been as were asked for. */
void mock_logprob(const struct request *r, struct span piece, struct buf *out);

/* ---- what is asked for (mock_paths.c) ---- */

enum mock_op {
    MOCK_NOTHING,
    MOCK_CHAT,
    MOCK_COUNT,  /* tokens of a conversation */
    MOCK_MODELS, /* the list */
    MOCK_MODEL,  /* one of it */
    MOCK_LEDGER,
    MOCK_SCRIPT, /* a new script of faults */
    MOCK_HEALTH,
};

struct mock_place {
    const struct mock_dialect *dialect; /* never NULL */
    enum mock_op op;
    struct span model; /* (arena) from the path, or empty */
    bool stream;
    bool known; /* the path is, and only the method is not */
};

/* What stands in the request beside its body. */
struct mock_call_head {
    bool post;
    struct span path, query;
    struct span version; /* header anthropic-version */
    struct span google;  /* header x-goog-api-key, or ?key= */
};

/* dialect NULL: all of them. */
struct mock_place mock_place(const struct mock_dialect *only,
                             const struct mock_call_head *h, struct arena *a);

/* ---- what the real API refuses (mock_check.c, mock_rules.c) ---- */

struct mock_checked {
    bool bytes; /* signatures are bytes, in either alphabet of base64 */
    const struct request *request;
    struct span body;
    uint64_t seed;
    struct json root;        /* of mock_root() */
    struct mock_error error; /* filled on refusal */
    char message[512], param[96];
};

/* False: refused, c->error says how. */
bool mock_check(const struct mock_dialect *d, struct mock_checked *c);

/* ---- the server (mock_server.c) ---- */

/* Runs until SIGTERM or SIGINT. */
MUST_USE bool mock_run(const struct mock_options *o, struct err *e);

#endif
