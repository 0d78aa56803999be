/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp and ln from additions and multiplications only, so that a prediction
 * has the same bits with every C library (libm's differ in the last place).
 */
#ifndef WEIR_MODELS_NUMERIC_H
#define WEIR_MODELS_NUMERIC_H

/* x is kept within +-700; relative error below 1e-14. */
double num_exp(double x);
/* The same, bit for bit, of n numbers where they stand. */
void num_exp_all(double *x, unsigned n);
/* 1e-300 < x < 1e300; absolute error below 1e-14 * max(1, |ln x|). */
double num_log(double x);
double num_logistic(double x);
void num_logistic_all(double *x, unsigned n);

#endif
