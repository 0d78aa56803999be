/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool err_vset(struct err *e, enum err_kind kind, const char *fmt, va_list ap)
{
    if (!e)
        return false;
    e->kind = kind;
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    return false;
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    err_vset(e, kind, fmt, ap);
    va_end(ap);
    return false;
}

bool err_sys(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    char head[384];
    char reason[96];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_IO, "%s: %s", head,
                   strerror_r(saved, reason, sizeof reason));
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    char head[256];
    char tail[sizeof e->msg];
    va_list ap;

    if (!e)
        return false;
    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    memcpy(tail, e->msg, sizeof tail);
    snprintf(e->msg, sizeof e->msg, "%s: %.*s", head,
             (int)(sizeof tail - sizeof head - 3), tail);
    return false;
}
