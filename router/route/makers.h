/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which model signed what: models want their own thinking back byte for byte
 * and refuse another's.  A client returns signatures without saying whose
 * they are, and a route may have changed the model since; so each signature
 * that goes by is noted with its maker.  One object, shared by all workers,
 * without locks; of a fixed size, newer notes take older ones' places.  What
 * is not in it (a restart, another instance) is not known.
 */
#ifndef WEIR_ROUTER_ROUTE_MAKERS_H
#define WEIR_ROUTER_ROUTE_MAKERS_H

#include "base/err.h"
#include "features/request.h"

struct makers;

MUST_USE struct makers *makers_new(struct err *e);
void makers_free(struct makers *m); /* NULL: no-op */

/* model: its name, the same at each of its providers (model.origin). */
void makers_note(struct makers *m, struct span signature, const char *model);

struct made {
    bool here;      /* something was signed by this model */
    bool elsewhere; /* something was signed by another one */
};

/* What of the conversation's signatures is known. */
struct made makers_look(const struct makers *m, const struct request *r,
                        const char *model);

#endif
