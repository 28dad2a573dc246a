/* Where threads are to be stopped (the program's entry, the dynamic linker's report, the point), and the debug
 * registers that do it: 0 has that place, the others watch variables. What a thread's registers should hold follows from its role and the stage; each thread
 * gets it at its next stop. It fires nothing. */
#include "platform/unix/debug_unix.h"

#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define REGISTER(index) (offsetof(struct user, u_debugreg) + (index) * sizeof(((struct user *)0)->u_debugreg[0]))
#define STATUS          6
#define CONTROL         7

/* ---- what they should hold ---- */

struct wanted {
    uint64_t addresses[1 + ITRP_DEBUG_WATCHES_MAX];
    uint64_t control;
};

/* Bits of the control register for register `index`: enabled; what trips it (0 execution, 1 writes); length. */
static uint64_t control_of(unsigned index, uint64_t kind, uint64_t length) {
    return UINT64_C(1) << (2 * index) | (kind | length << 2) << (16 + 4 * index);
}

static uint64_t length_of(uint8_t bytes) {
    return bytes == 8 ? 2 : (uint64_t)bytes - 1;
}

static bool fits_role(enum itr_role wanted, enum itr_role role) {
    return wanted == ITR_ROLE_ANY || wanted == role;
}

uint64_t itrp_debug_break_address(const struct itrp_debugger *debugger) {
    switch (debugger->stage) {
    case ITRP_DEBUG_STAGE_ENTRY:
        return debugger->entry;
    case ITRP_DEBUG_STAGE_LOADER:
        return debugger->loader_break;
    case ITRP_DEBUG_STAGE_MAPPED:
        return debugger->point_done ? 0 : debugger->point_address;
    default:
        return 0;
    }
}

static struct wanted wanted_of(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    const struct itrp_debug_plan *plan = debugger->plan;
    struct wanted wanted = {{0}, 0};
    if (debugger->report.code_breakpoints) {
        return wanted;
    }
    if (debugger->stage != ITRP_DEBUG_STAGE_MAPPED || fits_role(plan->point.role, tracee->role)) {
        wanted.addresses[0] = itrp_debug_break_address(debugger);
    }
    if (wanted.addresses[0] != 0) {
        wanted.control |= control_of(0, 0, 0);
    }
    if (debugger->stage == ITRP_DEBUG_STAGE_MAPPED) {
        for (unsigned i = 0; i < plan->watch_count && i < ITRP_DEBUG_WATCHES_MAX; i++) {
            wanted.addresses[1 + i] = debugger->watch_addresses[i];
            wanted.control |= control_of(1 + i, 1, length_of(plan->watches[i].bytes));
        }
    }
    return wanted;
}

void itrp_debug_registers_sync(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    struct wanted wanted = wanted_of(debugger, tracee);
    for (unsigned i = 0; i < 1 + ITRP_DEBUG_WATCHES_MAX; i++) {
        if (wanted.addresses[i] != 0 && wanted.addresses[i] != tracee->addresses[i]) {
            if (!itrp_debug_ptrace(debugger, PTRACE_POKEUSER, tracee, REGISTER(i), wanted.addresses[i])) {
                return;
            }
            tracee->addresses[i] = wanted.addresses[i];
        }
    }
    if (wanted.control != tracee->control) {
        if (!itrp_debug_ptrace(debugger, PTRACE_POKEUSER, tracee, REGISTER(CONTROL), wanted.control)) {
            return;
        }
        tracee->control = wanted.control;
    }
    tracee->generation = debugger->generation;
}

void itrp_debug_registers_clear(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    if (tracee->control != 0) {
        itrp_debug_ptrace(debugger, PTRACE_POKEUSER, tracee, REGISTER(CONTROL), 0);
        tracee->control = 0;
    }
    /* Or the next debugger takes its own stops for this one's breakpoint. */
    itrp_debug_ptrace(debugger, PTRACE_POKEUSER, tracee, REGISTER(STATUS), 0);
}

bool itrp_debug_registers_missing(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    return tracee->born && tracee->generation != debugger->generation && wanted_of(debugger, tracee).control != 0;
}

/* ---- arming ---- */

static uint64_t value_of(const struct itrp_debugger *debugger, uint32_t watch) {
    uint64_t value = 0;
    uint8_t bytes = debugger->plan->watches[watch].bytes;
    if (bytes > sizeof value || !itrp_debug_read(debugger, debugger->watch_addresses[watch], &value, bytes)) {
        return 0;
    }
    return value;
}

void itrp_debug_registers_arm(struct itrp_debugger *debugger) {
    const struct itrp_debug_plan *plan = debugger->plan;
    uint64_t base = debugger->report.library_base;
    debugger->point_address = plan->has_point ? base + plan->point.rva : 0;
    for (uint32_t i = 0; i < plan->watch_count && i < ITRP_DEBUG_WATCHES_MAX; i++) {
        debugger->watch_addresses[i] = plan->watches[i].absolute ? plan->watches[i].address
                                                                 : base + plan->watches[i].address;
        debugger->watch_values[i] = value_of(debugger, i);
    }
    itrp_debug_break_changed(debugger);
}

/* ---- hits ---- */

static void record_write(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, uint32_t watch) {
    struct itrp_debug_report *report = &debugger->report;
    uint64_t value = value_of(debugger, watch);
    if (report->write_count < ITRP_DEBUG_WRITES_MAX) {
        struct itrp_debug_write *write = &report->writes[report->write_count];
        *write = (struct itrp_debug_write){.time_ns = itrp_debug_now_ns(),
                                           .old_value = debugger->watch_values[watch],
                                           .new_value = value,
                                           .watch = watch,
                                           .thread = (uint32_t)tracee->id,
                                           .role = tracee->role};
        itrp_debug_peek_pc(debugger, tracee, &write->pc);
    }
    report->write_count++;
    debugger->watch_values[watch] = value;
}

/* A thread that has not got its new registers yet may trip an old one. */
bool itrp_debug_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, uint64_t address) {
    switch (debugger->stage) {
    case ITRP_DEBUG_STAGE_ENTRY:
    case ITRP_DEBUG_STAGE_LOADER:
        itrp_debug_library_reached(debugger, tracee);
        return debugger->mapper == tracee->id;
    case ITRP_DEBUG_STAGE_MAPPED:
        return address == debugger->point_address && !debugger->point_done &&
               fits_role(debugger->plan->point.role, tracee->role) && itrp_debug_point_reached(debugger, tracee);
    default:
        return false;
    }
}

bool itrp_debug_registers_hit(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    uint64_t status = 0;
    if (!itrp_debug_peek_user(debugger, tracee, REGISTER(STATUS), &status)) {
        return false;
    }
    for (uint32_t i = 0; i < debugger->plan->watch_count && i < ITRP_DEBUG_WATCHES_MAX; i++) {
        if ((status & UINT64_C(1) << (1 + i)) != 0 && debugger->stage == ITRP_DEBUG_STAGE_MAPPED) {
            record_write(debugger, tracee, i);
        }
    }
    return (status & 1) != 0 && itrp_debug_reached(debugger, tracee, tracee->addresses[0]);
}
