/* Makes a cell runnable here and measures its window. It runs no campaign. */
#include "framework/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_path(const char *name) {
    return strpbrk(name, "/\\") != NULL;
}

/* File name without folders and suffix. */
static void base_name(const char *path, char *out, size_t room) {
    const char *name = path;
    for (const char *at = path; *at != '\0'; at++) {
        name = *at == '/' || *at == '\\' ? at + 1 : name;
    }
    snprintf(out, room, "%s", name);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out) {
        *dot = '\0';
    }
}

static enum itr_status find_files(struct itr_work *work, const struct itr_cell *cell,
                                  const struct itr_layout *layout, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (is_path(cell->host)) {
        snprintf(work->program, sizeof work->program, "%s", cell->host);
        status = itr_path_exists(cell->host)
                     ? ITR_OK
                     : itr_fail(err, ITR_E_NOT_FOUND, 0, "host program %s is not there", cell->host);
    } else {
        bool hooked = cell->aim.event != ITR_EVENT_NONE && (cell->aim.point.kind == ITR_POINT_CALL || cell->aim.gate);
        status = itr_layout_host(layout, cell->host, hooked, work->program, sizeof work->program, err);
    }
    if (status != ITR_OK || cell->library[0] == '\0') {
        return status;
    }
    if (is_path(cell->library)) {
        snprintf(work->library, sizeof work->library, "%s", cell->library);
        return itr_path_exists(cell->library)
                   ? ITR_OK
                   : itr_fail(err, ITR_E_NOT_FOUND, 0, "library %s is not there", cell->library);
    }
    return itr_layout_library(layout, cell->library, cell->go[0] ? cell->go : NULL, work->library,
                              sizeof work->library, err);
}

