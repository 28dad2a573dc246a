/* Writes a trial as JSON, with every 64-bit address and hash as a hex string, and reads lines back. It
 * opens no file. */
#include "framework/record.h"
#include "framework/record_parts.h"

#include "framework/cell.h"
#include "framework/kept.h"
#include "framework/text.h"

#include <stdio.h>
#include <string.h>

/* Sets a key; a record that lacks something is none: it becomes NULL, and stays so. */
void itr_record_put(json_t **object, const char *key, json_t *value) {
    if (json_object_set_new_nocheck(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

void itr_record_append(json_t **list, json_t *value) {
    if (json_array_append_new(*list, value) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

/* A string value from bytes a host may have chosen. */
json_t *itr_record_string(const char *text, size_t bytes) {
    struct itr_text clean = {.ceiling = 64 * 1024};
    itr_text_escape(&clean, ITR_ESCAPE_UTF8, text, bytes);
    json_t *value = clean.no_memory ? NULL : json_stringn_nocheck(itr_text_string(&clean), clean.length);
    itr_text_release(&clean);
    return value;
}

json_t *itr_record_clean(const char *text) {
    size_t bytes = strlen(text);
    size_t at = 0;
    size_t step = 0;
    while (at < bytes && (step = itr_utf8_length(text + at, bytes - at, NULL)) > 0) {
        at += step;
    }
    return at == bytes ? json_stringn_nocheck(text, bytes) : itr_record_string(text, bytes);
}

/* Nanoseconds after `origin_ns`; null for "never". */
json_t *itr_record_time(uint64_t at_ns, uint64_t origin_ns) {
    return at_ns == 0 ? json_null() : json_integer((json_int_t)(at_ns - origin_ns));
}

uint64_t itr_record_origin(const struct itr_observation *seen) {
    uint64_t load_ns = seen->ledger_sound ? seen->ledger.phase_ns[ITR_PHASE_LOAD_BEGIN] : 0;
    return load_ns != 0 ? load_ns : seen->begin_ns;
}

int64_t itr_record_fired_after_load(const struct itr_observation *seen) {
    uint64_t load_ns = seen->ledger.phase_ns[ITR_PHASE_LOAD_BEGIN];
    uint64_t fired_ns = seen->ledger.shots[0].fired_ns;
    return seen->ledger_sound && load_ns != 0 && fired_ns != 0 ? (int64_t)(fired_ns - load_ns) : INT64_MIN;
}

/* The handler's entry that belongs to shot `index`: the index-th one of that event. */
static const struct itr_handled *handled_of(const struct itr_record *record, uint32_t index) {
    uint32_t wanted = index;
    for (uint32_t i = 0; i < ITR_HANDLED_MAX; i++) {
        const struct itr_handled *entry = &record->seen->ledger.handled[i];
        if (entry->entered_ns != 0 && entry->event == record->plan->request.shots[index].event && wanted-- == 0) {
            return entry;
        }
    }
    return NULL;
}

static json_t *shot_to_json(const struct itr_record *record, uint32_t index) {
    const struct itr_shot_request *planned = &record->plan->request.shots[index];
    static const struct itr_shot_reply unknown;
    bool sound = record->seen->ledger_sound;
    const struct itr_shot_reply *shot = sound ? &record->seen->ledger.shots[index] : &unknown;
    const struct itr_handled *handled = sound ? handled_of(record, index) : NULL;
    uint64_t origin_ns = itr_record_origin(record->seen);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "event", itr_event_name(planned->event), "at",
                             record->at, "delivery", itr_delivery_name(planned->delivery), "target",
                             itr_target_name(planned->target), "planned_ns", (json_int_t)planned->offset_ns,
                             "fired_ns", itr_record_time(shot->fired_ns, origin_ns), "sent_ns",
                             itr_record_time(shot->sent_ns, origin_ns), "handled_ns",
                             itr_record_time(handled != NULL ? handled->entered_ns : 0, origin_ns));
    itr_record_put(&json, "si_code",
        handled != NULL && itrp_capabilities()->signals ? json_integer(handled->si_code) : json_null());
    itr_record_put(&json, "sender_thread", json_integer(shot->sender_thread));
    if (shot->target_thread != 0) {
        itr_record_put(&json, "target_thread", json_integer(shot->target_thread));
    }
    if (handled != NULL) {
        itr_record_put(&json, "handler_thread", json_integer(handled->thread));
    }
    if (shot->send_error != 0) {
        itr_record_put(&json, "send_error", json_integer(shot->send_error));
    }
    if (shot->event_thread != 0) {
        itr_record_put(&json, "event_thread", json_integer(shot->event_thread));
        itr_record_put(&json, "thread_started_ns", itr_record_time(shot->thread_started_ns, origin_ns));
        itr_record_put(&json, "thread_ended_ns", itr_record_time(shot->thread_ended_ns, origin_ns));
        itr_record_put(&json, "thread_exit",
            shot->thread_ended_ns != 0 ? itr_json_hex(shot->event_thread_exit) : json_null());
    }
    if (shot->released_ns != 0) {
        itr_record_put(&json, "released_ns", itr_record_time(shot->released_ns, origin_ns));
    }
    if (record->plan->unit >= 0) {
        itr_record_put(&json, "unit", json_real(record->plan->unit));
        itr_record_put(&json, "window_to_ns", json_integer((json_int_t)record->plan->window_to_ns));
    }
    return json;
}

static json_t *exit_to_json(const struct itr_observation *seen) {
    if (seen->end == ITR_END_NOT_STARTED || seen->kept_process != 0) {
        return json_null();
    }
    json_t *json = json_pack("{s:b}", "by_runner", (int)seen->ended_by_runner);
    if (seen->exit.signaled) {
        itr_record_put(&json, "signal", json_string(itrp_signal_name(seen->exit.signal)));
        itr_record_put(&json, "core", json_boolean(seen->exit.core_dumped));
    } else {
        itr_record_put(&json, "code", itr_json_hex(seen->exit.code));
    }
    return json;
}

/* NULL: as every program's, or not known. */
static const char *scheduling_of(const struct itr_observation *seen) {
    static const char *const names[] = {
#define ITR_SCHEDULING_NAME(id, name) name,
        ITR_SCHEDULING_MAP(ITR_SCHEDULING_NAME)
#undef ITR_SCHEDULING_NAME
    };
    uint32_t scheduling = seen->ledger_sound ? seen->ledger.scheduling : ITR_SCHEDULING_DEFAULT;
    return scheduling != ITR_SCHEDULING_DEFAULT ? names[scheduling] : NULL;
}

static json_t *phases_to_json(const struct itr_observation *seen) {
    json_t *json = json_object();
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        if (seen->ledger.phase_ns[i] != 0) {
            itr_record_put(&json, itr_phase_name(i), json_integer((json_int_t)(seen->ledger.phase_ns[i] - seen->begin_ns)));
        }
    }
    return json;
}

static json_t *exception_to_json(const struct itr_record *record, const struct itr_exception *exception) {
    char location[ITR_LOCATION_MAX];
    const char *name = itr_exception_name(exception->code);
    itr_locate_pc(record->modules, &record->seen->ledger, exception, true, location, sizeof location);
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:o}", "code", itr_json_hex(exception->code),
                     "name", name != NULL ? name : "", "pc", itr_json_hex(exception->pc), "module_base",
                     itr_json_hex(exception->module_base), "rva",
                     itr_json_hex(exception->pc - exception->module_base), "address",
                     itr_json_hex(exception->address), "location", location, "access",
                     (json_int_t)exception->access, "thread", (json_int_t)exception->thread, "at_ns",
                     itr_record_time(exception->time_ns, itr_record_origin(record->seen)));
}

static json_t *exceptions_to_json(const struct itr_record *record) {
    const struct itr_ledger_reply *ledger = &record->seen->ledger;
    char shape[64];
    json_t *list = json_array();
    for (uint32_t i = 0; i < ledger->exception_count && i < ITR_EXCEPTIONS_MAX; i++) {
        itr_record_append(&list, exception_to_json(record, &ledger->exceptions[i]));
    }
    itr_exception_shape(ledger, shape, sizeof shape);
    json_t *json = json_pack("{s:I, s:s, s:o}", "count", (json_int_t)ledger->exception_count, "shape", shape, "first",
                             list);
    if (ledger->exception_count > ITR_EXCEPTIONS_MAX) {
        itr_record_put(&json, "last", exception_to_json(record, &ledger->last_exception));
    }
    return json;
}

/* Stretches of the output that are memory of a module. */
static json_t *provenance_to_json(const struct itr_record *record) {
    const struct itr_provenance *provenance = &record->classification->provenance;
    const struct itr_module *modules[ITR_PROVENANCE_IMAGES] = {&record->modules->library, &record->modules->host};
    json_t *list = json_array();
    for (unsigned i = 0; i < provenance->run_count; i++) {
        const struct itr_provenance_run *run = &provenance->runs[i];
        const struct itr_module *module = modules[run->image];
        const struct itr_section *section = itr_image_section_at(module->image, run->rva);
        const char *symbol = NULL;
        uint64_t offset = 0;
        json_t *one = json_pack("{s:I, s:I, s:I, s:o, s:o}", "offset", (json_int_t)run->offset, "bytes",
                                (json_int_t)run->bytes, "equal_bytes", (json_int_t)run->equal_bytes, "module",
                                itr_record_string(module->name, strlen(module->name)), "rva", itr_json_hex(run->rva));
        if (section != NULL) {
            itr_record_put(&one, "section", itr_record_string(section->name, strlen(section->name)));
            itr_record_put(&one, "section_offset", itr_json_hex(run->rva - section->rva));
        }
        if (itr_provenance_symbol(run, module->image, &symbol, &offset)) {
            itr_record_put(&one, "symbol", itr_record_string(symbol, strlen(symbol)));
            itr_record_put(&one, "symbol_offset", itr_json_hex(offset));
        }
        itr_record_append(&list, one);
    }
    return json_pack("{s:I, s:I, s:o}", "compared_bytes", (json_int_t)provenance->compared_bytes, "found_bytes",
                     (json_int_t)provenance->found_bytes, "runs", list);
}

static json_t *stream_to_json(const struct itr_capture *capture) {
    struct itr_shape shape = itr_capture_shape(capture);
    json_t *json = json_pack("{s:I, s:o, s:s, s:I}", "bytes", (json_int_t)capture->total_bytes, "hash",
                             itr_json_hex(itr_capture_hash(capture)), "shape", itr_shape_kind_name(shape.kind),
                             "cut_bytes", (json_int_t)itr_capture_cut_bytes(capture));
    if (shape.period_bytes != 0) {
        itr_record_put(&json, "period_bytes", json_integer((json_int_t)shape.period_bytes));
        itr_record_put(&json, "repeats", json_integer((json_int_t)shape.repeats));
    }
    if (shape.anchor[0] != '\0') {
        itr_record_put(&json, "anchor", itr_record_string(shape.anchor, strlen(shape.anchor)));
    }
    if (shape.garbage) {
        itr_record_put(&json, "garbage_offset", json_integer((json_int_t)shape.garbage_offset));
    }
    return json;
}

static json_t *recording_to_json(const struct itr_kept_recording *kept) {
    json_t *json = json_pack("{s:s, s:b}", "folder", kept->folder, "packed", (int)kept->packed);
    if (kept->trouble[0] != '\0') {
        itr_record_put(&json, "trouble", itr_record_string(kept->trouble, strlen(kept->trouble)));
    }
    return json;
}

/* What is there only when it says something: most trials print nothing and leave nothing behind. Takes `json`
 * over and returns it, or NULL. */
static json_t *add_rare(const struct itr_record *record, json_t *json) {
    const struct itr_observation *seen = record->seen;
    if (seen->output->total_bytes > 0) {
        itr_record_put(&json, "stdout", stream_to_json(seen->output));
    }
    if (seen->error_output->total_bytes > 0) {
        itr_record_put(&json, "stderr", stream_to_json(seen->error_output));
    }
    if (record->classification->provenance.run_count > 0) {
        itr_record_put(&json, "provenance", provenance_to_json(record));
    }
    if (seen->ledger_sound && seen->ledger.exception_count > 0) {
        itr_record_put(&json, "exceptions", exceptions_to_json(record));
    }
    const char *scheduling = scheduling_of(seen);
    if (scheduling != NULL) {
        itr_record_put(&json, "scheduling", json_string(scheduling));
    }
    if (seen->strays > 0) {
        itr_record_put(&json, "strays", json_integer(seen->strays));
    }
    if (seen->output_cut_off) {
        itr_record_put(&json, "output_cut_off", json_true());
    }
    if (seen->event_pending) {
        itr_record_put(&json, "event_pending", json_true());
    }
    if (seen->kept_process != 0) {
        itr_record_put(&json, "kept", itr_kept_to_json(seen->kept_process));
    }
    if (seen->tool.status != ITR_OK) {
        itr_record_put(&json, "tool_error", itr_record_string(seen->tool.text, strlen(seen->tool.text)));
    }
    if (record->classification->detail[0] != '\0') {
        itr_record_put(&json, "detail", itr_record_clean(record->classification->detail));
    }
    if (record->recorder != NULL && record->recorder[0] != '\0') {
        itr_record_put(&json, "record", json_string(record->recorder));
    }
    if (record->recording != NULL) {
        itr_record_put(&json, "recording", recording_to_json(record->recording));
    }
    if (record->evidence != NULL) {
        itr_record_put(&json, "evidence", json_string(record->evidence));
    }
    return json;
}

json_t *itr_record_to_json(const struct itr_record *record) {
    const struct itr_observation *seen = record->seen;
    json_t *shots = json_array();
    for (uint32_t i = 0; i < record->plan->request.shot_count; i++) {
        itr_record_append(&shots, shot_to_json(record, i));
    }
    json_t *json = json_pack(
        "{s:i, s:I, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:I}", "format", ITR_RECORD_FORMAT, "trial",
        (json_int_t)record->trial, "cell", (json_int_t)record->cell, "case", record->case_name, "seed",
        itr_json_hex(record->seed), "outcome", itr_outcome_name((uint32_t)record->classification->outcome), "signature",
        itr_record_clean(record->classification->signature), "shots", shots,
        "exit", exit_to_json(seen), "end", itr_end_name((uint32_t)seen->end), "duration_ns",
        (json_int_t)(seen->end_ns - seen->begin_ns));
    if (json == NULL) {
        return NULL;
    }
    if (seen->ledger_sound) {
        itr_record_put(&json, "phases", phases_to_json(seen));
        itr_record_put(&json, "handled", json_integer(seen->ledger.handled_count));
        if (seen->ledger.checks.made > 0) {
            itr_record_put(&json, "checks", json_integer(seen->ledger.checks.made));
            itr_record_put(&json, "checks_failed", json_integer(seen->ledger.checks.broken));
        }
    }
    return itr_record_add_gate(record, itr_record_add_debugger(record, add_rare(record, json)));
}

/* ---- back ---- */

bool itr_record_read_point(const json_t *json, uint64_t *rva) {
    return itr_json_from_hex(json_object_get(json_object_get(json, "point"), "rva"), rva);
}

static bool is_count(const json_t *json) {
    return json_is_integer(json) && json_integer_value(json) >= 0;
}

enum itr_status itr_record_read(const json_t *json, uint64_t *cell, struct itr_row *row, struct itr_error *err) {
    const char *outcome = json_string_value(json_object_get(json, "outcome"));
    const char *signature = json_string_value(json_object_get(json, "signature"));
    const json_t *shot = json_array_get(json_object_get(json, "shots"), 0);
    const json_t *fired = json_object_get(shot, "fired_ns");
    const json_t *window = json_object_get(shot, "window_to_ns");
    /* Without it the time counts from the trial's begin. */
    bool loaded = json_object_get(json_object_get(json, "phases"), "load-begin") != NULL;
    const json_t *place = json_object_get(json_object_get(json, "point"), "index");
    int value = outcome != NULL ? itr_outcome_of(outcome) : -1;

    if (json_integer_value(json_object_get(json, "format")) != ITR_RECORD_FORMAT || value < 0 || signature == NULL ||
        !is_count(json_object_get(json, "trial")) || !is_count(json_object_get(json, "cell"))) {
        return itr_fail(err, ITR_E_FORMAT, 0, "not a trial of format %d", ITR_RECORD_FORMAT);
    }
    *cell = (uint64_t)json_integer_value(json_object_get(json, "cell"));
    *row = (struct itr_row){
        .trial = (uint64_t)json_integer_value(json_object_get(json, "trial")),
        .outcome = (enum itr_outcome)value,
        .signature = signature,
        .detail = json_string_value(json_object_get(json, "detail")),
        .fired_after_load_ns = loaded && json_is_integer(fired) ? (int64_t)json_integer_value(fired) : INT64_MIN,
        .window_to_ns = is_count(window) ? (uint64_t)json_integer_value(window) : 0,
        .strays = (uint32_t)json_integer_value(json_object_get(json, "strays")),
        .sweep_index = is_count(place) && json_integer_value(place) <= UINT32_MAX ? (int64_t)json_integer_value(place) : -1,
    };
    return ITR_OK;
}

enum itr_status itr_record_read_plan(const json_t *json, uint64_t *planned_ns, uint64_t *seed,
                                     struct itr_error *err) {
    const json_t *shots = json_object_get(json, "shots");
    const json_t *shot = json_array_get(shots, 0);
    *planned_ns = (uint64_t)json_integer_value(json_object_get(shot, "planned_ns"));
    if (!itr_json_from_hex(json_object_get(json, "seed"), seed) || !json_is_array(shots) ||
        (shot != NULL && !is_count(json_object_get(shot, "planned_ns")))) {
        return itr_fail(err, ITR_E_FORMAT, 0, "the trial's record has no plan");
    }
    return ITR_OK;
}
