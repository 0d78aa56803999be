/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a cycle, beside the classifier F.weir:
 *
 *   F.weir.challenger   trained, serves nobody
 *   F.weir.canary       serves the share that F.weir.canary.json says
 *   F.weir.1 ... .5     those before (trainer/deploy.h)
 *
 * Each state wants certain files to be there; bringing them there may be
 * done again after a kill at any point.
 */
#ifndef WEIR_TRAINER_CYCLE_FILES_H
#define WEIR_TRAINER_CYCLE_FILES_H

#include "trainer/cycle_state.h"

/* The id of F.weir + suffix; "" where it is missing or no valid classifier. */
void cycle_file_id(const char *model, const char *suffix, char id[CYCLE_ID]);
/* The path; false when it is too long. */
MUST_USE bool cycle_file_path(const char *model, const char *suffix, char *dst,
                              size_t size);
/* Puts the files as this state wants them.  share: of the canary. */
MUST_USE bool cycle_files_put(const char *model, const struct cycle_state *s,
                              double share, struct err *e);

#endif
