/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4: a request's signature as a pure function of what
 * is sent, the keys and the time.  Source: AWS, IAM user guide, "Create a
 * signed AWS API request".
 *
 * The path is not normalised: "." and ".." segments and doubled slashes,
 * which no path of ours has, would be refused by AWS.
 */
#ifndef WEIR_ROUTER_UPSTREAM_AWS_SIGV4_H
#define WEIR_ROUTER_UPSTREAM_AWS_SIGV4_H

#include "base/buf.h"

enum { AWS_DATE_SIZE = 17, AWS_HEADERS_MAX = 32, AWS_PAIRS_MAX = 64 };

struct aws_keys {
    struct span id, secret;
    struct span token; /* of a session, or empty */
};

struct aws_header {
    struct span name, value;
};

struct aws_call {
    struct span method, host;
    struct span path;  /* as it goes over the wire, percent-encoded */
    struct span query; /* likewise, without its question mark; or empty */
    const struct aws_header *headers; /* (borrowed) more to be signed; host,
                                         date and token are added */
    size_t n_headers;
    struct span body;
    struct span region, service; /* "us-east-1", "bedrock" */
    int64_t utc_ms;
};

/* Headers that must be sent: x-amz-date, authorization, and
 * x-amz-security-token with the keys' token where there is one. */
struct aws_signed {
    char date[AWS_DATE_SIZE];  /* "20150830T123600Z" */
    struct buf *authorization; /* (borrowed) is appended to */
};

/* out->authorization is set by the caller.  Fails on more headers or query
 * pairs than above, and without memory. */
MUST_USE bool aws_sign(const struct aws_call *c, const struct aws_keys *k,
                       struct aws_signed *out, struct err *e);

/* Appends s percent-encoded as AWS wants it: all but letters, digits, "-",
 * "_", "." and "~"; for model names in paths. */
void aws_escape(struct buf *out, struct span s);

#endif
