/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error, filled by whoever knows most and passed up by value.
 *
 * A function that can fail takes `struct err *e` last, fills it exactly when
 * it fails and returns false (or -1, or NULL).  Nothing below main() prints
 * or exits.  A message says what was wanted and what was found.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_kind {
    ERR_NONE,
    ERR_USAGE,  /* the caller's words are off: exit status 2 */
    ERR_INPUT,  /* a file or a message is not what it should be */
    ERR_IO,     /* the system refused: errno is in the message */
    ERR_MEMORY, /* no memory, or a cap was reached */
    ERR_LIMIT,  /* larger, deeper or longer than allowed */
    ERR_STATE,  /* not now: busy, closed, not there */
};

struct err {
    enum err_kind kind;
    char msg[508];
};

/* Fills e (which may be NULL); always returns false, so that a caller can
 * write `return err_set(e, ...)`.  Text beyond the buffer is cut. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    PRINTF(3, 4);
bool err_vset(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
    PRINTF(3, 0);

/* As err_set with ": " and the text of errno behind it. */
bool err_sys(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Puts "<formatted>: " before the message that is there; returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

#endif
