/* SPDX-License-Identifier: Apache-2.0 */
#include "features/words.h"

#include "base/utf8.h"
#include "features/block.h"

#include <string.h>
#include <utf8proc.h>

/* ---- hashing ---- */

#define HASH_SEED 0x2545f4914f6cdd1dULL

/* fold has 256 bytes behind its end: whole words may be loaded. */
static inline uint64_t hash(const char *p, size_t n)
{
    uint64_t h = HASH_SEED + n;

    for (; n > 8; n -= 8, p += 8)
        h = words_stir(h ^ eight_load(p));
    h = words_stir(h ^ (eight_load(p) & ~0ULL >> (64 - 8 * n)));
    return words_stir(h);
}

/* ---- opening and closing tokens ---- */

static void flush_pending(struct words *w)
{
    for (unsigned i = 0; i < w->n_pending; i++)
        w->n_fold += (uint32_t)utf8_put(w->fold + w->n_fold, w->pending[i].cp);
    w->n_pending = 0;
}

static inline void flush(struct words *w)
{
    if (w->n_pending)
        flush_pending(w);
}

static inline void close_token(struct words *w)
{
    struct token *t = &w->tokens[w->n_tokens];
    uint32_t len;

    if (!w->open)
        return;
    flush(w);
    w->open = 0;
    if (w->n_tokens >= w->limit)
        return;
    len = w->n_fold - w->start;
    t->hash = hash(w->fold + w->start, len);
    t->at = w->start;
    t->len = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
    t->kind = w->kind;
    if (w->digits == len)
        t->kind = TOKEN_NUMBER;
    t->apart = w->apart;
    w->apart = 0;
    w->n_tokens++;
}

static inline void open_token(struct words *w, enum token_kind kind)
{
    close_token(w);
    w->start = w->n_fold;
    w->digits = 0;
    w->open = 1;
    w->kind = (uint8_t)kind;
}

/* One token of one ASCII mark. */
static inline void add_sign(struct words *w, char c)
{
    open_token(w, TOKEN_SIGN);
    w->fold[w->n_fold++] = c;
    close_token(w);
}

static inline bool full(const struct words *w)
{
    return w->n_tokens >= w->limit || w->n_fold >= WORDS_FOLD_MAX;
}

/* ---- ASCII ---- */

enum ascii { A_SPACE, A_WORD, A_SIGN, A_LINE /* underscore */ };

#define S A_SPACE
#define W A_WORD
#define P A_SIGN
static const uint8_t ascii_class[128] = {
    S, S, S, S, S, S, S, S,      S, S, S, S, S, S, S, S, S, S, S, S, S, S,
    S, S, S, S, S, S, S, S,      S, S, S, P, P, P, P, P, P, P, P, P, P, P,
    P, P, P, P, W, W, W, W,      W, W, W, W, W, W, P, P, P, P, P, P, P, W,
    W, W, W, W, W, W, W, W,      W, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, P, P, P, P, A_LINE, P, W, W, W, W, W, W, W, W, W, W, W, W, W,
    W, W, W, W, W, W, W, W,      W, W, W, W, W, P, P, P, P, S,
};
#undef S
#undef W
#undef P

/* How far fold has room for what is copied byte by byte. */
static const char *within_fold(const struct words *w, const char *p,
                               const char *end)
{
    size_t room = w->n_fold < WORDS_FOLD_MAX ? WORDS_FOLD_MAX - w->n_fold : 0;

    return (size_t)(end - p) < room ? end : p + room;
}

static unsigned fold1(const char *p, char *out, uint32_t *upper,
                      uint32_t *digits)
{
    unsigned char c = (unsigned char)*p;
    bool capital = c >= 'A' && c <= 'Z';

    if (c >= 0x80 || ascii_class[c] != A_WORD)
        return 0;
    *upper += capital;
    *digits += c <= '9';
    *out = (char)(c | (capital ? 32 : 0));
    return 1;
}

static const char *ascii_word(struct words *w, const char *p, const char *end)
{
    uint32_t upper = 0, digits = 0;

    if (!w->open || w->kind != TOKEN_WORD)
        open_token(w, TOKEN_WORD);
    flush(w);
    end = within_fold(w, p, end);
    for (unsigned n = 1; n == 1 && p < end; p += n, w->n_fold += n)
        n = fold1(p, w->fold + w->n_fold, &upper, &digits);
    w->digits += digits;
    w->counts.upper += upper;
    w->counts.digits += digits;
    return p;
}

