/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many open streams through a gateway (`make bench-streams`): this program is
 * all of the clients, and its child the slow provider, which speaks OpenAI
 * chat; each may then have as many files open as the gateway has streams.
 *
 *   streams PROVIDER-PORT-FILE GATEWAY-PORT-FILE PID-FILE N SECONDS
 * chat|messages
 *
 * It listens, writes the port, waits for the gateway's, opens N streams, and
 * sends each an event a second for SECONDS.  Then all of them end.  Printed:
 * the growth of the gateway's resident memory by N, how late events were, and
 * whether every stream got all of its events and its end mark.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "bench/report.h"

#define BAR_KB 20.0
#define SECOND 1000000000ULL

enum {
    WARM_UP = 8,     /* streams before the first look at memory */
    HALF_OPEN = 128, /* streams being opened at a time */
    EVENTS = 256,
    TAIL = 48,   /* bytes kept of what a client read, for a cut marker */
    MARK = 21,   /* bytes of "t=" and nineteen digits */
    TICKS = 100, /* a second's parts */
    LATEST_S = 240,
};

enum kind { LISTENER, CLIENT, PROVIDER, TALK };

/* What the clients tell the provider, and its answers. */
enum word { SAY_RUN = 'r', SAY_END = 'e', SAY_DONE = 'd', SAY_FAILED = 'f' };

struct side {
    enum kind kind;
    int fd;
    bool sent, ended;
    unsigned events;
    char tail[TAIL];
    size_t n_tail;
    struct buf in; /* (owned) provider: the request so far */
};

struct bench {
    unsigned n, seconds;
    bool messages; /* clients speak Anthropic's dialect */
    long pid;
    int epoll;
    struct sockaddr_in gateway;
    struct side listener, talk, *client, *provider; /* (owned) [n] */
    char heard; /* the last word; 0: none, -1: the other has ended */
    unsigned opened, open, provided, ended, rounds;
    double *late; /* (owned) seconds */
    size_t n_late, cap_late;
    const char *failure;
};

/* ---- small things ---- */

static long rss_kb(long pid)
{
    char path[64], line[256];
    long kb = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (!strncmp(line, "VmRSS:", 6))
            kb = strtol(line + 6, NULL, 10);
    }
    if (f)
        fclose(f);
    return kb;
}

static void watch(struct bench *b, struct side *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data = {.ptr = s}};

    epoll_ctl(b->epoll, EPOLL_CTL_ADD, s->fd, &ev);
}

static bool wrote(struct bench *b, struct side *s, struct span text)
{
    if (send(s->fd, text.ptr, text.len, MSG_NOSIGNAL) == (ssize_t)text.len)
        return true;
    b->failure = s->kind == CLIENT ? "a request could not be sent"
                                   : "the gateway took no more of an answer";
    return false;
}

/* ---- the provider ---- */

static size_t event_text(char *dst, size_t size, const char *content)
{
    char data[400];
    int n = snprintf(data, sizeof data,
                     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat."
                     "completion.chunk\",\"created\":1750000000,\"model\":"
                     "\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                     "\"%s\"},\"finish_reason\":null}]}\n\n",
                     content);

    return (size_t)snprintf(dst, size, "%x\r\n%s\r\n", (unsigned)n, data);
}

static void send_event(struct bench *b, struct side *s)
{
    char mark[64], text[600];

    snprintf(mark, sizeof mark, "t=%019llu, and a few words more",
             (unsigned long long)clock_ns());
    (void)wrote(b, s, (struct span){text, event_text(text, sizeof text, mark)});
}

