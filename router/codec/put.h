/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON objects member by member.  A comma is put where the last byte
 * neither opens an object or a list nor ends a key, so that nobody has to
 * count.
 */
#ifndef WEIR_ROUTER_CODEC_PUT_H
#define WEIR_ROUTER_CODEC_PUT_H

#include "base/buf.h"
#include "features/text.h"

void put_comma(struct buf *b);                  /* before a list's element */
void put_key(struct buf *b, const char *name);  /* ,"name": */
void put_open(struct buf *b, const char *name); /* ,"name":{ */
void put_list(struct buf *b, const char *name); /* ,"name":[ */
void put_str(struct buf *b, const char *name, struct span s);
/* A signature in the standard alphabet of base64, for providers that take no
 * other: a client that keeps signatures as bytes (Google's for Python) gives
 * them back in the one for URLs. */
void put_base64(struct buf *b, const char *name, struct span s);
void put_cstr(struct buf *b, const char *name, const char *s);
void put_raw(struct buf *b, const char *name, struct span json);
void put_int(struct buf *b, const char *name, int64_t n);
void put_num(struct buf *b, const char *name, double v);
void put_bool(struct buf *b, const char *name, bool v);
/* Text of a JSON string as it was written: needs no decoding. */
void put_text(struct buf *b, const char *name, struct text t);
/* Inside a string: base64, or a MIME type; other bytes are left out. */
void put_plain(struct buf *b, struct span s);
/* A call's arguments as a string's JSON: {} where there are none. */
void put_arguments(struct buf *b, const char *name, struct text t,
                   bool is_json);
/* A tool call's signature as Google's OpenAI endpoint has it:
 * ,"extra_content":{"google":{"thought_signature":...}} */
void put_call_signature(struct buf *b, struct span signature);
/* A url_citation in the shape of chat answers, or flat as in Responses; from
 * either.  False: the JSON is none, and nothing was written. */
bool put_citation(struct buf *b, struct span raw, bool flat);

#endif
