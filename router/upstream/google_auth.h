/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens of a Google service account (RFC 7523, as in Google's
 * "Using OAuth 2.0 for Server to Server Applications"): a signed claim is
 * exchanged for a token, which is kept and renewed before it expires.  No I/O
 * and no clock: the caller sends the request, hands in the answer, and says
 * what time it is (UTC, ms).
 *
 *   EMPTY -> asked -> token -> (5 minutes before its end) asked, the old one
 *   serving on -> token ...        a refused or lost request: again later
 *
 * Not thread-safe; one a worker.  Tokens and keys are wiped when freed and
 * never part of an error's message.
 */
#ifndef WEIR_ROUTER_UPSTREAM_GOOGLE_AUTH_H
#define WEIR_ROUTER_UPSTREAM_GOOGLE_AUTH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct google_auth;

/* json: the account's key file as Google gives it.  Needs client_email and
 * private_key (PEM, RSA); token_uri and project_id are taken where said. */
MUST_USE struct google_auth *google_auth_new(struct span json, struct err *e);
void google_auth_free(struct google_auth *g); /* NULL: no-op */

struct span google_auth_uri(const struct google_auth *g);     /* where to ask */
struct span google_auth_project(const struct google_auth *g); /* or empty */

/* The token that is valid now, or empty.  Lives until the next answer. */
struct span google_auth_token(const struct google_auth *g, int64_t now);
/* Whether a token is to be asked for now: none is there or it ends soon, and
 * no request is under way or was refused a moment ago. */
bool google_auth_due(const struct google_auth *g, int64_t now);
/* The request's body (application/x-www-form-urlencoded); it is under way
 * from now on. */
MUST_USE bool google_auth_ask(struct google_auth *g, int64_t now,
                              struct buf *body, struct err *e);
/* What came back; status 0: nothing did.  False with e where it is no token:
 * the one before serves on while it is valid. */
MUST_USE bool google_auth_answer(struct google_auth *g, int status,
                                 struct span body, int64_t now, struct err *e);

/* A model on Vertex AI. */
struct vertex_place {
    struct span project, location; /* "global", "europe-west4" */
    struct span publisher;         /* "google", "anthropic" */
    struct span model;
};

/* "https://europe-west4-aiplatform.googleapis.com"; false: no location. */
MUST_USE bool vertex_base(const struct vertex_place *p, struct buf *out,
                          struct err *e);
/* "/v1/projects/.../models/NAME:streamGenerateContent?alt=sse"; for
 * Anthropic's models rawPredict and streamRawPredict.  Names with bytes that
 * no name has are errors. */
MUST_USE bool vertex_path(const struct vertex_place *p, bool stream,
                          struct buf *out, struct err *e);
/* "/v1beta/models/NAME:generateContent" of the Gemini API. */
MUST_USE bool gemini_path(struct span model, bool stream, struct buf *out,
                          struct err *e);

#endif
