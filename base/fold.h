/* SPDX-License-Identifier: Apache-2.0 */
/* Text made alike for comparison, over utf8proc. */
#ifndef WEIR_BASE_FOLD_H
#define WEIR_BASE_FOLD_H

#include "base/arena.h"

/* NFKC and full case folding of valid UTF-8, in the arena; {NULL, 0} when
 * that is full, the text is not valid or is longer than 64 kB. */
struct span fold_text(struct span text, struct arena *a);

#endif
