/* SPDX-License-Identifier: Apache-2.0 */
#include "router/route/makers.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Half a megabyte, touched as it fills. */
enum { SLOTS = 1 << 16 };

/* High half: of the signature's hash, against mistakes; low half: of the
 * maker's.  0: free. */
struct makers {
    _Atomic uint64_t at[SLOTS];
};

struct makers *makers_new(struct err *e)
{
    struct makers *m = calloc(1, sizeof *m);

    if (!m)
        err_set(e, ERR_MEMORY, "makers: out of memory");
    return m;
}

void makers_free(struct makers *m)
{
    free(m);
}

static uint32_t maker_of(const char *model)
{
    return (uint32_t)span_hash(span_of(model), 2) | 1;
}

/* The same for both alphabets of base64, with and without padding: a client
 * may keep a signature as bytes. */
static uint64_t hash_of(struct span s)
{
    enum { PIECE = 256 };
    char piece[PIECE];
    uint64_t h = 3;

    while (s.len && s.ptr[s.len - 1] == '=')
        s.len--;
    while (s.len) {
        size_t n = s.len < PIECE ? s.len : PIECE;

        for (size_t i = 0; i < n; i++)
            piece[i] = s.ptr[i] == '-' ? '+' : s.ptr[i] == '_' ? '/' : s.ptr[i];
        h = span_hash((struct span){piece, n}, h);
        s = (struct span){s.ptr + n, s.len - n};
    }
    return h;
}

void makers_note(struct makers *m, struct span signature, const char *model)
{
    uint64_t h = hash_of(signature);

    if (signature.len)
        atomic_store_explicit(&m->at[h % SLOTS],
                              (h & 0xffffffff00000000) | maker_of(model),
                              memory_order_relaxed);
}

/* 0: not known. */
static uint32_t find(const struct makers *m, struct span signature)
{
    uint64_t h = hash_of(signature);
    uint64_t got =
        atomic_load_explicit(&m->at[h % SLOTS], memory_order_relaxed);

    return got >> 32 == h >> 32 ? (uint32_t)got : 0;
}

static void look(const struct makers *m, const struct message *msg,
                 uint32_t wanted, struct made *made)
{
    for (size_t i = 0; i < msg->n_parts; i++) {
        struct span signature = msg->parts[i].signature;
        uint32_t maker = signature.len ? find(m, signature) : 0;

        made->here = made->here || maker == wanted;
        made->elsewhere = made->elsewhere || (maker && maker != wanted);
    }
}

struct made makers_look(const struct makers *m, const struct request *r,
                        const char *model)
{
    uint32_t wanted = maker_of(model);
    struct made made = {false, false};

    for (size_t i = 0; i < r->n_messages; i++)
        look(m, &r->messages[i], wanted, &made);
    return made;
}
