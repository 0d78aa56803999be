/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/cmd_rollback.h"

#include <limits.h>
#include <stdio.h>

#include "base/args.h"
#include "features/features.h"
#include "models/classifier.h"
#include "trainer/cycle.h"
#include "trainer/cycle_files.h"
#include "trainer/deploy.h"

/* The kept file must be one that a server can load. */
static bool check_kept(const char *model, char id[CYCLE_ID], struct err *e)
{
    char kept[PATH_MAX];
    struct classifier *c;

    if (!deploy_kept(model, 1, kept, sizeof kept))
        return err_set(e, ERR_USAGE, "%s: the path is too long", model);
    c = classifier_open(kept, FEATURES_VERSION, e);
    if (!c)
        return false;
    snprintf(id, CYCLE_ID, "%s", classifier_id(c));
    classifier_close(c);
    return true;
}

static bool roll_back(const char *model, char was[CYCLE_ID], const char *to,
                      struct err *e)
{
    cycle_file_id(model, "", was);
    return deploy_rollback(model, e) && cycle_note_rollback(model, was, to, e);
}

int cmd_rollback(int argc, char **argv)
{
    const char *model = NULL;
    const struct arg list[] = {
        {"model", ARG_TEXT, &model, "M.weir", "the classifier file"},
    };
    const struct args a = {
        .command = "rollback",
        .usage = "--model M.weir",
        .about = "Puts M.weir.1, the classifier before the present one, in "
                 "its place; the\npresent one is kept as M.weir.undone.  A "
                 "running server loads it on SIGHUP\nor `weir reload`.",
        .list = list,
        .n = sizeof list / sizeof list[0],
    };
    struct err e = {0};
    char id[CYCLE_ID], was[CYCLE_ID] = "";
    int first = 0;

    switch (args_parse(&a, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_BAD:
        break;
    case ARGS_OK:
        if (!model && first < argc)
            model = argv[first];
        if (!model)
            err_set(&e, ERR_USAGE, "--model: wanted a classifier file");
        else if (check_kept(model, id, &e) && roll_back(model, was, id, &e))
            printf("%s is now classifier %s; the one before is %s.undone\n",
                   model, id, model);
        break;
    }
    if (e.kind == ERR_NONE)
        return 0;
    fprintf(stderr, "weir rollback: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
