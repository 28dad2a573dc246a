/* initrace doctor: what this machine can do, and how to mend what it cannot. Each line is something that was
 * tried or read just now. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/select.h"
#include "framework/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct doctor {
    json_t *findings;
    bool json;
    bool trouble;
};

static void report(struct doctor *doctor, const char *what, bool good, bool needed, const char *text, const char *mend) {
    const char *mark = good ? "ok" : needed ? "NO" : "no";
    doctor->trouble = doctor->trouble || (!good && needed);
    if (doctor->json) {
        json_array_append_new(doctor->findings, json_pack("{s:s, s:b, s:b, s:s, s:s}", "what", what, "ok", (int)good,
                                                          "needed", (int)needed, "text", text, "mend", good ? "" : mend));
        return;
    }
    char clean[1024];
    itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, text, strlen(text));
    printf("%-3s %-22s %s%s%s\n", mark, what, clean, good || mend[0] == '\0' ? "" : "; ", good ? "" : mend);
}

/* Debuggers, ours and others', and rr. */
static void examine_tools(struct doctor *doctor) {
    char text[300] = "a process was traced: --at SYMBOL, --sweep, --chaos, locate";
    bool can = itrp_can_debug(text, sizeof text);
    report(doctor, "exact points", can, false, text, "allow this user to debug processes (in a container: the capability SYS_PTRACE)");
    can = can && itrp_has_debug_registers();
    report(doctor, "debug registers", can, false,
           can ? "a process was stopped by one: --watch" : "none that trips: exact points are breakpoints in the code, --watch is refused",
           "a machine that is not a paravirtual guest has them");
    can = itrp_capabilities()->gates;
    report(doctor, "gates", can, false, can ? "hosts fire at symbols without a debugger: --gate" : "hosts have none on this system",
           "the debugger fires at symbols");
    can = itrp_can_attach_gdb(text, sizeof text);
    report(doctor, "replay --debug", can, false, text, "the host is held for a debugger of yours all the same");
    can = itrp_can_record(text, sizeof text);
    report(doctor, "run --record rr", can, false, can ? "a process was recorded: --record rr" : text,
           "--chaos perturbs the scheduling without it");
}

static void examine_system(struct doctor *doctor) {
    const struct itrp_capabilities *can = itrp_capabilities();
    char text[256];
    bool windows = strcmp(itrp_system_family(), "windows") == 0;
    snprintf(text, sizeof text, "%s, %s, libuv %s, %u processors", itrp_system_name(), itrp_c_library(),
             uv_version_string(), uv_available_parallelism());
    report(doctor, "system", true, true, text, "");
    if (windows) {
        report(doctor, "ctrl-routine", can->ctrl_routine, true, "kernelbase!CtrlRoutine for console events without a console",
             "without it, use --delivery console");
        report(doctor, "console", can->console_events, false, "GenerateConsoleCtrlEvent in a console of the host's own",
             "use --delivery ctrl-routine");
    } else {
        report(doctor, "signals", can->signals, true, "kill, tgkill, sigqueue, timer", "");
        report(doctor, "core files", can->core_files, false, "core files can be kept (--cores MIB)",
             "set kernel.core_pattern to a plain name such as core");
    }
    examine_tools(doctor);
}

static void examine_files(struct doctor *doctor, const struct itr_layout *layout) {
    struct itr_strings versions = {0};
    struct itr_error error = {0};
    char path[1400];
    char text[512] = "";
    size_t arms = 0;
    bool plain = itr_layout_host(layout, "library_host", false, path, sizeof path, &error) == ITR_OK;
    report(doctor, "host", plain, true, plain ? path : error.text, "build the project");
    bool hooked = itr_layout_host(layout, "library_host", true, path, sizeof path, &error) == ITR_OK;
    report(doctor, "host with hooks", hooked, true, hooked ? path : error.text, "build the project");
    if (itr_layout_go_versions(layout, &versions, &error) == ITR_OK) {
        for (size_t i = 0; i < versions.count; i++) {
            size_t used = strlen(text);
            bool of_arm = strchr(versions.items[i], '-') != NULL;
            arms += of_arm ? 1 : 0;
            snprintf(text + used, sizeof text - used, "%s%s", used > 0 && !of_arm ? " " : "", of_arm ? "" : versions.items[i]);
        }
        size_t used = strlen(text);
        if (arms > 0) {
            snprintf(text + used, sizeof text - used, "%s%zu of changed or other Gos", used > 0 ? ", and " : "", arms);
        }
    }
    report(doctor, "Go libraries", versions.count > 0, true, versions.count > 0 ? text : "none were built",
         "give GOROOTs in INITRACE_GO_ROOTS and build; ci/fetch-go gets more of them");
    itr_layout_release(&versions);
}

