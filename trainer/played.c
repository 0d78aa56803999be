/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer/played.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH_BYTES = 4096, ARGS_MAX = 20, NUMBER_MAX = 32 };

/* The child's arguments, and room for its numbers. */
struct command {
    const char *argv[ARGS_MAX];
    unsigned n;
    char program[PATH_BYTES];
    char quality[NUMBER_MAX], since[NUMBER_MAX], until[NUMBER_MAX];
};

static void add(struct command *c, const char *option, const char *value)
{
    c->argv[c->n++] = option;
    c->argv[c->n++] = value;
}

static bool command_fill(struct command *c, const struct played_ask *a,
                         struct err *e)
{
    ssize_t n = 0;

    *c = (struct command){.n = 0};
    if (!a->program) {
        n = readlink("/proc/self/exe", c->program, sizeof c->program - 1);
        if (n <= 0)
            return err_sys(e, "/proc/self/exe");
    }
    add(c, a->program ? a->program : c->program, "replay");
    add(c, "--choices", a->route);
    add(c, "--config", a->config);
    add(c, "--log", a->log);
    snprintf(c->quality, sizeof c->quality, "%.17g", a->quality);
    snprintf(c->since, sizeof c->since, "%lld", (long long)a->since_ms);
    snprintf(c->until, sizeof c->until, "%lld", (long long)a->until_ms);
    if (!isnan(a->quality))
        add(c, "--quality", c->quality);
    if (a->since_ms > 0)
        add(c, "--since-ms", c->since);
    if (a->until_ms > 0)
        add(c, "--until-ms", c->until);
    return true;
}

/* Its output and what it complains of come by one pipe; -1 with e. */
static int start(const struct command *c, pid_t *pid, struct err *e)
{
    posix_spawn_file_actions_t acts;
    char *argv[ARGS_MAX + 1] = {NULL};
    int ends[2], rc;

    memcpy(argv, c->argv, c->n * sizeof *argv);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)err_sys(e, "pipe");
        return -1;
    }
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, ends[1], 1);
    posix_spawn_file_actions_adddup2(&acts, ends[1], 2);
    rc = posix_spawn(pid, argv[0], &acts, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    close(ends[1]);
    if (rc == 0)
        return ends[0];
    close(ends[0]);
    (void)err_set(e, ERR_IO, "%s: %s", argv[0], strerror(rc));
    return -1;
}

/* "weir replay: what is wrong" without its beginning. */
static void remember(char *said, size_t size, const char *line, ssize_t n)
{
    static const char begin[] = "weir replay: ";
    struct span s = span_trim((struct span){line, (size_t)n});

    if (span_starts(s, begin))
        s = (struct span){s.ptr + sizeof begin - 1, s.len - sizeof begin + 1};
    snprintf(said, size, "%.*s", SPAN_ARGS(s));
}

bool played_choices(const struct played_ask *a, struct err *e)
{
    struct command c;
    char said[400] = "it said nothing", *line = NULL;
    size_t room = 0;
    FILE *from = NULL;
    pid_t pid = 0;
    ssize_t n;
    int status = 0, fd;
    bool ok = command_fill(&c, a, e);

    fd = ok ? start(&c, &pid, e) : -1;
    if (fd < 0)
        return false;
    from = fdopen(fd, "r");
    if (!from)
        ok = err_sys(e, "pipe");
    while (ok && (n = getline(&line, &room, from)) > 0) {
        if (*line == '{')
            ok = a->take(a->ctx, (struct span){line, (size_t)n}, e);
        else
            remember(said, sizeof said, line, n);
    }
    free(line);
    if (from)
        fclose(from); /* what it still has to say ends it */
    else
        close(fd);
    waitpid(pid, &status, 0);
    if (ok && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        ok = err_set(e, ERR_INPUT, "%s", said);
    return ok;
}
