/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/dialect.h"

#include <string.h>

static const struct dialect_ops *const rows[] = {
    &dialect_openai,
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct dialect_ops *dialect_at(unsigned i)
{
    return i < ROWS ? rows[i] : NULL;
}

const struct dialect_ops *dialect_find(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i]->name, name))
            return rows[i];
    }
    return NULL;
}
