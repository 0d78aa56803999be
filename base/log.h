/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging for people and machines: one line an event, to standard error.
 * error = a human must act; warn; info = one line a finished request; debug.
 * Never a key, never a prompt.  The sink is one of the two mutable globals
 * of the program (the other is the signal flag).  Thread-safe: a line is one
 * write().
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_form { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level level, enum log_form form);
bool log_wants(enum log_level level);

/* event: a short fixed word group ("upstream failed").  Then key=value pairs
 * from a format like "route=%s status=%d reason=\"%s\"": values that may hold
 * spaces stand in double quotes.  JSON form: every pair a string member. */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    PRINTF(3, 4);

/* Masks all but the last four characters of a secret: "****abcd". */
const char *log_mask(const char *secret, char dst[16]);

#endif
