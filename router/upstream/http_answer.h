/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.x answer from bytes as they come (RFC 9112): interim heads are
 * passed over, the head is kept, the body comes in runs without a copy.  No
 * I/O.  Strict: lengths that disagree, line ends without CR, codings but
 * chunked, and whatever else two readers might frame differently, are bad.
 *
 *   HEAD --1xx--> HEAD
 *    +---> LENGTH, CHUNKED, CLOSE ---> DONE
 *    +-------------------------------> DONE   (204, 304, to HEAD)
 */
#ifndef WEIR_ROUTER_UPSTREAM_HTTP_ANSWER_H
#define WEIR_ROUTER_UPSTREAM_HTTP_ANSWER_H

#include "base/buf.h"
#include "router/http/http_parse.h"

enum {
    HTTP_ANSWER_HEAD_MAX = 64 << 10, /* bytes of one head */
    HTTP_ANSWER_INTERIM_MAX = 16,    /* heads before the one that counts */
};

enum http_answer_step {
    HTTP_ANSWER_MORE,  /* all bytes are taken and more must come */
    HTTP_ANSWER_HEAD,  /* status and headers are there */
    HTTP_ANSWER_DATA,  /* *data is a run of the body, never empty */
    HTTP_ANSWER_DONE,  /* whole; what is left of *in is not of it */
    HTTP_ANSWER_BAD,   /* `wrong` says why */
    HTTP_ANSWER_LARGE, /* a head larger than HTTP_ANSWER_HEAD_MAX */
};

enum http_answer_state {
    ANSWER_IN_HEAD,
    ANSWER_BY_LENGTH,
    ANSWER_BY_CHUNKS,
    ANSWER_BY_CLOSE,
    ANSWER_AT_END,
};

struct http_answer {
    enum http_answer_state state;
    int status; /* of the last head, or of the line that was there; 0: none */
    bool keep;  /* the connection may serve another request */
    bool bodiless;    /* the answer to a HEAD */
    unsigned interim; /* heads passed over */
    size_t scanned;   /* bytes of the head looked at */
    uint64_t left;    /* bytes of the body, by length */
    struct http_chunks chunks;
    struct buf head;                              /* (owned) */
    struct http_header headers[HTTP_HEADERS_MAX]; /* (borrowed: head) */
    size_t n_headers;
    const char *wrong; /* for people */
};

void http_answer_init(struct http_answer *a);
void http_answer_free(struct http_answer *a);
/* Another answer, to a request without a body in its answer or with one. */
void http_answer_begin(struct http_answer *a, bool bodiless);
/* Takes bytes from the front of *in. */
MUST_USE enum http_answer_step
http_answer_next(struct http_answer *a, struct span *in, struct span *data);
/* The other side has closed: DONE, or BAD where that cuts the answer. */
MUST_USE enum http_answer_step http_answer_close(struct http_answer *a);
/* By lower-case name, once the head is there. */
struct span http_answer_header(const struct http_answer *a, const char *name);

#endif
