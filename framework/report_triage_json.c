/* The answer about a crash text as JSON; docs/formats.md says what the fields mean. */
#include "framework/report_triage.h"

#include "framework/outcome.h"
#include "framework/triage_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TOP_FRAMES = 16 };

/* Any bytes as valid UTF-8. */
static json_t *safe(const char *text) {
    struct itr_text out = {.ceiling = 256 * 1024};
    itr_text_escape(&out, ITR_ESCAPE_UTF8, text, strlen(text));
    json_t *json = out.no_memory ? NULL : json_string(itr_text_string(&out));
    itr_text_release(&out);
    return json;
}

static json_t *hex(bool there, uint64_t value) {
    char text[24];
    if (!there) {
        return json_null();
    }
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

static json_t *number(bool there, int64_t value) {
    return there ? json_integer(value) : json_null();
}

static json_t *or_null(const char *text) {
    return text == NULL || text[0] == '\0' ? json_null() : safe(text);
}

static json_t *frame_json(const struct itr_frame *frame) {
    json_t *object = json_object();
    json_object_set_new(object, "function", or_null(frame->function));
    if (frame->module[0] != '\0') {
        json_object_set_new(object, "module", safe(frame->module));
    }
    if (frame->file[0] != '\0') {
        json_object_set_new(object, "file", safe(frame->file));
        json_object_set_new(object, "line", json_integer(frame->line));
    }
    if (frame->has_offset) {
        json_object_set_new(object, "offset", hex(true, frame->offset));
    }
    if (frame->has_pc) {
        json_object_set_new(object, "pc", hex(true, frame->pc));
    }
    return object;
}

static json_t *frames_json(const struct itr_frame *frames, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, frame_json(&frames[i]));
    }
    return list;
}

static json_t *stack_json(const struct itr_stack *stack) {
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(itr_stack_kind_name(stack->kind)));
    json_object_set_new(object, "id", json_integer((json_int_t)stack->id));
    json_object_set_new(object, "count", json_integer((json_int_t)stack->count));
    json_object_set_new(object, "state", or_null(stack->state));
    json_object_set_new(object, "wait_min_minutes", json_integer((json_int_t)stack->wait_min));
    json_object_set_new(object, "wait_max_minutes", json_integer((json_int_t)stack->wait_max));
    json_object_set_new(object, "locked", json_integer((json_int_t)stack->locked));
    json_object_set_new(object, "created_by",
                        stack->created_by.function[0] != '\0' ? frame_json(&stack->created_by) : json_null());
    json_object_set_new(object, "elided", json_boolean(stack->elided));
    json_object_set_new(object, "unavailable", json_boolean(stack->unavailable));
    json_object_set_new(object, "frames", frames_json(stack->frames, stack->frame_count));
    return object;
}

static json_t *dialects_json(unsigned dialects) {
    static const char *const names[] = {"go", "gdb", "rr", "delve", "coredumpctl", "wine", "race"};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((dialects & 1u << i) != 0) {
            json_array_append_new(list, json_string(names[i]));
        }
    }
    return list;
}

static json_t *message_json(const struct itr_crash_message *message) {
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(itr_message_kind_name(message->kind)));
    json_object_set_new(object, "text", safe(message->text));
    json_object_set_new(object, "count", json_integer((json_int_t)message->count));
    return object;
}

static void add_why(json_t *object, const struct itr_crash *crash) {
    json_t *messages = json_array();
    for (size_t i = 0; i < crash->message_count; i++) {
        json_array_append_new(messages, message_json(&crash->messages[i]));
    }
    json_object_set_new(object, "message", crash->message.kind != ITR_MESSAGE_NONE ? safe(crash->message.text) : json_null());
    json_object_set_new(object, "printed", or_null(crash->printed));
    json_object_set_new(object, "messages", messages);
    json_object_set_new(object, "panics", json_integer(crash->panics));
    json_object_set_new(object, "recovered", json_boolean(crash->recovered));
}

