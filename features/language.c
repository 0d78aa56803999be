/* SPDX-License-Identifier: Apache-2.0 */
#include "features/language.h"

#include <endian.h>
#include <string.h>

#include "base/utf8.h"

enum {
    ZH,
    JA,
    KO,
    TH,
    EL,
    CYRILLIC,
    ARABIC,
    HEBREW,
    INDIC,
    SCRIPTS,
    LATIN = SCRIPTS,
    LANGUAGES = 10, /* of Latin script */
    WORDS = 28,     /* of each, at the most */
    WORD_MAX = 8,   /* bytes of them */
    SLOTS = 512,
};

const char *const language_names[] = {
    "zh",     "ja",    "ko", "th", "el", "cyrillic", "arabic",
    "hebrew", "indic", "en", "de", "fr", "es",       "it",
    "pt",     "nl",    "pl", "sv", "tr", NULL};

/* Small words that are frequent in one language and rare in the others; what
 * two share stands in both.  Zeros behind each. */
static const char small_words[LANGUAGES][WORDS][WORD_MAX] = {
    {"the",    "and",   "of",   "to",  "is",  "that", "for",   "with",
     "this",   "are",   "what", "you", "how", "from", "which", "please",
     "should", "would", "have", "not", "be",  "can",  "write"},
    {"der",  "die",   "das",  "und", "ist",    "nicht", "ein",
     "eine", "einen", "von",  "mit", "für",    "auf",   "den",
     "dem",  "im",    "wie",  "was", "bitte",  "sie",   "ich",
     "wird", "sind",  "auch", "zu",  "werden", "kann",  "oder"},
    {"le",   "la",    "les", "de",  "des",  "est",     "et",   "une",   "un",
     "dans", "pour",  "que", "qui", "avec", "sur",     "pas",  "vous",  "je",
     "ce",   "cette", "du",  "au",  "sont", "comment", "quel", "quelle"},
    {"el",   "la",  "los",  "las",  "es",   "y",   "una", "un",  "de",
     "que",  "en",  "para", "con",  "por",  "no",  "se",  "del", "como",
     "cuál", "qué", "su",   "este", "esta", "son", "más"},
    {"il",  "la",   "che", "è",      "e",      "un",    "una",   "di",
     "per", "con",  "non", "sono",   "del",    "della", "nel",   "gli",
     "le",  "come", "più", "questo", "questa", "qual",  "quale", "si"},
    {"o",    "a",    "os",   "as",   "é",    "e",    "um", "uma", "de",
     "que",  "em",   "para", "com",  "não",  "do",   "da", "dos", "das",
     "como", "qual", "mais", "você", "este", "esta", "são"},
    {"de",   "het",  "een",   "en",     "van", "is",   "niet", "dat",
     "voor", "met",  "op",    "zijn",   "aan", "wat",  "hoe",  "je",
     "ik",   "deze", "wordt", "kunnen", "of",  "naar", "bij"},
    {"i",  "w",  "na",    "jest",  "nie",   "się",    "to",
     "że", "z",  "do",    "jak",   "co",    "dla",    "czy",
     "są", "od", "przez", "który", "która", "proszę", "oraz"},
    {"och", "att", "det", "är",   "en",  "ett",   "som",
     "på",  "för", "med", "inte", "av",  "den",   "har",
     "jag", "hur", "vad", "till", "kan", "detta", "vi"},
    {"ve", "bir", "bu", "için", "ile", "ne", "nasıl", "değil", "mi", "da", "de",
     "olarak", "daha", "çok", "var", "gibi", "kadar", "lütfen", "olan"},
};

static const struct {
    uint32_t from, to;
    uint8_t script;
} ranges[] = {
    {0x0370, 0x03ff, EL},     {0x0400, 0x052f, CYRILLIC},
    {0x0590, 0x05ff, HEBREW}, {0x0600, 0x08ff, ARABIC},
    {0x0900, 0x0dff, INDIC},  {0x0e00, 0x0e7f, TH},
    {0x1100, 0x11ff, KO},     {0x1f00, 0x1fff, EL},
    {0x3040, 0x30ff, JA},     {0x3400, 0x4dbf, ZH},
    {0x4e00, 0x9fff, ZH},     {0xac00, 0xd7ff, KO},
    {0xf900, 0xfaff, ZH},     {0xfb1d, 0xfb4f, HEBREW},
    {0xfb50, 0xfdff, ARABIC}, {0xfe70, 0xfefc, ARABIC},
    {0x20000, 0x3ffff, ZH},
};

/* Where words are found by their bytes: chains of places in small_words, from
 * 1 on; 0 ends one. */
struct word_book {
    uint16_t first[SLOTS], next[LANGUAGES * WORDS + 1];
};

struct heard {
    struct word_book book;
    uint32_t script[SCRIPTS + 1]; /* letters; the last: Latin */
    uint32_t words[LANGUAGES];    /* small words */
    uint32_t n;                   /* words of Latin script */
    uint64_t word;                /* the open one: word_bits() */
    size_t len;                   /* bytes; 0: none is open */
};

/* The first byte lowest. */
static uint64_t word_bits(const char word[WORD_MAX])
{
    uint64_t bits;

    memcpy(&bits, word, sizeof bits);
    return le64toh(bits);
}

