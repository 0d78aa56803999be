/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a JSON file one by one, whether they stand in one array,
 * one a line, or simply one behind the other, on one line or on many.
 * Memory depends on the largest object.
 */
#ifndef WEIR_DATASETS_RECORDS_H
#define WEIR_DATASETS_RECORDS_H

#include "base/json.h"

struct records {
    struct source *src; /* (borrowed) */
    uint64_t line;      /* of the next byte, 1-based */
    int place;          /* where in the file's grammar: records.c */
};

struct source;

void records_begin(struct records *r, struct source *src);
/* 1: *v is a checked object that begins in *line, valid until the next call;
 * 0: the end; -1: this object is malformed (e says where), the next may not
 * be; -2: there is no going on. */
MUST_USE int records_next(struct records *r, struct json *v, uint64_t *line,
                          struct err *e);

#endif
