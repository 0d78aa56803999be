/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a classifier file in place: written beside it, flushed, renamed
 * over it, so that a reader sees the old file or the new one and nothing in
 * between.  The one before is kept as FILE.1, those before it as FILE.2 ...
 * FILE.5.
 */
#ifndef WEIR_TRAINER_DEPLOY_H
#define WEIR_TRAINER_DEPLOY_H

#include "base/err.h"
#include "base/span.h"

enum { DEPLOY_KEPT = 5 };

MUST_USE bool deploy_write(const char *path, struct span bytes, struct err *e);

/* FILE.1 takes FILE's place (checked by the caller), FILE is kept as
 * FILE.undone, FILE.2 becomes FILE.1 and so on. */
MUST_USE bool deploy_rollback(const char *path, struct err *e);

/* "path.1" for kept number 1; false when it does not fit. */
MUST_USE bool deploy_kept(const char *path, unsigned number, char *dst,
                          size_t size);

#endif
