/* SPDX-License-Identifier: Apache-2.0 */
/* A file's SHA-256.  Its own module because <openssl/evp.h> has an ERR_STATE
 * of its own and so cannot meet base/err.h. */
#ifndef WEIR_TRAINER_FILEHASH_H
#define WEIR_TRAINER_FILEHASH_H

#include <stdbool.h>

/* 64 hex digits and a NUL; false with errno set when it cannot be read. */
__attribute__((warn_unused_result)) bool filehash(const char *path,
                                                  char hex[65]);

#endif
