/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow answers (chat_shadow.c has the picture). */
#ifndef WEIR_ROUTER_CHAT_CHAT_SHADOW_H
#define WEIR_ROUTER_CHAT_CHAT_SHADOW_H

struct chat;
struct worker;

/* The client's row is written: perhaps another arm is asked too. */
void chat_shadow(struct chat *c, int status);
/* Its answer is there, or will not be; after chat_end(). */
void chat_shadow_over(struct chat *c, int status);
/* What still runs is given up and recorded. */
void chat_shadows_end(struct worker *w);

#endif