static unsigned slot_of(uint64_t bits)
{
    return (unsigned)(bits * 0x9e3779b97f4a7c15u >> 55);
}

static const char *word_at(unsigned place)
{
    return small_words[(place - 1) / WORDS][(place - 1) % WORDS];
}

static void fill_book(struct word_book *b)
{
    for (unsigned i = 1; i <= LANGUAGES * WORDS; i++) {
        unsigned slot = slot_of(word_bits(word_at(i)));

        if (!*word_at(i))
            continue;
        b->next[i] = b->first[slot];
        b->first[slot] = (uint16_t)i;
    }
}

static void close_word(struct heard *h)
{
    unsigned i = h->book.first[slot_of(h->word)];

    if (h->len == 0)
        return;
    h->n++;
    for (; h->len <= WORD_MAX && i; i = h->book.next[i])
        h->words[(i - 1) / WORDS] += word_bits(word_at(i)) == h->word;
    h->word = 0;
    h->len = 0;
}

static uint32_t lower(uint32_t cp)
{
    bool upper =
        (cp >= 'A' && cp <= 'Z') || (cp >= 0xc0 && cp <= 0xde && cp != 0xd7);

    return upper ? cp + 0x20 : cp;
}

static void latin(struct heard *h, uint32_t cp)
{
    char bytes[4];
    size_t n = utf8_put(bytes, lower(cp));

    h->script[LATIN]++;
    for (size_t i = 0; i < n; i++, h->len++) {
        if (h->len < WORD_MAX)
            h->word |= (uint64_t)(unsigned char)bytes[i] << 8 * h->len;
    }
}

/* The same of the ASCII letters that the text begins with; how many. */
static size_t latin_run(struct heard *h, struct span text)
{
    uint64_t word = h->word;
    size_t n = 0, len = h->len;

    for (; n < text.len; n++, len++) {
        uint64_t letter = (unsigned char)(text.ptr[n] | 0x20);

        if (letter < 'a' || letter > 'z')
            break;
        if (len < WORD_MAX)
            word |= letter << 8 * len;
    }
    h->word = word;
    h->len = len;
    h->script[LATIN] += (uint32_t)n;
    return n;
}

static bool is_latin(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') ||
           (cp >= 0xc0 && cp <= 0x24f && cp != 0xd7 && cp != 0xf7);
}

static void hear(struct heard *h, uint32_t cp)
{
    if (is_latin(cp)) {
        latin(h, cp);
        return;
    }
    close_word(h);
    for (size_t i = 0; cp >= 0x370 && i < sizeof ranges / sizeof *ranges; i++) {
        if (cp >= ranges[i].from && cp <= ranges[i].to)
            h->script[ranges[i].script]++;
    }
}

/* The language whose small words are most, where they are three at least, a
 * tenth of all words, and half as many again as any other's. */
static const char *of_latin(const struct heard *h)
{
    uint32_t second = 0;
    int best = 0;

    for (int i = 1; i < LANGUAGES; i++)
        best = h->words[i] > h->words[best] ? i : best;
    for (int i = 0; i < LANGUAGES; i++)
        second = i != best && h->words[i] > second ? h->words[i] : second;
    if (h->words[best] < 3 || h->words[best] * 10 < h->n ||
        h->words[best] * 2 < second * 3)
        return "";
    return language_names[LATIN + best];
}

/* A letter of a script without spaces says more than a Latin one: the
 * greatest share counts, Latin letters a third. */
static const char *decide(const struct heard *h)
{
    int best = 0;

    /* Japanese mixes Han into kana. */
    if (h->script[JA] * 8 > h->script[ZH] && h->script[JA] > 2 &&
        (h->script[JA] + h->script[ZH]) * 3 > h->script[LATIN])
        return language_names[JA];
    for (int i = 1; i < SCRIPTS; i++)
        best = h->script[i] > h->script[best] ? i : best;
    if (h->script[best] > 2 && h->script[best] * 3 > h->script[LATIN])
        return language_names[best];
    return of_latin(h);
}

const char *language_of_text(struct span text)
{
    struct heard h = {.len = 0};
    size_t at = 0;

    fill_book(&h.book);
    while (at < text.len) {
        struct span rest = {text.ptr + at, text.len - at};
        uint32_t cp;
        size_t n = latin_run(&h, rest);

        at += n;
        if (n)
            continue;
        n = utf8_get(rest.ptr, rest.len, &cp);
        hear(&h, n ? cp : ' ');
        at += n ? n : 1;
    }
    close_word(&h);
    return decide(&h);
}

const char *language_of(const struct request *r)
{
    const struct message *user = NULL;
    char text[LANGUAGE_BYTES];
    size_t n = 0;

    for (size_t i = r->n_messages; !user && i > 0; i--) {
        if (r->messages[i - 1].role == ROLE_USER)
            user = &r->messages[i - 1];
    }
    for (size_t i = 0; user && i < user->n_parts && n < sizeof text; i++) {
        if (user->parts[i].kind == PART_TEXT)
            n += text_head(user->parts[i].text, text + n, sizeof text - n);
    }
    return language_of_text((struct span){text, n});
}
