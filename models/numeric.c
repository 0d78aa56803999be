/* SPDX-License-Identifier: Apache-2.0 */
#include "models/numeric.h"

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has 32 bits, so k * LN2_HIGH is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0

/* 1 / i! and 1 / (2 i + 1) */
static const double exp_terms[] = {
    0x1.0000000000000p+0,  0x1.0000000000000p+0,  0x1.0000000000000p-1,
    0x1.5555555555555p-3,  0x1.5555555555555p-5,  0x1.1111111111111p-7,
    0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16,
    0x1.71de3a556c734p-19, 0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26,
    0x1.1eed8eff8d898p-29, 0x1.6124613a86d09p-33};
static const double log_terms[] = {
    0x1.0000000000000p+0, 0x1.5555555555555p-2, 0x1.999999999999ap-3,
    0x1.2492492492492p-3, 0x1.c71c71c71c71cp-4, 0x1.745d1745d1746p-4,
    0x1.3b13b13b13b14p-4, 0x1.1111111111111p-4, 0x1.e1e1e1e1e1e1ep-5,
    0x1.af286bca1af28p-5, 0x1.8618618618618p-5, 0x1.642c8590b2164p-5,
    0x1.47ae147ae147bp-5};

enum {
    EXP_TERMS = sizeof exp_terms / sizeof *exp_terms,
    LOG_TERMS = sizeof log_terms / sizeof *log_terms,
};

/* 2^k, -1022 <= k <= 1023 */
static double power_of_two(int k)
{
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Four numbers that do not wait for each other's sums. */
typedef double four __attribute__((vector_size(32)));

/* exp(x) = 2^k * exp(r), |r| <= ln(2) / 2; Taylor in Horner's form. */
static void exp_four(double x[4])
{
    four r, sum;
    double power[4];
    for (int i = 0; i < 4; i++) {
        double v = x[i] > 700 ? 700 : x[i] < -700 ? -700 : x[i];
        int k = (int)(v * LOG2_E + (v < 0 ? -0.5 : 0.5));
        r[i] = v - k * LN2_HIGH - k * LN2_LOW;
        power[i] = power_of_two(k);
        sum[i] = exp_terms[EXP_TERMS - 1];
    }
    for (int i = EXP_TERMS - 2; i >= 0; i--)
        sum = sum * r + exp_terms[i];
    for (int i = 0; i < 4; i++)
        x[i] = sum[i] * power[i];
}

void num_exp_all(double *x, unsigned n)
{
    double rest[4] = {0};
    unsigned i = 0;
    for (; i + 4 <= n; i += 4)
        exp_four(x + i);
    if (i == n)
        return;
    memcpy(rest, x + i, (n - i) * sizeof *x);
    exp_four(rest);
    memcpy(x + i, rest, (n - i) * sizeof *x);
}

double num_exp(double x)
{
    double one[4] = {x};
    exp_four(one);
    return one[0];
}

/* x = 2^e * m with m around 1; ln m = 2 artanh((m - 1) / (m + 1)). */
double num_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    double m = x * power_of_two(-e);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m /= 2;
        e++;
    }
    double t = (m - 1) / (m + 1), t2 = t * t, sum = 0;
    for (int i = LOG_TERMS - 1; i >= 0; i--)
        sum = sum * t2 + log_terms[i];
    return 2 * t * sum + e * LN2_LOW + e * LN2_HIGH;
}

double num_logistic(double x)
{
    return 1 / (1 + num_exp(-x));
}

void num_logistic_all(double *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        x[i] = -x[i];
    num_exp_all(x, n);
    for (unsigned i = 0; i < n; i++)
        x[i] = 1 / (1 + x[i]);
}
