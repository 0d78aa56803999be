/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer as a sequence of chunks: what every dialect's answers, whole or
 * streamed, are read into and written from.
 *
 *   START  (OPEN  TEXT*  CLOSE)*  USAGE*  FINISH  END
 *
 * Blocks are strictly sequential within a choice and numbered from 0; each
 * OPEN has exactly one CLOSE.  FINISH comes once a choice.  An ERROR may come
 * at any time and is the last chunk.  A reader guarantees this order
 * whatever the provider sent; a writer may rely on it.  USAGE is cumulative:
 * a later one replaces the earlier.  A stream that ends without its finish
 * gives ERROR, never FINISH.
 *
 * Spans live until the callback returns; text is decoded UTF-8.
 */
#ifndef WEIR_ROUTER_CODEC_CHUNK_H
#define WEIR_ROUTER_CODEC_CHUNK_H

#include "features/request.h"
#include "models/registry.h"

enum finish {
    FINISH_NONE,
    FINISH_STOP,     /* the model was done */
    FINISH_SEQUENCE, /* a stop sequence of the request came */
    FINISH_LENGTH,   /* max_tokens, or the model's own output limit */
    FINISH_CONTEXT,  /* the context window was full */
    FINISH_TOOLS,    /* tools are to be called */
    FINISH_FILTER,   /* safety, recitation, block lists */
    FINISH_REFUSAL,  /* the model declined */
    FINISH_PAUSE,    /* to be sent back to go on (Anthropic pause_turn) */
    FINISH_OTHER,    /* something new: see name */
};

enum chunk_kind {
    CHUNK_START,
    CHUNK_OPEN,
    CHUNK_TEXT,
    CHUNK_CLOSE,
    CHUNK_USAGE,
    CHUNK_FINISH,
    CHUNK_ERROR,
    CHUNK_END,
};

struct chunk {
    enum chunk_kind kind;
    unsigned choice;       /* 0 but for n > 1 */
    unsigned block;        /* OPEN, TEXT, CLOSE */
    enum part_kind part;   /* of the block: TEXT, THINKING, TOOL_CALL, REFUSAL,
                              IMAGE, AUDIO, FILE, OTHER */
    struct span text;      /* TEXT: delta (calls: of the arguments' JSON text;
                              images: base64); ERROR: message */
    struct span id;        /* START: answer's; OPEN of a call: call's */
    struct span name;      /* START: model as the provider named it; OPEN of a
                              call: function; FINISH: as the provider wrote it;
                              ERROR: type */
    struct span media;     /* OPEN of an image, audio, file: MIME type */
    struct span signature; /* CLOSE of thinking or of a call, or of text */
    bool redacted;         /* OPEN of thinking only its provider can read: no
                              TEXT, the signature is all there is */
    struct span sequence;  /* FINISH_SEQUENCE: which, where it is known */
    int64_t created;       /* START: seconds since 1970, 0: not said */
    struct usage usage;    /* USAGE, and START where known */
    bool has_usage;
    enum finish finish; /* FINISH */
    int status;         /* ERROR: HTTP status it stands for */
    struct span raw;    /* JSON that only the same dialect understands:
                           citations, logprobs, a built-in tool's block;
                           whoever drops it counts it as lost.  Those of
                           TEXT are one item each, which gather makes an
                           array of */
};

struct chunk_sink {
    void *ctx;
    /* False: stop reading (no memory); the reader then returns false. */
    bool (*take)(void *ctx, const struct chunk *c);
};

/* ---- a whole answer, put together from chunks (gather.c) ---- */

enum { GATHER_CHOICES_MAX = 16 };

struct gathered_block {
    enum part_kind part;
    struct span text, id, name, media, signature, raw;
    bool redacted;
    char *write, *write_raw; /* (arena) where text and raw grow */
    size_t room, room_raw;   /* bytes there */
    struct gathered_block *next;
};

struct gathered_choice {
    struct gathered_block *first, *last; /* (arena) */
    enum finish finish;
    struct span finish_name, sequence;
};

struct gathered {
    struct arena *arena; /* (borrowed) everything lives here */
    struct span id, model;
    int64_t created;
    struct usage usage;
    bool has_usage, ended;
    struct gathered_choice choices[GATHER_CHOICES_MAX];
    unsigned n_choices;
    int error_status; /* 0: no error */
    struct span error_type, error_message;
};

void gather_init(struct gathered *g, struct arena *a);
struct chunk_sink gather_sink(struct gathered *g);

#endif
