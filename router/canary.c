/* SPDX-License-Identifier: Apache-2.0 */
#include "router/canary.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "features/features.h"

enum { TEXT_MAX = 4096 };

/* Another hash than that of exploration, which goes by the same keys. */
#define SALT UINT64_C(0x63616e617279)

static bool read_share(const char *path, double *share, struct err *e)
{
    struct buf text;
    struct json v, number;
    bool ok;

    buf_init(&text, TEXT_MAX);
    ok = file_read(path, &text, e) &&
         (json_parse(buf_view(&text), &v, e) || err_wrap(e, "%s", path));
    if (ok) {
        number = json_get(&v, "share");
        ok = (json_double(&number, share) && *share >= 0 && *share <= 1) ||
             err_set(e, ERR_INPUT, "%s: share: wanted a number from 0 to 1",
                     path);
    }
    buf_free(&text);
    return ok;
}

void canary_load(struct canary *c, const char *path)
{
    char file[PATH_MAX], card[PATH_MAX];
    struct err e;
    int n = snprintf(file, sizeof file, "%s.canary", path);
    int m = snprintf(card, sizeof card, "%s.canary.json", path);

    *c = (struct canary){.share = 0};
    if (n >= PATH_MAX || m >= PATH_MAX || access(card, F_OK) != 0)
        return;
    if (read_share(card, &c->share, &e))
        c->classifier = classifier_open(file, FEATURES_VERSION, &e);
    if (!c->classifier)
        snprintf(c->problem, sizeof c->problem, "%.290s", e.msg);
}

void canary_free(struct canary *c)
{
    classifier_close(c->classifier);
    c->classifier = NULL;
}

bool canary_takes(const struct canary *c, uint64_t key)
{
    return c->classifier &&
           (double)(rng_mix(key, SALT) >> 11) * 0x1p-53 < c->share;
}