static const char *ascii_line(struct words *w, const char *p, const char *end)
{
    open_token(w, TOKEN_SIGN);
    end = within_fold(w, p, end);
    for (; p < end && *p == '_'; p++)
        w->fold[w->n_fold++] = '_';
    close_token(w);
    w->counts.sign['_']++;
    return p;
}

/* ---- beyond ASCII ---- */

struct range {
    uint32_t from, to;
    uint8_t script;
    uint8_t unspaced;
};

/* Ascending.  What is in none of them is SCRIPT_OTHER. */
static const struct range ranges[] = {
    {0x0080, 0x024f, SCRIPT_LATIN, 0},
    {0x0250, 0x02ff, SCRIPT_LATIN, 0},
    {0x0370, 0x03ff, SCRIPT_GREEK, 0},
    {0x0400, 0x052f, SCRIPT_CYRILLIC, 0},
    {0x0590, 0x08ff, SCRIPT_ARABIC, 0},
    {0x0900, 0x0dff, SCRIPT_INDIC, 0},
    {0x0e00, 0x0eff, SCRIPT_OTHER, 1}, /* Thai, Lao */
    {0x0f00, 0x0fff, SCRIPT_OTHER, 1}, /* Tibetan */
    {0x1000, 0x109f, SCRIPT_OTHER, 1}, /* Myanmar */
    {0x1100, 0x11ff, SCRIPT_KANA, 0},  /* Hangul jamo */
    {0x1780, 0x17ff, SCRIPT_OTHER, 1}, /* Khmer */
    {0x1950, 0x19df, SCRIPT_OTHER, 1}, /* Tai Le, New Tai Lue */
    {0x1a20, 0x1aaf, SCRIPT_OTHER, 1}, /* Tai Tham */
    {0x1e00, 0x1eff, SCRIPT_LATIN, 0},
    {0x1f00, 0x1fff, SCRIPT_GREEK, 0},
    {0x2e80, 0x2fdf, SCRIPT_HAN, 1},
    {0x3005, 0x3007, SCRIPT_HAN, 1},
    {0x3040, 0x30ff, SCRIPT_KANA, 1},
    {0x3100, 0x312f, SCRIPT_HAN, 1}, /* Bopomofo */
    {0x31f0, 0x31ff, SCRIPT_KANA, 1},
    {0x3400, 0x4dbf, SCRIPT_HAN, 1},
    {0x4e00, 0x9fff, SCRIPT_HAN, 1},
    {0xa000, 0xa4cf, SCRIPT_OTHER, 1}, /* Yi */
    {0xac00, 0xd7ff, SCRIPT_KANA, 0},  /* Hangul syllables */
    {0xf900, 0xfaff, SCRIPT_HAN, 1},
    {0xfb1d, 0xfdff, SCRIPT_ARABIC, 0},
    {0xfe70, 0xfefc, SCRIPT_ARABIC, 0},
    {0xff66, 0xff9f, SCRIPT_KANA, 1},
    {0x20000, 0x3ffff, SCRIPT_HAN, 1},
};

static const struct range *range_of(uint32_t cp)
{
    size_t lo = 0, hi = sizeof ranges / sizeof ranges[0];

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (cp > ranges[mid].to)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof ranges / sizeof ranges[0] && cp >= ranges[lo].from
               ? &ranges[lo]
               : NULL;
}

enum script words_script(uint32_t cp)
{
    const struct range *r = range_of(cp);

    return r ? (enum script)r->script : SCRIPT_OTHER;
}

/* A mark joins the open token, in canonical order with its neighbours. */
static void add_mark(struct words *w, uint32_t cp, uint8_t class)
{
    unsigned i = w->n_pending;

    if (!w->open || full(w))
        return;
    if (class == 0 || i == WORDS_PENDING_MAX) {
        flush(w);
        i = 0;
    }
    for (; i > 0 && w->pending[i - 1].class > class; i--)
        w->pending[i] = w->pending[i - 1];
    w->pending[i].cp = cp;
    w->pending[i].class = class;
    w->n_pending++;
    if (class == 0)
        flush(w);
}

static void add_letter(struct words *w, uint32_t cp)
{
    const struct range *r = cp < 0x80 ? NULL : range_of(cp);

    if (r && r->unspaced)
        open_token(w, TOKEN_CHAR);
    else if (!w->open || w->kind != TOKEN_WORD)
        open_token(w, TOKEN_WORD);
    flush(w);
    w->n_fold += (uint32_t)utf8_put(w->fold + w->n_fold, cp);
}

