/* What Linux is and can do, and the names of its numbers. It starts nothing. */
#include "platform/platform.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct itrp_capabilities capabilities;

static bool kernel_writes_cores_to_directory(void) {
    char pattern[128] = "";
    int file = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t got = read(file, pattern, sizeof pattern - 1);
    close(file);
    return got > 0 && pattern[0] != '|' && pattern[0] != '/';
}

static void find_capabilities(void) {
    capabilities.signals = true;
    capabilities.snapshots = true;
    capabilities.keeps = true;
    capabilities.exact_points = true; /* itrp_can_debug() tries whether they are allowed */
    capabilities.quick_steps = true;
    capabilities.core_files = kernel_writes_cores_to_directory();
}

const struct itrp_capabilities *itrp_capabilities(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_capabilities);
    return &capabilities;
}

const char *itrp_system_name(void) {
    return "linux";
}

const char *itrp_system_family(void) {
    return "linux";
}

const char *itrp_c_library(void) {
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    return text;
}

const char *itrp_library_suffix(void) {
    return ".so";
}

const char *itrp_program_suffix(void) {
    return "";
}

static bool is_signal(enum itr_event event) {
    return event > ITR_EVENT_NONE && event < ITR_EVENT_CTRL_C;
}

bool itrp_can_send(enum itr_event event, enum itr_delivery delivery) {
    return is_signal(event) && delivery >= ITR_DELIVERY_KILL && delivery <= ITR_DELIVERY_TIMER;
}

enum itr_delivery itrp_default_delivery(enum itr_event event) {
    return is_signal(event) ? ITR_DELIVERY_KILL : ITR_DELIVERY_NONE;
}

const char *itrp_signal_name(int signal) {
    static _Thread_local char text[16];
    const char *name = sigabbrev_np(signal);
    if (name != NULL) {
        snprintf(text, sizeof text, "SIG%s", name);
    } else {
        snprintf(text, sizeof text, "SIG%d", signal);
    }
    return text;
}
