/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of codec_openai (chat completions), for its row in
 * openai_chat.c and for the older completions. */
#ifndef WEIR_ROUTER_CODEC_OPENAI_CHAT_H
#define WEIR_ROUTER_CODEC_OPENAI_CHAT_H

#include "router/codec/codec.h"
#include "router/codec/feed.h"

enum {
    CHAT_NAME = 160, /* bytes of a call's id or name kept until both came */
    CHAT_ARGS = 1024,
    CHAT_HEAD = 512,
};

/* A call whose id or name has not come yet. */
struct chat_pending {
    bool on;
    unsigned choice;
    char id[CHAT_NAME], name[CHAT_NAME], args[CHAT_ARGS];
    size_t n_id, n_name, n_args;
};

struct chat_reader {
    struct feed feed;
    struct chat_pending pending;
    struct {
        bool any;
        int32_t call; /* index of the last one begun */
        int32_t most; /* highest index begun */
        uint64_t id;  /* hash of its id */
    } calls[GATHER_CHOICES_MAX];
};

struct chat_writer {
    char head[CHAT_HEAD]; /* {"id":..,"object":..,"created":..,"model":.. */
    bool begun, over;
    bool picture;  /* an event's line is not ended */
    bool redacted; /* the open block is thinking that nobody here can read */
    bool has_usage;
    struct usage usage;
    struct {
        bool role; /* said */
        bool args; /* the open call has arguments */
        unsigned calls, thoughts;
        enum part_kind part; /* of the open block */
    } at[GATHER_CHOICES_MAX];
};

bool chat_answer_read(struct span body, int status, struct arena *a,
                      struct chunk_sink *sink, struct err *e);
bool chat_stream_read(void *state, const struct framed *got, struct arena *a,
                      struct chunk_sink *sink, struct err *e);
bool chat_stream_end(void *state, struct chunk_sink *sink, struct err *e);

void chat_stream_write(void *state, const struct request *asked,
                       const struct chunk *c, struct losses *l,
                       struct buf *out);
void chat_answer_write(const struct gathered *g, const struct request *asked,
                       struct losses *l, struct buf *out);

bool chat_wants_data(const struct part *p, const struct target *t);
/* bits: of the provider's quirks. */
bool chat_image_fits(const struct part *p, uint32_t bits);
bool chat_request_write(const struct request *r, const struct target *t,
                        struct losses *l, struct buf *out, struct err *e);
/* Whether the provider and its model take a request of this dialect as it
 * is, as far as their deviations are known. */
bool chat_request_fits(const struct request *r, const struct target *t);
/* One message of the conversation as one or more of this dialect. */
void chat_message_write(const struct request *r, size_t i,
                        const struct target *t, struct losses *l,
                        struct buf *out);

/* "stop" and the like <-> the canonical finish. */
enum finish chat_finish(struct span name);
const char *chat_finish_name(enum finish f);
void chat_usage_write(const struct usage *u, struct buf *out);
const char *chat_error_type(int status); /* "rate_limit_error" */
/* {"error":{...}} as this dialect's clients know it. */
void chat_error_write(int status, struct span code, struct span message,
                      struct buf *out);

#endif