/* One character of the folded text. */
static void add_folded(struct words *w, uint32_t cp,
                       const utf8proc_property_t *u)
{
    if (full(w))
        return;
    switch (u->category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        add_letter(w, cp);
        return;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        add_mark(w, cp, (uint8_t)u->combining_class);
        return;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
        close_token(w);
        return;
    default:
        open_token(w, TOKEN_SIGN);
        w->n_fold += (uint32_t)utf8_put(w->fold + w->n_fold, cp);
        close_token(w);
    }
}

/* Folding leaves most letters as they are: that can be seen from their
 * properties, without the general way. */
static bool folds_to_itself(uint32_t cp, const utf8proc_property_t *u)
{
    return u->decomp_seqindex == UINT16_MAX &&
           u->casefold_seqindex == UINT16_MAX && !u->ignorable &&
           (cp < 0xac00 || cp > 0xd7a3); /* Hangul syllables, by rule */
}

static void fold(struct words *w, uint32_t cp)
{
    enum { MOST = 32 }; /* the longest folding has 18 */
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                  UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                  UTF8PROC_IGNORE;
    utf8proc_int32_t to[MOST];
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, to, MOST, how, NULL);

    for (utf8proc_ssize_t i = 0; i < n && i < MOST; i++)
        add_folded(w, (uint32_t)to[i], utf8proc_get_property(to[i]));
}

static const char *wide(struct words *w, const char *p, const char *end)
{
    const utf8proc_property_t *u;
    uint32_t cp = 0;
    size_t len = utf8_get(p, (size_t)(end - p), &cp);

    if (len == 0) /* cannot be: the text was checked */
        return end;
    w->counts.wide++;
    w->counts.script[words_script(cp)]++;
    u = utf8proc_get_property((utf8proc_int32_t)cp);
    if (folds_to_itself(cp, u))
        add_folded(w, cp, u);
    else
        fold(w, cp);
    return p + len;
}

/* ---- ASCII, 64 bytes at a time ---- */

/* Eight bytes of ASCII in lower case. */
static inline uint64_t lower8(uint64_t x)
{
    return x | eight_between(x, 'A', 'Z') >> 2;
}

/* The first min(len, 16) bytes at p in lower case, zeros behind them. */
static inline void load_lower(const char *p, unsigned len, uint64_t x[2])
{
    static const unsigned char keep[32] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}; /* and zeros */
    const char *mask = (const char *)keep + 16 - (len < 16 ? len : 16);

    x[0] = lower8(eight_load(p) & eight_load(mask));
    x[1] = lower8(eight_load(p + 8) & eight_load(mask + 8));
}

/*
 * A token of len <= BLOCK_BYTES bytes of ASCII at p, behind which 15 bytes
 * may be read, folded to `to`; its hash.  Up to 16 bytes, of which most
 * tokens are, without a branch.
 */
static inline uint64_t put_ascii(char *to, const char *p, unsigned len)
{
    uint64_t x[2], one, two, is_long = 0 - (uint64_t)(len > 8);

    load_lower(p, len, x);
    eight_store(to, x[0]);
    eight_store(to + 8, x[1]);
    one = words_stir((HASH_SEED + len) ^ x[0]);
    two = words_stir(one ^ x[1]);
    if (len <= 16)
        return words_stir(one ^ ((one ^ two) & is_long));
    for (unsigned i = 16; i < len; i += 16) {
        load_lower(p + i, len - i, x);
        eight_store(to + i, x[0]);
        eight_store(to + i + 8, x[1]);
    }
    return hash(to, len);
}

static inline bool all_digits(const struct block *b, unsigned from, unsigned n)
{
    return (b->digit >> from & 1) && (~b->digit >> from & block_first(n)) == 0;
}

/* The tokens of the block's first n bytes, of which none is beyond ASCII and
 * the last ends a token. */
static void block_tokens(struct words *w, const struct block *b, const char *p,
                         unsigned n)
{
    uint64_t seen = block_first(n) & ~b->blank;
    uint64_t word = b->word & seen, line = b->line & seen;
    uint64_t on = (word & word << 1) | (line & line << 1); /* goes on */
    uint64_t first = seen & ~on, last = seen & ~(on >> 1);
    struct token *t = w->tokens + w->n_tokens, *begin = t;
    uint32_t at = w->n_fold;

    for (; first; first &= first - 1, last &= last - 1, t++) {
        unsigned i = (unsigned)__builtin_ctzll(first);
        unsigned len = (unsigned)__builtin_ctzll(last) - i + 1;

        w->counts.sign[(unsigned char)p[i]]++; /* signs alone are kept */
        t->hash = put_ascii(w->fold + at, p + i, len);
        t->at = at;
        t->len = (uint16_t)len;
        t->kind = word >> i & 1 ? TOKEN_WORD : TOKEN_SIGN;
        t->apart = 0;
        if (all_digits(b, i, len))
            t->kind = TOKEN_NUMBER;
        at += len;
    }
    if (t > begin) {
        begin->apart = w->apart;
        w->apart = 0;
    }
    w->n_tokens += (uint32_t)(t - begin);
    w->n_fold = at;
}

