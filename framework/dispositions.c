/* Compares the tables of signal handlers that a host noted around its load, and names the handlers' owners. */
#include "framework/dispositions.h"

#include "framework/cell.h"
#include "framework/record_parts.h"
#include "framework/target.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HANDLER_DEFAULT = 0, HANDLER_IGNORED = 1 };

static const char *const moments[] = {
#define ITR_ACTIONS_NAME(id, name) name,
    ITR_ACTIONS_MAP(ITR_ACTIONS_NAME)
#undef ITR_ACTIONS_NAME
};

/* ---- owners ---- */

/* Base and path of the module that holds the address, as the standing host showed it; NULL if it is in none. */
static const char *find_module(const json_t *found, uint64_t address, uint64_t *base) {
    size_t i = 0;
    const json_t *module = NULL;
    json_array_foreach(found, i, module) {
        uint64_t begin = 0;
        uint64_t bytes = (uint64_t)json_integer_value(json_object_get(module, "bytes"));
        if (itr_json_from_hex(json_object_get(module, "base"), &begin) && address >= begin && address - begin < bytes) {
            *base = begin;
            return json_string_value(json_object_get(module, "path"));
        }
    }
    return NULL;
}

bool itr_describe_found(const json_t *modules_found, uint64_t address, char *out, size_t room) {
    uint64_t base = 0;
    const struct itr_target_module module = {.path = find_module(modules_found, address, &base)};
    if (module.path != NULL) {
        snprintf(out, room, "%s+0x%" PRIx64, itr_target_module_name(&module), address - base);
    }
    return module.path != NULL;
}

static bool is_within(const struct itr_module *module, uint64_t base, uint64_t address) {
    return module->image != NULL && base != 0 && address >= base && address - base < itr_image_bytes(module->image);
}

static void name_owner(const struct itr_ledger_reply *reply, const struct itr_modules *modules, const json_t *found,
                       uint64_t address, char *out, size_t room) {
    struct itr_exception at = {.pc = address};
    if (address == HANDLER_DEFAULT || address == HANDLER_IGNORED) {
        snprintf(out, room, address == HANDLER_DEFAULT ? "default" : "ignored");
        return;
    }
    uint64_t library = reply->library_base != 0 ? reply->library_base : modules->library.base;
    if (is_within(&modules->library, library, address)) {
        at.module_base = library;
    } else if (is_within(&modules->host, reply->host_base, address)) {
        at.module_base = reply->host_base;
    }
    if (at.module_base == 0 && itr_describe_found(found, address, out, room)) {
        return;
    }
    itr_locate_pc(modules, reply, &at, true, out, room);
}

/* ---- the tables ---- */

static bool is_same(const struct itr_ledger_reply *reply, int signal) {
    const struct itr_action *first = &reply->actions[0][signal];
    for (int moment = 1; moment < ITR_ACTIONS_COUNT; moment++) {
        const struct itr_action *other = &reply->actions[moment][signal];
        if (reply->actions_ns[moment] != 0 && (other->handler != first->handler || other->flags != first->flags)) {
            return false;
        }
    }
    return true;
}

static json_t *action_to_json(const struct itr_ledger_reply *reply, const struct itr_modules *modules, const json_t *found,
                              const struct itr_action *action) {
    char owner[ITR_LOCATION_MAX];
    name_owner(reply, modules, found, action->handler, owner, sizeof owner);
    return json_pack("{s:o, s:o, s:o}", "owner", itr_record_string(owner, strlen(owner)), "handler",
                     itr_json_hex(action->handler), "flags", itr_json_hex(action->flags));
}

static json_t *signal_to_json(const struct itr_ledger_reply *reply, const struct itr_modules *modules, const json_t *found,
                              int signal) {
    json_t *json = json_pack("{s:s}", "signal", itrp_signal_name(signal));
    for (int moment = 0; moment < ITR_ACTIONS_COUNT; moment++) {
        if (reply->actions_ns[moment] != 0) {
            itr_record_put(&json, moments[moment], action_to_json(reply, modules, found, &reply->actions[moment][signal]));
        }
    }
    return json;
}

json_t *itr_dispositions_to_json(const struct itr_ledger_reply *reply, const struct itr_modules *modules,
                                 const json_t *modules_found) {
    json_t *changed = json_array();
    json_t *same = json_array();
    json_t *noted = json_array();
    if (reply->actions_ns[0] == 0) {
        json_decref(changed);
        json_decref(same);
        json_decref(noted);
        return NULL;
    }
    for (int moment = 0; moment < ITR_ACTIONS_COUNT; moment++) {
        if (reply->actions_ns[moment] != 0) {
            itr_record_append(&noted, json_string(moments[moment]));
        }
    }
    for (int signal = 1; signal < ITR_SIGNALS_MAX; signal++) {
        if (!is_same(reply, signal)) {
            itr_record_append(&changed, signal_to_json(reply, modules, modules_found, signal));
        } else if (reply->actions[0][signal].handler != HANDLER_DEFAULT) {
            itr_record_append(&same, signal_to_json(reply, modules, modules_found, signal));
        }
    }
    return json_pack("{s:o, s:o, s:o}", "moments", noted, "changed", changed, "same", same);
}

static const char *owner_at(const json_t *one, const char *moment) {
    return json_string_value(json_object_get(json_object_get(one, moment), "owner"));
}

void itr_dispositions_describe(const json_t *dispositions, struct itr_text *out) {
    size_t i = 0;
    const json_t *one = NULL;
    json_array_foreach(json_object_get(dispositions, "changed"), i, one) {
        const char *before = NULL;
        itr_text_add(out, json_string_value(json_object_get(one, "signal")));
        itr_text_add(out, ":");
        for (int moment = 0; moment < ITR_ACTIONS_COUNT; moment++) {
            const char *owner = owner_at(one, moments[moment]);
            if (owner == NULL || (before != NULL && strcmp(owner, before) == 0)) {
                continue;
            }
            itr_text_add(out, before == NULL ? " " : ", then ");
            itr_text_escape(out, ITR_ESCAPE_TERMINAL, owner, strlen(owner));
            itr_text_printf(out, " (%s)", moments[moment]);
            before = owner;
        }
        itr_text_add(out, "\n");
    }
}
