/* SPDX-License-Identifier: Apache-2.0 */
#include "router/codec/ids.h"

#include "base/utf8.h"

static const char prefix[] = "weirid_";
enum { PREFIX = sizeof prefix - 1, ESCAPE = 5 /* _xHH_ */ };

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-';
}

/* An id that looks like a changed one must be changed itself. */
static bool fits(struct span id)
{
    if (id.len == 0 || span_starts(id, prefix))
        return false;
    for (size_t i = 0; i < id.len; i++) {
        if (!plain(id.ptr[i]) && id.ptr[i] != '_')
            return false;
    }
    return true;
}

void id_write(struct buf *out, struct span id)
{
    buf_char(out, '"');
    if (fits(id)) {
        buf_span(out, id);
        buf_char(out, '"');
        return;
    }
    buf_str(out, prefix);
    for (size_t i = 0; i < id.len; i++) {
        if (plain(id.ptr[i]))
            buf_char(out, id.ptr[i]);
        else
            buf_printf(out, "_x%02x_", (unsigned char)id.ptr[i]);
    }
    buf_char(out, '"');
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The byte that an escape at p stands for, or -1. */
static int escaped(struct span s)
{
    int high, low;

    if (s.len < ESCAPE || s.ptr[0] != '_' || s.ptr[1] != 'x' || s.ptr[4] != '_')
        return -1;
    high = hex(s.ptr[2]);
    low = hex(s.ptr[3]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool id_read(struct span written, struct arena *a, struct span *id)
{
    struct span s = written;
    char *dst, *p;

    *id = written;
    if (!span_starts(written, prefix))
        return true;
    dst = p = arena_alloc(a, written.len);
    if (!dst)
        return false;
    for (s.ptr += PREFIX, s.len -= PREFIX; s.len;) {
        int byte = escaped(s);
        size_t n = byte < 0 ? 1 : ESCAPE;

        if (byte < 0 && !plain(*s.ptr))
            return true; /* none of ours: as it is */
        *p++ = byte < 0 ? *s.ptr : (char)byte;
        s.ptr += n;
        s.len -= n;
    }
    if (utf8_valid((struct span){dst, (size_t)(p - dst)}))
        *id = (struct span){dst, (size_t)(p - dst)};
    return true;
}
