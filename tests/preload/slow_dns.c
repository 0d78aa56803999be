/* SPDX-License-Identifier: Apache-2.0 */
/* Names that end in .slow take WEIR_DNS_MS to resolve, to 127.0.0.1. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *,
                           struct addrinfo **);

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **res)
{
    static getaddrinfo_fn *real;
    const char *ms = getenv("WEIR_DNS_MS");
    size_t n = node ? strlen(node) : 0;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (ms && n > 5 && strcmp(node + n - 5, ".slow") == 0 &&
        !(hints && hints->ai_flags & AI_NUMERICHOST)) {
        usleep((useconds_t)strtoul(ms, NULL, 10) * 1000);
        node = "127.0.0.1";
    }
    return real(node, service, hints, res);
}
