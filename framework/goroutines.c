/* Reads the runtime's lists of goroutines and threads from a stopped process. Where their fields are is in
 * goroutines_layout.c, how a stack is walked in unwind*.c. */
#include "framework/goroutines.h"

#include "framework/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    G_BYTES_MAX = 4096,
    SCAN_BIT = 0x1000,
    STRING_BYTES = 16, /* of a Go string: pointer and length */
    POINTERS_STEP = 512,
};

/* One library's runtime. */
struct runtime {
    const struct itr_target_process *process;
    const struct itr_target_module *module;
    struct itr_go_layout layout;
    uint64_t wait_reasons; /* address of the table of names; 0: none */
    uint64_t wait_reason_count;
};

static bool find_symbol(const struct itr_target_module *module, const char *name, uint64_t *address, uint64_t *bytes) {
    struct itr_symbol symbol;
    if (!itr_image_lookup(module->image, name, &symbol)) {
        return false;
    }
    *address = module->base + symbol.rva;
    *bytes = symbol.bytes;
    return true;
}

static uint64_t number_at(const uint8_t *bytes, uint32_t offset, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)bytes[offset + i] << (8 * i);
    }
    return value;
}

/* ---- one runtime.g ---- */

/* Reads a runtime.g whole, as far as its fields are known. */
static bool read_g(const struct runtime *runtime, uint64_t address, uint8_t bytes[G_BYTES_MAX]) {
    return address != 0 && itr_target_read(runtime->process, address, bytes, runtime->layout.g_bytes);
}

static void fill_stack(const struct runtime *runtime, uint64_t address, const uint8_t *g, struct itr_go_stack *stack) {
    const struct itr_go_layout *at = &runtime->layout;
    *stack = (struct itr_go_stack){
        .g = address,
        .low = number_at(g, at->g_stack + at->stack_lo, 8),
        .high = number_at(g, at->g_stack + at->stack_hi, 8),
        .sched_sp = number_at(g, at->g_sched + at->gobuf_sp, 8),
        .sched_pc = number_at(g, at->g_sched + at->gobuf_pc, 8),
        .sched_bp = number_at(g, at->g_sched + at->gobuf_bp, 8),
        .m = number_at(g, at->g_m, 8),
    };
}

static void fill_wait_reason(const struct runtime *runtime, struct itr_goroutine *one) {
    char raw[ITR_WAIT_REASON_MAX];
    uint64_t pointer;
    uint64_t length;
    uint64_t entry = runtime->wait_reasons + (uint64_t)one->wait_code * STRING_BYTES;
    if (one->status != ITR_GOROUTINE_WAITING) {
        return;
    }
    if (one->wait_code >= runtime->wait_reason_count ||
        !itr_target_read_u64(runtime->process, entry, &pointer) ||
        !itr_target_read_u64(runtime->process, entry + 8, &length) || length >= sizeof raw ||
        !itr_target_read(runtime->process, pointer, raw, (size_t)length)) {
        snprintf(one->wait_reason, sizeof one->wait_reason, "wait reason %u", one->wait_code);
        return;
    }
    itr_escape_into(one->wait_reason, sizeof one->wait_reason, ITR_ESCAPE_TERMINAL, raw, (size_t)length);
}

static void fill_goroutine(const struct runtime *runtime, const uint8_t *g, const struct itr_go_stack *stack,
                           struct itr_goroutine *one) {
    const struct itr_go_layout *at = &runtime->layout;
    uint32_t status = (uint32_t)number_at(g, at->g_status, 4);
    *one = (struct itr_goroutine){
        .address = stack->g,
        .id = number_at(g, at->g_id, 8),
        .status = status & ~(uint32_t)SCAN_BIT,
        .scanned = (status & SCAN_BIT) != 0,
        .wait_code = g[at->g_wait_reason],
        .created_at = number_at(g, at->g_created_at, 8),
        .entry = number_at(g, at->g_entry, 8),
        .parent = at->has_parent ? number_at(g, at->g_parent, 8) : 0,
        .module = runtime->module,
    };
    one->saved_sp = number_at(g, at->g_syscallsp, 8);
    if (one->saved_sp != 0) {
        one->saved_pc = number_at(g, at->g_syscallpc, 8);
    } else {
        one->saved_sp = stack->sched_sp;
        one->saved_pc = stack->sched_pc;
        one->saved_bp = stack->sched_bp;
    }
    fill_wait_reason(runtime, one);
}

