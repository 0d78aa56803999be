/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One keep-alive connection of the load generator: plain sockets and as
 * little work as possible, so that what is measured is the other side.
 */
#ifndef WEIR_BENCH_LANE_H
#define WEIR_BENCH_LANE_H

#include "base/buf.h"

#include <netinet/in.h>

enum lane_end {
    LANE_WAIT, /* come back when the socket is ready */
    LANE_DONE, /* the answer is whole: status is set */
    LANE_FAIL, /* failure says why; the connection is closed */
};

struct lane {
    int fd; /* -1: not connected */
    bool connecting, busy;
    struct span out; /* (borrowed) what is still to be sent */
    struct buf in;
    int status;
    bool closes;         /* the answer said so */
    const char *failure; /* "connect", "cut", "answer" */
    uint64_t due_ns;     /* when the request should have been sent */
};

/* "http://127.0.0.1:8080/path": an IPv4 address or a name that has one. */
struct target {
    struct sockaddr_in addr;
    char host[256], path[512];
};
MUST_USE bool target_parse(const char *url, struct target *t, struct err *e);

/* Begins a request (the bytes must live until the answer) and goes on until
 * the socket blocks.  `opened` is set when a new socket was made. */
enum lane_end lane_ask(struct lane *l, const struct target *t,
                       struct span request, bool *opened);
/* Goes on when the socket is ready. */
enum lane_end lane_go(struct lane *l);
void lane_close(struct lane *l);

/* Length of the whole answer at the beginning of `in`: n > 0, -1: no HTTP
 * answer, -2: more is needed.  *closes: the connection ends with it. */
long lane_answer(struct span in, int *status, bool *closes);

#endif
