/* Who waits for whom, in a sentence, where stacks and goroutines show it beyond doubt. Guessed frames are no proof, and
 * a thread that merely sleeps is no news. */
#include "framework/stacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is looked at together. */
struct scene {
    const struct itr_stacks *stacks;
    const struct itr_target_process *process;
};

/* The index of the first certain frame of that function from `from` on; `count` when there is none. */
static uint32_t frame_of(const struct scene *scene, const struct itr_stack *stack, const char *function,
                         uint32_t from) {
    for (uint32_t i = from; i < stack->count; i++) {
        if (!stack->frames[i].guessed && itr_frame_is(scene->process, &stack->frames[i], function)) {
            return i;
        }
    }
    return stack->count;
}

static bool has_frame(const struct scene *scene, const struct itr_stack *stack, const char *function) {
    return frame_of(scene, stack, function, 0) < stack->count;
}

/* The thread on whose own stack an m of Go's runs, by its number in the system, else by where its stack is. */
static const struct itr_target_thread *thread_of_m(const struct scene *scene, int64_t m) {
    const struct itr_go_stacks *go = &scene->stacks->goroutines.stacks;
    for (size_t i = 0; i < go->thread_count; i++) {
        const struct itr_go_thread *one = &go->threads[i];
        for (size_t j = 0; one->id == m && j < scene->process->thread_count; j++) {
            const struct itr_target_thread *thread = &scene->process->threads[j];
            uint64_t sp = thread->registers[ITR_REGISTER_RSP];
            if ((one->thread != 0 && one->thread == thread->id) ||
                (one->thread == 0 && thread->has_registers && sp >= one->g0.low && sp < one->g0.high)) {
                return thread;
            }
        }
    }
    return NULL;
}

static void add_thread(struct itr_text *out, const struct itr_target_thread *thread) {
    itr_text_printf(out, "thread %" PRIu64, thread->id);
    if (thread->role_name != NULL || thread->role != ITR_ROLE_ANY) {
        itr_text_printf(out, " (%s)",
                        thread->role_name != NULL ? thread->role_name : itr_role_name((uint32_t)thread->role));
    }
}

/* ---- a callback that waits for the end of the initialisation ---- */

/* Its goroutine receives, in the very frame of cgocallbackg1, from main_init_done: a nil channel until runtime.main
 * has made it. */
static bool waits_for_init(const struct scene *scene, const struct itr_goroutine *one, bool *missing) {
    const struct itr_stack *stack = one->stack;
    *missing = strcmp(one->wait_reason, "chan receive (nil chan)") == 0;
    if (stack == NULL || one->status != ITR_GOROUTINE_WAITING ||
        (!*missing && strcmp(one->wait_reason, "chan receive") != 0)) {
        return false;
    }
    uint32_t receive = frame_of(scene, stack, "runtime.chanrecv1", 0);
    return receive + 1 < stack->count && !stack->frames[receive + 1].guessed &&
           itr_frame_is(scene->process, &stack->frames[receive + 1], "runtime.cgocallbackg1");
}

/* Its name in the runtime of that goroutine: it has another since Go 1.27. */
static const char *init_channel(const struct itr_goroutine *one) {
    struct itr_symbol symbol;
    return one->module != NULL && one->module->image != NULL &&
                   itr_image_lookup(one->module->image, "runtime.mainInitDoneChan", &symbol)
               ? "mainInitDoneChan"
               : "main_init_done";
}

static void add_init_wait(const struct scene *scene, struct itr_text *out) {
    const struct itr_goroutines *list = &scene->stacks->goroutines;
    for (size_t i = 0; i < list->count; i++) {
        const struct itr_goroutine *one = &list->items[i];
        bool missing;
        if (!waits_for_init(scene, one, &missing)) {
            continue;
        }
        const struct itr_target_thread *thread =
            one->locked ? thread_of_m(scene, one->locked_m) : one->has_thread ? thread_of_m(scene, one->m) : NULL;
        if (thread != NULL) {
            add_thread(out, thread);
            itr_text_printf(out, " has called into Go (goroutine %" PRIu64 ") and ", one->id);
        } else {
            itr_text_printf(out, "a callback into Go (goroutine %" PRIu64 ") ", one->id);
        }
        itr_text_printf(out, "waits on %s%s; ", init_channel(one),
                        missing ? ", which does not exist yet: a receive from a nil channel never ends"
                                : ": the library's initialisation has not ended");
    }
}

/* ---- a call into Go that waits ---- */

enum { CALLS_TOLD_MAX = 4 };

/* Where the library's own code came to wait: the innermost certain frame that is none of the runtime's, or of the
 * packages that locks are made of. NULL: there is none above the call. */
static const char *waiting_function(const struct scene *scene, const struct itr_stack *stack, uint32_t call) {
    static const char *const machinery[] = {"runtime.", "sync.", "internal/"};
    for (uint32_t i = 0; i < call; i++) {
        const char *name = itr_frame_function(scene->process, &stack->frames[i]);
        bool own = !stack->frames[i].guessed && name[0] != '\0';
        for (size_t k = 0; own && k < sizeof machinery / sizeof machinery[0]; k++) {
            own = strncmp(name, machinery[k], strlen(machinery[k])) != 0;
        }
        if (own) {
            return name;
        }
    }
    return NULL;
}

