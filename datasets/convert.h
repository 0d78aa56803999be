/* SPDX-License-Identifier: Apache-2.0 */
/* What `weir import` and `weir export` share: run, progress, report. */
#ifndef WEIR_DATASETS_CONVERT_H
#define WEIR_DATASETS_CONVERT_H

#include "datasets/import.h"

struct convert {
    const char *command; /* "import" */
    const char *out;     /* the dataset's path */
    const struct import_format *format;
    bool json; /* the report as JSON */
};

/* Reads all of im->paths into the dataset; returns the exit status. */
int convert_run(const struct convert *c, struct import *im);
/* Prints "weir COMMAND: message"; returns 2 for an error of usage, else 1. */
int convert_fail(const char *command, const struct err *e);

#endif
