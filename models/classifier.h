/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routing classifier: a file (*.weir), memory-mapped, validated entirely
 * before use, then read only.  Per arm it predicts P(adequate) (calibrated)
 * and expected output tokens; and the probabilities of the task types.
 * Prediction allocates nothing, is deterministic to the bit, and may run on
 * many threads at once over one classifier.  The arithmetic, the limits and
 * struct prediction are in models/weights.h.  A mapped file must not be
 * rewritten in place: replace it by renaming a new one over it.
 *
 * docs/classifier-format.md holds the format; the trainer writes it.
 */
#ifndef WEIR_MODELS_CLASSIFIER_H
#define WEIR_MODELS_CLASSIFIER_H

#include "base/err.h"
#include "base/vec.h"
#include "models/weights.h"

struct classifier;

/*
 * Maps and checks the file: magic, versions (features_version is the
 * caller's FEATURES_VERSION), sizes, every array finite, SHA-256 of all.
 * NULL with e filled; nothing is kept then.
 */
MUST_USE struct classifier *
classifier_open(const char *path, uint32_t features_version, struct err *e);
/* The same from bytes (copied). */
MUST_USE struct classifier *
classifier_from(struct span bytes, uint32_t features_version, struct err *e);
void classifier_close(struct classifier *c); /* NULL: no-op */

uint32_t classifier_n_arms(const struct classifier *c);
const char *classifier_arm(const struct classifier *c, uint32_t i);
int classifier_find_arm(const struct classifier *c, struct span name); /*-1*/
uint32_t classifier_n_tasks(const struct classifier *c);
const char *classifier_task(const struct classifier *c, uint32_t i);
/* The card: JSON text, inside the mapping (borrowed). */
struct span classifier_card(const struct classifier *c);
/* Short identity: first 16 hex digits of the file's SHA-256. */
const char *classifier_id(const struct classifier *c);

int classifier_find_task(const struct classifier *c, struct span name); /*-1*/
/* Its arrays, as long as it is open. */
const struct weights *classifier_weights(const struct classifier *c);

/* task: index of the task that the operator or client named, -1: none, it
 * is predicted. */
void classifier_predict(const struct classifier *c, const struct vec *v,
                        int task, struct prediction *out);

/* One term's share in an arm's logit, for explain. */
struct contribution {
    enum { FROM_WORD, FROM_MARK, FROM_DENSE } group;
    uint32_t index; /* hash, or position in dense */
    float logit;
};
/* The `max` weightiest terms of arm's quality head by |logit|, descending;
 * returns how many were written. */
size_t classifier_contributions(const struct classifier *c, const struct vec *v,
                                uint32_t arm, struct contribution *out,
                                size_t max);

#endif
