/* SPDX-License-Identifier: Apache-2.0 */
#include "router/cmd_serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/args.h"
#include "router/router.h"

struct options {
    const char *config, *port_file;
    char **argv;
};

static void write_line(const char *path, const char *text)
{
    FILE *f = path ? fopen(path, "w") : NULL;

    if (!f) {
        if (path)
            fprintf(stderr, "weir serve: cannot write %s\n", path);
        return;
    }
    fprintf(f, "%s\n", text);
    fclose(f);
}

static void ready(const struct router *r, void *ctx)
{
    const struct options *o = ctx;
    const char *address = r->listeners.address;
    const char *colon = strrchr(address, ':');
    const char *scheme = snapshot_tls(r->first) ? "https" : "http";
    char pid[24];

    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    write_line(snapshot_settings(r->first)->pid_file, pid);
    if (!strncmp(address, "unix:", 5))
        printf("weir: ready on %s, workers %u\n", address, r->n_workers);
    else
        printf("weir: ready on %s://%s, workers %u\n", scheme, address,
               r->n_workers);
    fflush(stdout);
    write_line(o->port_file, colon + 1);
}

/* A stream takes two files, and shells give 1024 to begin with. */
static void allow_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* A program that took our place has written its own. */
static bool is_ours(const char *pid_file)
{
    FILE *f = fopen(pid_file, "r");
    char text[32] = "";

    if (!f)
        return false;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    return strtol(text, NULL, 10) == (long)getpid();
}

static bool serve(void *options, struct err *e)
{
    struct options *o = options;
    struct router *r = router_new(o->config, o->argv, e);
    const char *pid_file;
    bool ok;

    if (!r)
        return false;
    allow_files();
    ok = router_run(r, ready, o, e);
    pid_file = snapshot_settings(r->first)->pid_file;
    if (pid_file && is_ours(pid_file))
        unlink(pid_file);
    router_free(r);
    return ok;
}

int cmd_serve(int argc, char **argv)
{
    struct options o = {.config = "weir.yaml", .argv = argv};
    const struct arg list[] = {
        {"config", ARG_TEXT, &o.config, "F", "configuration [weir.yaml]"},
        {"port-file", ARG_TEXT, &o.port_file, "F",
         "write the port there once connections are taken"},
    };
    const struct args args = {
        "serve", "[options]",
        "Serves the routes of the configuration until SIGTERM or SIGINT; "
        "SIGHUP loads it again.",
        list, sizeof list / sizeof list[0]};

    return args_run(&args, argc, argv, serve, &o);
}