static void send_head(struct bench *b, struct side *s)
{
    (void)wrote(b, s,
                SPAN("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     "transfer-encoding: chunked\r\n\r\n"));
    send_event(b, s);
    s->sent = true;
    b->provided++;
}

static void send_end(struct bench *b, struct side *s)
{
    static const char finish[] =
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","
        "\"created\":1750000000,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: [DONE]\n\n";
    char text[600];
    int n = snprintf(text, sizeof text, "%zx\r\n%s\r\n0\r\n\r\n",
                     sizeof finish - 1, finish);

    (void)wrote(b, s, (struct span){text, (size_t)n});
}

/* Whether the request is whole: its length is said by the gateway. */
static bool is_whole(const struct buf *in)
{
    static const char name[] = "ontent-length:";
    const char *head = buf_cstr(in), *end = strstr(head, "\r\n\r\n");
    const char *at = strcasestr(head, name);

    return end && at && at < end &&
           in->len >= (size_t)(end + 4 - head) +
                          strtoul(at + sizeof name - 1, NULL, 10);
}

static void provider_read(struct bench *b, struct side *s)
{
    char bytes[16384];
    ssize_t n = recv(s->fd, bytes, sizeof bytes, 0);

    if (n <= 0)
        return;
    buf_put(&s->in, bytes, (size_t)n);
    if (s->sent || !is_whole(&s->in))
        return;
    buf_free(&s->in);
    send_head(b, s);
}

static void accept_all(struct bench *b)
{
    int fd, on = 1;

    while ((fd = accept4(b->listener.fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct side *s = NULL;

        for (unsigned i = 0; i < b->n && !s; i++) {
            /* The next free place is nearly always the first one asked. */
            struct side *at = &b->provider[(b->provided + i) % b->n];

            s = at->fd < 0 ? at : NULL;
        }
        if (!s) {
            b->failure = "the gateway opened too many connections";
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        *s = (struct side){.kind = PROVIDER, .fd = fd};
        buf_init(&s->in, 1 << 20);
        watch(b, s, EPOLLIN);
    }
}

/* ---- the clients ---- */

static void client_open(struct bench *b)
{
    static const char words[] = "{\"model\":\"auto\",\"stream\":true,"
                                "\"max_tokens\":500,\"messages\":[{\"role\":"
                                "\"user\",\"content\":\"Where does each small "
                                "stream find its way over the low wall?\"}]}";
    struct side *s = &b->client[b->opened++];
    char request[600];
    int n;

    *s = (struct side){.kind = CLIENT, .fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&b->gateway,
                             sizeof b->gateway) != 0) {
        b->failure = s->fd < 0 ? "no socket to be had: raise ulimit -n"
                               : "the gateway takes no connection";
        return;
    }
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    n = snprintf(request, sizeof request,
                 "POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: "
                 "application/json\r\ncontent-length: %zu\r\n\r\n%s",
                 b->messages ? "/v1/messages" : "/v1/chat/completions",
                 sizeof words - 1, words);
    if (wrote(b, s, (struct span){request, (size_t)n}))
        watch(b, s, EPOLLIN);
}

static void keep_late(struct bench *b, uint64_t sent)
{
    if (b->n_late < b->cap_late)
        b->late[b->n_late++] = (double)(clock_ns() - sent) * 1e-9;
}

static void client_events(struct bench *b, struct side *s, char *text,
                          size_t len)
{
    static const char end[] = "\"message_stop\"", done[] = "[DONE]";
    char *at = text, *behind = text + len;

    while ((at = memmem(at, (size_t)(behind - at), "t=", 2)) &&
           behind - at >= MARK) {
        keep_late(b, strtoull(at + 2, NULL, 10));
        b->open += s->events++ == 0;
        at += MARK;
        text = at;
    }
    if (!s->ended &&
        (memmem(text, (size_t)(behind - text), end, sizeof end - 1) ||
         memmem(text, (size_t)(behind - text), done, sizeof done - 1))) {
        s->ended = true;
        b->ended++;
    }
    s->n_tail = (size_t)(behind - text) < TAIL ? (size_t)(behind - text) : TAIL;
    memcpy(s->tail, behind - s->n_tail, s->n_tail);
}

static void client_read(struct bench *b, struct side *s)
{
    static char bytes[TAIL + 65536 + 1];
    ssize_t n;

    memcpy(bytes, s->tail, s->n_tail);
    n = recv(s->fd, bytes + s->n_tail, 65536, 0);
    if (n > 0) {
        bytes[s->n_tail + (size_t)n] = '\0';
        if (s->events == 0 && !strncmp(bytes, "HTTP/1.1 ", 9) &&
            strncmp(bytes + 9, "200", 3) != 0) {
            fprintf(stderr, "%s\n", bytes);
            b->failure = "a request was refused";
        }
        client_events(b, s, bytes, s->n_tail + (size_t)n);
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    if (!s->ended)
        b->failure = "a stream was cut";
    epoll_ctl(b->epoll, EPOLL_CTL_DEL, s->fd, NULL);
}

/* ---- the course of it ---- */

static void hear(struct bench *b)
{
    if (recv(b->talk.fd, &b->heard, 1, 0) != 1)
        b->heard = -1;
}

static void say(struct bench *b, enum word word)
{
    char c = (char)word;

    if (send(b->talk.fd, &c, 1, MSG_NOSIGNAL) != 1)
        b->failure = "the other process has ended";
}

static void turn(struct bench *b, int wait_ms)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(b->epoll, ev, EVENTS, wait_ms);

    for (int i = 0; i < n && !b->failure; i++) {
        struct side *s = ev[i].data.ptr;

        if (s->kind == LISTENER)
            accept_all(b);
        else if (s->kind == PROVIDER)
            provider_read(b, s);
        else if (s->kind == TALK)
            hear(b);
        else
            client_read(b, s);
    }
}

static bool open_streams(struct bench *b, unsigned upto, uint64_t latest)
{
    while (b->open < upto && !b->failure) {
        while (b->opened < upto && b->opened - b->open < HALF_OPEN &&
               !b->failure)
            client_open(b);
        turn(b, 10);
        if (clock_ns() > latest)
            b->failure = "the streams did not open in time";
    }
    return !b->failure;
}

/* Has the provider do it, and reads meanwhile. */
static bool have_done(struct bench *b, enum word what, uint64_t latest)
{
    b->heard = 0;
    say(b, what);
    while (!b->heard && !b->failure) {
        turn(b, 10);
        if (clock_ns() > latest)
            b->failure = "the provider did not come to an end";
    }
    if (b->heard != SAY_DONE && !b->failure)
        b->failure = "the provider failed";
    return !b->failure;
}

/* ---- the provider's course ---- */

/* An event a second for each stream, spread over the second. */
static bool run(struct bench *b)
{
    uint64_t start = clock_ns();

    for (unsigned tick = 0; tick < b->seconds * TICKS; tick++) {
        uint64_t due = start + SECOND / TICKS * tick;

        while (clock_ns() < due && !b->failure)
            turn(b, 1);
        for (unsigned i = tick % TICKS; i < b->n && !b->failure; i += TICKS)
            send_event(b, &b->provider[i]);
        if (b->failure)
            return false;
    }
    return true;
}

static bool end_all(struct bench *b)
{
    for (unsigned i = 0; i < b->n && !b->failure; i++) {
        send_end(b, &b->provider[i]);
        if (i % HALF_OPEN == 0)
            turn(b, 0);
    }
    return !b->failure;
}

static int provide(struct bench *b)
{
    bool ok = true;

    while (ok && b->heard != -1) {
        turn(b, 1000);
        if (b->heard == SAY_RUN)
            ok = run(b);
        else if (b->heard == SAY_END)
            ok = end_all(b);
        if (b->heard > 0)
            say(b, ok ? SAY_DONE : SAY_FAILED);
        b->heard = b->heard > 0 ? 0 : b->heard;
        ok = ok && !b->failure;
    }
    if (!ok)
        fprintf(stderr, "provider: %s\n", b->failure ? b->failure : "?");
    return ok ? 0 : 1;
}

/* ---- the clients' ---- */

static bool end_streams(struct bench *b, uint64_t latest)
{
    if (!have_done(b, SAY_END, latest))
        return false;
    while (b->ended < b->n && !b->failure) {
        turn(b, 10);
        if (clock_ns() > latest)
            b->failure = "the streams did not end in time";
    }
    for (unsigned i = 0; i < b->n && !b->failure; i++) {
        if (b->client[i].events != b->seconds + 1)
            b->failure = "a stream lost an event";
    }
    return !b->failure;
}

static bool show(const struct bench *b, long before, long full, long after)
{
    double kb = (double)(full - before) / (b->n - WARM_UP);
    bool ok = kb <= BAR_KB;

    printf("%u open streams, an event a second each for %u s, %s\n", b->n,
           b->seconds,
           b->messages ? "translated from chat to messages"
                       : "chat as it came");
    printf("gateway resident: %.1f MB before, %.1f MB open, %.1f MB after "
           "%zu events\n",
           (double)before / 1024, (double)full / 1024, (double)after / 1024,
           b->n_late);
    printf("an event on its way: median %.2f ms, p99 %.2f ms, max %.1f ms\n",
           1e3 * report_quantile(b->late, b->n_late, .5),
           1e3 * report_quantile(b->late, b->n_late, .99),
           1e3 * report_quantile(b->late, b->n_late, 1));
    printf("%s  kB for each stream: %.1f (wanted <= %.0f)\n\n",
           ok ? "pass" : "FAIL", kb, BAR_KB);
    return ok;
}

static bool course(struct bench *b)
{
    uint64_t latest = clock_ns() + LATEST_S * SECOND;
    long before, full, after;

    if (!open_streams(b, WARM_UP, latest))
        return false;
    before = rss_kb(b->pid);
    if (!open_streams(b, b->n, latest))
        return false;
    full = rss_kb(b->pid);
    if (!have_done(b, SAY_RUN, latest))
        return false;
    after = rss_kb(b->pid);
    full = after > full ? after : full; /* the most that it came to */
    return end_streams(b, latest) && show(b, before, full, after);
}

/* ---- making ready ---- */

static unsigned wait_port(const char *path)
{
    unsigned long port = 0;
    char text[32];

    for (int i = 0; i < 200 && !port; i++) {
        FILE *f = fopen(path, "r");

        if (f && fgets(text, sizeof text, f))
            port = strtoul(text, NULL, 10);
        if (f)
            fclose(f);
        if (!port)
            usleep(50000);
    }
    return (unsigned)port;
}

static bool listen_on(struct bench *b, const char *port_file)
{
    struct sockaddr_in any = {.sin_family = AF_INET,
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof any;
    FILE *f;

    b->listener =
        (struct side){.kind = LISTENER,
                      .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    if (bind(b->listener.fd, (struct sockaddr *)&any, sizeof any) != 0 ||
        listen(b->listener.fd, 4096) != 0 ||
        getsockname(b->listener.fd, (struct sockaddr *)&any, &len) != 0)
        return false;
    f = fopen(port_file, "w");
    if (!f)
        return false;
    fprintf(f, "%u\n", (unsigned)ntohs(any.sin_port));
    fclose(f);
    return true;
}

/* In the child the provider; false in the parent when there is no child. */
static bool part(struct bench *b)
{
    int ends[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    child = fork();
    if (child < 0)
        return false;
    b->talk = (struct side){.kind = TALK, .fd = ends[child == 0]};
    close(ends[child != 0]);
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(b, &b->talk, EPOLLIN);
    if (child == 0) {
        watch(b, &b->listener, EPOLLIN);
        exit(provide(b));
    }
    close(b->listener.fd);
    return b->epoll >= 0;
}

static bool make_ready(struct bench *b, char **argv)
{
    b->client = calloc(b->n, sizeof *b->client);
    b->provider = calloc(b->n, sizeof *b->provider);
    b->cap_late = (size_t)b->n * (b->seconds + 1);
    b->late = calloc(b->cap_late, sizeof *b->late);
    if (!b->client || !b->provider || !b->late || !listen_on(b, argv[1]))
        return false;
    for (unsigned i = 0; i < b->n; i++)
        b->client[i].fd = b->provider[i].fd = -1;
    if (!part(b))
        return false;
    b->gateway =
        (struct sockaddr_in){.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)wait_port(argv[2])),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return b->gateway.sin_port != 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    bool ok;

    if (argc != 7) {
        fputs("streams PROVIDER-PORT-FILE GATEWAY-PORT-FILE PID-FILE N "
              "SECONDS chat|messages\n",
              stderr);
        return 2;
    }
    b.n = (unsigned)strtoul(argv[4], NULL, 10);
    b.seconds = (unsigned)strtoul(argv[5], NULL, 10);
    b.messages = !strcmp(argv[6], "messages");
    if (b.n <= WARM_UP || b.n > 1000000 || b.seconds > 3600)
        return 2;
    ok = make_ready(&b, argv);
    b.pid = ok ? (long)wait_port(argv[3]) : 0;
    ok = ok && course(&b);
    if (!ok && b.failure)
        fprintf(stderr, "%s (%u opened, %u open, %u ended)\n", b.failure,
                b.opened, b.open, b.ended);
    free(b.client);
    free(b.provider);
    free(b.late);
    return ok ? 0 : 1;
}
