/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered where: one row a path. */
#ifndef WEIR_ROUTER_PATHS_H
#define WEIR_ROUTER_PATHS_H

#include "router/codec/dialect.h"
#include "router/http/http.h"

struct gate_pass;
struct place;
struct worker;

/* Serves a request whose turn has come. */
typedef void place_begin(struct worker *w, struct http_exchange *x,
                         const struct place *at);

/* What a path says of a client's request. */
struct place {
    const struct dialect_ops *dialect;
    struct span name; /* decoded: the model's, where the path has it */
    bool stream;      /* the path asks for a stream */
    struct span path; /* of what is passed through: as sent, without what it is
                         mounted at */
    place_begin *begin;           /* NULL: chat_start */
    const struct gate_pass *pass; /* (arena) whose key; NULL: no keys are set */
    uint64_t reserved;            /* of the key's tokens, while it is served */
    uint64_t waited_ns;           /* before its turn came */
};

/* Finds the row of the exchange's path and method and calls its handler;
 * else 404, 405 or 403 in the shape of the path's dialect. */
void paths_serve(struct worker *w, struct http_exchange *x);

enum path_found { PATH_NONE, PATH_METHOD, PATH_FOUND }; /* 404, 405, served */

struct path_look {
    enum path_found found;
    const char *path; /* its row: "/v1beta/models/<star>:generateContent" */
    struct span name; /* what stands for the star, as written */
    const struct dialect_ops *dialect;
    bool stream;
};

/* What stands at a path, for tests. */
struct path_look paths_look(struct span method, struct span path);

/* A request for `path` was refused before it was whole. */
void paths_refused(struct worker *w, struct span path, int status,
                   const char *why);
/* The dialect that a client of this path speaks; OpenAI where it says none. */
const struct dialect_ops *paths_dialect(struct span path);
/* A process of this machine asks, and no page in a browser. */
bool paths_from_loopback(const struct http_exchange *x);
/* Percent-decodes into the arena; what is no escape stays. */
struct span paths_decode(struct span s, struct arena *a);

#endif
