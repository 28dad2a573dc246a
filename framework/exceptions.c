/* Names for exceptions and faults and for the places they came at. It decides nothing. */
#include "framework/exceptions.h"

#include "framework/outcome.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EXCEPTION_NAME_ROOM = 32 };

/* The two severity bits of an NTSTATUS: 2 a warning (BREAKPOINT), 3 an error; below that come the
 * messages for debuggers, DBG_CONTROL_C among them. */
static bool is_fault(const struct itr_exception *exception) {
    return exception->code >> 30 >= 2;
}

const struct itr_exception *itr_first_exception(const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < reply->exception_count && i < ITR_EXCEPTIONS_MAX; i++) {
        if (is_fault(&reply->exceptions[i])) {
            return &reply->exceptions[i];
        }
    }
    return NULL;
}

void itr_exception_shape(const struct itr_ledger_reply *reply, char *out, size_t room) {
    char text[(ITR_EXCEPTIONS_MAX + 1) * (EXCEPTION_NAME_ROOM + 2)] = "";
    size_t used = 0;
    uint32_t before = 0;
    bool repeated = false;
    for (uint32_t i = 0; i <= ITR_EXCEPTIONS_MAX && i < reply->exception_count; i++) {
        const struct itr_exception *one = i < ITR_EXCEPTIONS_MAX ? &reply->exceptions[i] : &reply->last_exception;
        char name[EXCEPTION_NAME_ROOM];
        if (!is_fault(one)) {
            continue;
        }
        if (one->code == before) {
            repeated = true;
            continue;
        }
        itr_exception_short_name(one->code, name, sizeof name);
        snprintf(text + used, sizeof text - used, "%s%s%s", repeated ? "*" : "", before != 0 ? "+" : "", name);
        used += strlen(text + used);
        repeated = false;
        before = one->code;
    }
    snprintf(out, room, "%s%s", text, repeated ? "*" : "");
}

static const struct itr_module *module_of(const struct itr_modules *modules, const struct itr_ledger_reply *reply,
                                          uint64_t base) {
    if (base == 0) {
        return NULL;
    }
    if (base == reply->library_base || (reply->library_base == 0 && base == modules->library.base)) {
        return &modules->library;
    }
    return base == reply->host_base ? &modules->host : NULL;
}

void itr_locate_pc(const struct itr_modules *modules, const struct itr_ledger_reply *reply,
                   const struct itr_exception *exception, bool with_offset, char *out, size_t room) {
    const struct itr_module *module = module_of(modules, reply, exception->module_base);
    uint64_t rva = exception->pc - exception->module_base;
    const char *symbol = NULL;
    uint64_t offset = 0;
    char clean[ITR_LOCATION_MAX];
    char name[ITR_LOCATION_MAX];

    if (module == NULL) {
        snprintf(out, room, exception->module_base == 0 ? "no-module" : "other-module");
        return;
    }
    itr_escape_into(name, sizeof name, ITR_ESCAPE_TERMINAL, module->name, strlen(module->name));
    if (module->image == NULL || !itr_image_symbol_at(module->image, rva, &symbol, &offset)) {
        snprintf(out, room, with_offset ? "%s+0x%" PRIx64 : "%s", name, rva);
    } else {
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, symbol, strlen(symbol));
        snprintf(out, room, with_offset ? "%s!%s+0x%" PRIx64 : "%s!%s", name, clean, offset);
    }
    itr_end_cleanly(out, room);
}

const char *itr_fault_name(const struct itrp_debug_fault *fault) {
    static _Thread_local char text[16];
    const char *name = itrp_capabilities()->signals ? itrp_signal_name((int)fault->code) : itr_exception_name(fault->code);
    if (name == NULL) {
        snprintf(text, sizeof text, "0x%08" PRIX32, fault->code);
        name = text;
    }
    return name;
}
