/* The words of a Linux host for hosts that misbehave on purpose (cases/selftest): children that stay,
 * deafness, crashes, floods of output. No other host has any of it. */
#include "platform/host.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

uint32_t itrh_spawn_child(bool detach) {
    pid_t child = fork();
    if (child == 0) {
        if (detach) {
            setsid();
            close(STDIN_FILENO);
            close(STDOUT_FILENO);
            close(STDERR_FILENO);
        }
        for (;;) {
            pause();
        }
    }
    return child > 0 ? (uint32_t)child : 0;
}

void itrh_ignore_everything(void) {
    sigset_t all;
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_IGN);
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

void itrh_close_descriptors(void) {
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        close(descriptor);
    }
}

_Noreturn void itrh_exit_now(uint32_t code) {
    _exit((int)code);
}

_Noreturn void itrh_crash(void) {
    volatile uintptr_t nowhere = 8; /* volatile, so that the compiler does not see through it */
    *(volatile int *)nowhere = 1;
    abort();
}

bool itrh_write_error_stream(const void *data, uint64_t bytes) {
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, at, bytes);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? written : 0;
        bytes -= written > 0 ? (uint64_t)written : 0;
    }
    return true;
}