static void add_what(json_t *object, const struct itr_crash *crash) {
    json_t *registers = json_object();
    char name[32] = "";
    if (crash->has_exception) {
        itr_exception_short_name(crash->exception, name, sizeof name);
    }
    for (size_t i = 0; i < crash->register_count; i++) {
        json_object_set_new(registers, crash->registers[i].name, hex(true, crash->registers[i].value));
    }
    json_object_set_new(object, "signal", or_null(crash->signal));
    json_object_set_new(object, "exception", hex(crash->has_exception, crash->exception));
    json_object_set_new(object, "exception_name", or_null(name));
    json_object_set_new(object, "shape", or_null(crash->shape));
    json_object_set_new(object, "code", number(crash->has_code, crash->code));
    json_object_set_new(object, "pc", hex(crash->has_pc, crash->pc));
    json_object_set_new(object, "address", hex(crash->has_address, crash->address));
    json_object_set_new(object, "thread", number(crash->has_thread, (int64_t)crash->thread));
    json_object_set_new(object, "m", number(crash->has_m, (int64_t)crash->m));
    json_object_set_new(object, "goroutine", number(crash->has_goroutine, (int64_t)crash->goroutine));
    json_object_set_new(object, "in_cgo", json_boolean(crash->in_cgo));
    json_object_set_new(object, "morebuf_pc", hex(crash->has_morebuf, crash->morebuf_pc));
    json_object_set_new(object, "registers", registers);
}

static void add_where(json_t *object, const struct itr_crash *crash) {
    json_t *stacks = json_array();
    size_t top = crash->frame_count < TOP_FRAMES ? crash->frame_count : TOP_FRAMES;
    for (size_t i = 0; i < crash->stack_count; i++) {
        json_array_append_new(stacks, stack_json(&crash->stacks[i]));
    }
    json_object_set_new(object, "crashed", number(crash->crashed != NULL, crash->crashed - crash->stacks));
    json_object_set_new(object, "frames", frames_json(crash->frames, top));
    json_object_set_new(object, "goroutines", json_integer((json_int_t)crash->goroutines));
    json_object_set_new(object, "threads", json_integer((json_int_t)crash->threads));
    json_object_set_new(object, "stacks", stacks);
    json_object_set_new(object, "test", or_null(crash->test));
    json_object_set_new(object, "package", or_null(crash->package));
}

json_t *itr_triage_json(const struct itr_crash *crash, const struct itr_known_failure *known, bool reading) {
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(itr_crash_kind_name(crash->kind)));
    json_object_set_new(object, "signature", safe(crash->signature));
    json_object_set_new(object, "detail", or_null(crash->detail));
    json_object_set_new(object, "known", known != NULL ? itr_known_json(known) : json_null());
    json_object_set_new(object, "dialects", dialects_json(crash->dialects));
    add_why(object, crash);
    add_what(object, crash);
    add_where(object, crash);
    json_object_set_new(object, "reports", json_integer((json_int_t)crash->reports));
    json_object_set_new(object, "cut", json_boolean(crash->cut));
    if (reading) {
        json_object_set_new(object, "bytes", json_integer((json_int_t)crash->bytes));
        json_object_set_new(object, "hard_bytes", json_integer((json_int_t)crash->hard_bytes));
        json_object_set_new(object, "hard_offset", number(crash->hard_bytes > 0, (int64_t)crash->hard_offset));
        json_object_set_new(object, "long_lines", json_integer((json_int_t)crash->long_lines));
    }
    return object;
}

json_t *itr_known_json(const struct itr_known_failure *known) {
    json_t *threads = json_array();
    for (size_t i = 0; i < known->threads.count; i++) {
        json_array_append_new(threads, json_string(known->threads.items[i]));
    }
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:b, s:o}", "name", known->name, "summary", known->summary,
                     "printed_by", known->printed_by, "go", known->go, "system", known->system, "note", known->note,
                     "finding", (int)known->finding, "threads", threads);
}
