/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier file: docs/classifier-format.md.  Sections follow the header
 * in a fixed order, each on a cache line of its own, so that nothing in the
 * file points anywhere: sizes follow from the counts. */
#include "models/weights.h"

#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/utf8.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the classifier file is read in place and is little-endian"
#endif

enum {
    FORMAT_VERSION = 1,
    LINE = 64, /* alignment of every section */
    HEADER_SIZE = 128,
    NAME_MAX_BYTES = 128,
    CARD_MAX = 4 << 20,
};

static const char magic[8] = {'W', 'E', 'I', 'R', 'C', 'L', 'S', '\n'};

struct header {
    char magic[8];
    uint32_t format, features;
    uint64_t size; /* bytes of the whole file */
    uint32_t card, names;
    uint32_t n_arms, n_tasks, n_dense, bits, mark_bits, n_rows, n_knots, link;
    float dense_clip, task_scale, unseen_idf, unseen_low, unseen_high;
    uint32_t difficulty;
    uint32_t reserved[10]; /* 0 */
};
_Static_assert(sizeof(struct header) == HEADER_SIZE, "header has no holes");

/* The arrays, in the order in which they stand in the file. */
enum section {
    WORD_INDEX,
    MARK_INDEX,
    ROWS,
    DENSE_MEAN,
    DENSE_SCALE,
    DENSE_ROWS,
    BIAS,
    TASK_MEAN,
    STAGE,
    KNOT_X,
    KNOT_Y,
    TOKEN_FACTOR,
    TOKEN_LOW,
    TOKEN_HIGH,
    OUTSIDE_SLOPE,
    OUTSIDE_OFFSET,
    SECTIONS,
};

struct section_row {
    const char *name;
    size_t member;    /* offset of the pointer in struct weights */
    double low, high; /* of its values; indices are checked apart */
};

#define MEMBER(field) #field, offsetof(struct weights, field)

static const struct section_row section_rows[SECTIONS] = {
    [WORD_INDEX] = {MEMBER(word_index), 0, 0},
    [MARK_INDEX] = {MEMBER(mark_index), 0, 0},
    [ROWS] = {MEMBER(rows), -1e6, 1e6},
    [DENSE_MEAN] = {MEMBER(dense_mean), -1e9, 1e9},
    [DENSE_SCALE] = {MEMBER(dense_scale), 0, 1e9},
    [DENSE_ROWS] = {MEMBER(dense_rows), -1e6, 1e6},
    [BIAS] = {MEMBER(bias), -1e6, 1e6},
    [TASK_MEAN] = {MEMBER(task_mean), 0, 1},
    [STAGE] = {MEMBER(stage), -1e6, 1e6},
    [KNOT_X] = {MEMBER(knot_x), 0, 1},
    [KNOT_Y] = {MEMBER(knot_y), 0, 1},
    [TOKEN_FACTOR] = {MEMBER(token_factor), 0, 1e6},
    [TOKEN_LOW] = {MEMBER(token_low), 0, 1e9},
    [TOKEN_HIGH] = {MEMBER(token_high), 0, 1e9},
    [OUTSIDE_SLOPE] = {MEMBER(outside_slope), -1e6, 1e6},
    [OUTSIDE_OFFSET] = {MEMBER(outside_offset), -1e6, 1e6},
};

static uint64_t section_count(const struct weights *w, enum section s)
{
    uint64_t width = weights_width(w), lanes = weights_lanes(w);
    const uint64_t counts[SECTIONS] = {
        [WORD_INDEX] = UINT64_C(1) << w->bits,
        [MARK_INDEX] = UINT64_C(1) << w->mark_bits,
        [ROWS] = w->n_rows * width,
        [DENSE_MEAN] = w->n_dense,
        [DENSE_SCALE] = w->n_dense,
        [DENSE_ROWS] = w->n_dense * width,
        [BIAS] = width,
        [TASK_MEAN] = w->n_tasks * lanes,
        [STAGE] = weights_stage_size(w) * lanes,
        [KNOT_X] = w->n_knots * lanes,
        [KNOT_Y] = w->n_knots * lanes,
        [TOKEN_FACTOR] = lanes,
        [TOKEN_LOW] = lanes,
        [TOKEN_HIGH] = lanes,
        [OUTSIDE_SLOPE] = w->difficulty * lanes,
        [OUTSIDE_OFFSET] = w->difficulty * lanes,
    };
    return counts[s];
}

static uint64_t align(uint64_t n)
{
    return (n + LINE - 1) / LINE * LINE;
}

