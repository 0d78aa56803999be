/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which language a request's last user message is in, as far as its script
 * and, of Latin script, its most frequent small words say it.  A guess from
 * the first LANGUAGE_BYTES: short texts, names, code and mixed texts have
 * none.  Pure; nothing is allocated.
 *
 * By script: zh (Han without kana), ja, ko, th where weir knows the script,
 * el; "cyrillic", "arabic", "hebrew", "indic" for scripts of several
 * languages.  By small words: en, de, fr, es, it, pt, nl, pl, sv, tr.
 */
#ifndef WEIR_FEATURES_LANGUAGE_H
#define WEIR_FEATURES_LANGUAGE_H

#include "features/request.h"

enum { LANGUAGE_BYTES = 4096 };

/* "de"; "" where it cannot be told. */
const char *language_of(const struct request *r);
/* The same of a text. */
const char *language_of_text(struct span text);
/* NULL-terminated: all that language_of() may say. */
extern const char *const language_names[];

#endif