/* ---- the lists ---- */

/* A list that grows; false when memory was refused. */
static bool reserve(void **items, size_t *room, size_t needed, size_t each) {
    size_t entries = *room < 64 ? 64 : *room;
    if (needed <= *room) {
        return true;
    }
    while (entries < needed) {
        entries *= 2;
    }
    void *moved = realloc(*items, entries * each);
    if (moved == NULL) {
        return false;
    }
    *items = moved;
    *room = entries;
    return true;
}

/* What is being read. The lists of `result` are set at the end. */
struct reading {
    struct itr_goroutines *result;
    struct itr_go_stack *stacks;
    size_t stack_count, stack_room;
    struct itr_go_thread *threads;
    size_t thread_count, thread_room;
    size_t item_room;
    uint64_t listed;
};

static const struct itr_go_thread *thread_of(const struct reading *reading, uint64_t m) {
    for (size_t i = 0; m != 0 && i < reading->thread_count; i++) {
        if (reading->threads[i].m == m) {
            return &reading->threads[i];
        }
    }
    return NULL;
}

static bool add_goroutine(struct reading *reading, const struct runtime *runtime, uint64_t address) {
    struct itr_goroutines *result = reading->result;
    uint8_t g[G_BYTES_MAX];
    struct itr_goroutine one;
    if (!read_g(runtime, address, g)) {
        result->unread++;
        return true;
    }
    if (!reserve((void **)&reading->stacks, &reading->stack_room, reading->stack_count + 1, sizeof *reading->stacks)) {
        return false;
    }
    struct itr_go_stack *stack = &reading->stacks[reading->stack_count++];
    fill_stack(runtime, address, g, stack);
    fill_goroutine(runtime, g, stack, &one);
    one.stack_index = reading->stack_count - 1;
    if (one.status == ITR_GOROUTINE_DEAD || one.status == ITR_GOROUTINE_DEAD_EXTRA ||
        one.status == ITR_GOROUTINE_IDLE) {
        result->dead++;
        return true;
    }
    if (result->count == ITR_GOROUTINES_MAX) {
        result->more++;
        return true;
    }
    const struct itr_go_thread *thread = thread_of(reading, stack->m);
    const struct itr_go_thread *locked = thread_of(reading, number_at(g, runtime->layout.g_locked_m, 8));
    one.has_thread = thread != NULL;
    one.m = thread != NULL ? thread->id : 0;
    one.thread = thread != NULL ? thread->thread : 0;
    one.locked = locked != NULL;
    one.locked_m = locked != NULL ? locked->id : 0;
    if (!reserve((void **)&result->items, &reading->item_room, result->count + 1, sizeof *result->items)) {
        return false;
    }
    result->items[result->count++] = one;
    return true;
}

/* Where the pointers to all goroutines are, and how many. The runtime keeps both for readers without its lock; where
 * those are not there, the slice itself. */
static bool find_goroutines(const struct runtime *runtime, uint64_t *pointers, uint64_t *count) {
    uint64_t at;
    uint64_t bytes;
    uint64_t length_at;
    if (find_symbol(runtime->module, "runtime.allgptr", &at, &bytes) &&
        find_symbol(runtime->module, "runtime.allglen", &length_at, &bytes)) {
        return itr_target_read_u64(runtime->process, at, pointers) &&
               itr_target_read_u64(runtime->process, length_at, count);
    }
    return find_symbol(runtime->module, "runtime.allgs", &at, &bytes) &&
           itr_target_read_u64(runtime->process, at, pointers) &&
           itr_target_read_u64(runtime->process, at + 8, count);
}

