/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mock provider: answers like a real one (usage, tool calls, streams,
 * errors), reproducibly, without a model.  With a labelled dataset it plays
 * that dataset's models, so that routing can be watched end to end.
 *
 *   request -> mock_reply()     what to answer       (mock_reply.c)
 *           -> a dialect's row  how it is written    (mock_openai.c, ...)
 *           -> the server       when it is sent      (mock_server.c)
 */
#ifndef WEIR_BENCH_MOCK_H
#define WEIR_BENCH_MOCK_H

#include "base/buf.h"
#include "features/request.h"

struct mock_book;

struct mock_options {
    const char *listen;    /* host */
    uint64_t port;         /* 0: any free one */
    const char *port_file; /* where the port is written, or NULL */
    const char *dialect;   /* "openai" */
    const char *answers;   /* dataset, or NULL */
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

/* What a directive in the last user message asks for: see weir-mock(1). */
struct mock_fault {
    int status;          /* answer with this error; 0: none */
    int64_t retry_after; /* seconds in the header; -1: none */
    int64_t cut;         /* frames sent before the connection is cut; -1 */
    int64_t stall_frame; /* frame before which to wait; -1: none */
    int64_t stall_ms;
    int64_t latency_ms; /* -1: the server's */
    bool garbage;       /* an answer that is no JSON */
    bool no_usage;
};

struct mock_reply {
    struct span text; /* (arena) */
    struct mock_call calls[MOCK_CALLS_MAX];
    unsigned n_calls;
    const char *finish; /* "stop", "length", "tool_calls", ... */
    int64_t input_tokens, cached_tokens, output_tokens, reasoning_tokens;
    struct mock_fault fault;
    char id[40];
    int64_t created; /* seconds, derived from the request: reproducible */
};

struct mock_context {
    const struct mock_options *options;
    struct mock_book *book;           /* (borrowed: server) or NULL */
    struct features_scratch *scratch; /* (borrowed: server) */
    struct vec *vec;                  /* (borrowed: server) */
};

/* Everything in *out lives in the arena or the book. */
MUST_USE bool mock_reply(const struct mock_context *c, const struct request *r,
                         struct arena *a, struct mock_reply *out,
                         struct err *e);

/* ---- how it is written (a row a dialect) ---- */

/* Where a stream is; starts as {0}. */
struct mock_cursor {
    size_t frame; /* frames written */
    size_t at;    /* bytes of the text written */
    size_t tail;  /* frames written behind the content */
};

struct mock_dialect {
    const char *name;
    /* End of the paths that it answers. */
    const char *path;
    bool (*decode)(struct span body, struct arena *a, struct request *r,
                   struct err *e);
    void (*whole)(const struct request *r, const struct mock_reply *m,
                  struct buf *out);
    /* The next frame of a stream; false when there is none any more. */
    bool (*frame)(const struct request *r, const struct mock_reply *m,
                  struct mock_cursor *c, struct buf *out);
    void (*error)(int status, const char *message, struct buf *out);
};

extern const struct mock_dialect mock_openai;

/* What a stream sends of the text at a time, about a word: its beginning. */
struct span mock_piece(struct span text);

/* ---- the server (mock_server.c) ---- */

/* Runs until SIGTERM or SIGINT. */
MUST_USE bool mock_run(const struct mock_options *o, struct err *e);

#endif
