/* Whether a person's debugger may attach to a host here, and whether the processor's counters are to be had, which rr
 * needs. It starts neither. */
#include "platform/platform.h"
#include "platform/unix/recorder_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/capability.h, by number: older headers lack the last. */
enum { CAPABILITY_PTRACE = 19, CAPABILITY_ADMIN = 21, CAPABILITY_PERFMON = 38 };

const char *const *itrp_attach_commands(void) {
    static const char *const commands[] = {"gdb -p", "dlv attach", NULL};
    return commands;
}

const char *itrp_end_command(void) {
    return "kill -s KILL -- -";
}

const char *itrp_attach_note(void) {
    return NULL;
}

static bool read_text(const char *path, char *text, size_t room) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read(file, text, room - 1) : -1;
    if (file >= 0) {
        close(file);
    }
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* `otherwise` where the kernel has no such setting. */
static long setting(const char *path, long otherwise) {
    char text[32];
    return read_text(path, text, sizeof text) ? strtol(text, NULL, 10) : otherwise;
}

static bool has_capability(unsigned bit) {
    char text[8192];
    const char *line =
        read_text("/proc/self/status", text, sizeof text) ? strstr(text, "\nCapEff:") : NULL;
    return line != NULL && (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> bit & 1) != 0;
}

bool itrp_unix_find_program(const char *name, char *path, size_t room) {
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        snprintf(path, room, "%.*s/%s", (int)length, at, name);
        if (length > 0 && access(path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return false;
}

bool itrp_can_attach_gdb(char *text, size_t room) {
    long scope = setting("/proc/sys/kernel/yama/ptrace_scope", 0);
    char path[200];
    if (!itrp_unix_find_program("gdb", path, sizeof path)) {
        snprintf(text, room, "no program gdb in PATH");
        return false;
    }
    if (scope >= 3 || (scope >= 1 && !has_capability(CAPABILITY_PTRACE))) {
        snprintf(
            text, room,
            "kernel.yama.ptrace_scope is %ld: %s may not attach to a process it did not start%s",
            scope, path, scope >= 3 ? "" : ", but for root");
        return false;
    }
    snprintf(text, room, "%s is opened at the point", path);
    return true;
}

bool itrp_unix_can_count(char *why, size_t room) {
    long paranoid = setting("/proc/sys/kernel/perf_event_paranoid", 0);
    struct perf_event_attr cycles = {.type = PERF_TYPE_HARDWARE,
                                     .size = sizeof cycles,
                                     .config = PERF_COUNT_HW_CPU_CYCLES,
                                     .disabled = 1,
                                     .exclude_kernel = 1,
                                     .exclude_hv = 1};
    long counter = syscall(SYS_perf_event_open, &cycles, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (counter < 0) {
        bool missing = errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV;
        snprintf(why, room, "%s (perf_event_open: %s)",
                 missing ? "the processor's performance counters are not to be had, as in most virtual machines"
                         : "the processor's performance counters may not be used",
                 strerror(errno));
        return false;
    }
    close((int)counter);
    if (paranoid > 1 && !has_capability(CAPABILITY_ADMIN) && !has_capability(CAPABILITY_PERFMON)) {
        snprintf(why, room, "kernel.perf_event_paranoid is %ld, rr needs 1 or less", paranoid);
        return false;
    }
    return true;
}
