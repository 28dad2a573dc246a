/* Stacks and goroutines of a real process: stacks_host.c with a Go library, stopped by ptrace, each thread at a place
 * that is known. How a process is stopped for real is the debugger's; here it is the least that serves. */
#include "framework/goroutines.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef INITRACE_STACKS_HOST
#error "INITRACE_STACKS_HOST names the program, INITRACE_STACKS_LIBRARIES the libraries, separated by ':'"
#endif

enum { THREADS_MAX = 64, MODULES_MAX = 64, RANGES_MAX = 1024, READY_MS = 20000, TRIES = 50, PATH_BYTES = 512 };

static struct {
    pid_t pid;
    int out;
    struct itr_target_process process;
    struct itr_target_thread threads[THREADS_MAX];
    struct itr_target_module modules[MODULES_MAX];
    struct itr_target_range ranges[RANGES_MAX];
    char paths[MODULES_MAX][PATH_BYTES];
    struct itr_image *images[MODULES_MAX];
} host;

/* ---- the process ---- */

static void start_host(const char *library) {
    int pipes[2];
    struct pollfd ready = {.events = POLLIN};
    char line[16] = "";
    memset(&host, 0, sizeof host);
    assert_int_equal(pipe(pipes), 0);
    host.pid = fork();
    assert_true(host.pid >= 0);
    if (host.pid == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        execl(INITRACE_STACKS_HOST, "stacks_host", library, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    host.out = ready.fd = pipes[0];
    assert_int_equal(poll(&ready, 1, READY_MS), 1);
    assert_true(read(host.out, line, sizeof line - 1) > 0);
    assert_string_equal(line, "ready\n");
}

static void close_images(void) {
    for (size_t i = 0; i < MODULES_MAX; i++) {
        itr_image_close(host.images[i]);
        host.images[i] = NULL;
    }
}

static void end_host(void) {
    if (host.pid > 0) {
        kill(host.pid, SIGKILL);
        /* Each thread that is traced ends by itself: the process is over when nothing is left. */
        while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR) {
        }
        close(host.out);
    }
    close_images();
    memset(&host, 0, sizeof host);
}

static size_t read_memory(void *context, uint64_t address, void *into, size_t bytes) {
    struct iovec local = {.iov_base = into, .iov_len = bytes};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
    (void)context;
    ssize_t got = process_vm_readv(host.pid, &local, 1, &remote, 1, 0);
    return got < 0 ? 0 : (size_t)got;
}

static void read_registers(struct itr_target_thread *thread) {
    struct user_regs_struct regs;
    struct iovec io = {.iov_base = &regs, .iov_len = sizeof regs};
    uint64_t *r = thread->registers;
    if (ptrace(PTRACE_GETREGSET, (pid_t)thread->id, (void *)1, &io) != 0) {
        return;
    }
    thread->has_registers = true;
    r[ITR_REGISTER_RAX] = regs.rax;
    r[ITR_REGISTER_RCX] = regs.rcx;
    r[ITR_REGISTER_RDX] = regs.rdx;
    r[ITR_REGISTER_RBX] = regs.rbx;
    r[ITR_REGISTER_RSP] = regs.rsp;
    r[ITR_REGISTER_RBP] = regs.rbp;
    r[ITR_REGISTER_RSI] = regs.rsi;
    r[ITR_REGISTER_RDI] = regs.rdi;
    r[ITR_REGISTER_R8] = regs.r8;
    r[ITR_REGISTER_R9] = regs.r9;
    r[ITR_REGISTER_R10] = regs.r10;
    r[ITR_REGISTER_R11] = regs.r11;
    r[ITR_REGISTER_R12] = regs.r12;
    r[ITR_REGISTER_R13] = regs.r13;
    r[ITR_REGISTER_R14] = regs.r14;
    r[ITR_REGISTER_R15] = regs.r15;
    r[ITR_REGISTER_RIP] = regs.rip;
    r[ITR_REGISTER_RFLAGS] = regs.eflags;
    r[ITR_REGISTER_FS_BASE] = regs.fs_base;
    r[ITR_REGISTER_GS_BASE] = regs.gs_base;
}

static void stop_threads(void) {
    char path[64];
    struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%d/task", (int)host.pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    host.process.thread_count = 0;
    while ((entry = readdir(tasks)) != NULL) {
        pid_t id = (pid_t)atoi(entry->d_name);
        if (id > 0 && host.process.thread_count < THREADS_MAX && ptrace(PTRACE_SEIZE, id, NULL, NULL) == 0) {
            assert_int_equal(ptrace(PTRACE_INTERRUPT, id, NULL, NULL), 0);
            assert_int_equal(waitpid(id, NULL, __WALL), id);
            struct itr_target_thread *thread = &host.threads[host.process.thread_count++];
            *thread = (struct itr_target_thread){.id = (uint64_t)id};
            read_registers(thread);
        }
    }
    closedir(tasks);
}

static void let_go(void) {
    for (size_t i = 0; i < host.process.thread_count; i++) {
        ptrace(PTRACE_DETACH, (pid_t)host.threads[i].id, NULL, NULL);
    }
}

static void read_maps(void) {
    char path[64];
    char line[PATH_BYTES + 128];
    size_t modules = 0;
    size_t ranges = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)host.pid);
    FILE *maps = fopen(path, "r");
    assert_non_null(maps);
    close_images(); /* modules may have come or gone since the last time */
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long begin, end;
        char access[8];
        char file[PATH_BYTES] = "";
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %511[^\n]", &begin, &end, access, file) < 4 ||
            (file[0] != '/' && strcmp(file, "[vdso]") != 0) || ranges == RANGES_MAX) {
            continue;
        }
        if (modules == 0 || strcmp(host.paths[modules - 1], file) != 0) {
            assert_true(modules < MODULES_MAX);
            snprintf(host.paths[modules], PATH_BYTES, "%s", file);
            host.modules[modules] = (struct itr_target_module){.path = host.paths[modules], .base = begin,
                                                               .ranges = &host.ranges[ranges]};
            modules++;
        }
        struct itr_target_module *module = &host.modules[modules - 1];
        host.ranges[ranges++] = (struct itr_target_range){.begin = begin, .end = end, .readable = access[0] == 'r',
                                                          .writable = access[1] == 'w', .executable = access[2] == 'x'};
        module->range_count++;
        module->bytes = end - module->base;
    }
    fclose(maps);
    for (size_t i = 0; i < modules; i++) {
        struct itr_error err = {0};
        if (host.paths[i][0] == '/' &&
            itr_image_open(&host.images[i], host.paths[i], &err) != ITR_OK) {
            host.images[i] = NULL;
        }
        host.modules[i].image = host.images[i];
    }
    host.process.modules = host.modules;
    host.process.module_count = modules;
}