static bool add_call_wait_of(const struct scene *scene, const struct itr_target_thread *thread, struct itr_text *out) {
    const struct itr_goroutine *one = itr_stacks_goroutine_of(scene->stacks, thread);
    bool missing;
    if (one == NULL || one->stack == NULL || one->status != ITR_GOROUTINE_WAITING || one->wait_reason[0] == '\0' ||
        waits_for_init(scene, one, &missing)) {
        return false;
    }
    uint32_t call = frame_of(scene, one->stack, "runtime.cgocallbackg1", 0);
    const char *function = call < one->stack->count ? waiting_function(scene, one->stack, call) : NULL;
    if (function == NULL) {
        return false;
    }
    add_thread(out, thread);
    itr_text_printf(out, " has called into Go (goroutine %" PRIu64 "), which waits (%s) in ", one->id, one->wait_reason);
    itr_text_escape(out, ITR_ESCAPE_TERMINAL, function, strlen(function));
    itr_text_add(out, "; ");
    return true;
}

static void add_call_waits(const struct scene *scene, struct itr_text *out) {
    int told = 0;
    for (size_t i = 0; i < scene->stacks->thread_count && told < CALLS_TOLD_MAX; i++) {
        told += add_call_wait_of(scene, &scene->process->threads[i], out) ? 1 : 0;
    }
}

/* ---- a call that waits for the runtime ---- */

static void add_first_call_wait(const struct scene *scene, struct itr_text *out) {
    for (size_t i = 0; i < scene->stacks->thread_count; i++) {
        if (!has_frame(scene, &scene->stacks->threads[i], "_cgo_wait_runtime_init_done")) {
            continue;
        }
        add_thread(out, &scene->process->threads[i]);
        itr_text_add(out, " waits in _cgo_wait_runtime_init_done for the runtime to be ready");
        for (size_t j = 0; j < scene->stacks->thread_count; j++) {
            const struct itr_stack *other = &scene->stacks->threads[j];
            if (scene->process->threads[j].role == ITR_ROLE_INIT && other->count > 0 && !other->frames[0].guessed) {
                char place[ITR_FRAME_TEXT_MAX];
                itr_target_describe(scene->process, other->frames[0].pc, itr_frame_code(&other->frames[0]), place,
                                    sizeof place);
                itr_text_printf(out, ", whose first thread (%" PRIu64 ") is in %s", scene->process->threads[j].id,
                                place);
            }
        }
        itr_text_add(out, "; ");
    }
}

/* ---- the console's lock ---- */

static bool waits_for_lock(const struct scene *scene, const struct itr_stack *stack) {
    static const char *const waits[] = {"RtlEnterCriticalSection", "RtlpWaitForCriticalSection",
                                        "RtlpEnterCriticalSectionContended"};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        if (has_frame(scene, stack, waits[i])) {
            return true;
        }
    }
    return false;
}

/* The console's handlers run, and are changed, under one lock. */
static void add_console_lock(const struct scene *scene, struct itr_text *out) {
    size_t holder = scene->stacks->thread_count;
    for (size_t i = 0; i < scene->stacks->thread_count; i++) {
        const struct itr_stack *stack = &scene->stacks->threads[i];
        if (has_frame(scene, stack, "CtrlRoutine") && !waits_for_lock(scene, stack)) {
            holder = i;
        }
    }
    for (size_t i = 0; i < scene->stacks->thread_count && holder < scene->stacks->thread_count; i++) {
        const struct itr_stack *stack = &scene->stacks->threads[i];
        bool changes = has_frame(scene, stack, "SetConsoleCtrlHandler");
        if (i != holder && waits_for_lock(scene, stack) && (changes || has_frame(scene, stack, "CtrlRoutine"))) {
            add_thread(out, &scene->process->threads[i]);
            itr_text_printf(out, " waits in %s for the console's lock, which ",
                            changes ? "SetConsoleCtrlHandler" : "CtrlRoutine");
            add_thread(out, &scene->process->threads[holder]);
            itr_text_add(out, " holds while its handler runs; ");
        }
    }
}

bool itr_hang_explain(const struct itr_stacks *stacks, const struct itr_target_process *process, char *out,
                      size_t room) {
    struct scene scene = {.stacks = stacks, .process = process};
    struct itr_text text = {.ceiling = 8192};
    add_init_wait(&scene, &text);
    add_console_lock(&scene, &text);
    add_first_call_wait(&scene, &text);
    add_call_waits(&scene, &text);
    bool found = text.length > 2;
    if (room > 0) {
        out[0] = '\0';
        /* It is harmless already; this cuts it between characters. The last "; " goes. */
        struct itr_text cut = {.ceiling = room - 1};
        if (found && room > 1) {
            itr_text_append(&cut, itr_text_string(&text), text.length - (text.truncated ? 0 : 2));
            snprintf(out, room, "%s", itr_text_string(&cut));
        }
        itr_text_release(&cut);
    }
    itr_text_release(&text);
    return found;
}
