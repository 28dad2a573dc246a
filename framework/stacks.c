/* Reads all stacks of a process and writes them as text. The JSON is in stacks_json.c, the sentence in hang.c. */
#include "framework/stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_ROOM = 32 };

enum itr_status itr_stacks_read(struct itr_stacks *stacks, const struct itr_target_process *process,
                                struct itr_error *err) {
    *stacks = (struct itr_stacks){0};
    if (itr_goroutines_read(&stacks->goroutines, process, &stacks->goroutines_error) == ITR_E_NO_MEMORY) {
        itr_stacks_release(stacks);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    size_t count = process->thread_count < ITR_STACKS_THREADS_MAX ? process->thread_count : ITR_STACKS_THREADS_MAX;
    stacks->threads = calloc(count > 0 ? count : 1, sizeof *stacks->threads);
    if (stacks->threads == NULL) {
        itr_stacks_release(stacks);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        itr_unwind_thread(process, &stacks->goroutines.stacks, &process->threads[i], &stacks->threads[i]);
    }
    stacks->thread_count = count;
    stacks->threads_left_out = process->thread_count - count;
    (void)itr_hang_explain(stacks, process, stacks->hang, sizeof stacks->hang);
    return ITR_OK;
}

void itr_stacks_release(struct itr_stacks *stacks) {
    itr_goroutines_release(&stacks->goroutines);
    free(stacks->threads);
    *stacks = (struct itr_stacks){0};
}

const char *itr_frame_function(const struct itr_target_process *process, const struct itr_frame *frame) {
    uint64_t code = itr_frame_code(frame);
    const struct itr_target_module *module = itr_target_module_at(process, code);
    const char *name = "";
    uint64_t offset;
    if (module != NULL && module->image != NULL) {
        (void)itr_image_symbol_at(module->image, code - module->base, &name, &offset);
    }
    return name;
}

bool itr_frame_is(const struct itr_target_process *process, const struct itr_frame *frame, const char *function) {
    const char *name = itr_frame_function(process, frame);
    size_t count = strlen(function);
    return strncmp(name, function, count) == 0 && (name[count] == '\0' || strcmp(name + count, ".abi0") == 0);
}

/* ---- threads and goroutines ---- */

/* The thread in Go: by its number in the system, else by where its stack is. */
static const struct itr_go_thread *go_thread_of(const struct itr_go_stacks *go, const struct itr_target_thread *thread) {
    uint64_t sp = thread->registers[ITR_REGISTER_RSP];
    for (size_t i = 0; i < go->thread_count; i++) {
        const struct itr_go_thread *one = &go->threads[i];
        if ((one->thread != 0 && one->thread == thread->id) ||
            (one->thread == 0 && thread->has_registers && sp >= one->g0.low && sp < one->g0.high)) {
            return one;
        }
    }
    return NULL;
}

const struct itr_goroutine *itr_stacks_goroutine_of(const struct itr_stacks *stacks, const struct itr_target_thread *thread) {
    const struct itr_goroutines *list = &stacks->goroutines;
    const struct itr_go_thread *found = list->libraries > 1 ? NULL : go_thread_of(&list->stacks, thread);
    const struct itr_goroutine *locked = NULL;
    for (size_t i = 0; i < list->count && found != NULL; i++) {
        const struct itr_goroutine *one = &list->items[i];
        if (one->has_thread && one->m == found->id) {
            return one;
        }
        if (one->locked && one->locked_m == found->id) {
            locked = one;
        }
    }
    return locked;
}

/* ---- text ---- */

static void add_line_of(struct itr_text *out, const struct itr_target_process *process, uint64_t code) {
    const struct itr_target_module *module = itr_target_module_at(process, code);
    const char *file;
    uint32_t line;
    if (module != NULL && module->image != NULL && itr_image_line_at(module->image, code - module->base, &file, &line)) {
        itr_text_add(out, " ");
        itr_text_escape(out, ITR_ESCAPE_TERMINAL, file, strlen(file));
        itr_text_printf(out, ":%" PRIu32, line);
    }
}

static void add_frame(struct itr_text *out, const struct itr_target_process *process, const struct itr_frame *frame,
                      uint32_t number) {
    char place[ITR_FRAME_TEXT_MAX];
    uint64_t code = itr_frame_code(frame);
    itr_target_describe(process, frame->pc, code, place, sizeof place);
    itr_text_printf(out, "%s%3" PRIu32 "  %s", frame->guessed ? "?" : " ", number, place);
    add_line_of(out, process, code);
    if (frame->guessed) {
        itr_text_printf(out, " (guessed: %s)", itr_frame_way_name(frame->way));
    } else if (frame->way == ITR_FRAME_SIGNAL) {
        itr_text_add(out, " (interrupted by a signal or exception)");
    }
    itr_text_add(out, "\n");
}

static void add_stack(struct itr_text *out, const struct itr_target_process *process, const struct itr_stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++) {
        if (i == stack->head && stack->omitted > 0) {
            itr_text_printf(out, "      … %" PRIu32 " frames left out\n", stack->omitted);
        }
        add_frame(out, process, &stack->frames[i], i < stack->head ? i : i + stack->omitted);
    }
    if (stack->end != ITR_STACK_END_BOTTOM) {
        itr_text_printf(out, "     (ends here: %s)\n", itr_stack_end_name(stack->end));
    }
}

