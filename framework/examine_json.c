/* The parts of evidence.json: the first signal with its place, threads, signals, modules. */
#include "framework/examine_parts.h"

#include "framework/cell.h"
#include "framework/dwarf_line.h"
#include "framework/instruction.h"
#include "framework/outcome.h"
#include "framework/pointee.h"
#include "framework/record_parts.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CODE_BEFORE = 16, CODE_AT = 24 };

#define ACCESS_VIOLATION 0xC0000005u

static json_t *text_to_json(const char *text) {
    return itr_record_string(text, strlen(text));
}

/* Sets a key; a value that could not be made is left out. */
static void set(json_t *json, const char *key, json_t *value) {
    if (value != NULL) {
        json_object_set_new(json, key, value);
    }
}

/* "init", "event thread". */
static const char *role_of(const struct itr_target_thread *target) {
    return target->role_name != NULL ? target->role_name : itr_role_name((uint32_t)target->role);
}

static json_t *location_of(const struct itr_examination *work, uint64_t pc) {
    char place[400];
    itr_target_describe(&work->target, pc, pc, place, sizeof place);
    return text_to_json(place);
}

/* ---- the first signal ---- */

static void add_line(const struct itr_examination *work, json_t *json, uint64_t pc) {
    const struct itr_target_module *module = itr_target_module_at(&work->target, pc);
    const char *file = NULL;
    uint32_t line = 0;
    char name[1024];
    if (module == NULL || module->image == NULL) {
        return;
    }
    if (!itr_image_line_at(module->image, pc - module->base, &file, &line)) {
        file = itr_dwarf_line_at(module->image, pc - module->base, name, sizeof name, &line) ? name : NULL;
    }
    if (file != NULL) {
        set(json, "file", text_to_json(file));
        set(json, "line", json_integer(line));
    }
}

/* Bytes around the PC as the host's memory has them, and what the instruction there does. */
static void add_code(const struct itr_examination *work, json_t *json, uint64_t pc) {
    uint8_t bytes[CODE_AT];
    char hex[3 * CODE_AT + 1];
    char clause[200];
    const struct itr_target_module *module = itr_target_module_at(&work->target, pc);
    static const struct {
        const char *key;
        int64_t from;
        size_t count;
    } parts[] = {{"code_before", -CODE_BEFORE, CODE_BEFORE}, {"code", 0, CODE_AT}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t got = work->target.read(work->target.context, pc + (uint64_t)parts[i].from, bytes, parts[i].count);
        hex[0] = '\0';
        for (size_t k = 0; k < got; k++) {
            snprintf(hex + 3 * k, sizeof hex - 3 * k, "%02x ", bytes[k]);
        }
        if (got > 0) {
            hex[3 * got - 1] = '\0';
            set(json, parts[i].key, json_string(hex));
        }
    }
    if (module != NULL && module->image != NULL &&
        itr_instruction_describe(module->image, pc - module->base, clause, sizeof clause)) {
        set(json, "instruction", text_to_json(clause));
    }
}

static json_t *registers_to_json(const struct itr_target_thread *target) {
    json_t *json = json_object();
    for (unsigned i = 0; i < ITR_REGISTER_COUNT && json != NULL; i++) {
        set(json, itr_register_name(i), itr_json_hex(target->registers[i]));
    }
    return json;
}

static bool has_address(const struct itrp_snapshot_thread *thread) {
    const char *name = itrp_signal_name(thread->signal);
    return thread->signal_code > 0 && (strcmp(name, "SIGSEGV") == 0 || strcmp(name, "SIGBUS") == 0);
}

/* What an address points into, and whose stack or which module that is. */
static void add_address(const struct itr_examination *work, json_t *json, uint64_t address) {
    size_t owner = itr_pointee_thread(work->snapshot, address);
    set(json, "points_into", json_string(itr_pointee_name(itr_pointee_of(work->snapshot, address))));
    set(json, "address", itr_json_hex(address));
    if (owner < work->target.thread_count) {
        set(json, "stack_of_thread", json_integer((json_int_t)work->threads[owner].id));
    }
    if (itr_target_module_at(&work->target, address) != NULL) {
        set(json, "address_location", location_of(work, address));
    }
}

static void add_exception(const struct itr_examination *work, json_t *json, size_t index) {
    const struct itrp_snapshot_thread *thread = &work->snapshot->threads[index];
    const char *name = itr_exception_name(thread->exception.code);
    const char *access = thread->exception.access == 0 ? "read" : thread->exception.access == 1 ? "write" : "execute";
    set(json, "exception", name != NULL ? json_string(name) : itr_json_hex(thread->exception.code));
    set(json, "exception_code", itr_json_hex(thread->exception.code));
    set(json, "exception_flags", itr_json_hex(thread->exception.flags));
    set(json, "exception_pc", itr_json_hex(thread->exception.pc));
    set(json, "first_chance", json_boolean(thread->exception.first_chance));
    if (thread->exception.code == ACCESS_VIOLATION) {
        set(json, "access", json_string(access));
        add_address(work, json, thread->exception.address);
    }
}

