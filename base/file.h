/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read with a limit, written so that no reader sees half. */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Appends the file's bytes to out; "-" is standard input.  Fails, with the
 * path in the message, also where there are more bytes than out may hold. */
MUST_USE bool file_read(const char *path, struct buf *out, struct err *e);

/* Writes beside the path, flushes to the disk, then renames over it; what
 * stood there before stays until then.  A path to something that is no
 * regular file (/dev/stdout, a pipe) is written to directly. */
MUST_USE bool file_write(const char *path, struct span bytes, struct err *e);

#endif
