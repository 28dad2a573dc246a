/* Stacks and goroutines as a part of a record. */
#include "framework/stacks.h"

#include "framework/cell.h"
#include "framework/record_parts.h"

#include <string.h>

enum { STATUS_ROOM = 32 };

static json_t *string_of(const char *text) {
    return itr_record_string(text, strlen(text));
}

static json_t *place_to_json(const struct itr_target_process *process, uint64_t address, uint64_t code) {
    char place[ITR_FRAME_TEXT_MAX];
    itr_target_describe(process, address, code, place, sizeof place);
    return string_of(place);
}

/* "file:line" of Go code; null where there is none. */
static json_t *line_to_json(const struct itr_target_process *process, uint64_t code) {
    const struct itr_target_module *module = itr_target_module_at(process, code);
    const char *file;
    uint32_t line;
    if (module == NULL || module->image == NULL ||
        !itr_image_line_at(module->image, code - module->base, &file, &line)) {
        return json_null();
    }
    struct itr_text text = {.ceiling = 4096};
    itr_text_add(&text, file);
    itr_text_printf(&text, ":%u", (unsigned)line);
    json_t *json = itr_record_string(itr_text_string(&text), text.length);
    itr_text_release(&text);
    return json;
}

static json_t *frame_to_json(const struct itr_target_process *process, const struct itr_frame *frame) {
    uint64_t code = itr_frame_code(frame);
    const struct itr_target_module *module = itr_target_module_at(process, code);
    json_t *json = json_object();
    itr_record_put(&json, "pc", itr_json_hex(frame->pc));
    itr_record_put(&json, "sp", itr_json_hex(frame->sp));
    itr_record_put(&json, "module", module != NULL ? string_of(itr_target_module_name(module)) : json_null());
    itr_record_put(&json, "rva", module != NULL ? itr_json_hex(frame->pc - module->base) : json_null());
    itr_record_put(&json, "location", place_to_json(process, frame->pc, code));
    itr_record_put(&json, "line", line_to_json(process, code));
    itr_record_put(&json, "found_by", json_string(itr_frame_way_name(frame->way)));
    itr_record_put(&json, "certain", json_boolean(!frame->guessed));
    return json;
}

static void put_stack(json_t **json, const struct itr_target_process *process, const struct itr_stack *stack) {
    json_t *frames = json_array();
    for (uint32_t i = 0; i < stack->count; i++) {
        itr_record_append(&frames, frame_to_json(process, &stack->frames[i]));
    }
    itr_record_put(json, "frames", frames);
    if (stack->omitted > 0) {
        itr_record_put(json, "omitted_after", json_integer(stack->head));
        itr_record_put(json, "omitted", json_integer(stack->omitted));
    }
    itr_record_put(json, "end", json_string(itr_stack_end_name(stack->end)));
}

static json_t *thread_to_json(const struct itr_target_process *process, const struct itr_target_thread *thread,
                              const struct itr_stack *stack, const struct itr_goroutine *goroutine) {
    const char *role = thread->role_name != NULL ? thread->role_name : itr_role_name((uint32_t)thread->role);
    json_t *json = json_object();
    itr_record_put(&json, "id", json_integer((json_int_t)thread->id));
    itr_record_put(&json, "name", thread->name != NULL ? string_of(thread->name) : json_null());
    itr_record_put(&json, "role", string_of(role));
    itr_record_put(&json, "at_fault", json_boolean(thread->at_fault));
    itr_record_put(&json, "goroutine", goroutine != NULL ? json_integer((json_int_t)goroutine->id) : json_null());
    if (thread->has_registers) {
        json_t *registers = json_object();
        for (unsigned i = 0; i < ITR_REGISTER_COUNT; i++) {
            itr_record_put(&registers, itr_register_name(i), itr_json_hex(thread->registers[i]));
        }
        itr_record_put(&json, "registers", registers);
    }
    put_stack(&json, process, stack);
    return json;
}

static json_t *goroutine_to_json(const struct itr_target_process *process, const struct itr_goroutine *one) {
    char status[STATUS_ROOM];
    json_t *json = json_object();
    itr_record_put(&json, "id", json_integer((json_int_t)one->id));
    itr_record_put(&json, "status", json_string(itr_goroutine_status_name(one->status, status, sizeof status)));
    itr_record_put(&json, "wait_reason", one->wait_reason[0] != '\0' ? string_of(one->wait_reason) : json_null());
    itr_record_put(&json, "m", one->has_thread ? json_integer((json_int_t)one->m) : json_null());
    itr_record_put(&json, "thread", one->thread != 0 ? json_integer((json_int_t)one->thread) : json_null());
    itr_record_put(&json, "locked_m", one->locked ? json_integer((json_int_t)one->locked_m) : json_null());
    itr_record_put(&json, "created_at",
                   one->created_at != 0 ? place_to_json(process, one->created_at, one->created_at - 1) : json_null());
    itr_record_put(&json, "parent", one->parent != 0 ? json_integer((json_int_t)one->parent) : json_null());
    if (one->stack != NULL) {
        put_stack(&json, process, one->stack);
    }
    return json;
}

static json_t *goroutines_to_json(const struct itr_stacks *stacks, const struct itr_target_process *process) {
    const struct itr_goroutines *list = &stacks->goroutines;
    json_t *items = json_array();
    json_t *json = json_object();
    for (size_t i = 0; i < list->count; i++) {
        itr_record_append(&items, goroutine_to_json(process, &list->items[i]));
    }
    itr_record_put(&json, "living", items);
    itr_record_put(&json, "dead", json_integer((json_int_t)list->dead));
    itr_record_put(&json, "unread", json_integer((json_int_t)list->unread));
    itr_record_put(&json, "left_out", json_integer((json_int_t)list->more));
    itr_record_put(&json, "layout", json_string(list->from_table ? "table" : "dwarf"));
    itr_record_put(&json, "error",
                   stacks->goroutines_error.status != ITR_OK ? string_of(stacks->goroutines_error.text) : json_null());
    return json;
}

json_t *itr_stacks_to_json(const struct itr_stacks *stacks, const struct itr_target_process *process) {
    json_t *threads = json_array();
    json_t *json = json_object();
    for (size_t i = 0; i < stacks->thread_count; i++) {
        itr_record_append(&threads, thread_to_json(process, &process->threads[i], &stacks->threads[i],
                                                   itr_stacks_goroutine_of(stacks, &process->threads[i])));
    }
    itr_record_put(&json, "hang", stacks->hang[0] != '\0' ? string_of(stacks->hang) : json_null());
    itr_record_put(&json, "threads", threads);
    itr_record_put(&json, "threads_left_out", json_integer((json_int_t)stacks->threads_left_out));
    itr_record_put(&json, "goroutines", goroutines_to_json(stacks, process));
    return json;
}
