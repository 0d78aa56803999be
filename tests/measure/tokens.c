/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON string a line in, its token estimate a line out; see tokens.sh. */
#include "features/tokens.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    struct json v;
    struct err e;

    while ((n = getline(&line, &size, stdin)) > 0) {
        if (!json_parse((struct span){line, (size_t)n}, &v, &e)) {
            fprintf(stderr, "tokens: %s\n", e.msg);
            return 1;
        }
        printf("%u\n",
               tokens_estimate((struct text){json_inner(&v), v.escaped}));
    }
    free(line);
    return 0;
}
