/* Keeps what is known of the host's faults when they are raised, before the host sees them. It stops nothing. */
#include "framework/cascade.h"
#include "platform/unix/debug_unix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reading the list of mappings costs more than all the rest. */
#define MODULES_ASKED_MAX 32

static bool is_fault(int signal) {
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return true;
    default:
        return false;
    }
}

/* The lowest address at which the file that `pc` lies in is mapped, 0 if it lies in none. */
static uint64_t module_base(struct itrp_debugger *debugger, uint64_t pc) {
    char path[64];
    char *line = NULL;
    size_t room = 0;
    char *name = NULL; /* of the file that the last lines are of */
    uint64_t base = 0;
    uint64_t found = 0;
    if (debugger->modules_asked++ >= MODULES_ASKED_MAX) {
        return 0;
    }
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)debugger->host);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && found == 0 && getline(&line, &room, maps) > 0) {
        uint64_t begin = 0;
        uint64_t end = 0;
        const char *file = strchr(line, '/');
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &begin, &end) != 2) {
            continue;
        }
        if (file != NULL && (name == NULL || strcmp(file, name) != 0)) {
            free(name);
            name = strdup(file);
            base = begin;
        }
        if (pc >= begin && pc < end) {
            found = file != NULL && name != NULL ? base : 0;
            break;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    free(line);
    free(name);
    return found;
}

static uint64_t module_of(struct itrp_debugger *debugger, uint64_t pc) {
    const struct itrp_debug_report *report = &debugger->report;
    for (uint32_t i = 0; i < report->fault_count && i < ITRP_DEBUG_FAULTS_MAX; i++) {
        if (report->faults[i].pc == pc) {
            return report->faults[i].module_base;
        }
    }
    return module_base(debugger, pc);
}

void itrp_debug_fault_seen(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee,
                           const siginfo_t *info) {
    struct itrp_debug_fault fault = {.time_ns = itrp_debug_now_ns(),
                                     .code = (uint32_t)info->si_signo,
                                     .si_code = info->si_code,
                                     .thread = (uint32_t)tracee->id,
                                     .role = tracee->role};
    itrp_debug_peek_pc(debugger, tracee, &fault.pc);
    if (is_fault(info->si_signo)) {
        if (info->si_code > 0) {
            fault.address = (uint64_t)(uintptr_t)info->si_addr;
        }
        fault.module_base = module_of(debugger, fault.pc);
        itr_cascade_add(&debugger->report, &fault);
    }
    debugger->last_signal = fault;
    debugger->last_signal_counted = is_fault(info->si_signo);
}

void itrp_debug_fault_ended(struct itrp_debugger *debugger, int signal) {
    if (debugger->last_signal.code == (uint32_t)signal && !debugger->last_signal_counted) {
        itr_cascade_add(&debugger->report, &debugger->last_signal);
    }
}