static void block_count(struct word_counts *c, const struct block *b,
                        unsigned n, bool gap_behind)
{
    uint64_t in = block_first(n), gap = b->gap >> 1;

    gap = (gap & ~(1ULL << (n - 1))) | (uint64_t)gap_behind << (n - 1);
    c->upper += block_ones(b->upper & in);
    c->digits += block_ones(b->digit & in);
    c->spaces += block_ones(b->blank & in);
    c->ends += block_ones(b->end & gap & in);
}

/* How many of the block's bytes, of which `size` are text, can be taken as
 * whole tokens of ASCII; ends: the text ends with them. */
static unsigned block_whole(const struct block *b, unsigned size, bool ends)
{
    unsigned n = b->wide ? (unsigned)__builtin_ctzll(b->wide) : BLOCK_BYTES;
    uint64_t breaks;

    if (n >= size && ends)
        return size;
    n = n < size ? n : size;
    breaks = block_first(n) & ~(b->word | b->line);
    return breaks ? BLOCK_BYTES - (unsigned)__builtin_clzll(breaks) : 0;
}

/*
 * Takes what it can of the next 64 bytes: whole tokens of ASCII, while no
 * token is open and the room for tokens is not near its end.  Returns where
 * it came to; p: nothing, the general way must go on.
 */
static const char *ascii_block(struct words *w, const char *p, const char *end)
{
    enum { BEHIND = 16 }; /* bytes that put_ascii may read behind a token */
    char copy[BLOCK_BYTES + BEHIND];
    size_t left = (size_t)(end - p);
    unsigned size = left < BLOCK_BYTES ? (unsigned)left : BLOCK_BYTES, n;
    const char *from = p;
    struct block b;

    if (w->open || w->n_tokens + BLOCK_BYTES >= w->limit ||
        w->n_fold + BLOCK_BYTES >= WORDS_FOLD_MAX)
        return p;
    if (left < sizeof copy) {
        memset(copy, ' ', sizeof copy);
        memcpy(copy, p, left);
        from = copy;
    }
    block_read(&b, from);
    n = block_whole(&b, size, size == left);
    if (n == 0)
        return p;
    block_tokens(w, &b, from, n);
    block_count(&w->counts, &b, n, (unsigned char)from[n] <= ' ');
    return p + n;
}

/* ---- a piece of text ---- */

static const char *ascii_other(struct words *w, const char *p, const char *end,
                               enum ascii class)
{
    if (class == A_LINE)
        return ascii_line(w, p, end);
    if (class == A_SIGN) {
        add_sign(w, *p);
        w->counts.sign[(unsigned char)*p]++;
        if (*p == '.' || *p == '!' || *p == '?')
            w->counts.ends += p + 1 == end || (unsigned char)p[1] <= ' ';
    } else {
        close_token(w);
        w->counts.spaces++;
    }
    return p + 1;
}

static const char *step(struct words *w, const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    enum ascii class;

    if (c >= 0x80)
        return wide(w, p, end);
    class = (enum ascii)ascii_class[c];
    return class == A_WORD ? ascii_word(w, p, end)
                           : ascii_other(w, p, end, class);
}

/* Blocks count a token by its first byte, of whatever kind it is. */
static void keep_signs(struct word_counts *c)
{
    for (unsigned i = 0; i < sizeof ascii_class; i++) {
        if (ascii_class[i] == A_WORD)
            c->sign[i] = 0;
    }
}

void words_add(struct words *w, struct span text, uint32_t limit)
{
    const char *p = text.ptr, *end = p + text.len;

    w->limit = limit;
    w->apart = 1;
    w->counts.bytes += (uint32_t)text.len;
    while (p < end && !full(w)) {
        const char *to = ascii_block(w, p, end);

        p = to > p ? to : step(w, p, end);
    }
    close_token(w);
    keep_signs(&w->counts);
}

void words_clear(struct words *w)
{
    memset(w, 0, offsetof(struct words, tokens));
}

struct span words_text(const struct words *w, const struct token *t)
{
    return (struct span){w->fold + t->at, t->len};
}