static const void *section_get(const struct weights *w, enum section s)
{
    const void *p;
    const char *at = (const char *)w + section_rows[s].member;
    memcpy(&p, at, sizeof p);
    return p;
}

static void section_set(struct weights *w, enum section s, const void *p)
{
    memcpy((char *)w + section_rows[s].member, &p, sizeof p);
}

static bool in_range(uint32_t n, uint32_t low, uint32_t high, const char *what,
                     struct err *e)
{
    if (n >= low && n <= high)
        return true;
    return err_set(e, ERR_INPUT, "%s: wanted %u to %u, found %u", what, low,
                   high, n);
}

/* After this the sizes that follow from the counts cannot overflow. */
static bool check_counts(const struct weights *w, struct err *e)
{
    return in_range(w->n_arms, 1, CLASSIFIER_ARMS_MAX, "arms", e) &&
           in_range(w->n_tasks, 0, CLASSIFIER_TASKS_MAX, "tasks", e) &&
           in_range(w->n_dense, 0, VEC_DENSE_MAX, "dense features", e) &&
           in_range(w->bits, WEIGHTS_BITS_MIN, WEIGHTS_BITS_MAX, "bits", e) &&
           in_range(w->mark_bits, WEIGHTS_BITS_MIN, WEIGHTS_BITS_MAX,
                    "mark bits", e) &&
           in_range(w->n_rows, 1, (2u << WEIGHTS_BITS_MAX) + 1, "rows", e) &&
           in_range(w->n_knots, 0, CLASSIFIER_KNOTS_MAX, "knots", e) &&
           in_range(w->link, LINK_IDENTITY, LINK_LOGISTIC, "link", e) &&
           in_range(w->difficulty, 0, 1, "difficulty heads", e);
}

static bool check_names(const char *const *names, uint32_t n, const char *what,
                        struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        struct span name = span_of(names[i]);
        bool plain = name.len > 0 && name.len <= NAME_MAX_BYTES;
        for (size_t k = 0; k < name.len; k++)
            plain = plain && (unsigned char)name.ptr[k] >= 0x20;
        if (!plain || !utf8_valid(name))
            return err_set(e, ERR_INPUT,
                           "%s %u: wanted a name of 1 to %d bytes of UTF-8",
                           what, i, NAME_MAX_BYTES);
        for (uint32_t k = 0; k < i; k++) {
            if (span_is(name, names[k]))
                return err_set(e, ERR_INPUT, "%s %u and %u are both '%s'", what,
                               k, i, names[i]);
        }
    }
    return true;
}

static bool check_index(const struct weights *w, enum section s, struct err *e)
{
    const uint32_t *index = section_get(w, s);
    uint64_t n = section_count(w, s);
    for (uint64_t i = 0; i < n; i++) {
        if (index[i] >= w->n_rows)
            return err_set(e, ERR_INPUT,
                           "%s[%llu]: wanted a row below %u, found %u",
                           section_rows[s].name, (unsigned long long)i,
                           w->n_rows, index[i]);
    }
    return true;
}

static bool check_floats(const struct weights *w, enum section s, struct err *e)
{
    const float *values = section_get(w, s);
    uint64_t n = section_count(w, s);
    float low = (float)section_rows[s].low, high = (float)section_rows[s].high;
    for (uint64_t i = 0; i < n; i++) {
        if (!(values[i] >= low && values[i] <= high)) /* also not a number */
            return err_set(e, ERR_INPUT,
                           "%s[%llu]: wanted a number from %g to %g, found %g",
                           section_rows[s].name, (unsigned long long)i,
                           (double)low, (double)high, (double)values[i]);
    }
    return true;
}

/* What a row must keep beyond its range: the first is all zero, idf is not
 * negative. */
static bool check_rows(const struct weights *w, struct err *e)
{
    uint32_t width = weights_width(w);
    for (uint32_t i = 0; i < width; i++) {
        if (w->rows[i] != 0)
            return err_set(e, ERR_INPUT, "row 0: wanted zeros");
    }
    for (uint32_t i = 0; i < w->n_rows; i++) {
        if (w->rows[(size_t)i * width] < 0)
            return err_set(e, ERR_INPUT, "row %u: idf below 0", i);
    }
    return true;
}

