/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn on a core it is, among the threads of a process that serves. */
#ifndef WEIR_BASE_TURNS_H
#define WEIR_BASE_TURNS_H

/* The calling thread does work that nobody waits for: when it wakes it takes
 * the core from nobody (SCHED_BATCH, sched(7)).  A wish: where it cannot be,
 * nothing changes. */
void turns_behind(void);

#endif
