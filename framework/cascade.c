/* Counts a debugged host's faults as runs, and words their shape. It does not say what a fault means. */
#include "framework/cascade.h"

#include "framework/classify.h"
#include "framework/text.h"

#include <stdio.h>

static void add_run(struct itrp_debug_report *report, const struct itrp_debug_fault *fault) {
    uint32_t index = report->run_count - 1;
    struct itrp_debug_fault_run *run = NULL;
    if (report->run_count > 0) {
        run = &report->runs[index < ITRP_DEBUG_RUNS_MAX ? index : ITRP_DEBUG_RUNS_MAX - 1];
    }
    bool same = run != NULL && report->run_count <= ITRP_DEBUG_RUNS_MAX && run->code == fault->code &&
                run->pc == fault->pc && run->thread == fault->thread;
    if (same) {
        run->count++;
        run->last_ns = fault->time_ns;
        return;
    }
    if (report->run_count < ITRP_DEBUG_RUNS_MAX) {
        report->runs[report->run_count] = (struct itrp_debug_fault_run){.first_ns = fault->time_ns,
                                                                        .last_ns = fault->time_ns,
                                                                        .pc = fault->pc,
                                                                        .module_base = fault->module_base,
                                                                        .code = fault->code,
                                                                        .thread = fault->thread,
                                                                        .count = 1};
    }
    report->run_count++;
}

void itr_cascade_add(struct itrp_debug_report *report, const struct itrp_debug_fault *fault) {
    if (report->fault_count < ITRP_DEBUG_FAULTS_MAX) {
        report->faults[report->fault_count] = *fault;
    }
    report->fault_count++;
    report->last_fault = *fault;
    add_run(report, fault);
}

void itr_cascade_shape(const struct itrp_debug_report *report, char *out, size_t room) {
    struct itr_text text = {.ceiling = room > 0 ? room - 1 : 1};
    uint32_t count = report->run_count < ITRP_DEBUG_RUNS_MAX ? report->run_count : ITRP_DEBUG_RUNS_MAX;
    uint32_t i = 0;
    while (i < count) {
        uint32_t code = report->runs[i].code;
        const struct itrp_debug_fault named = {.code = code};
        uint64_t times = 0;
        uint32_t first = i;
        for (; i < count && report->runs[i].code == code; i++) {
            times += report->runs[i].count;
        }
        itr_text_printf(&text, "%s%s%s", first > 0 ? "+" : "", itr_fault_name(&named), times > 1 ? "*" : "");
    }
    if (report->run_count > count) {
        itr_text_add(&text, "+...");
    }
    if (room > 0) {
        snprintf(out, room, "%s", itr_text_string(&text));
    }
    itr_text_release(&text);
}