static void stop_host(void) {
    stop_threads();
    read_maps();
    host.process.system = ITR_TARGET_LINUX;
    host.process.id = (uint64_t)host.pid;
    host.process.read = read_memory;
    host.process.threads = host.threads;
}

/* ---- what is said of it ---- */

static const char *function_of(const struct itr_frame *frame) {
    const struct itr_target_module *module = itr_target_module_at(&host.process, itr_frame_code(frame));
    const char *name = "?";
    uint64_t offset;
    if (module != NULL && module->image != NULL) {
        (void)itr_image_symbol_at(module->image, itr_frame_code(frame) - module->base, &name, &offset);
    }
    return name;
}

static void print_stack(const struct itr_stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++) {
        char text[256];
        const struct itr_frame *frame = &stack->frames[i];
        itr_target_describe(&host.process, frame->pc, itr_frame_code(frame), text, sizeof text);
        print_message("  %2u %s %-8s sp=%llx %s\n", i, frame->guessed ? "?" : " ", itr_frame_way_name(frame->way),
                      (unsigned long long)frame->sp, text);
    }
    print_message("  end: %s\n", itr_stack_end_name(stack->end));
}

/* Whether the functions are on the stack in that order, innermost first; others may be between. */
static bool has_frames(const struct itr_stack *stack, const char *const *functions) {
    for (uint32_t i = 0; i < stack->count && *functions != NULL; i++) {
        const char *name = function_of(&stack->frames[i]);
        size_t count = strlen(*functions);
        if (strncmp(name, *functions, count) == 0 && (name[count] == '\0' || strcmp(name + count, ".abi0") == 0)) {
            functions++;
        }
    }
    return *functions == NULL;
}

#define FRAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is_certain(const struct itr_stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++) {
        if (stack->frames[i].guessed) {
            return false;
        }
    }
    return stack->end == ITR_STACK_END_BOTTOM;
}

/* One thread's stack must have these frames, all of it certain down to the bottom. */
static void expect_thread(const struct itr_goroutines *list, const char *const *functions) {
    struct itr_stack stack;
    for (size_t i = 0; i < host.process.thread_count; i++) {
        itr_unwind_thread(&host.process, &list->stacks, &host.threads[i], &stack);
        if (has_frames(&stack, functions)) {
            if (!is_certain(&stack)) {
                print_stack(&stack);
                fail_msg("the stack with %s is not certain", functions[0]);
            }
            return;
        }
    }
    for (size_t i = 0; i < host.process.thread_count; i++) {
        itr_unwind_thread(&host.process, &list->stacks, &host.threads[i], &stack);
        print_message("thread %llu\n", (unsigned long long)host.threads[i].id);
        print_stack(&stack);
    }
    fail_msg("no thread has %s … %s on its stack", functions[0], functions[1]);
}

static const struct itr_goroutine *find_goroutine(const struct itr_goroutines *list, uint32_t status,
                                                  const char *reason, const char *const *functions) {
    for (size_t i = 0; i < list->count; i++) {
        const struct itr_goroutine *one = &list->items[i];
        if (one->status == status && strcmp(one->wait_reason, reason) == 0 && one->stack != NULL &&
            has_frames(one->stack, functions)) {
            return one;
        }
    }
    return NULL;
}