static void add_signal(const struct itr_examination *work, json_t *json, size_t index) {
    const struct itrp_snapshot_thread *thread = &work->snapshot->threads[index];
    const char *code = itrp_signal_code_name(thread->signal, thread->signal_code);
    set(json, "signal", json_string(itrp_signal_name(thread->signal)));
    set(json, "code", json_integer(thread->signal_code));
    set(json, "code_name", code != NULL ? json_string(code) : NULL);
    if (thread->signal_code <= 0) {
        set(json, "sender_process", json_integer(thread->signal_sender));
    }
    if (!has_address(thread)) {
        return;
    }
    /* What is no address at all faults in another way, and the kernel does not say which it was. */
    bool general = code != NULL && strcmp(code, "SI_KERNEL") == 0;
    if (general) {
        set(json, "points_into", json_string(itr_pointee_name(ITR_POINTEE_NON_CANONICAL)));
    } else {
        add_address(work, json, thread->signal_address);
    }
}

json_t *itr_examine_first(const struct itr_examination *work) {
    size_t index = 0;
    while (index < work->target.thread_count && !work->threads[index].at_fault) {
        index++;
    }
    if (index == work->target.thread_count) {
        return NULL;
    }
    const struct itr_target_thread *target = &work->threads[index];
    json_t *json = json_pack("{s:I, s:s, s:o}", "thread", (json_int_t)target->id, "thread_role", role_of(target), "thread_name",
                             text_to_json(work->snapshot->threads[index].name));
    if (json == NULL) {
        return NULL;
    }
    if (work->snapshot->threads[index].has_signal) {
        add_signal(work, json, index);
    } else if (work->snapshot->threads[index].has_exception) {
        add_exception(work, json, index);
    }
    if (target->has_registers) {
        uint64_t pc = target->registers[ITR_REGISTER_RIP];
        set(json, "pc", itr_json_hex(pc));
        set(json, "pc_in", json_string(itr_pointee_name(itr_pointee_of(work->snapshot, pc))));
        set(json, "location", location_of(work, pc));
        add_line(work, json, pc);
        add_code(work, json, pc);
        set(json, "registers", registers_to_json(target));
    }
    return json;
}

/* ---- threads and signals ---- */

static json_t *mask_to_json(uint64_t mask) {
    json_t *list = json_array();
    for (int signal = 1; signal <= 64 && list != NULL; signal++) {
        if ((mask >> (signal - 1) & 1) != 0) {
            json_array_append_new(list, json_string(itrp_signal_name(signal)));
        }
    }
    return list;
}

static json_t *thread_to_json(const struct itr_examination *work, size_t index) {
    const struct itr_target_thread *target = &work->threads[index];
    const struct itrp_snapshot_thread *thread = &work->snapshot->threads[index];
    char state[2] = {thread->state, '\0'};
    json_t *json = json_pack("{s:I, s:o, s:s}", "id", (json_int_t)target->id, "name", text_to_json(thread->name), "role",
                             role_of(target));
    if (json == NULL) {
        return NULL;
    }
    if (thread->start != 0) {
        set(json, "start", itr_json_hex(thread->start));
        set(json, "start_location", location_of(work, thread->start));
    }
    set(json, "state", thread->state != '\0' ? text_to_json(state) : NULL);
    set(json, "wait_channel", thread->wait_channel[0] != '\0' ? text_to_json(thread->wait_channel) : NULL);
    if (thread->in_system_call) {
        const char *name = itrp_system_call_name(thread->system_call);
        set(json, "system_call", name != NULL ? json_string(name) : json_integer(thread->system_call));
    }
    if (thread->has_masks) {
        set(json, "blocked", mask_to_json(thread->blocked));
        set(json, "pending", mask_to_json(thread->pending));
    }
    if (target->has_registers) {
        set(json, "pc", itr_json_hex(target->registers[ITR_REGISTER_RIP]));
        set(json, "location", location_of(work, target->registers[ITR_REGISTER_RIP]));
    }
    return json;
}

json_t *itr_examine_threads(const struct itr_examination *work) {
    json_t *list = json_array();
    for (size_t i = 0; i < work->target.thread_count && list != NULL; i++) {
        json_array_append_new(list, thread_to_json(work, i));
    }
    return list;
}

json_t *itr_examine_signals(const struct itr_examination *work) {
    const struct itrp_snapshot *snapshot = work->snapshot;
    if (!snapshot->has_signals) {
        return json_object();
    }
    return json_pack("{s:o, s:o, s:o}", "pending", mask_to_json(snapshot->pending), "ignored", mask_to_json(snapshot->ignored),
                     "caught", mask_to_json(snapshot->caught));
}

json_t *itr_examine_modules(const struct itr_examination *work) {
    json_t *list = json_array();
    for (size_t i = 0; i < work->target.module_count && list != NULL; i++) {
        const struct itr_target_module *module = &work->modules[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:I, s:s}", "path", text_to_json(module->path), "base",
                                              itr_json_hex(module->base), "bytes", (json_int_t)module->bytes, "build_id",
                                              module->image != NULL ? itr_image_build_id(module->image) : ""));
    }
    return list;
}
