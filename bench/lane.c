/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/lane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20, READ_SIZE = 64 << 10 };

bool target_parse(const char *url, struct target *t, struct err *e)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct span rest = span_of(url), host, port;
    uint64_t n = 80;

    if (!span_starts(rest, "http://"))
        return err_set(e, ERR_USAGE,
                       "--url: wanted http://HOST:PORT/PATH, "
                       "found '%s'",
                       url);
    rest.ptr += 7;
    rest.len -= 7;
    port = span_cut(&rest, '/');
    host = span_cut(&port, ':');
    if (!span_copy(t->host, sizeof t->host, host) ||
        snprintf(t->path, sizeof t->path, "/%.*s", SPAN_ARGS(rest)) >=
            (int)sizeof t->path ||
        (port.ptr && (!span_u64(port, &n) || n > 65535)))
        return err_set(e, ERR_USAGE,
                       "--url: wanted http://HOST:PORT/PATH, "
                       "found '%s'",
                       url);
    if (getaddrinfo(t->host, NULL, &hints, &found) != 0 || !found)
        return err_set(e, ERR_IO, "%s: no IPv4 address", t->host);
    memcpy(&t->addr, found->ai_addr, sizeof t->addr);
    t->addr.sin_port = htons((uint16_t)n);
    freeaddrinfo(found);
    return true;
}

void lane_close(struct lane *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->connecting = false;
    l->busy = false;
    buf_reset(&l->in);
}

static enum lane_end fail(struct lane *l, const char *why)
{
    lane_close(l);
    l->failure = why;
    return LANE_FAIL;
}

static bool open_socket(struct lane *l, const struct target *t)
{
    int one = 1;

    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(l->fd, (const struct sockaddr *)&t->addr, sizeof t->addr) == 0)
        return true;
    l->connecting = errno == EINPROGRESS;
    return l->connecting;
}

/* ---- answers ---- */

static bool header_is(struct span line, const char *name, struct span *value)
{
    struct span rest = line, key = span_cut(&rest, ':');

    if (!rest.ptr || !span_is_nocase(key, name))
        return false;
    *value = span_trim(rest);
    return true;
}

static const char *find(struct span in, const char *what, size_t n)
{
    return memmem(in.ptr, in.len, what, n);
}

long lane_answer(struct span in, int *status, bool *closes)
{
    const char *end = find(in, "\r\n\r\n", 4), *last;
    struct span head, line, value;
    uint64_t length = 0, code;
    bool chunked = false;

    if (!end)
        return in.len > READ_SIZE ? -1 : -2;
    head = (struct span){in.ptr, (size_t)(end - in.ptr)};
    line = span_cut(&head, '\n');
    if (!span_starts(line, "HTTP/1.") || line.len < 12 ||
        !span_u64((struct span){line.ptr + 9, 3}, &code))
        return -1;
    *status = (int)code;
    *closes = line.ptr[7] == '0';
    while (head.ptr) {
        line = span_cut(&head, '\n');
        if (header_is(line, "content-length", &value) &&
            !span_u64(value, &length))
            return -1;
        if (header_is(line, "transfer-encoding", &value))
            chunked = span_is_nocase(value, "chunked");
        if (header_is(line, "connection", &value))
            *closes = span_is_nocase(value, "close");
    }
    end += 4;
    if (!chunked)
        return (size_t)(in.ptr + in.len - end) < length
                   ? -2
                   : (long)((uint64_t)(end - in.ptr) + length);
    /* The end of the chunks can only be the end of what has come: one answer
     * is under way on a connection. */
    last = in.len >= 5 ? in.ptr + in.len - 5 : in.ptr;
    return last >= end && !memcmp(last, "0\r\n\r\n", 5) ? (long)in.len : -2;
}

/* ---- the way of a request ---- */

static enum lane_end send_some(struct lane *l)
{
    while (l->out.len) {
        ssize_t n = send(l->fd, l->out.ptr, l->out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            return LANE_WAIT;
        if (n <= 0)
            return fail(l, "cut");
        l->out.ptr += n;
        l->out.len -= (size_t)n;
    }
    return LANE_WAIT;
}

static enum lane_end receive_some(struct lane *l)
{
    for (;;) {
        char *room = buf_room(&l->in, READ_SIZE);
        ssize_t n;
        long whole;

        if (!room)
            return fail(l, "answer too long");
        n = recv(l->fd, room, READ_SIZE, 0);
        if (n < 0 && errno == EAGAIN)
            return LANE_WAIT;
        if (n <= 0)
            return fail(l, "cut");
        l->in.len += (size_t)n;
        whole = lane_answer(buf_view(&l->in), &l->status, &l->closes);
        if (whole == -1)
            return fail(l, "no HTTP answer");
        if (whole < 0)
            continue;
        buf_reset(&l->in);
        l->busy = false;
        if (l->closes)
            lane_close(l);
        return LANE_DONE;
    }
}

enum lane_end lane_go(struct lane *l)
{
    enum lane_end end;

    if (l->connecting) {
        int bad = 0;
        socklen_t size = sizeof bad;

        if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &bad, &size) != 0 || bad)
            return fail(l, "connect");
        l->connecting = false;
    }
    end = send_some(l);
    return end == LANE_FAIL || l->out.len ? end : receive_some(l);
}

enum lane_end lane_ask(struct lane *l, const struct target *t,
                       struct span request, bool *opened)
{
    *opened = false;
    l->failure = NULL;
    l->out = request;
    if (l->fd < 0) {
        if (!l->in.max)
            buf_init(&l->in, ANSWER_MAX);
        if (!open_socket(l, t))
            return fail(l, "connect");
        *opened = true;
    }
    l->busy = true;
    return l->connecting ? LANE_WAIT : send_some(l);
}