static bool check_knots(const struct weights *w, struct err *e)
{
    uint32_t lanes = weights_lanes(w);
    for (uint32_t i = lanes; i < w->n_knots * lanes; i++) {
        if (i % lanes < w->n_arms && (w->knot_x[i] < w->knot_x[i - lanes] ||
                                      w->knot_y[i] < w->knot_y[i - lanes]))
            return err_set(e, ERR_INPUT, "knot %u of arm %u: falls", i / lanes,
                           i % lanes);
    }
    for (uint32_t a = 0; a < w->n_arms; a++) {
        if (w->token_high[a] < w->token_low[a])
            return err_set(e, ERR_INPUT, "arm %u: token limits are crossed", a);
    }
    return true;
}

static bool check_scalars(const struct weights *w, struct err *e)
{
    if (!(w->dense_clip > 0 && w->dense_clip <= 1000))
        return err_set(e, ERR_INPUT, "dense_clip: wanted above 0 to 1000");
    if (!(w->task_scale >= 0 && w->task_scale <= 1000))
        return err_set(e, ERR_INPUT, "task_scale: wanted 0 to 1000");
    if (!(w->unseen_idf >= 0 && w->unseen_idf <= 1000))
        return err_set(e, ERR_INPUT, "unseen_idf: wanted 0 to 1000");
    if (w->difficulty && !(w->unseen_low >= 0 && w->unseen_high <= 2 &&
                           w->unseen_high - w->unseen_low >= 1e-6f))
        return err_set(e, ERR_INPUT, "unseen_low and _high: wanted rising");
    return true;
}

bool weights_check(const struct weights *w, struct err *e)
{
    if (!check_counts(w, e) || !check_scalars(w, e) ||
        !check_names(w->arms, w->n_arms, "arm", e) ||
        !check_names(w->tasks, w->n_tasks, "task", e))
        return false;
    for (enum section s = 0; s < SECTIONS; s++) {
        bool ok =
            s <= MARK_INDEX ? check_index(w, s, e) : check_floats(w, s, e);
        if (!ok)
            return false;
    }
    return check_rows(w, e) && check_knots(w, e);
}

/* Fills the names' bytes (each with its NUL) into out, or counts only. */
static uint32_t put_names(const struct weights *w, struct buf *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->n_arms + w->n_tasks; i++) {
        const char *name = i < w->n_arms ? w->arms[i] : w->tasks[i - w->n_arms];
        n += strlen(name) + 1;
        if (out)
            buf_put(out, name, strlen(name) + 1);
    }
    return (uint32_t)n;
}

static uint64_t file_size(const struct weights *w, uint64_t card,
                          uint64_t names)
{
    uint64_t n = HEADER_SIZE + align(card) + align(names);
    for (enum section s = 0; s < SECTIONS; s++)
        n += align(section_count(w, s) * 4);
    return n + DIGEST_SIZE;
}

static void put_padding(struct buf *out, size_t start)
{
    static const char zeros[LINE];
    size_t n = out->len - start;
    buf_put(out, zeros, (size_t)align(n) - n);
}

static bool checksum(struct span bytes, unsigned char sum[DIGEST_SIZE],
                     struct err *e)
{
    return digest_sha256(bytes, sum) ||
           err_set(e, ERR_STATE, "SHA-256 is not to be had");
}

static bool check_card(struct span card, struct err *e)
{
    struct json j;
    if (card.len > CARD_MAX)
        return err_set(e, ERR_LIMIT, "card: wanted at most %d bytes", CARD_MAX);
    if (!json_parse(card, &j, e))
        return err_wrap(e, "card");
    return j.type == JSON_OBJECT ||
           err_set(e, ERR_INPUT, "card: wanted a JSON object");
}

/* The numbers that stand in the header and in struct weights alike. */
static struct header header_of(const struct weights *w)
{
    struct header h = {
        .format = FORMAT_VERSION,
        .n_arms = w->n_arms,
        .n_tasks = w->n_tasks,
        .n_dense = w->n_dense,
        .bits = w->bits,
        .mark_bits = w->mark_bits,
        .n_rows = w->n_rows,
        .n_knots = w->n_knots,
        .link = w->link,
        .dense_clip = w->dense_clip,
        .task_scale = w->task_scale,
        .unseen_idf = w->unseen_idf,
        .unseen_low = w->unseen_low,
        .unseen_high = w->unseen_high,
        .difficulty = w->difficulty,
    };
    memcpy(h.magic, magic, sizeof magic);
    return h;
}

static struct weights weights_of(const struct header *h)
{
    return (struct weights){
        .n_arms = h->n_arms,
        .n_tasks = h->n_tasks,
        .n_dense = h->n_dense,
        .difficulty = h->difficulty,
        .bits = h->bits,
        .mark_bits = h->mark_bits,
        .n_rows = h->n_rows,
        .n_knots = h->n_knots,
        .link = h->link,
        .dense_clip = h->dense_clip,
        .task_scale = h->task_scale,
        .unseen_idf = h->unseen_idf,
        .unseen_low = h->unseen_low,
        .unseen_high = h->unseen_high,
    };
}

