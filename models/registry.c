/* SPDX-License-Identifier: Apache-2.0 */
#include "models/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PRICE_DECIMALS = 6 };

static const char *const tier_names[] = {
    [TIER_UNKNOWN] = "unknown",
    [TIER_ECONOMY] = "economy",
    [TIER_WORKHORSE] = "workhorse",
    [TIER_FRONTIER] = "frontier",
};

static const char *const capability_names[CAPABILITIES] = {
    "tools",  "parallel_tools", "vision",   "audio",  "files",    "json",
    "schema", "reasoning",      "logprobs", "stream", "sampling", "embeddings",
};

const char *tier_name(enum tier t)
{
    return tier_names[t];
}

bool tier_parse(struct span s, enum tier *out)
{
    for (enum tier t = TIER_ECONOMY; t <= TIER_FRONTIER; t++) {
        if (span_is(s, tier_names[t])) {
            *out = t;
            return true;
        }
    }
    return false;
}

const char *capability_name(enum capability c)
{
    for (unsigned i = 0; i < CAPABILITIES; i++) {
        if ((unsigned)c == 1u << i)
            return capability_names[i];
    }
    return "";
}

bool capability_parse(struct span s, uint32_t *bit)
{
    for (unsigned i = 0; i < CAPABILITIES; i++) {
        if (span_is(s, capability_names[i])) {
            *bit = 1u << i;
            return true;
        }
    }
    return false;
}

/* Sums and products that stay at the largest value instead of wrapping. */
static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t charge(int64_t tokens, int64_t price)
{
    int64_t product;
    if (tokens <= 0 || price <= 0)
        return 0;
    return __builtin_mul_overflow(tokens, price, &product) ? INT64_MAX
                                                           : product;
}

static int64_t known(int64_t price, int64_t otherwise)
{
    return price >= 0 ? price : otherwise;
}

static const struct prices *prices_at(const struct model *m, int64_t input)
{
    const struct prices *p = &m->prices;
    for (unsigned i = 0; i < m->n_steps; i++) {
        if (input >= m->steps[i].from_tokens)
            p = &m->steps[i].prices;
    }
    return p;
}

static int64_t positive(int64_t n)
{
    return n > 0 ? n : 0;
}

static int64_t cost_of_tokens(const struct prices *p, const struct usage *u)
{
    if (u->billed)
        return add(charge(u->billed_input, p->input),
                   charge(u->billed_output, p->output));
    int64_t write = known(p->cache_write, p->input);
    int64_t in_cache =
        add(positive(u->cached),
            add(positive(u->cache_write), positive(u->cache_write_1h)));
    int64_t cost = charge(positive(u->input) - in_cache, p->input);
    cost = add(cost, charge(u->cached, known(p->cached_input, p->input)));
    cost = add(cost, charge(u->cache_write, write));
    cost =
        add(cost, charge(u->cache_write_1h, known(p->cache_write_1h, write)));
    return add(cost, charge(u->output, p->output));
}

/* Whole pico-USD; half a one is rounded up. */
static int64_t at_service(const struct model *m, enum service s, int64_t cost)
{
    unsigned share = s == SERVICE_FLEX       ? m->flex
                     : s == SERVICE_PRIORITY ? m->priority
                                             : 0;

    if (share == 0)
        return cost;
    return add(charge(cost / 1000, share), (cost % 1000 * share + 500) / 1000);
}

int64_t model_cost(const struct model *m, const struct usage *u)
{
    int64_t cost;

    if (u->told)
        return positive(u->told_pico);
    if (!m->priced)
        return 0;
    cost = cost_of_tokens(prices_at(m, u->input), u);
    return add(at_service(m, u->service, cost), charge(u->searches, m->search));
}

static int64_t most_of_tokens(const struct prices *p, int64_t input,
                              int64_t output)
{
    int64_t in = p->input;

    in = p->cache_write > in ? p->cache_write : in;
    in = p->cache_write_1h > in ? p->cache_write_1h : in;
    in = p->cached_input > in ? p->cached_input : in;
    return add(charge(input, in), charge(output, p->output));
}

