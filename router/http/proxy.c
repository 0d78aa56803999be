/* SPDX-License-Identifier: Apache-2.0 */
#include "router/http/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char SIGNATURE[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { LOCAL = 0x20, PROXIED = 0x21, TCP4 = 0x11, TCP6 = 0x21 };

static unsigned u16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

long proxy_length(const char *p, size_t n)
{
    size_t known = n < sizeof SIGNATURE ? n : sizeof SIGNATURE;
    size_t whole;

    if (known && memcmp(p, SIGNATURE, known) != 0)
        return -1;
    if (n < PROXY_FIXED)
        return -2;
    whole = PROXY_FIXED + u16(p + 14);
    return whole <= PROXY_MAX ? (long)whole : -1;
}

static bool put_peer(int family, const char *address, const char *port,
                     char peer[PROXY_PEER])
{
    char host[INET6_ADDRSTRLEN];
    bool six = family == AF_INET6;

    if (!inet_ntop(family, address, host, sizeof host))
        return false;
    snprintf(peer, PROXY_PEER, "%s%s%s:%u", six ? "[" : "", host,
             six ? "]" : "", u16(port));
    return true;
}

bool proxy_parse(const char *p, size_t n, char peer[PROXY_PEER])
{
    unsigned char command, family;

    peer[0] = '\0';
    if (n < PROXY_FIXED || proxy_length(p, n) != (long)n)
        return false;
    command = (unsigned char)p[12];
    family = (unsigned char)p[13];
    if (command == LOCAL)
        return true;
    if (command != PROXIED)
        return false;
    if (family == TCP4)
        return n >= PROXY_FIXED + 12 && put_peer(AF_INET, p + 16, p + 24, peer);
    if (family == TCP6)
        return n >= PROXY_FIXED + 36 &&
               put_peer(AF_INET6, p + 16, p + 48, peer);
    return true; /* another family: the balancer's own address stays */
}