bool weights_encode(const struct weights *w, uint32_t features_version,
                    struct span card, struct buf *out, struct err *e)
{
    if (!weights_check(w, e) || !check_card(card, e))
        return false;
    uint32_t names = put_names(w, NULL);
    struct header h = header_of(w);
    h.features = features_version;
    h.card = (uint32_t)card.len;
    h.names = names;
    h.size = file_size(w, card.len, names);
    size_t start = out->len;
    buf_put(out, &h, sizeof h);
    buf_span(out, card);
    put_padding(out, start);
    put_names(w, out);
    put_padding(out, start);
    for (enum section s = 0; s < SECTIONS; s++) {
        buf_put(out, section_get(w, s), (size_t)section_count(w, s) * 4);
        put_padding(out, start);
    }
    unsigned char sum[DIGEST_SIZE];
    if (out->failed)
        return err_set(e, ERR_MEMORY, "no memory for %llu bytes",
                       (unsigned long long)h.size);
    if (!checksum((struct span){out->ptr + start, out->len - start}, sum, e))
        return false;
    buf_put(out, sum, sizeof sum);
    return !out->failed || err_set(e, ERR_MEMORY, "no memory");
}

/* Checksum before anything that depends on the counts. */
static bool decode_header(struct span bytes, struct weights_file *f,
                          struct header *h, struct err *e)
{
    if (bytes.len < sizeof *h + DIGEST_SIZE ||
        memcmp(bytes.ptr, magic, sizeof magic) != 0)
        return err_set(e, ERR_INPUT, "not a classifier file");
    memcpy(h, bytes.ptr, sizeof *h);
    if (h->format != FORMAT_VERSION)
        return err_set(e, ERR_INPUT, "format version: wanted %d, found %u",
                       FORMAT_VERSION, h->format);
    if (h->size != bytes.len)
        return err_set(e, ERR_INPUT, "size: wanted %llu bytes, found %zu",
                       (unsigned long long)h->size, bytes.len);
    unsigned char sum[DIGEST_SIZE];
    size_t body = bytes.len - DIGEST_SIZE;
    if (!checksum((struct span){bytes.ptr, body}, sum, e))
        return false;
    if (memcmp(sum, bytes.ptr + body, DIGEST_SIZE) != 0)
        return err_set(e, ERR_INPUT, "checksum: the file is damaged");
    digest_hex(sum, f->sha256);
    for (size_t i = 0; i < sizeof h->reserved / sizeof *h->reserved; i++) {
        if (h->reserved[i])
            return err_set(e, ERR_INPUT, "header: wanted zeros at its end");
    }
    return true;
}

static bool decode_names(struct span bytes, struct weights_file *f,
                         struct err *e)
{
    uint32_t n = f->w.n_arms + f->w.n_tasks;
    for (uint32_t i = 0; i < n; i++) {
        const char *end = bytes.len ? memchr(bytes.ptr, 0, bytes.len) : NULL;
        if (!end)
            return err_set(e, ERR_INPUT, "names: wanted %u, found %u", n, i);
        f->names[i] = bytes.ptr;
        bytes.len -= (size_t)(end + 1 - bytes.ptr);
        bytes.ptr = end + 1;
    }
    f->w.arms = f->names;
    f->w.tasks = f->names + f->w.n_arms;
    return bytes.len == 0 ||
           err_set(e, ERR_INPUT, "names: %zu bytes too many", bytes.len);
}

bool weights_decode(struct span bytes, struct weights_file *f, struct err *e)
{
    struct header h;
    memset(f, 0, sizeof *f);
    if (!decode_header(bytes, f, &h, e))
        return false;
    f->w = weights_of(&h);
    f->features_version = h.features;
    if (!check_counts(&f->w, e))
        return false;
    if (file_size(&f->w, h.card, h.names) != bytes.len)
        return err_set(e, ERR_INPUT, "size does not follow from the counts");
    const char *p = bytes.ptr + HEADER_SIZE;
    f->card = (struct span){p, h.card};
    p += align(h.card);
    if (!check_card(f->card, e) ||
        !decode_names((struct span){p, h.names}, f, e))
        return false;
    p += align(h.names);
    for (enum section s = 0; s < SECTIONS; s++) {
        section_set(&f->w, s, p);
        p += align(section_count(&f->w, s) * 4);
    }
    return weights_check(&f->w, e);
}
