/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of models/domain.h for a fit. */
#ifndef WEIR_TRAINER_BOUNDS_H
#define WEIR_TRAINER_BOUNDS_H

#include "models/domain.h"
#include "trainer/fit.h"

/*
 * The same quantile of each measure over the fit's rows, by predictions that
 * have not seen them: the lowest at which no more than DOMAIN_SHARE of the
 * rows is outside by any of the three.  Fewer than DOMAIN_LEAST rows, or none
 * held out: out->known is false.
 */
MUST_USE bool bounds_find(const struct fitted *f, struct domain *out,
                          struct err *e);

#endif
