/* Examines a standing host: opens the images of its modules, has every part write its own, and puts evidence.json
 * together. What single parts say is in examine_json.c and examine_text.c. */
#include "framework/examine.h"
#include "framework/examine_parts.h"

#include "framework/folder.h"
#include "framework/stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host has a dozen; more are shown by name and offset. */
enum { IMAGES_MAX = 64 };

void itr_examine_miss(struct itr_examination *work, const char *what, const char *why) {
    char line[700];
    snprintf(line, sizeof line, "%s: %s", what, why);
    json_array_append_new(work->missing, json_string(line));
}

void itr_examine_write(struct itr_examination *work, const char *name, struct itr_text *text) {
    struct itr_error error = {0};
    if (text->truncated || text->no_memory) {
        itr_examine_miss(work, name, text->truncated ? "cut at its ceiling" : "out of memory");
    }
    if (itr_folder_write(work->request->folder, name, itr_text_string(text), text->length, &error) != ITR_OK) {
        itr_examine_miss(work, name, error.text);
    }
    itr_text_release(text);
}

/* ---- the host with names ---- */

static void open_images(struct itr_examination *work) {
    const struct itr_target_process *target = &work->snapshot->target;
    for (size_t i = 0; i < target->module_count; i++) {
        struct itr_image *image = NULL;
        work->modules[i] = target->modules[i];
        if (i < IMAGES_MAX && itr_image_open(&image, target->modules[i].path, NULL) == ITR_OK) {
            work->modules[i].image = image;
        }
    }
}

static void close_images(struct itr_examination *work) {
    for (size_t i = 0; i < work->target.module_count; i++) {
        itr_image_close((struct itr_image *)(uintptr_t)work->modules[i].image);
    }
}

static void give_roles(struct itr_examination *work) {
    const struct itr_target_process *target = &work->snapshot->target;
    for (size_t i = 0; i < target->thread_count; i++) {
        work->threads[i] = target->threads[i];
        if (work->threads[i].role == ITR_ROLE_ANY && work->request->init_thread != 0 &&
            work->threads[i].id == work->request->init_thread) {
            work->threads[i].role = ITR_ROLE_INIT;
        }
    }
}

static bool prepare(struct itr_examination *work) {
    const struct itr_target_process *target = &work->snapshot->target;
    work->missing = json_array();
    work->modules = calloc(target->module_count + 1, sizeof *work->modules);
    work->threads = calloc(target->thread_count + 1, sizeof *work->threads);
    if (work->missing == NULL || work->modules == NULL || work->threads == NULL) {
        return false;
    }
    work->target = *target;
    open_images(work);
    give_roles(work);
    work->target.modules = work->modules;
    work->target.threads = work->threads;
    return true;
}

static void release(struct itr_examination *work) {
    if (work->modules != NULL && work->target.modules == work->modules) {
        close_images(work);
    }
    free(work->modules);
    free(work->threads);
}

/* ---- stacks ---- */

static json_t *write_stacks(struct itr_examination *work) {
    struct itr_stacks stacks = {0};
    struct itr_error error = {0};
    struct itr_text text = {.ceiling = ITR_STACKS_TEXT_MAX};
    struct itr_text goroutines = {.ceiling = ITR_STACKS_TEXT_MAX};
    json_t *json = NULL;
    if (itr_stacks_read(&stacks, &work->target, &error) == ITR_OK) {
        itr_stacks_add_text(&stacks, &work->target, &text);
        itr_examine_write(work, "stacks.txt", &text);
        itr_stacks_add_goroutines(&stacks, &work->target, &goroutines);
        if (goroutines.length > 0) {
            itr_examine_write(work, "goroutines.txt", &goroutines);
        }
        json = itr_stacks_to_json(&stacks, &work->target);
        if (stacks.goroutines_error.status != ITR_OK) {
            itr_examine_miss(work, "goroutines", stacks.goroutines_error.text);
        }
    } else {
        itr_examine_miss(work, "stacks.txt", error.text);
    }
    itr_stacks_release(&stacks);
    return json;
}

/* ---- the core file ---- */