static const struct itr_goroutine *expect_goroutine(const struct itr_goroutines *list, uint32_t status,
                                                    const char *reason, const char *const *functions) {
    const struct itr_goroutine *one = find_goroutine(list, status, reason, functions);
    if (one == NULL || !is_certain(one->stack)) {
        for (size_t i = 0; i < list->count; i++) {
            char name[64];
            print_message("goroutine %llu [%s, %s]\n", (unsigned long long)list->items[i].id,
                          itr_goroutine_status_name(list->items[i].status, name, sizeof name),
                          list->items[i].wait_reason);
            if (list->items[i].stack != NULL) {
                print_stack(list->items[i].stack);
            }
        }
        fail_msg("no goroutine [%s] with %s, certain down to the bottom", reason, functions[0]);
    }
    return one;
}

/* ---- the test ---- */

static void check_goroutines(const struct itr_goroutines *list) {
    const struct itr_goroutine *one;
    const char *nil = "chan receive (nil chan)";
    assert_int_equal(list->libraries, 1);
    assert_false(list->from_table);
    assert_int_equal(list->unread, 0);
    expect_goroutine(list, ITR_GOROUTINE_WAITING, nil, FRAMES("runtime.gopark", "main.receiveFromNil", "runtime.goexit"));
    one = expect_goroutine(list, ITR_GOROUTINE_WAITING, "chan receive", FRAMES("runtime.chanrecv1", "main.receive", "runtime.goexit"));
    assert_false(one->locked); /* the other one's may be: a callback waits in the same way */
    assert_true(one->created_at != 0);
    expect_goroutine(list, ITR_GOROUTINE_WAITING, nil,
                     FRAMES("main.receiveFromNil", "runtime.cgocallbackg1", "runtime.cgocallback",
                            "runtime.goexit"));
    one = expect_goroutine(list, ITR_GOROUTINE_SYSCALL, "",
                           FRAMES("runtime.cgocall", "main.bridge", "main.goLeaf", "runtime.cgocallbackg",
                                  "runtime.cgocallback", "runtime.cgocall", "main.goLeaf", "runtime.cgocallback",
                                  "runtime.goexit"));
    assert_true(one->has_thread && one->thread != 0 && one->locked);
    expect_goroutine(list, ITR_GOROUTINE_RUNNING, "", FRAMES("main.spin", "runtime.cgocallback"));
}

static void check_threads(const struct itr_goroutines *list) {
    /* C under Go under C under Go under C */
    expect_thread(list, FRAMES("stacks_block", "runtime.asmcgocall", "runtime.cgocall", "main.bridge",
                               "main.goLeaf", "runtime.cgocallback", "crosscall2", "stacks_inner", "runtime.asmcgocall", "main.goLeaf", "runtime.cgocallback", "crosscall2", "stacks_outer",
                               "run"));
    /* a signal's handler, and what it interrupted */
    expect_thread(list, FRAMES("stacks_block", "stacks_handler", "stacks_victim", "run"));
    /* a callback whose goroutine is parked */
    expect_thread(list, FRAMES("runtime.stoplockedm", "runtime.mcall", "crosscall2", "stacks_receiver", "run"));
    /* Go code called from C */
    expect_thread(list, FRAMES("main.spin", "runtime.cgocallback", "crosscall2", "stacks_spinner", "run"));
    /* the main thread, in C alone; a thread of Go's own, down to C's beginning */
    expect_thread(list, FRAMES("stacks_wait", "main"));
    expect_thread(list, FRAMES("runtime.mcall", "runtime.mstart"));
}

/* The goroutine that is to be parked has no way to say that it is. */
static bool has_settled(const struct itr_goroutines *list) {
    return find_goroutine(list, ITR_GOROUTINE_WAITING, "chan receive (nil chan)", FRAMES("main.receiveFromNil", "runtime.cgocallbackg1")) != NULL &&
           find_goroutine(list, ITR_GOROUTINE_RUNNING, "", FRAMES("main.spin")) != NULL;
}

static void check_library(const char *library) {
    struct itr_goroutines list = {0};
    struct itr_error err = {0};
    print_message("%s\n", library);
    start_host(library);
    for (int i = 0; i < TRIES; i++) {
        struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
        stop_host();
        if (itr_goroutines_read(&list, &host.process, &err) != ITR_OK) {
            fail_msg("%s", err.text);
        }
        if (has_settled(&list) || i == TRIES - 1) {
            break;
        }
        itr_goroutines_release(&list);
        let_go();
        nanosleep(&pause, NULL);
    }
    check_goroutines(&list);
    check_threads(&list);
    itr_goroutines_release(&list);
    end_host();
}

static void every_stack_is_found_whole(void **state) {
    char libraries[] = INITRACE_STACKS_LIBRARIES;
    (void)state;
    for (char *library = strtok(libraries, ":"); library != NULL; library = strtok(NULL, ":")) {
        check_library(library);
    }
}

static int tear_down(void **state) {
    (void)state;
    end_host();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_stack_is_found_whole, tear_down),
    };
    return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}