static enum itr_status read_goroutines(struct reading *reading, const struct runtime *runtime, struct itr_error *err) {
    uint64_t pointers;
    uint64_t count;
    const char *name = itr_target_module_name(runtime->module);
    if (!find_goroutines(runtime, &pointers, &count)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0,
                        "%s: its list of goroutines is not found: no symbol runtime.allgs (stripped?)", name);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t step[POINTERS_STEP * 8];
        uint64_t wanted = count - i < POINTERS_STEP ? count - i : POINTERS_STEP;
        if (reading->listed >= ITR_GOROUTINES_LISTED_MAX) {
            reading->result->more += (size_t)(count - i);
            return ITR_OK;
        }
        if (!itr_target_read(runtime->process, pointers + i * 8, step, (size_t)wanted * 8)) {
            return itr_fail(err, ITR_E_FORMAT, 0, "%s: its list of goroutines cannot be read", name);
        }
        for (uint64_t j = 0; j < wanted; j++) {
            if (!add_goroutine(reading, runtime, number_at(step, (uint32_t)j * 8, 8))) {
                return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
            }
        }
        reading->listed += wanted;
        i += wanted - 1;
    }
    return ITR_OK;
}

static enum itr_status read_threads(struct reading *reading, const struct runtime *runtime, struct itr_error *err) {
    const struct itr_go_layout *at = &runtime->layout;
    uint64_t list;
    uint64_t bytes;
    uint64_t m = 0;
    if (!find_symbol(runtime->module, "runtime.allm", &list, &bytes)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0,
                        "%s: its list of threads is not found: no symbol runtime.allm (stripped?)",
                        itr_target_module_name(runtime->module));
    }
    (void)itr_target_read_u64(runtime->process, list, &m);
    while (m != 0 && reading->thread_count < ITR_GO_THREADS_MAX) {
        struct itr_go_thread one = {.m = m};
        uint8_t g[G_BYTES_MAX];
        uint64_t g0;
        uint64_t id;
        uint64_t next;
        if (!itr_target_read_u64(runtime->process, m + at->m_g0, &g0) ||
            !itr_target_read_u64(runtime->process, m + at->m_thread, &one.thread) ||
            !itr_target_read_u64(runtime->process, m + at->m_current, &one.current) ||
            !itr_target_read_u64(runtime->process, m + at->m_id, &id) ||
            !itr_target_read_u64(runtime->process, m + at->m_next, &next)) {
            return ITR_OK; /* being changed, or damaged: the rest is not to be had */
        }
        if (read_g(runtime, g0, g)) {
            fill_stack(runtime, g0, g, &one.g0);
        }
        one.id = (int64_t)id;
        if (!reserve((void **)&reading->threads, &reading->thread_room, reading->thread_count + 1,
                     sizeof *reading->threads)) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
        reading->threads[reading->thread_count++] = one;
        m = next;
    }
    return ITR_OK;
}

static enum itr_status read_library(struct reading *reading, const struct itr_target_process *process,
                                    const struct itr_target_module *module, struct itr_error *err) {
    struct runtime runtime = {.process = process, .module = module};
    uint64_t bytes;
    enum itr_status status = itr_go_layout_of(module->image, &runtime.layout, err);
    if (status != ITR_OK) {
        itr_fail_context(err, "%s", itr_target_module_name(module));
        return status;
    }
    reading->result->libraries++;
    reading->result->from_table = reading->result->from_table || runtime.layout.from_table;
    if (find_symbol(module, "runtime.waitReasonStrings", &runtime.wait_reasons, &bytes)) {
        runtime.wait_reason_count = bytes / STRING_BYTES;
    }
    status = read_threads(reading, &runtime, err);
    return status == ITR_OK ? read_goroutines(reading, &runtime, err) : status;
}

/* ---- stacks ---- */

/* The thread of the process that runs on that stack just now, or NULL. */
static const struct itr_target_thread *thread_on(const struct itr_target_process *process,
                                                 const struct itr_go_stack *stack) {
    for (size_t i = 0; i < process->thread_count; i++) {
        const struct itr_target_thread *thread = &process->threads[i];
        uint64_t sp = thread->registers[ITR_REGISTER_RSP];
        if (thread->has_registers && sp >= stack->low && sp < stack->high) {
            return thread;
        }
    }
    return NULL;
}