static json_t *write_core(struct itr_examination *work) {
    char path[1300];
    struct itrp_core_result result;
    struct itr_error error = {0};
    if (work->request->core_limit_bytes == 0) {
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s", work->request->folder, itrp_core_file_name());
    if (itrp_snapshot_write_core(work->snapshot, path, work->request->core_limit_bytes, &result, &error) != ITR_OK) {
        itr_examine_miss(work, "core", error.text);
        return NULL;
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "file", itrp_core_file_name(), "bytes", (json_int_t)result.bytes, "memory_bytes",
                     (json_int_t)result.memory_bytes, "left_out_bytes", (json_int_t)result.left_out_bytes, "left_out_ranges",
                     (json_int_t)result.left_out_ranges);
}

/* ---- the whole ---- */

static void note_cuts(struct itr_examination *work) {
    const struct itrp_snapshot *snapshot = work->snapshot;
    if (snapshot->threads_cut) {
        itr_examine_miss(work, "threads", "there were more");
    }
    if (snapshot->mappings_cut) {
        itr_examine_miss(work, "mappings", "there were more");
    }
    if (snapshot->descriptors_cut) {
        itr_examine_miss(work, "descriptors", "there were more");
    }
    if (snapshot->not_stopped > 0) {
        char text[96];
        snprintf(text, sizeof text, "%u threads did not stop, or ended", (unsigned)snapshot->not_stopped);
        itr_examine_miss(work, "registers", text);
    }
}

json_t *itr_examine(const struct itrp_snapshot *snapshot, const struct itr_examine_request *request) {
    struct itr_examination work = {.snapshot = snapshot, .request = request};
    json_t *json = NULL;
    if (prepare(&work)) {
        itr_examine_write_texts(&work);
        json_t *stacks = write_stacks(&work);
        json_t *core = write_core(&work);
        note_cuts(&work);
        json = json_pack("{s:i, s:s, s:o*, s:o, s:o, s:o, s:o*, s:o*, s:O}", "format", ITR_EVIDENCE_FORMAT, "stopped_for",
                         itrp_snapshot_reason_name(snapshot->reason), "first", itr_examine_first(&work), "threads",
                         itr_examine_threads(&work), "signals", itr_examine_signals(&work), "modules",
                         itr_examine_modules(&work), "stacks", stacks, "core", core, "missing", work.missing);
    }
    if (json != NULL && snapshot->handle_count > 0) {
        json_object_set_new(json, "handles", json_integer(snapshot->handle_count));
    }
    if (json != NULL && snapshot->reason == ITRP_SNAPSHOT_EXIT) {
        json_object_set_new(json, "exit_status", json_integer(snapshot->exit_status));
    }
    json_decref(work.missing);
    release(&work);
    return json;
}

void itr_examine_headline(const json_t *evidence, char *out, size_t room) {
    struct itr_text text = {.ceiling = 2048};
    const json_t *first = json_object_get(evidence, "first");
    const char *signal = json_string_value(json_object_get(first, "signal"));
    const char *code = json_string_value(json_object_get(first, "code_name"));
    const char *place = json_string_value(json_object_get(first, "location"));
    const char *file = json_string_value(json_object_get(first, "file"));
    const char *pointee = json_string_value(json_object_get(first, "points_into"));
    const char *address = json_string_value(json_object_get(first, "address"));
    const char *role = json_string_value(json_object_get(first, "thread_role"));
    const char *access = json_string_value(json_object_get(first, "access"));
    signal = signal != NULL ? signal : json_string_value(json_object_get(first, "exception"));
    if (signal != NULL) {
        itr_text_printf(&text, "%s%s%s%s at %s", signal, code != NULL ? " (" : "", code != NULL ? code : "",
                        code != NULL ? ")" : "", place != NULL ? place : "?");
        if (file != NULL) {
            itr_text_printf(&text, " (%s:%d)", file, (int)json_integer_value(json_object_get(first, "line")));
        }
        itr_text_printf(&text, ", %s%s", role != NULL ? role : "any", role != NULL && strchr(role, ' ') != NULL ? "" : " thread");
        if (address != NULL && pointee != NULL) {
            itr_text_printf(&text, ", %s%saddress %s (%s)", access != NULL ? access : "", access != NULL ? " of " : "", address,
                            pointee);
        }
    }
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, itr_text_string(&text), text.length);
    itr_text_release(&text);
}
