/* SPDX-License-Identifier: Apache-2.0 */
#include "models/numeric.h"

#include <math.h>

/* ln 2 in two parts: the first has 32 bits, so k * LN2_HIGH is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define LOG2_E 0x1.71547652b82fep+0

enum { EXP_TERMS = 13, LOG_TERMS = 12 };

/* exp(x) = 2^k * exp(r), |r| <= ln(2) / 2; Taylor in Horner's form. */
double num_exp(double x)
{
    if (x > 700)
        x = 700;
    if (x < -700)
        x = -700;
    double k = floor(x * LOG2_E + 0.5);
    double r = x - k * LN2_HIGH - k * LN2_LOW;
    double sum = 1;
    for (int i = EXP_TERMS; i > 0; i--)
        sum = 1 + sum * r / i;
    return ldexp(sum, (int)k);
}

/* x = 2^e * m with m around 1; ln m = 2 artanh((m - 1) / (m + 1)). */
double num_log(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1), t2 = t * t, sum = 0;
    for (int i = LOG_TERMS; i >= 0; i--)
        sum = sum * t2 + 1.0 / (2 * i + 1);
    return 2 * t * sum + e * LN2_LOW + e * LN2_HIGH;
}

double num_logistic(double x)
{
    return 1 / (1 + num_exp(-x));
}
