/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY header: what is taken has its full length, and bytes that come
 * one by one lead to the same end as all at once. */
#include "router/http/proxy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* no byte behind it may be read */
    char peer[PROXY_PEER];
    long whole = -2;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    for (size_t n = 0; n <= size && whole == -2; n++)
        whole = proxy_length(copy, n);
    if (proxy_length(copy, size) == -1 && whole != -1)
        abort();
    if (whole > 0 && whole != proxy_length(copy, size))
        abort();
    if (whole > 0 && (size_t)whole <= size) {
        char *exact = malloc((size_t)whole);

        if (exact) {
            memcpy(exact, copy, (size_t)whole);
            if (proxy_parse(exact, (size_t)whole, peer) &&
                strlen(peer) >= PROXY_PEER)
                abort();
        }
        free(exact);
    }
    free(copy);
    return 0;
}