/* Runs one host without a library: spawn, ledger, exit and clean-up, all of it. */
static void examine_trial(struct doctor *doctor, const struct itr_layout *layout) {
    struct itr_cell cell = {.case_name = "doctor", .host = "library_host", .deadline_ns = UINT64_C(20000000000),
                            .quiet_ns = UINT64_C(300000000), .expect = ITR_OUTCOME_NOT_FIRED};
    struct itr_work work = {0};
    struct itr_slot *slot = NULL;
    struct itr_error error = {0};
    char temporary[1024];
    char text[600];
    size_t length = sizeof temporary;
    enum itr_status status = itr_work_open(&work, &cell, layout, NULL, &error);
    if (status == ITR_OK && uv_os_tmpdir(temporary, &length) == 0) {
        status = itr_slot_open(&slot, temporary, &error);
    }
    if (slot != NULL) {
        struct itr_plan plan;
        struct itr_observation seen;
        struct itr_classification result;
        itr_plan_make(&plan, &work.request, &cell.aim, cell.case_name, 0, 0);
        itr_slot_run(slot, &work.setup, &plan, 1, &seen);
        itr_classify(&plan, &seen, &work.modules, &result);
        snprintf(text, sizeof text, "a host was started, answered through the ledger and ended in %.1f ms",
                 (double)(seen.end_ns - seen.begin_ns) / 1e6);
        report(doctor, "trial", result.outcome == ITR_OUTCOME_NOT_FIRED, true,
             result.outcome == ITR_OUTCOME_NOT_FIRED ? text : result.detail, "see the README's section on set-up");
    } else {
        report(doctor, "trial", false, true, error.text, "");
    }
    itr_slot_close(slot);
    itr_work_close(&work);
}

static void examine_cases(struct doctor *doctor, const struct itr_options *options, const struct itr_layout *layout) {
    struct itr_strings names = {0};
    struct itr_error error = {0};
    size_t here = 0;
    char text[64];
    if (itr_layout_folders(options->cases != NULL ? options->cases : layout->cases, &names, &error) != ITR_OK) {
        report(doctor, "cases", false, true, error.text, "build the project");
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct itr_case c;
        char why[160];
        if (itr_find_case(options, layout, names.items[i], &c, &error) != ITR_OK) {
            report(doctor, names.items[i], false, true, error.text, "");
            continue;
        }
        here += itr_case_runs_here(&c, why, sizeof why) ? 1 : 0;
        itr_case_release(&c);
    }
    snprintf(text, sizeof text, "%zu of %zu cases run here", here, names.count);
    report(doctor, "cases", here > 0, true, text, "initrace list says why not");
    itr_layout_release(&names);
}

int itr_command_doctor(const struct itr_options *options, const struct itr_layout *layout) {
    struct doctor doctor = {.findings = json_array(), .json = options->json};
    examine_system(&doctor);
    examine_files(&doctor, layout);
    examine_trial(&doctor, layout);
    examine_cases(&doctor, options, layout);
    int code = doctor.trouble ? ITR_EXIT_UNSUPPORTED : ITR_EXIT_EXPECTED;
    if (options->json) {
        return itr_print_json(json_pack("{s:i, s:o}", "format", 1, "findings", doctor.findings), code);
    }
    json_decref(doctor.findings);
    return code;
}
