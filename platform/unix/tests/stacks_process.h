/* A process whose threads and goroutines come to known places (stacks_host.c with a library, say): started, held and
 * shown, let go, ended. For tests only; it says nothing of what is in it. */
#ifndef INITRACE_PLATFORM_UNIX_TESTS_STACKS_PROCESS_H
#define INITRACE_PLATFORM_UNIX_TESTS_STACKS_PROCESS_H

#include "framework/goroutines.h"
#include "framework/tests/scratch.h"
#include "platform/unix/snapshot_unix.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#ifndef INITRACE_STACKS_HOST
#error "INITRACE_STACKS_HOST names the program"
#endif

enum { MODULES_MAX = 64, READY_MS = 20000, TRIES = 50, LIBRARIES_BYTES = 16384 };

static struct {
    pid_t pid;
    int out;
    int err;
    struct itrp_unix_snapshot *snapshot;
    struct itr_target_process process; /* while it is held */
    struct itr_target_module modules[MODULES_MAX];
} host;

/* Until it says that it is ready: goroutines may be under way yet. `argument` is its only one. */
SCRATCH_UNUSED static void start_host(const char *argument) {
    int out[2];
    int err[2];
    struct pollfd ready = {.events = POLLIN};
    char line[16] = "";
    memset(&host, 0, sizeof host);
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(err), 0);
    host.pid = fork();
    assert_true(host.pid >= 0);
    if (host.pid == 0) {
        dup2(out[1], 1);
        dup2(err[1], 2);
        close(out[0]);
        close(err[0]);
        close(out[1]);
        close(err[1]);
        setenv("GOTRACEBACK", "system", 1);
        execl(INITRACE_STACKS_HOST, "host", argument, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    host.out = ready.fd = out[0];
    host.err = err[0];
    assert_int_equal(poll(&ready, 1, READY_MS), 1);
    assert_true(read(host.out, line, sizeof line - 1) > 0);
    assert_string_equal(line, "ready\n");
}

static void close_images(void) {
    for (size_t i = 0; i < host.process.module_count; i++) {
        itr_image_close((struct itr_image *)(uintptr_t)host.modules[i].image);
        host.modules[i].image = NULL;
    }
    host.process.module_count = 0;
}

static void end_host(void) {
    if (host.pid > 0) {
        kill(host.pid, SIGKILL);
        /* Each thread that is traced ends by itself: the process is over when nothing is left. */
        while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR) {
        }
        close(host.out);
        close(host.err);
    }
    close_images();
    itrp_unix_snapshot_free(host.snapshot);
    memset(&host, 0, sizeof host);
}

static void hold_host(void) {
    struct itr_error error = {0};
    if (itrp_unix_attach(host.pid, uv_hrtime() + UINT64_C(2000000000), &host.snapshot, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    host.process = host.snapshot->shown.target;
    assert_true(host.process.module_count <= MODULES_MAX);
    for (size_t i = 0; i < host.process.module_count; i++) {
        struct itr_image *image = NULL;
        host.modules[i] = host.process.modules[i];
        if (itr_image_open(&image, host.modules[i].path, NULL) == ITR_OK) {
            host.modules[i].image = image;
        }
    }
    host.process.modules = host.modules;
}

static void let_host_go(void) {
    close_images();
    itrp_unix_detach(host.snapshot);
    itrp_unix_snapshot_free(host.snapshot);
    host.snapshot = NULL;
}

/* Holds it as soon as all goroutines are where they stay, which they have no way to say; the caller releases `list`. */
SCRATCH_UNUSED static void hold_settled_host(struct itr_goroutines *list, bool (*has_settled)(const struct itr_goroutines *)) {
    for (int i = 0; i < TRIES; i++) {
        struct itr_error err = {0};
        hold_host();
        if (itr_goroutines_read(list, &host.process, &err) != ITR_OK) {
            fail_msg("%s", err.text);
        }
        if (has_settled(list) || i == TRIES - 1) {
            break;
        }
        itr_goroutines_release(list);
        let_host_go();
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    }
}

/* For each of the libraries, whose names are separated by ':', one check. */
SCRATCH_UNUSED static void for_each_library(const char *list, void (*check)(const char *library)) {
    char libraries[LIBRARIES_BYTES];
    size_t count = 0;
    assert_true(strlen(list) < sizeof libraries);
    memcpy(libraries, list, strlen(list) + 1);
    for (char *library = strtok(libraries, ":"); library != NULL; library = strtok(NULL, ":"), count++) {
        print_message("%s\n", library);
        check(library);
    }
    assert_true(count > 0);
}

SCRATCH_UNUSED static int end_host_of_test(void **state) {
    (void)state;
    end_host();
    return 0;
}

#endif