static enum itr_status split_environment(struct itr_work *work, const struct itr_cell *cell, struct itr_error *err) {
    size_t count = 0;
    work->environment_text = strdup(cell->environment);
    if (work->environment_text == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (char *at = work->environment_text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        if (count + 1 >= sizeof work->environment / sizeof work->environment[0]) {
            return itr_fail(err, ITR_E_LIMIT, 0, "too many environment variables in a cell");
        }
        work->environment[count++] = at;
        at += length;
        if (*at == '\n') {
            *at++ = '\0';
        }
    }
    return ITR_OK;
}

static enum itr_status make_request(struct itr_work *work, const struct itr_cell *cell, struct itr_error *err) {
    struct itr_ledger_request *request = &work->request;
    request->flags = cell->host_flags;
    request->handler_flags = cell->handler_flags;
    request->ctrl_routine =
        cell->aim.delivery == ITR_DELIVERY_CTRL_ROUTINE ? itrp_capabilities()->ctrl_routine_address : 0;
    if (cell->aim.delivery == ITR_DELIVERY_CONSOLE) {
        request->flags |= ITR_HOST_OWN_CONSOLE;
    }
    if (cell->handles != ITR_EVENT_NONE) {
        request->handlers[0] = (uint32_t)cell->handles;
        request->handler_count = 1;
    }
    if (strlen(work->library) >= sizeof request->library || strlen(cell->function) >= sizeof request->function) {
        return itr_fail(err, ITR_E_LIMIT, 0, "the path of library %.200s is too long for the ledger", work->library);
    }
    memcpy(request->library, work->library, strlen(work->library) + 1);
    if (work->library[0] != '\0') {
        memcpy(request->function, cell->function, strlen(cell->function) + 1);
    }
    return ITR_OK;
}

/* Symbols are a help, not a need: a module without any is shown by name and offset. */
static enum itr_status read_symbols(struct itr_work *work, struct itr_images *images, struct itr_error *err) {
    const struct itr_kept_image *library = NULL;
    const struct itr_kept_image *host = NULL;
    base_name(work->program, work->host_name, sizeof work->host_name);
    base_name(work->library, work->library_name, sizeof work->library_name);
    enum itr_status status = itr_images_get(images, work->program, &host, err);
    if (status == ITR_OK && work->library[0] != '\0') {
        status = itr_images_get(images, work->library, &library, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    work->library_image = library != NULL ? library->image : NULL;
    snprintf(work->library_hash, sizeof work->library_hash, "%s", library != NULL ? library->hash : "");
    if (library != NULL && library->image == NULL) {
        snprintf(work->symbols_trouble, sizeof work->symbols_trouble, "no symbols: %.*s", ITR_DETAIL_MAX / 2, library->error.text);
    } else if (library != NULL && itr_image_damage(library->image)[0] != '\0') {
        snprintf(work->symbols_trouble, sizeof work->symbols_trouble, "%s: not all symbols: %s", work->library_name,
                 itr_image_damage(library->image));
    }
    work->modules = (struct itr_modules){
        .library = {.name = work->library_name, .image = work->library_image},
        .host = {.name = work->host_name, .image = host->image},
    };
    return ITR_OK;
}

enum itr_status itr_work_open(struct itr_work *work, const struct itr_cell *cell, const struct itr_layout *layout,
                              struct itr_images *images, struct itr_error *err) {
    *work = (struct itr_work){0};
    enum itr_status status = find_files(work, cell, layout, err);
    if (status == ITR_OK) {
        status = split_environment(work, cell, err);
    }
    if (status == ITR_OK) {
        status = make_request(work, cell, err);
    }
    if (status == ITR_OK) {
        status = read_symbols(work, images != NULL ? images : &work->own, err);
    }
    if (status != ITR_OK) {
        itr_work_close(work);
        return status;
    }
    work->setup = (struct itr_setup){
        .program = work->program,
        .environment = work->environment,
        .deadline_ns = cell->deadline_ns,
        .quiet_ns = cell->quiet_ns,
        .own_console = cell->aim.delivery == ITR_DELIVERY_CONSOLE,
        .recorded = cell->record[0] != '\0',
        .debug = cell->debugged ? &work->debug : NULL,
    };
    work->debug.chaos = cell->chaos;
    return ITR_OK;
}

void itr_work_close(struct itr_work *work) {
    free(work->environment_text);
    itr_images_release(&work->own);
    *work = (struct itr_work){0};
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

enum itr_status itr_work_calibrate(struct itr_work *work, struct itr_cell *cell, struct itr_slot *slot,
                                   uint32_t trials, struct itr_error *err) {
    struct itr_aim none = {.event = ITR_EVENT_NONE};
    uint64_t *times = calloc(trials, sizeof *times);
    enum itr_status status = ITR_OK;
    if (times == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory calibrating");
    }
    for (uint32_t i = 0; i < trials && status == ITR_OK; i++) {
        struct itr_plan plan;
        struct itr_observation seen;
        struct itr_classification result;
        itr_plan_make(&plan, &work->request, &none, cell->case_name, 0, i);
        itr_slot_run(slot, &work->setup, &plan, UINT64_C(0xca11b0000000000) + i, &seen);
        itr_classify(&plan, &seen, &work->modules, &result);
        if (result.outcome != ITR_OUTCOME_NOT_FIRED && result.outcome != ITR_OUTCOME_PASSED) {
            status = itr_fail(err, ITR_E_SYSTEM, 0, "%s: calibration without an event ended as %s (%s): %s", cell->case_name,
                              itr_outcome_name((uint32_t)result.outcome), result.signature, result.detail);
        } else {
            times[i] = seen.ledger.phase_ns[ITR_PHASE_INIT_DONE] - seen.ledger.phase_ns[ITR_PHASE_LOAD_BEGIN];
            work->modules.library.base = seen.ledger.library_base;
        }
    }
    if (status == ITR_OK) {
        qsort(times, trials, sizeof *times, compare_u64);
        cell->init_p50_ns = times[trials / 2];
        cell->init_p95_ns = times[(uint64_t)trials * 95 / 100];
    }
    free(times);
    return status;
}
