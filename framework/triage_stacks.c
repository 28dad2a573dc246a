/* Puts the stacks of a crash text together, frame by frame: whose they are, where they stand and who made them. Why
 * there are any is triage_facts.c's. */
#include "framework/triage_parts.h"

#include <string.h>

static const char *keep(struct itr_facts *facts, struct itr_slice slice) {
    return itr_store_string(&facts->store, slice.data, slice.length);
}

static bool is_later(const struct itr_facts *facts) {
    return facts->crash.reports > 1;
}

static bool is_slice(struct itr_slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

/* ---- the open one ---- */

void itr_stack_add(struct itr_facts *facts, const struct itr_frame *frame) {
    if (facts->stack.frame_count < ITR_FRAMES_MAX) {
        facts->frames[facts->stack.frame_count++] = *frame;
    } else {
        facts->stack.elided = true;
    }
}

static void remember(struct itr_facts *facts, int index) {
    struct itr_crash *crash = &facts->crash;
    const struct itr_stack *stack = &facts->stack;
    switch (stack->kind) {
    case ITR_STACK_GOROUTINE:
        crash->goroutines += stack->count;
        if (facts->listed) {
            crash->listed_goroutine = facts->current ? index : crash->listed_goroutine;
            break;
        }
        crash->first_goroutine = crash->first_goroutine < 0 ? index : crash->first_goroutine;
        crash->main_goroutine = stack->id == 1 && crash->main_goroutine < 0 ? index : crash->main_goroutine;
        break;
    case ITR_STACK_RUNTIME: crash->runtime_stack = crash->runtime_stack < 0 ? index : crash->runtime_stack; break;
    case ITR_STACK_THREAD:
        crash->threads += stack->count;
        if (crash->first_thread < 0 ||
            (crash->has_thread && facts->has_thread_number && facts->thread_number == crash->thread)) {
            crash->first_thread = index;
        }
        break;
    case ITR_STACK_ACCESS:
        if (crash->accesses[0] < 0) {
            crash->accesses[0] = index;
        } else if (crash->accesses[1] < 0) {
            crash->accesses[1] = index;
        }
        break;
    case ITR_STACK_CREATION: break;
    }
}

/* The frame whose place never came. */
void itr_stack_settle(struct itr_facts *facts) {
    if (facts->function != NULL && facts->function_certain && facts->open && !facts->ignore_frames) {
        struct itr_frame frame = {.function = facts->function, .module = "", .file = "", .has_pc = facts->has_pc,
                                  .pc = facts->pc};
        itr_stack_add(facts, &frame);
    }
    facts->function = NULL;
}

/* The stack that a debugger showed of where it stopped, once more in its list of all. */
static bool is_told(const struct itr_facts *facts) {
    const struct itr_crash *crash = &facts->crash;
    bool thread = facts->stack.kind == ITR_STACK_THREAD && facts->has_thread_number &&
                  facts->thread_number == crash->thread && crash->has_thread;
    int first = thread ? crash->first_thread : facts->listed && facts->current ? crash->first_goroutine : -1;
    return first >= 0 && first == facts->stop_index &&
           facts->store.stacks[first].frame_count >= facts->stack.frame_count &&
           (thread || facts->store.stacks[first].id == facts->stack.id);
}

void itr_stack_close(struct itr_facts *facts) {
    itr_stack_settle(facts);
    if (facts->open && !is_later(facts) && !is_told(facts)) {
        facts->stack.frames = facts->frames;
        int index = itr_store_stack(&facts->store, &facts->stack);
        if (index >= 0) {
            remember(facts, index);
            facts->stop_index = facts->at_stop && facts->stop_index < 0 ? index : facts->stop_index;
        }
    }
    facts->open = false;
    facts->listed = false;
    facts->has_thread_number = false;
    facts->at_stop = false;
    facts->place_of_creator = false;
    facts->creator_is_next = false;
    facts->ignore_frames = false;
}

void itr_stack_open(struct itr_facts *facts, enum itr_stack_kind kind, uint64_t id) {
    if (facts->at_stop && facts->stack.frame_count == 1 && kind == ITR_STACK_THREAD) {
        facts->open = false; /* where a debugger stopped; the whole stack is coming */
    }
    itr_stack_close(facts);
    facts->open = true;
    facts->stack = (struct itr_stack){
        .kind = kind, .id = id, .count = 1, .state = "", .created_by = {.function = "", .module = "", .file = ""}};
}

static void take_goroutine(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    itr_stack_open(facts, ITR_STACK_GOROUTINE, line->number);
    facts->stack.state = keep(facts, line->state);
    facts->stack.wait_min = facts->stack.wait_max = (line->has & ITR_HAS_MINUTES) != 0 ? line->minutes : 0;
    facts->stack.locked = line->locked ? 1 : 0;
    if (is_later(facts)) {
        return;
    }
    if (facts->headless) {
        if (crash->first_goroutine < 0) {
            facts->heading_has_m = (line->has & ITR_HAS_M) != 0;
            facts->heading_m = line->m;
        }
    } else if (!crash->has_goroutine) {
        crash->has_goroutine = true;
        crash->goroutine = line->number;
        if (!crash->has_m && (line->has & ITR_HAS_M) != 0) {
            crash->has_m = true;
            crash->m = line->m;
        }
    }
}

static void take_function(struct itr_facts *facts, const struct itr_line *line) {
    itr_stack_settle(facts);
    facts->function = keep(facts, line->name);
    facts->function_age = 0;
    facts->function_certain = facts->in_stack;
    facts->has_pc = (line->has & ITR_HAS_PC) != 0;
    facts->pc = line->pc;
    facts->place_of_creator = false;
}

/* One of a debugger's list of goroutines. */
static void take_listed(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_crash *crash = &facts->crash;
    itr_stack_open(facts, ITR_STACK_GOROUTINE, line->number);
    facts->listed = true;
    facts->current = line->current;
    facts->stack.state = keep(facts, line->state);
    struct itr_frame frame = {.function = keep(facts, line->name), .module = "", .file = keep(facts, line->file),
                              .line = line->line, .has_pc = (line->has & ITR_HAS_PC) != 0, .pc = line->pc};
    itr_stack_add(facts, &frame);
    if (line->current && !crash->has_goroutine && !is_later(facts)) {
        crash->has_goroutine = true;
        crash->goroutine = line->number;
    }
}

/* Of a stack without heading, since garbage has functions and places too. */
static bool may_be_file(struct itr_slice file) {
    if (!itr_is_name(file.data, file.length)) { /* nor is an empty one */
        return false;
    }
    return memchr(file.data, '.', file.length) != NULL || memchr(file.data, '/', file.length) != NULL ||
           memchr(file.data, '<', file.length) != NULL;
}

static void take_location(struct itr_facts *facts, const struct itr_line *line) {
    struct itr_frame frame = {
        .function = facts->function, .module = "", .file = "", .line = line->line,
        .has_pc = (line->has & ITR_HAS_PC) != 0, .pc = line->pc,
        .has_offset = (line->has & ITR_HAS_OFFSET) != 0, .offset = line->offset};
    if (facts->function == NULL && !facts->place_of_creator) {
        frame.function = facts->bare;
    } else if (facts->function != NULL && facts->has_pc && !frame.has_pc) {
        frame.has_pc = true;
        frame.pc = facts->pc;
    }
    if (frame.function == NULL && !facts->place_of_creator) {
        return;
    }
    frame.file = keep(facts, line->file);
    if (facts->place_of_creator) {
        facts->stack.created_by.file = frame.file;
        facts->stack.created_by.line = frame.line;
        facts->place_of_creator = false;
        return;
    }
    facts->function = NULL;
    if (facts->creator_is_next) {
        facts->stack.created_by = frame;
        facts->creator_is_next = false;
    } else if (!facts->ignore_frames) {
        if (!facts->open) { /* the text begins in the midst of a stack */
            if (!may_be_file(line->file)) {
                return;
            }
            /* Behind an exception the runtime prints the stack of its thread without a heading. */
            bool thread = facts->crash.has_exception && !facts->crash.has_goroutine;
            itr_stack_open(facts, thread ? ITR_STACK_RUNTIME : ITR_STACK_GOROUTINE, 0);
            facts->headless = facts->headless || thread;
        }
        itr_stack_add(facts, &frame);
    }
}

static void take_created_by(struct itr_facts *facts, const struct itr_line *line) {
    itr_stack_settle(facts);
    if (facts->open && !facts->ignore_frames) {
        facts->stack.created_by.function = keep(facts, line->name);
        facts->place_of_creator = true;
    }
}

/* Delve shows goroutines, the others threads; which one, is what the debugger said when it stopped. */
static void open_without_heading(struct itr_facts *facts, const struct itr_line *line) {
    const struct itr_crash *crash = &facts->crash;
    bool told = crash->first_goroutine >= 0 || (facts->open && facts->stack.kind == ITR_STACK_GOROUTINE);
    if (line->dialect == ITR_DIALECT_DELVE && crash->has_goroutine && !told) {
        itr_stack_open(facts, ITR_STACK_GOROUTINE, crash->goroutine);
    } else {
        itr_stack_open(facts, ITR_STACK_THREAD, crash->has_thread ? crash->thread : 0);
    }
    facts->at_stop = true;
}

/* What the text was cut off in the midst of: coredumpctl ends each frame with its module. */
static bool is_half_frame(const struct itr_facts *facts, const struct itr_line *line) {
    const struct itr_frame *last = facts->open && facts->stack.frame_count > 0 && line->number > 0
                                       ? &facts->frames[facts->stack.frame_count - 1] : NULL;
    return last != NULL && last->module[0] != '\0' && last->has_offset && line->module.length == 0 &&
           (line->has & ITR_HAS_LINE) == 0;
}

/* A debugger's frame; frame 0 begins a stack of its own. */
static void take_frame(struct itr_facts *facts, const struct itr_line *line) {
    if (is_half_frame(facts, line)) {
        return;
    }
    bool racing = facts->open && (facts->stack.kind == ITR_STACK_ACCESS || facts->stack.kind == ITR_STACK_CREATION);
    bool begins_one = line->number == 0 && facts->stack.frame_count > 0;
    bool listed = facts->open && facts->listed;
    if (listed && line->number == 0) {
        facts->stack.frame_count = 0;
    } else if (!racing && !listed &&
               (!facts->open || (facts->stack.kind != ITR_STACK_THREAD && !facts->at_stop) || begins_one)) {
        open_without_heading(facts, line);
    }
    struct itr_slice name = line->name;
    if (is_slice(name, "??") || is_slice(name, "n/a")) {
        name.length = 0;
    }
    struct itr_slice module = line->module;
    module.length = is_slice(module, "n/a") ? 0 : module.length;
    struct itr_frame frame = {.function = keep(facts, name), .module = keep(facts, module),
                              .file = keep(facts, line->file), .line = line->line,
                              .has_pc = (line->has & ITR_HAS_PC) != 0, .pc = line->pc,
                              .has_offset = (line->has & ITR_HAS_OFFSET) != 0, .offset = line->offset};
    itr_stack_add(facts, &frame);
}

/* "main.main+0x34 /src/main.go:10", as Go 1.0 named a goroutine's creator; the place may have a line of its own. */
bool itr_stack_old_creator(struct itr_facts *facts, const char *text, size_t count) {
    const char *plus = itr_find_in(text, count, "+0x");
    const char *blank = plus != NULL ? memchr(plus, ' ', (size_t)(text + count - plus)) : NULL;
    struct itr_line place = {0};
    if (plus == NULL || plus == text || memchr(text, ' ', (size_t)(plus - text)) != NULL) {
        return false;
    }
    facts->creator_is_next = false;
    facts->stack.created_by.function = itr_store_string(&facts->store, text, (size_t)(plus - text));
    if (blank != NULL && itr_read_place(&place, blank + 1, (size_t)(text + count - blank - 1))) {
        facts->stack.created_by.file = keep(facts, place.file);
        facts->stack.created_by.line = place.line;
    } else {
        facts->place_of_creator = true;
    }
    return true;
}

void itr_stack_line(struct itr_facts *facts, const struct itr_line *line) {
    switch (line->kind) {
    case ITR_LINE_GOROUTINE: take_goroutine(facts, line); break;
    case ITR_LINE_RUNTIME_STACK: itr_stack_open(facts, ITR_STACK_RUNTIME, 0); break;
    case ITR_LINE_FUNCTION: take_function(facts, line); break;
    case ITR_LINE_LOCATION: take_location(facts, line); break;
    case ITR_LINE_CREATED_BY: take_created_by(facts, line); break;
    case ITR_LINE_CREATOR_NEXT:
        itr_stack_settle(facts);
        facts->creator_is_next = facts->open;
        break;
    case ITR_LINE_ELIDED:
        itr_stack_settle(facts);
        facts->stack.elided = true;
        break;
    case ITR_LINE_UNAVAILABLE: facts->stack.unavailable = true; break;
    case ITR_LINE_ANCESTOR:
        itr_stack_close(facts);
        facts->ignore_frames = true;
        break;
    case ITR_LINE_FRAME: take_frame(facts, line); break;
    case ITR_LINE_FRAME_LOCATION:
        if (facts->open && (facts->stack.kind == ITR_STACK_THREAD || facts->listed || facts->at_stop) && facts->stack.frame_count > 0) {
            struct itr_frame *last = &facts->frames[facts->stack.frame_count - 1];
            last->file = keep(facts, line->file);
            last->line = line->line;
        }
        break;
    case ITR_LINE_LISTED: take_listed(facts, line); break;
    case ITR_LINE_THREAD:
        itr_stack_open(facts, ITR_STACK_THREAD, line->number);
        facts->has_thread_number = (line->has & ITR_HAS_M) != 0;
        facts->thread_number = line->m;
        break;
    default: break;
    }
}

