/* SPDX-License-Identifier: Apache-2.0 */
#include "models/classifier.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct classifier {
    struct weights_file file;
    void *bytes; /* (owned) mapping, or memory where map_size is 0 */
    size_t map_size;
    char id[17];
};

static struct classifier *decode(void *bytes, size_t size, size_t map_size,
                                 uint32_t features_version, struct err *e)
{
    struct classifier *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(e, ERR_MEMORY, "no memory");
        goto failed;
    }
    if (!weights_decode((struct span){bytes, size}, &c->file, e))
        goto failed;
    if (c->file.features_version != features_version) {
        err_set(e, ERR_INPUT,
                "features version: wanted %u, found %u: train it again",
                features_version, c->file.features_version);
        goto failed;
    }
    c->bytes = bytes;
    c->map_size = map_size;
    memcpy(c->id, c->file.sha256, 16);
    return c;
failed:
    free(c);
    if (map_size)
        munmap(bytes, map_size);
    else
        free(bytes);
    return NULL;
}

/*
 * The check has read every page; of them a decision uses few: those of its
 * terms' rows.  Resident from here on is what is asked for, page by page.
 * Advice: whether it is taken changes nothing but memory.
 */
static void forget_pages(void *bytes, size_t size)
{
    (void)madvise(bytes, size, MADV_DONTNEED);
    (void)madvise(bytes, size, MADV_RANDOM);
}

struct classifier *classifier_open(const char *path, uint32_t features_version,
                                   struct err *e)
{
    struct classifier *c = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_sys(e, "%s", path);
        return NULL;
    }
    if (fstat(fd, &st) != 0) {
        err_sys(e, "%s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size <= 0) {
        err_set(e, ERR_INPUT, "%s: not a classifier file", path);
    } else {
        size_t size = (size_t)st.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            err_sys(e, "%s", path);
        else if (!(c = decode(bytes, size, size, features_version, e)))
            err_wrap(e, "%s", path);
        else
            forget_pages(bytes, size);
    }
    close(fd);
    return c;
}

struct classifier *classifier_from(struct span bytes, uint32_t features_version,
                                   struct err *e)
{
    void *copy = NULL;
    if (posix_memalign(&copy, 64, bytes.len ? bytes.len : 1) != 0) {
        err_set(e, ERR_MEMORY, "no memory for %zu bytes", bytes.len);
        return NULL;
    }
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return decode(copy, bytes.len, 0, features_version, e);
}

void classifier_close(struct classifier *c)
{
    if (!c)
        return;
    if (c->map_size)
        munmap(c->bytes, c->map_size);
    else
        free(c->bytes);
    free(c);
}

uint32_t classifier_n_arms(const struct classifier *c)
{
    return c->file.w.n_arms;
}

const char *classifier_arm(const struct classifier *c, uint32_t i)
{
    return c->file.w.arms[i];
}

static int find(const char *const *names, uint32_t n, struct span name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (span_is(name, names[i]))
            return (int)i;
    }
    return -1;
}

int classifier_find_arm(const struct classifier *c, struct span name)
{
    return find(c->file.w.arms, c->file.w.n_arms, name);
}

uint32_t classifier_n_tasks(const struct classifier *c)
{
    return c->file.w.n_tasks;
}

const char *classifier_task(const struct classifier *c, uint32_t i)
{
    return c->file.w.tasks[i];
}

int classifier_find_task(const struct classifier *c, struct span name)
{
    return find(c->file.w.tasks, c->file.w.n_tasks, name);
}

const struct weights *classifier_weights(const struct classifier *c)
{
    return &c->file.w;
}

struct span classifier_card(const struct classifier *c)
{
    return c->file.card;
}

const char *classifier_id(const struct classifier *c)
{
    return c->id;
}

void classifier_predict(const struct classifier *c, const struct vec *v,
                        int task, struct prediction *out)
{
    struct weights_input in = weights_input_of(v);
    weights_predict(&c->file.w, &in, task, out, NULL);
}

/* The best so far, descending by size. */
struct ranking {
    struct contribution *at;
    size_t n, max;
};

static void rank(struct ranking *r, struct contribution c)
{
    float size = fabsf(c.logit);
    size_t i = r->n;
    if (c.logit == 0 || r->max == 0)
        return;
    if (r->n < r->max)
        r->n++;
    else if (fabsf(r->at[--i].logit) >= size)
        return;
    for (; i > 0 && fabsf(r->at[i - 1].logit) < size; i--)
        r->at[i] = r->at[i - 1];
    r->at[i] = c;
}

static float words_norm(const struct weights *w, const struct vec *v)
{
    uint32_t mask = (UINT32_C(1) << w->bits) - 1, width = weights_width(w);
    double square = 0;
    for (uint32_t i = 0; i < v->n_words; i++) {
        uint32_t row = w->word_index[v->words[i].index & mask];
        float x = weights_tf(v->words[i].value) * w->rows[(size_t)row * width];
        square += (double)x * (double)x;
    }
    return square > 0 ? (float)sqrt(square) : 1;
}

static void rank_dense(const struct weights *w, const struct vec *v,
                       uint32_t arm, struct ranking *r)
{
    struct weights_input in = {.dense = v->dense, .n_dense = v->n_dense};
    struct weights_trace trace;
    struct prediction p;
    weights_predict(w, &in, -1, &p, &trace);
    for (uint32_t i = 0; i < w->n_dense; i++) {
        float slope = w->dense_rows[(size_t)i * weights_width(w) + 1 + arm];
        rank(r, (struct contribution){FROM_DENSE, i, trace.dense[i] * slope});
    }
}

size_t classifier_contributions(const struct classifier *c, const struct vec *v,
                                uint32_t arm, struct contribution *out,
                                size_t max)
{
    const struct weights *w = &c->file.w;
    struct ranking r = {out, 0, max};
    uint32_t width = weights_width(w);
    float norm = words_norm(w, v);
    for (uint32_t i = 0; i < v->n_words; i++) {
        uint32_t mask = (UINT32_C(1) << w->bits) - 1;
        uint32_t index = v->words[i].index;
        const float *row =
            w->rows + (size_t)w->word_index[index & mask] * width;
        float x = weights_tf(v->words[i].value) * row[0] / norm;
        rank(&r, (struct contribution){FROM_WORD, index, x * row[1 + arm]});
    }
    for (uint32_t i = 0; i < v->n_marks; i++) {
        uint32_t mask = (UINT32_C(1) << w->mark_bits) - 1;
        uint32_t index = v->marks[i].index;
        const float *row =
            w->rows + (size_t)w->mark_index[index & mask] * width;
        rank(&r, (struct contribution){FROM_MARK, index,
                                       v->marks[i].value * row[1 + arm]});
    }
    rank_dense(w, v, arm, &r);
    return r.n;
}
