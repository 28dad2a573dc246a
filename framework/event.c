/* Spellings of events, deliveries, targets, phases, calls and thread roles. It knows nothing else about them. */
#include "framework/event.h"

#include <string.h>

#define ITR_NAME_OF(id, name) name,
#define ITR_CALL_NAME_OF(id, name, when) name,

static const char *const event_names[] = {ITR_EVENT_MAP(ITR_NAME_OF)};
static const char *const delivery_names[] = {ITR_DELIVERY_MAP(ITR_NAME_OF)};
static const char *const target_names[] = {ITR_TARGET_MAP(ITR_NAME_OF)};
static const char *const phase_names[] = {ITR_PHASE_MAP(ITR_NAME_OF)};
static const char *const call_names[] = {ITR_CALL_MAP(ITR_CALL_NAME_OF)};
static const char *const role_names[] = {ITR_ROLE_MAP(ITR_NAME_OF)};

static const char *name_of(const char *const *names, uint32_t count, uint32_t value) {
    return value < count ? names[value] : "unknown";
}

static int value_of(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

#define ITR_SPELLINGS(set, count)                                                                  \
    const char *itr_##set##_name(uint32_t value) { return name_of(set##_names, count, value); }    \
    int itr_##set##_of(const char *name) { return value_of(set##_names, count, name); }

ITR_SPELLINGS(event, ITR_EVENT_COUNT)
ITR_SPELLINGS(delivery, ITR_DELIVERY_COUNT)
ITR_SPELLINGS(target, ITR_TARGET_COUNT)
ITR_SPELLINGS(phase, ITR_PHASE_COUNT)
ITR_SPELLINGS(call, ITR_CALL_COUNT)
ITR_SPELLINGS(role, ITR_ROLE_COUNT)
