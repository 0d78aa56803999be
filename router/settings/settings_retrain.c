/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the learning cycle, one row each.  The server reads `every`,
 * `min_new_labels` and `look`; the others are `weir cycle`'s, which reads the
 * file itself. */
#include "router/settings/settings_parts.h"

#include <stddef.h>

#include "models/retrain.h"

#define LEN(rows) (sizeof(rows) / sizeof((rows)[0]))
#define AT(field) offsetof(struct retrain_settings, field)

static const struct setting rows[] = {
    {.key = "every",
     .kind = SETTING_MS,
     .offset = AT(every_ms),
     .initial = RETRAIN_EVERY,
     .max = 9e15,
     .help = "Trains at least so often, if there are new labels; 0: not by "
             "time.  With this or min_new_labels the server runs `weir cycle` "
             "by itself; `classifier` must then be a file."},
    {.key = "min_new_labels",
     .kind = SETTING_COUNT,
     .offset = AT(min_new_labels),
     .initial = RETRAIN_MIN_NEW_LABELS,
     .max = 1e12,
     .help = "Trains when so many labels have come since the last training; "
             "0: not by number."},
    {.key = "look",
     .kind = SETTING_MS,
     .offset = AT(look_ms),
     .initial = RETRAIN_LOOK,
     .min = 100,
     .max = 864e5,
     .restart = true,
     .help = "How often the server runs `weir cycle`, which goes as far as "
             "the log allows."},
    {.key = "route",
     .kind = SETTING_TEXT,
     .offset = AT(route),
     .help = "The route whose promise counts; initially the first that goes "
             "by quality."},
    {.key = "data",
     .kind = SETTING_TEXTS,
     .offset = AT(data),
     .help = "Labelled datasets to learn from besides the log."},
    {.key = "held",
     .kind = SETTING_REAL,
     .offset = AT(held),
     .initial = RETRAIN_HELD,
     .min = .05,
     .max = .9,
     .help = "Share of the labelled requests, the newest, that a challenger "
             "does not learn from, and must show on that it is better."},
    {.key = "shadow_requests",
     .kind = SETTING_COUNT,
     .offset = AT(shadow),
     .initial = RETRAIN_SHADOW,
     .max = 1e12,
     .help = "Requests after that on which it is compared again, before it "
             "serves anybody."},
    {.key = "canary_share",
     .kind = SETTING_REAL,
     .offset = AT(share),
     .initial = RETRAIN_SHARE,
     .max = 1,
     .help = "Share of the sessions that it serves first; 0: it serves all "
             "at once."},
    {.key = "canary_requests",
     .kind = SETTING_COUNT,
     .offset = AT(canary),
     .initial = RETRAIN_CANARY,
     .max = 1e12,
     .help = "Requests that it has to serve so."},
    {.key = "watch_requests",
     .kind = SETTING_COUNT,
     .offset = AT(watch),
     .initial = RETRAIN_WATCH,
     .max = 1e12,
     .help = "Requests after its promotion within which outcomes that fall "
             "short of predictions bring the one before back."},
    {.key = "confidence",
     .kind = SETTING_REAL,
     .offset = AT(confidence),
     .initial = RETRAIN_CONFIDENCE,
     .min = .5,
     .max = .9999,
     .help = "Of each bound by which a challenger is judged."},
    {.key = "margin",
     .kind = SETTING_REAL,
     .offset = AT(margin),
     .initial = RETRAIN_MARGIN,
     .max = .5,
     .help = "By how much a canary's labels, or its share of answers without "
             "an error, may be worse before that counts."},
};

const struct section settings_retrain_section = {
    "retrain", sizeof(struct retrain_settings), rows, LEN(rows)};