int64_t model_most(const struct model *m, int64_t input, int64_t output,
                   enum service s)
{
    int64_t most;

    if (!m->priced)
        return 0;
    most = most_of_tokens(&m->prices, input, output);
    for (unsigned i = 0; i < m->n_steps; i++) {
        int64_t cost = most_of_tokens(&m->steps[i].prices, input, output);

        if (input >= m->steps[i].from_tokens && cost > most)
            most = cost;
    }
    return m->priority > 1000 ? at_service(m, s, most) : most;
}

enum service service_of(struct span name)
{
    return span_is(name, "flex")       ? SERVICE_FLEX
           : span_is(name, "priority") ? SERVICE_PRIORITY
                                       : SERVICE_STANDARD;
}

bool usd_parse(struct span usd, int64_t *pico)
{
    double d;

    if (!span_double(usd, &d) || !(d >= 0 && d < 1e6))
        return false;
    *pico = llround(d * PICO_PER_USD);
    return true;
}

double model_expected_usd(const struct model *m, double input_tokens,
                          double output_tokens)
{
    if (!m->priced || !(input_tokens >= 0) || !(output_tokens >= 0))
        return 0;
    double whole = fmin(input_tokens, 1e15);
    const struct prices *p = prices_at(m, (int64_t)whole);
    return (input_tokens * (double)p->input +
            output_tokens * (double)p->output) /
           PICO_PER_USD;
}

double model_cache_usd(const struct model *m, double input_tokens, double read,
                       double written)
{
    const struct prices *p;
    double usd = 0;

    if (!m->priced || !(input_tokens >= 0))
        return 0;
    p = prices_at(m, (int64_t)fmin(input_tokens, 1e15));
    if (p->cached_input >= 0)
        usd += fmin(read, input_tokens) * (double)(p->cached_input - p->input);
    if (p->cache_write >= 0)
        usd +=
            fmin(written, input_tokens) * (double)(p->cache_write - p->input);
    return usd / PICO_PER_USD;
}

/* Splits "12.50e-2" into digits, how many stand behind the point, exponent. */
static bool read_decimal(struct span s, int64_t *digits, int *scale)
{
    size_t i = 0, seen = 0;
    bool point = false;
    *digits = 0;
    *scale = 0;
    for (; i < s.len && s.ptr[i] != 'e' && s.ptr[i] != 'E'; i++) {
        if (s.ptr[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || ++seen > 17)
            return false;
        *digits = *digits * 10 + (s.ptr[i] - '0');
        *scale += point;
    }
    if (i == s.len)
        return seen > 0;
    double exponent;
    struct span rest = {s.ptr + i + 1, s.len - i - 1};
    if (seen == 0 || !span_double(rest, &exponent) || fabs(exponent) > 18 ||
        exponent != floor(exponent))
        return false;
    *scale -= (int)exponent;
    return true;
}

bool price_parse(struct span usd_per_million, int64_t *pico)
{
    int64_t n;
    int scale;
    const int64_t most = INT64_C(1000000000000);
    if (!read_decimal(usd_per_million, &n, &scale))
        return false;
    for (; scale > PRICE_DECIMALS; scale--) {
        if (n % 10)
            return false;
        n /= 10;
    }
    for (; scale < PRICE_DECIMALS && n <= most; scale++)
        n *= 10;
    *pico = n;
    return n <= most;
}

const char *price_format(int64_t pico, char dst[32])
{
    if (pico < 0) {
        snprintf(dst, 32, "-");
        return dst;
    }
    int n = snprintf(dst, 32, "%lld.%06lld", (long long)(pico / 1000000),
                     (long long)(pico % 1000000));
    while (dst[n - 1] == '0')
        dst[--n] = '\0';
    if (dst[n - 1] == '.')
        dst[--n] = '\0';
    return dst;
}
