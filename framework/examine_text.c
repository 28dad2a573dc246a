/* A standing host's registers, mappings and descriptors as texts for people. Names that the host chose are escaped. */
#include "framework/examine_parts.h"
#include "framework/pointee.h"

#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REGISTERS_A_LINE = 4 };

static void add_name(struct itr_text *text, const char *name) {
    itr_text_escape(text, ITR_ESCAPE_TERMINAL, name, strlen(name));
}

static void add_mask(struct itr_text *text, const char *what, uint64_t mask) {
    if (mask == 0) {
        return;
    }
    itr_text_printf(text, "  %s:", what);
    for (int signal = 1; signal <= 64; signal++) {
        if ((mask >> (signal - 1) & 1) != 0) {
            itr_text_printf(text, " %s", itrp_signal_name(signal));
        }
    }
    itr_text_add(text, "\n");
}

static void add_waiting(struct itr_text *text, const struct itrp_snapshot_thread *thread) {
    const char *call = thread->in_system_call ? itrp_system_call_name(thread->system_call) : NULL;
    if (thread->in_system_call) {
        itr_text_add(text, "  in the system: ");
        if (call != NULL) {
            itr_text_add(text, call);
        } else {
            itr_text_printf(text, "call %" PRId64, thread->system_call);
        }
        for (int i = 0; i < 6; i++) {
            itr_text_printf(text, "%s0x%" PRIx64, i == 0 ? "(" : ", ", thread->arguments[i]);
        }
        itr_text_add(text, ")\n");
    }
    if (thread->state != '\0') {
        itr_text_printf(text, "  state before the stop: %c", thread->state);
        if (thread->wait_channel[0] != '\0') {
            itr_text_add(text, ", in ");
            add_name(text, thread->wait_channel);
        }
        itr_text_add(text, "\n");
    }
}

static void add_thread(struct itr_text *text, const struct itr_examination *work, size_t index) {
    const struct itr_target_thread *target = &work->threads[index];
    const struct itrp_snapshot_thread *thread = &work->snapshot->threads[index];
    char place[400];
    itr_text_printf(text, "thread %" PRIu64 " \"", target->id);
    add_name(text, thread->name);
    itr_text_printf(text, "\" (%s)%s\n", target->role_name != NULL ? target->role_name : itr_role_name((uint32_t)target->role),
                    target->at_fault ? ", which the host was stopped for" : "");
    add_waiting(text, thread);
    add_mask(text, "blocked", thread->blocked);
    add_mask(text, "pending", thread->pending);
    if (!target->has_registers) {
        itr_text_add(text, "  no registers: it did not stop, or ended\n\n");
        return;
    }
    uint64_t pc = target->registers[ITR_REGISTER_RIP];
    itr_target_describe(&work->target, pc, pc, place, sizeof place);
    itr_text_printf(text, "  at %s\n", place);
    for (unsigned i = 0; i < ITR_REGISTER_COUNT; i++) {
        itr_text_printf(text, "%s%-7s 0x%016" PRIx64, i % REGISTERS_A_LINE == 0 ? "  " : "  ", itr_register_name(i),
                        target->registers[i]);
        itr_text_add(text, i % REGISTERS_A_LINE == REGISTERS_A_LINE - 1 || i == ITR_REGISTER_COUNT - 1 ? "\n" : "");
    }
    itr_text_add(text, "  ");
    for (unsigned i = 0; i < ITR_REGISTER_FS_BASE; i++) {
        enum itr_pointee pointee = itr_pointee_of(work->snapshot, target->registers[i]);
        if (i != ITR_REGISTER_RFLAGS && pointee != ITR_POINTEE_UNMAPPED && pointee != ITR_POINTEE_NULL_PAGE &&
            pointee != ITR_POINTEE_NON_CANONICAL) {
            itr_text_printf(text, "%s: %s  ", itr_register_name(i), itr_pointee_name(pointee));
        }
    }
    itr_text_add(text, "\n\n");
}

static void write_registers(struct itr_examination *work) {
    struct itr_text text = {.ceiling = 4u << 20};
    for (size_t i = 0; i < work->target.thread_count; i++) {
        add_thread(&text, work, i);
    }
    itr_examine_write(work, "registers.txt", &text);
}

static void write_mappings(struct itr_examination *work) {
    struct itr_text text = {.ceiling = 16u << 20};
    for (size_t i = 0; i < work->snapshot->mapping_count; i++) {
        const struct itrp_snapshot_mapping *one = &work->snapshot->mappings[i];
        itr_text_printf(&text, "%012" PRIx64 "-%012" PRIx64 " %c%c%c%c %08" PRIx64 " %10" PRIu64 " KiB ", one->begin, one->end,
                        one->readable ? 'r' : '-', one->writable ? 'w' : '-', one->executable ? 'x' : '-',
                        one->shared ? 's' : 'p', one->offset, (one->end - one->begin) / 1024);
        add_name(&text, one->path);
        itr_text_add(&text, "\n");
    }
    itr_examine_write(work, "maps.txt", &text);
}

static void write_descriptors(struct itr_examination *work) {
    struct itr_text text = {.ceiling = 1u << 20};
    for (size_t i = 0; i < work->snapshot->descriptor_count; i++) {
        itr_text_printf(&text, "%" PRIu32 " ", work->snapshot->descriptors[i].number);
        add_name(&text, work->snapshot->descriptors[i].target);
        itr_text_add(&text, "\n");
    }
    itr_examine_write(work, "descriptors.txt", &text);
}

void itr_examine_write_texts(struct itr_examination *work) {
    write_registers(work);
    write_mappings(work);
    write_descriptors(work);
}
