/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the settings below `retrain` are where weir.yaml does not say: read by
 * the server, which starts the cycle, and by the cycle itself.
 */
#ifndef WEIR_MODELS_RETRAIN_H
#define WEIR_MODELS_RETRAIN_H

#define RETRAIN_EVERY "0"
#define RETRAIN_MIN_NEW_LABELS "0"
#define RETRAIN_LOOK "1m"
#define RETRAIN_HELD "0.25"
#define RETRAIN_SHADOW "200"
#define RETRAIN_CANARY "500"
#define RETRAIN_SHARE "0.05"
#define RETRAIN_WATCH "2000"
#define RETRAIN_CONFIDENCE "0.95"
#define RETRAIN_MARGIN "0.02"

/* Of `weir cycle` where neither `every` nor `min_new_labels` is set. */
#define RETRAIN_LABELS 200

#endif
