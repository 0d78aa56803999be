/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x requests from bytes (RFC 9112): head and chunked bodies, pure, no
 * I/O, no allocation.  Stricter than the RFC allows to be: whatever another
 * server might frame differently is refused, so that nothing can be smuggled
 * past us or through us (decisions.md, "Our own HTTP parser").
 */
#ifndef WEIR_ROUTER_HTTP_HTTP_PARSE_H
#define WEIR_ROUTER_HTTP_HTTP_PARSE_H

#include "base/err.h"
#include "base/span.h"
#include "router/http/http.h"

enum { HTTP_HEADERS_MAX = 100 };

struct http_head {
    struct span method;
    struct span path, query;     /* query without '?' */
    struct http_header *headers; /* (borrowed) names in lower case */
    size_t n_headers;
    bool old;          /* HTTP/1.0 */
    bool keep;         /* the client would go on using the connection */
    bool expects;      /* Expect: 100-continue */
    bool chunked;      /* the body is chunked */
    uint64_t length;   /* else its bytes; 0 without a body */
    int status;        /* on failure: what to answer */
    const char *wrong; /* on failure: why, for people */
};

/*
 * Looks for the end of a head.  Returns its bytes with the empty line, 0
 * when more must come, -1 when a line does not end in CR LF.  *from is where
 * to go on: 0 at first.
 */
MUST_USE long http_head_end(const char *p, size_t n, size_t *from);

/* p[n] is one whole head (http_head_end); header names are lower-cased in
 * place, h borrows from p.  h->headers is the caller's room for
 * HTTP_HEADERS_MAX.  False with status and wrong set. */
MUST_USE bool http_head_parse(char *p, size_t n, struct http_head *h);

/* p[n] is one header's line without its end; the name is lower-cased in
 * place, kv borrows from p.  NULL, or what is wrong with it. */
MUST_USE const char *http_header_parse(char *p, size_t n,
                                       struct http_header *kv);
bool http_is_text(struct span s); /* no control bytes but tab */

struct http_chunks {
    unsigned state;
    unsigned digits; /* of the size so far */
    unsigned extra;  /* bytes of extensions and trailers so far */
    uint64_t left;   /* bytes of this chunk still to come */
};

/*
 * Takes bytes of a chunked body.  Returns the bytes used (n or, at the end,
 * fewer), -1 when it is malformed.  *data is a run of the body (maybe empty);
 * call again while it returns less than n and not done.
 */
MUST_USE long http_chunks_feed(struct http_chunks *c, const char *p, size_t n,
                               struct span *data);
bool http_chunks_done(const struct http_chunks *c);

#endif
