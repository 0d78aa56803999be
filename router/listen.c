/* SPDX-License-Identifier: Apache-2.0 */
#include "router/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "router/http/http.h"

enum { FIRST_PASSED = 3 };

/* ---- addresses ---- */

/* SO_REUSEPORT would share the port with another server without a word: a
 * plain socket must be able to take it. */
static bool is_alone(const struct sockaddr_storage *a, socklen_t n,
                     const char *address, struct err *e)
{
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    bool ok;

    if (fd < 0)
        return err_sys(e, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ok = bind(fd, (const struct sockaddr *)a, n) == 0 ||
         err_sys(e, "cannot listen on %s", address);
    close(fd);
    return ok;
}

/* The first socket; where a port was named, nobody else has it. */
static int listen_first(const char *address, struct err *e)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    const char *colon = strrchr(address, ':');
    int fd = http_listen(address, e);

    if (fd < 0 || (colon && !strcmp(colon, ":0")))
        return fd;
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
        err_sys(e, "getsockname");
        close(fd);
        return -1;
    }
    close(fd);
    return is_alone(&a, n, address, e) ? http_listen(address, e) : -1;
}

static void put_unix(const struct sockaddr_storage *a, char *dst, size_t size)
{
    const struct sockaddr_un *u = (const struct sockaddr_un *)a;

    snprintf(dst, size, "unix:%s", u->sun_path);
}

/* "host:port" or "unix:path" of a listening socket. */
static bool bound_address(int fd, char *dst, size_t size, struct err *e)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[INET6_ADDRSTRLEN];

    memset(&a, 0, sizeof a);
    if (getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return err_sys(e, "getsockname");
    if (a.ss_family == AF_UNIX) {
        put_unix(&a, dst, size);
    } else if (a.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(dst, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(dst, size, "%s:%u", host, ntohs(v4->sin_port));
    }
    return true;
}

/* ---- what is there ---- */

static bool add(struct listeners *l, int fd, bool all, struct err *e)
{
    if (fd < 0)
        return false;
    if (l->n == LISTEN_MAX) {
        close(fd);
        return err_set(e, ERR_LIMIT, "wanted at most %d listening sockets",
                       LISTEN_MAX);
    }
    if (!l->address[0] &&
        !bound_address(fd, l->address, sizeof l->address, e)) {
        close(fd);
        return false;
    }
    l->all[l->n] = all;
    l->fds[l->n++] = fd;
    return true;
}

/* A socket of another process: ours from now on. */
static bool adopt(struct listeners *l, int fd, struct err *e)
{
    int listens = 0, shared = 0;
    socklen_t n = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens)
        return err_set(e, ERR_INPUT, "descriptor %d: wanted a listening socket",
                       fd);
    n = sizeof shared;
    getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, &n);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return add(l, fd, !shared, e);
}

/* "3 4 5" from the program before this one. */
static bool adopt_list(struct listeners *l, const char *text, struct err *e)
{
    struct span rest = span_of(text), one;
    uint64_t fd;

    while (rest.len) {
        size_t n = strcspn(rest.ptr, " ");

        one = (struct span){rest.ptr, n};
        rest.ptr += n;
        rest.len -= n;
        while (rest.len && *rest.ptr == ' ') {
            rest.ptr++;
            rest.len--;
        }
        if (!span_u64(one, &fd) || fd > 65535)
            return err_set(e, ERR_INPUT, "WEIR_FDS: wanted numbers, found %s",
                           text);
        if (!adopt(l, (int)fd, e))
            return false;
    }
    return true;
}

static bool adopt_systemd(struct listeners *l, struct err *e)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t whose, n;

    if (!pid || !fds || !span_u64(span_of(pid), &whose) ||
        !span_u64(span_of(fds), &n) || whose != (uint64_t)getpid() ||
        n > LISTEN_MAX)
        return true;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    for (int i = 0; i < (int)n; i++) {
        if (!adopt(l, FIRST_PASSED + i, e))
            return false;
    }
    return true;
}

static unsigned count_own(const struct listeners *l)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n; i++)
        n += !l->all[i];
    return n;
}

/* One for each worker, beside those that were handed over. */
static bool bind_all(struct listeners *l, const struct settings *set,
                     struct err *e)
{
    bool handed = l->n > 0;

    if (!handed && *set->listen &&
        !add(l, listen_first(set->listen, e), false, e))
        return false;
    for (unsigned n = count_own(l); n > 0 && n < l->workers; n++) {
        if (!add(l, http_listen(l->address, e), false, e))
            return false;
    }
    if (!handed && set->listen_unix)
        return add(
            l, http_listen_unix(set->listen_unix, (unsigned)set->unix_mode, e),
            true, e);
    return true;
}

bool listeners_open(struct listeners *l, const struct settings *set,
                    unsigned workers, struct err *e)
{
    const char *passed = getenv("WEIR_FDS");

    l->workers = workers;
    if (passed && !adopt_list(l, passed, e))
        return false;
    unsetenv("WEIR_FDS");
    if (!l->n && !adopt_systemd(l, e))
        return false;
    if (!bind_all(l, set, e))
        return false;
    return l->n ||
           err_set(e, ERR_INPUT, "wanted listen or listen_unix, found neither");
}

bool listeners_of(const struct listeners *l, unsigned worker,
                  int fds[LISTEN_MAX], unsigned *n, struct err *e)
{
    unsigned own = 0;

    *n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        bool mine = l->all[i] || own % l->workers == worker;
        int fd;

        own += !l->all[i];
        if (!mine)
            continue;
        fd = fcntl(l->fds[i], F_DUPFD_CLOEXEC, FIRST_PASSED);
        if (fd < 0)
            return err_sys(e, "a listening socket");
        fds[(*n)++] = fd;
    }
    return true;
}

void listeners_close(struct listeners *l)
{
    while (l->n > 0)
        close(l->fds[--l->n]);
}

/* ---- rights ---- */

bool listen_as(const char *user, struct err *e)
{
    const struct passwd *p = user ? getpwnam(user) : NULL;

    if (!user)
        return true;
    if (!p)
        return err_set(e, ERR_INPUT,
                       "user: wanted a user of this system, "
                       "found %s",
                       user);
    if (getuid() == p->pw_uid && geteuid() == p->pw_uid)
        return true;
    if (initgroups(user, p->pw_gid) < 0 || setgid(p->pw_gid) < 0 ||
        setuid(p->pw_uid) < 0)
        return err_sys(e, "user: cannot become %s", user);
    if (setuid(0) == 0)
        return err_set(e, ERR_STATE, "user: %s still has root's rights", user);
    return true;
}
