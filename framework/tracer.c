/* Runs the trials that step a thread. What is made of their traces is in trace.c. */
#include "framework/tracer.h"

#include "framework/folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host that is stepped takes hundreds of times as long to start. */
#define TRACE_DEADLINE_NS UINT64_C(300000000000)
/* A trace is a measurement, not a trial: one whose thread locked itself up in the system (platform/windows/
 * debug_trace.c) is made again with a new host. */
enum { TRIES = 8 };

#define PREEMPTION_OFF "asyncpreemptoff=1"

struct traces {
    struct itr_setup setup;
    struct itrp_debug_plan debug;
    const char *environment[66];
    char godebug[256];
};

/* The cell's environment with asyncpreemptoff=1 in GODEBUG. */
static void make_environment(struct traces *traces, const char *const *own) {
    size_t count = 0;
    const char *before = NULL;
    for (size_t i = 0; own[i] != NULL && count + 2 < sizeof traces->environment / sizeof traces->environment[0]; i++) {
        if (strncmp(own[i], "GODEBUG=", 8) == 0) {
            before = own[i] + 8;
        } else {
            traces->environment[count++] = own[i];
        }
    }
    before = before != NULL ? before : getenv("GODEBUG");
    snprintf(traces->godebug, sizeof traces->godebug, "GODEBUG=%s%s" PREEMPTION_OFF, before != NULL ? before : "",
             before != NULL && before[0] != '\0' ? "," : "");
    traces->environment[count] = traces->godebug;
}

/* One trace, on a thread and a slot of its own. */
struct tracing {
    const struct traces *traces;
    const struct itr_work *work;
    const struct itr_cell *cell;
    uint32_t index;
    char directory[1200];
    uv_thread_t thread;
    uint32_t *rvas;
    size_t count;
    struct itr_error error;
};

static void keep_trace(struct tracing *tracing, const struct itr_observation *seen) {
    const struct itrp_debug_report *report = seen->debug;
    const char *role = itr_role_name((uint32_t)tracing->traces->debug.trace_role);
    if (seen->tool.status != ITR_OK) {
        tracing->error = seen->tool;
        return;
    }
    if (report == NULL || report->trace_count == 0) {
        itr_fail(&tracing->error, ITR_E_NOT_FOUND, 0,
                        "%s: no %s thread ran in %s while it was loaded: nothing to trace", tracing->cell->case_name, role,
                        tracing->work->library_name);
        return;
    }
    if (seen->end == ITR_END_DEADLINE) {
        uint32_t last = report->trace[report->trace_count - 1];
        const char *symbol = "?";
        uint64_t offset = 0;
        (void)(tracing->work->library_image != NULL &&
               itr_image_symbol_at(tracing->work->library_image, last, &symbol, &offset));
        itr_fail(&tracing->error, ITR_E_TIMEOUT, 0,
                        "%s: the %s thread was not through its start after %d s and %" PRIu64 " steps, the last in %s",
                        tracing->cell->case_name, role, (int)(TRACE_DEADLINE_NS / 1000000000u), report->trace_steps, symbol);
        return;
    }
    if (report->trace_cut) {
        itr_fail(&tracing->error, ITR_E_LIMIT, 0, "%s: the %s thread ran more than %d instructions while it was traced",
                        tracing->cell->case_name, role, (int)ITRP_DEBUG_STEPS_MAX);
        return;
    }
    tracing->rvas = malloc(report->trace_count * sizeof *tracing->rvas);
    if (tracing->rvas == NULL) {
        itr_fail(&tracing->error, ITR_E_NO_MEMORY, 0, "out of memory keeping a trace");
        return;
    }
    memcpy(tracing->rvas, report->trace, report->trace_count * sizeof *tracing->rvas);
    tracing->count = report->trace_count;
}

static void trace_once(void *argument) {
    struct tracing *tracing = argument;
    struct itr_aim none = {.event = ITR_EVENT_NONE};
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_slot *slot = NULL;
    enum itr_status status = itr_folder_make(tracing->directory, &tracing->error);
    if (status == ITR_OK) {
        status = itr_slot_open(&slot, tracing->directory, &tracing->error);
    }
    if (status == ITR_OK) {
        uint32_t tries = 0;
        itr_plan_make(&plan, &tracing->work->request, &none, tracing->cell->case_name, 0, tracing->index);
        do {
            itr_slot_run(slot, &tracing->traces->setup, &plan, UINT64_C(0x72ace00000000000) + tracing->index, &seen);
        } while (seen.tool.status == ITR_E_TIMEOUT && ++tries < TRIES);
        keep_trace(tracing, &seen);
    }
    itr_slot_close(slot);
    itr_folder_remove(tracing->directory);
}

/* Starts all, waits for all; the first failure is the answer. */
static enum itr_status trace_all(struct tracing *tracings, uint32_t count, struct itr_error *err) {
    uint32_t started = 0;
    enum itr_status status = ITR_OK;
    while (started < count && uv_thread_create(&tracings[started].thread, trace_once, &tracings[started]) == 0) {
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        uv_thread_join(&tracings[i].thread);
        if (status == ITR_OK && tracings[i].error.status != ITR_OK) {
            *err = tracings[i].error;
            status = err->status;
        }
    }
    return status == ITR_OK && started < count
               ? itr_fail(err, ITR_E_SYSTEM, 0, "cannot start a thread for a trace")
               : status;
}

static enum itr_status make_axis(struct itr_axis **axis, const struct tracing *tracings, uint32_t count,
                                 const struct itr_work *work, struct itr_error *err) {
    struct itr_trace list[ITR_TRACES];
    for (uint32_t i = 0; i < count; i++) {
        list[i] = (struct itr_trace){.rvas = tracings[i].rvas, .count = tracings[i].count};
    }
    *axis = malloc(sizeof **axis);
    enum itr_status status = *axis == NULL
                                 ? itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory merging traces")
                                 : itr_axis_build(*axis, list, count, work->library_image, NULL, err);
    if (status != ITR_OK) {
        free(*axis);
        *axis = NULL;
    }
    return status;
}

enum itr_status itr_trace_cell(struct itr_axis **axis, const struct itr_work *work, const struct itr_cell *cell,
                               enum itr_role role, const char *directory, struct itr_error *err) {
    struct traces traces = {.setup = work->setup, .debug = {.trace = true, .trace_role = role}};
    struct tracing tracings[ITR_TRACES];
    uint32_t count = itrp_capabilities()->quick_steps ? ITR_TRACES : 1;
    make_environment(&traces, work->setup.environment);
    traces.setup.environment = traces.environment;
    traces.setup.debug = &traces.debug;
    traces.setup.deadline_ns = TRACE_DEADLINE_NS;
    memset(tracings, 0, sizeof tracings);
    for (uint32_t i = 0; i < ITR_TRACES; i++) {
        tracings[i].traces = &traces;
        tracings[i].work = work;
        tracings[i].cell = cell;
        tracings[i].index = i;
        snprintf(tracings[i].directory, sizeof tracings[i].directory, "%s/trace-%" PRIu32, directory, i);
    }
    enum itr_status status = trace_all(tracings, count, err);
    if (status == ITR_OK) {
        status = make_axis(axis, tracings, count, work, err);
    }
    for (uint32_t i = 0; i < ITR_TRACES; i++) {
        free(tracings[i].rvas);
    }
    return status;
}
