/* SPDX-License-Identifier: Apache-2.0 */
#include "router/upstream/public_address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* www.iana.org/assignments/iana-ipv4-special-registry */
static const struct {
    uint32_t net; /* host order */
    unsigned bits;
} closed4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared by carriers; Alibaba's metadata */
    {0x7f000000, 8},  /* loopback */
    {0xa83f8110, 32}, /* Azure's platform, 168.63.129.16 */
    {0xa9fe0000, 16}, /* link-local; the clouds' metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments; Oracle's metadata */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

/* www.iana.org/assignments/iana-ipv6-special-registry; of the rest only
 * 2000::/3 is global. */
static const struct {
    uint8_t net[4];
    unsigned bits;
} closed6[] = {
    {{0x20, 0x01, 0x00, 0x00}, 23}, /* protocols: Teredo, ORCHID, ... */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02, 0x00, 0x00}, 16}, /* 6to4: holds an IPv4 address */
    {{0x3f, 0xff, 0x00, 0x00}, 20}, /* documentation */
};

static uint32_t big(const uint8_t b[4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

static bool within(uint32_t a, uint32_t net, unsigned bits)
{
    return (a ^ net) >> (32 - bits) == 0;
}

static bool is_public4(uint32_t a)
{
    for (size_t i = 0; i < sizeof closed4 / sizeof closed4[0]; i++) {
        if (within(a, closed4[i].net, closed4[i].bits))
            return false;
    }
    return true;
}

static bool is_public6(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(a, mapped, sizeof mapped) == 0)
        return is_public4(big(a + 12));
    if (a[0] >> 5 != 1)
        return false;
    for (size_t i = 0; i < sizeof closed6 / sizeof closed6[0]; i++) {
        if (within(big(a), big(closed6[i].net), closed6[i].bits))
            return false;
    }
    return true;
}

bool address_is_public(const struct sockaddr *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (a->sa_family == AF_INET) {
        memcpy(&v4, a, sizeof v4);
        return is_public4(ntohl(v4.sin_addr.s_addr));
    }
    if (a->sa_family != AF_INET6)
        return false;
    memcpy(&v6, a, sizeof v6);
    return is_public6(v6.sin6_addr.s6_addr);
}
