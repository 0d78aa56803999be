/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resident memory.  Starting a program touches much that its running does
 * not: the symbol tables of every library, their initialisers, what was
 * parsed and freed.  All of it stays resident until memory runs short.
 */
#ifndef WEIR_BASE_RESIDENT_H
#define WEIR_BASE_RESIDENT_H

/*
 * Gives back what is not in use at present: freed heap, and the pages of the
 * program and its libraries that are only read.  Those come back from the
 * page cache when they are touched (a minor fault, 64 kB around it).  Safe on
 * any thread at any time; advice only: no result.
 */
void resident_trim(void);

#endif
