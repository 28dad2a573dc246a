/* What a debugger or the host's gate saw of a trial, as a part of its record: the exact point and how it was reached;
 * faults, writes to watched variables. */
#include "framework/record_parts.h"

#include "framework/cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "symbol+0x1c" of an rva in the library, the bare offset where it has no symbol. */
static void name_rva(const struct itr_record *record, uint64_t rva, char *out, size_t room) {
    const struct itr_image *image = record->modules->library.image;
    const char *symbol = NULL;
    uint64_t offset = 0;
    if (image != NULL && itr_image_symbol_at(image, rva, &symbol, &offset)) {
        snprintf(out, room, "%s+0x%" PRIx64, symbol, offset);
    } else {
        snprintf(out, room, "+0x%" PRIx64, rva);
    }
}

/* The exact point of the trial: what was armed. */
static json_t *armed_to_json(const struct itr_record *record) {
    const struct itr_plan_point *point = &record->plan->point;
    char name[ITR_LOCATION_MAX];
    name_rva(record, point->rva, name, sizeof name);
    return json_pack("{s:o, s:o, s:I, s:s}", "rva", itr_json_hex(point->rva), "name", itr_record_string(name, strlen(name)),
                     "occurrence", (json_int_t)point->nth, "role", itr_role_name((uint32_t)point->role));
}

/* And how it was reached, as the debugger saw it. */
static json_t *point_to_json(const struct itr_record *record, uint64_t origin_ns) {
    const struct itrp_debug_report *debug = record->seen->debug;
    json_t *json = armed_to_json(record);
    if (record->plan->sweep_index >= 0) {
        itr_record_put(&json, "index", json_integer((json_int_t)record->plan->sweep_index));
    }
    itr_record_put(&json, "hits", json_integer(debug->hits));
    if (debug->hit_ns != 0) {
        itr_record_put(&json, "hit_ns", itr_record_time(debug->hit_ns, origin_ns));
        itr_record_put(&json, "thread", json_integer(debug->hit_thread));
        itr_record_put(&json, "thread_role", json_string(itr_role_name((uint32_t)debug->hit_role)));
        itr_record_put(&json, "released_ns", itr_record_time(debug->released_ns, origin_ns));
        itr_record_put(&json, "hold_expired", json_boolean(debug->hold_expired));
    }
    if (debug->taken_ns != 0) {
        itr_record_put(&json, "taken_ns", itr_record_time(debug->taken_ns, origin_ns));
        itr_record_put(&json, "taken_thread", json_integer(debug->taken_thread));
        itr_record_put(&json, "taken_role", json_string(itr_role_name((uint32_t)debug->taken_role)));
    }
    return json;
}

/* A PC as "module!symbol+0x1c". */
static json_t *location_to_json(const struct itr_record *record, uint64_t pc, uint64_t module_base) {
    struct itr_exception exception = {.pc = pc, .module_base = module_base};
    char location[ITR_LOCATION_MAX];
    itr_locate_pc(record->modules, &record->seen->ledger, &exception, true, location, sizeof location);
    return itr_record_clean(location);
}

static json_t *faults_to_json(const struct itr_record *record, uint64_t origin_ns) {
    const struct itrp_debug_report *debug = record->seen->debug;
    json_t *list = json_array();
    for (uint32_t i = 0; i < debug->fault_count && i < ITRP_DEBUG_FAULTS_MAX; i++) {
        const struct itrp_debug_fault *fault = &debug->faults[i];
        itr_record_append(&list, json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:s, s:o}", "name", itr_fault_name(fault), "si_code",
                                (json_int_t)fault->si_code, "pc", itr_json_hex(fault->pc), "location",
                                location_to_json(record, fault->pc, fault->module_base), "address",
                                itr_json_hex(fault->address), "thread", (json_int_t)fault->thread, "thread_role",
                                itr_role_name((uint32_t)fault->role), "at_ns", itr_record_time(fault->time_ns, origin_ns)));
    }
    return json_pack("{s:I, s:o}", "count", (json_int_t)debug->fault_count, "first", list);
}

static json_t *writes_to_json(const struct itr_record *record, uint64_t origin_ns) {
    const struct itrp_debug_report *debug = record->seen->debug;
    json_t *list = json_array();
    for (uint32_t i = 0; i < debug->write_count && i < ITRP_DEBUG_WRITES_MAX; i++) {
        const struct itrp_debug_write *write = &debug->writes[i];
        uint64_t base = debug->library_base;
        bool inside = write->pc >= base && write->pc - base < itr_image_bytes(record->modules->library.image);
        itr_record_append(&list, json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:s, s:o}", "watch", (json_int_t)write->watch, "old",
                                itr_json_hex(write->old_value), "new", itr_json_hex(write->new_value), "pc",
                                itr_json_hex(write->pc), "location",
                                /* the instruction before the PC wrote */
                                location_to_json(record, write->pc - 1, inside ? base : 0), "thread",
                                (json_int_t)write->thread, "thread_role", itr_role_name((uint32_t)write->role), "at_ns",
                                itr_record_time(write->time_ns, origin_ns)));
    }
    return json_pack("{s:I, s:o}", "count", (json_int_t)debug->write_count, "first", list);
}

/* The same, as the host saw it. */
static json_t *gate_to_json(const struct itr_record *record, uint64_t origin_ns) {
    const struct itr_shot_reply *shot = &record->seen->ledger.shots[0];
    json_t *json = armed_to_json(record);
    if (!record->seen->ledger_sound) {
        return json;
    }
    itr_record_put(&json, "hits", json_integer(shot->fired_ns != 0));
    if (shot->gate_ns != 0) {
        itr_record_put(&json, "hit_ns", itr_record_time(shot->gate_ns, origin_ns));
        itr_record_put(&json, "thread", json_integer(shot->gate_thread));
        itr_record_put(&json, "thread_role", json_string(itr_role_name(shot->gate_role)));
    }
    return json;
}

json_t *itr_record_add_gate(const struct itr_record *record, json_t *json) {
    const struct itr_ledger_request *request = &record->plan->request;
    if (request->shot_count > 0 && request->shots[0].where == ITR_WHERE_GATE) {
        itr_record_put(&json, "debugged", json_false());
        itr_record_put(&json, "gate", json_true());
        itr_record_put(&json, "point", gate_to_json(record, itr_record_origin(record->seen)));
    }
    return json;
}

json_t *itr_record_add_debugger(const struct itr_record *record, json_t *json) {
    const struct itrp_debug_report *debug = record->seen->debug;
    uint64_t origin_ns = itr_record_origin(record->seen);
    if (debug == NULL) {
        return json;
    }
    itr_record_put(&json, "debugged", json_true());
    itr_record_put(&json, "breakpoints", json_string(debug->code_breakpoints ? "code" : "registers"));
    if (record->plan->point.nth > 0) {
        itr_record_put(&json, "point", point_to_json(record, origin_ns));
    }
    if (debug->fault_count > 0) {
        itr_record_put(&json, "faults", faults_to_json(record, origin_ns));
    }
    if (debug->write_count > 0 && record->modules->library.image != NULL) {
        itr_record_put(&json, "writes", writes_to_json(record, origin_ns));
    }
    if (debug->chaos_holds > 0) {
        itr_record_put(&json, "chaos_holds", json_integer(debug->chaos_holds));
    }
    return json;
}
