/* SPDX-License-Identifier: Apache-2.0 */
/* Sections whose rows stand in settings_server.c and settings_attempts.c, and
 * the steps in which settings are resolved after loading; for settings*.c. */
#ifndef WEIR_ROUTER_SETTINGS_SETTINGS_PARTS_H
#define WEIR_ROUTER_SETTINGS_SETTINGS_PARTS_H

#include "router/settings/settings.h"

extern const struct section settings_log_section;
extern const struct section settings_limit_section;
extern const struct section settings_fetch_section;
extern const struct section settings_price_section;
extern const struct section settings_admin_section;
extern const struct section settings_key_section;
extern const struct section settings_tls_section;
extern const struct section settings_session_section;
extern const struct section settings_cache_section;
extern const struct section settings_route_section; /* settings_table.c */
extern const struct section settings_plan_section;  /* settings_plans.c */
/* settings_rules.c */
extern const struct section settings_rule_section;
extern const struct section settings_risk_section;
extern const struct section settings_shadow_section;
/* settings_attempts.c */
extern const struct section settings_provider_key_section;
extern const struct section settings_deployment_section;
extern const struct section settings_retry_section;
extern const struct section settings_health_section;
extern const struct section settings_retrain_section;

MUST_USE bool settings_providers(struct settings *s, struct err *e);
MUST_USE bool settings_models(struct settings *s, struct err *e);
MUST_USE bool settings_routes(struct settings *s, struct err *e);
MUST_USE bool settings_keys(struct settings *s, struct err *e);
/* Each of the list is the region of a provider. */
MUST_USE bool settings_regions(const struct settings *s,
                               const struct text_list *list, struct err *e);
/* Likewise of the route, of which an arm must be in one of them. */
MUST_USE bool settings_route_regions(const struct settings *s,
                                     const struct route_settings *r,
                                     struct err *e);
/* After the keys: those that routes name are there. */
MUST_USE bool settings_risks(const struct settings *s, struct err *e);

/* By name; NULL when there is none. */
struct provider_settings *settings_provider(const struct settings *s,
                                            const char *name);
struct model_settings *settings_model(const struct settings *s,
                                      const char *name);

/* settings_plans.c */
MUST_USE bool settings_plans(const struct settings *s, struct err *e);
/* By name; NULL when there is none. */
const struct plan_settings *settings_plan(const struct settings *s,
                                          const char *name);
/* An arm of that name at the end of the route's; one that is not enabled is
 * left out. */
MUST_USE bool settings_add_arm(const struct settings *s,
                               struct route_settings *r, struct item item,
                               struct err *e);
/* Members of the route's plans that are no arms of it. */
MUST_USE bool settings_add_members(const struct settings *s,
                                   struct route_settings *r, struct err *e);
int settings_find_arm(const struct route_settings *r, const char *name);
/* Where an item's key stands in the file, else the item. */
const struct conf *settings_at(const struct item *item, const char *key);

/* Keys and key files of a provider's account, those of the environment too. */
MUST_USE bool settings_account(struct settings *s, struct provider_settings *p,
                               struct err *e);

#endif