/* A goroutine that runs, though its thread is on another stack, has saved its state only if it is in systemstack. */
static bool is_saved(const struct itr_target_process *process, const struct itr_goroutine *one,
                     const struct itr_go_stack *stack) {
    const struct itr_target_module *module = itr_target_module_at(process, stack->sched_pc);
    struct itr_go_frame frame;
    if (one->status != ITR_GOROUTINE_RUNNING) {
        return true;
    }
    return module != NULL && module->image != NULL &&
           itr_image_go_frame_at(module->image, stack->sched_pc - module->base, &frame) &&
           strncmp(frame.name, "runtime.systemstack_switch", 26) == 0;
}

/* False: out of memory. */
static bool walk_goroutine(const struct itr_goroutines *list, const struct itr_target_process *process,
                           struct itr_goroutine *one) {
    const struct itr_go_stack *stack = &list->stacks.goroutines[one->stack_index];
    const struct itr_target_thread *thread =
        one->status == ITR_GOROUTINE_RUNNING ? thread_on(process, stack) : NULL;
    if (thread == NULL &&
        (!is_saved(process, one, stack) || one->saved_sp < stack->low || one->saved_sp >= stack->high)) {
        return true;
    }
    one->stack = malloc(sizeof *one->stack);
    if (one->stack == NULL) {
        return false;
    }
    if (thread != NULL) {
        struct itr_target_thread own = *thread;
        own.id = 0; /* the walk ends where the goroutine's stack does */
        itr_unwind_thread(process, &list->stacks, &own, one->stack);
    } else {
        itr_unwind_saved(process, &list->stacks, one->saved_pc, one->saved_sp, one->saved_bp, one->stack);
    }
    return true;
}

enum itr_status itr_goroutines_read(struct itr_goroutines *list, const struct itr_target_process *process,
                                    struct itr_error *err) {
    struct reading reading = {.result = list};
    enum itr_status status = ITR_OK;
    *list = (struct itr_goroutines){0};
    for (size_t i = 0; i < process->module_count && status != ITR_E_NO_MEMORY; i++) {
        const struct itr_target_module *module = &process->modules[i];
        if (module->image != NULL && itr_image_go_version(module->image)[0] != '\0') {
            struct itr_error failure = {0};
            enum itr_status one = read_library(&reading, process, module, &failure);
            if (one != ITR_OK) {
                status = one;
                itr_fail(err, one, failure.os_code, "%s", failure.text);
            }
        }
    }
    list->stacks = (struct itr_go_stacks){.goroutines = reading.stacks,
                                          .goroutine_count = reading.stack_count,
                                          .threads = reading.threads,
                                          .thread_count = reading.thread_count};
    for (size_t i = 0; i < list->count && status != ITR_E_NO_MEMORY; i++) {
        if (!walk_goroutine(list, process, &list->items[i])) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
    }
    return status;
}

void itr_goroutines_release(struct itr_goroutines *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].stack);
    }
    free(list->items);
    free((void *)(uintptr_t)list->stacks.goroutines);
    free((void *)(uintptr_t)list->stacks.threads);
    *list = (struct itr_goroutines){0};
}

const char *itr_goroutine_status_name(uint32_t status, char *out, size_t room) {
    const char *name = NULL;
    switch (status) {
    case ITR_GOROUTINE_IDLE: name = "idle"; break;
    case ITR_GOROUTINE_RUNNABLE: name = "runnable"; break;
    case ITR_GOROUTINE_RUNNING: name = "running"; break;
    case ITR_GOROUTINE_SYSCALL: name = "syscall"; break;
    case ITR_GOROUTINE_WAITING: name = "waiting"; break;
    case ITR_GOROUTINE_DEAD: name = "dead"; break;
    case ITR_GOROUTINE_COPYSTACK: name = "copystack"; break;
    case ITR_GOROUTINE_PREEMPTED: name = "preempted"; break;
    case ITR_GOROUTINE_LEAKED: name = "leaked"; break;
    case ITR_GOROUTINE_DEAD_EXTRA: name = "dead, of an extra thread"; break;
    default: break;
    }
    if (name != NULL) {
        snprintf(out, room, "%s", name);
    } else {
        snprintf(out, room, "status %u", (unsigned)status);
    }
    return out;
}
