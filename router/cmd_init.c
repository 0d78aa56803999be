/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "router/settings/settings.h"

static bool write_sample(const char *path, bool force, struct err *e)
{
    int flags = O_WRONLY | O_CREAT | (force ? O_TRUNC : O_EXCL);
    size_t n = strlen(settings_sample);
    int fd = open(path, flags | O_CLOEXEC, 0644);

    if (fd < 0 && errno == EEXIST)
        return err_set(e, ERR_STATE,
                       "%s is there already; --force writes over it", path);
    if (fd < 0)
        return err_sys(e, "%s", path);
    if (write(fd, settings_sample, n) != (ssize_t)n) {
        close(fd);
        return err_sys(e, "%s", path);
    }
    if (close(fd) < 0)
        return err_sys(e, "%s", path);
    return true;
}

int cmd_init(int argc, char **argv)
{
    const char *config = "weir.yaml";
    bool force = false;
    const struct arg list[] = {
        {"config", ARG_TEXT, &config, "F", "file to write [weir.yaml]"},
        {"force", ARG_FLAG, &force, NULL, "write over a file that is there"},
    };
    const struct args args = {
        "init", "[options]",
        "Writes a commented configuration that passes weir check.", list,
        sizeof list / sizeof list[0]};
    struct err e = {0};
    int first;

    switch (args_parse(&args, argc, argv, &first, &e)) {
    case ARGS_HELP:
        return 0;
    case ARGS_OK:
        if (write_sample(config, force, &e)) {
            printf("%s: written; next: weir check, weir serve\n", config);
            return 0;
        }
        break;
    case ARGS_BAD:
        break;
    }
    fprintf(stderr, "weir init: %s\n", e.msg);
    return e.kind == ERR_USAGE ? 2 : 1;
}