static const char *state_of(const struct itr_goroutine *one, char *out, size_t room) {
    return one->wait_reason[0] != '\0' ? one->wait_reason : itr_goroutine_status_name(one->status, out, room);
}

static void add_thread(struct itr_text *out, const struct itr_target_process *process,
                       const struct itr_target_thread *thread, const struct itr_stack *stack,
                       const struct itr_goroutine *goroutine) {
    char status[STATUS_ROOM];
    itr_text_printf(out, "thread %" PRIu64, thread->id);
    if (thread->name != NULL) {
        itr_text_add(out, " \"");
        itr_text_escape(out, ITR_ESCAPE_TERMINAL, thread->name, strlen(thread->name));
        itr_text_add(out, "\"");
    }
    if (thread->role_name != NULL || thread->role != ITR_ROLE_ANY) {
        itr_text_printf(out, " (%s)", thread->role_name != NULL ? thread->role_name
                                                                : itr_role_name((uint32_t)thread->role));
    }
    itr_text_add(out, thread->at_fault ? ", at the fault:\n" : ":\n");
    add_stack(out, process, stack);
    if (goroutine != NULL) {
        itr_text_printf(out, "     for goroutine %" PRIu64 " [%s]\n", goroutine->id,
                        state_of(goroutine, status, sizeof status));
    }
    itr_text_add(out, "\n");
}

static void add_goroutine(struct itr_text *out, const struct itr_target_process *process,
                          const struct itr_goroutine *one) {
    char status[STATUS_ROOM];
    itr_text_printf(out, "goroutine %" PRIu64 " [%s", one->id, state_of(one, status, sizeof status));
    if (one->locked) {
        itr_text_printf(out, ", locked to m=%" PRId64, one->locked_m);
    }
    itr_text_add(out, "]");
    if (one->has_thread) {
        itr_text_printf(out, " m=%" PRId64, one->m);
    }
    if (one->thread != 0) {
        itr_text_printf(out, " thread %" PRIu64, one->thread);
    }
    itr_text_add(out, ":\n");
    if (one->stack != NULL) {
        add_stack(out, process, one->stack);
    } else {
        itr_text_add(out, "     (stack not available)\n");
    }
    if (one->created_at != 0) {
        char place[ITR_FRAME_TEXT_MAX];
        itr_target_describe(process, one->created_at, one->created_at - 1, place, sizeof place);
        itr_text_printf(out, "     created at %s", place);
        add_line_of(out, process, one->created_at - 1);
        if (one->parent != 0) {
            itr_text_printf(out, " in goroutine %" PRIu64, one->parent);
        }
        itr_text_add(out, "\n");
    }
    itr_text_add(out, "\n");
}

void itr_stacks_add_text(const struct itr_stacks *stacks, const struct itr_target_process *process,
                         struct itr_text *out) {
    if (stacks->hang[0] != '\0') {
        itr_text_printf(out, "%s\n\n", stacks->hang);
    }
    for (size_t i = 0; i < stacks->thread_count; i++) {
        add_thread(out, process, &process->threads[i], &stacks->threads[i],
                   itr_stacks_goroutine_of(stacks, &process->threads[i]));
    }
    if (stacks->threads_left_out > 0) {
        itr_text_printf(out, "%zu more threads left out\n", stacks->threads_left_out);
    }
}

void itr_stacks_add_goroutines(const struct itr_stacks *stacks, const struct itr_target_process *process,
                               struct itr_text *out) {
    const struct itr_goroutines *list = &stacks->goroutines;
    for (size_t i = 0; i < list->count; i++) {
        add_goroutine(out, process, &list->items[i]);
    }
    if (list->more > 0) {
        itr_text_printf(out, "%zu more goroutines left out\n", list->more);
    }
    if (list->unread > 0) {
        itr_text_printf(out, "%zu goroutines could not be read\n", list->unread);
    }
    if (stacks->goroutines_error.status != ITR_OK) {
        itr_text_printf(out, "goroutines: %s\n", stacks->goroutines_error.text);
    } else if (list->libraries > 0 && list->count == 0) {
        itr_text_add(out, "no goroutines: the runtime had made none yet\n");
    }
}
