/* Goroutines as they are read from a held process's memory, against what its runtime says of them itself: all threads
 * stand, the list is read, and then one idle thread of Go's is let go with a signal that makes the runtime dump all
 * goroutines, while the others go on standing. Nothing may differ: ids, states, frames with their stack pointers and
 * lines, creators. (SIGQUIT would not do: a library does not handle it.) */
#include "framework/goroutines.h"
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
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#ifndef INITRACE_STACKS_HOST
#error "INITRACE_STACKS_HOST names the program, INITRACE_STACKS_LIBRARIES the libraries, separated by ':'"
#endif

enum {
    MODULES_MAX = 64,
    READY_MS = 20000,
    TRIES = 50,
    DUMP_BYTES = 1 << 20,
    FRAMES_MAX = 128,
    GOROUTINES_MAX = 64,
    NAME_BYTES = 256,
    LEAST_GOROUTINES = 14, /* eleven of the library's own, main's and the runtime's */
};

static struct {
    pid_t pid;
    int out;
    int err;
    struct itrp_unix_snapshot *snapshot;
    struct itr_target_process process;
    struct itr_target_module modules[MODULES_MAX];
} host;

/* What the runtime said of one goroutine. */
struct dumped_frame {
    char name[NAME_BYTES];
    char place[NAME_BYTES]; /* file:line of the innermost function, inlined ones included */
    uint64_t sp;
    uint64_t pc;
};

struct dumped {
    uint64_t id;
    uint64_t g;
    bool has_m;
    int64_t m;
    char state[NAME_BYTES];
    bool locked;
    bool unavailable;
    char creator[NAME_BYTES];
    char creator_place[NAME_BYTES];
    uint64_t parent;
    uint32_t frame_count; /* before those that are left out */
    struct dumped_frame frames[FRAMES_MAX];
    bool cut; /* more frames than the runtime prints */
};

static struct {
    char text[DUMP_BYTES];
    struct dumped items[GOROUTINES_MAX];
    size_t count;
} dump;

/* ---- the process ---- */

static void start_host(const char *library) {
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
        execl(INITRACE_STACKS_HOST, "stacks_host", library, (char *)NULL);
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

static void stop_host(void) {
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

static void let_go(void) {
    close_images();
    itrp_unix_detach(host.snapshot);
    itrp_unix_snapshot_free(host.snapshot);
    host.snapshot = NULL;
}

/* ---- the runtime's own dump ---- */

/* A thread of Go's that has nothing to do: its signal finds nothing half-done. */
static pid_t idle_thread(const struct itr_goroutines *list) {
    for (size_t i = 0; i < list->stacks.thread_count; i++) {
        const struct itr_go_thread *one = &list->stacks.threads[i];
        for (size_t j = 0; one->current == 0 && j < host.process.thread_count; j++) {
            if (host.process.threads[j].id == one->thread && host.process.threads[j].has_registers) {
                return (pid_t)one->thread;
            }
        }
    }
    fail_msg("no thread of Go's is idle");
    return 0;
}

/* All others stand until the runtime has written all, and ends the process. */
static void make_it_dump(const struct itr_goroutines *list) {
    pid_t thread = idle_thread(list);
    size_t have = 0;
    ssize_t got = 1;
    struct pollfd more = {.fd = host.err, .events = POLLIN};
    assert_int_equal(syscall(SYS_tgkill, host.pid, thread, SIGBUS), 0);
    assert_int_equal(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
    while (got > 0 && have < sizeof dump.text - 1 && poll(&more, 1, READY_MS) == 1) {
        got = read(host.err, dump.text + have, sizeof dump.text - 1 - have);
        have += got > 0 ? (size_t)got : 0;
    }
    dump.text[have] = '\0';
    assert_int_equal(got, 0); /* all of it */
}

static void copy(char *out, const char *from, size_t length) {
    length = length < NAME_BYTES - 1 ? length : NAME_BYTES - 1;
    memcpy(out, from, length);
    out[length] = '\0';
}

static uint64_t hex_after(const char *line, const char *word) {
    const char *at = strstr(line, word);
    return at != NULL ? strtoull(at + strlen(word), NULL, 16) : 0;
}

/* "goroutine 5 gp=0xc0 m=3 mp=0xc1 [chan receive, locked to thread]:" */
static void read_header(const char *line, struct dumped *one) {
    const char *open = strchr(line, '[');
    const char *close = strrchr(line, ']');
    const char *m = strstr(line, " m=");
    *one = (struct dumped){.id = strtoull(line + strlen("goroutine "), NULL, 10), .g = hex_after(line, " gp=")};
    assert_true(open != NULL && close != NULL && close > open);
    if (m != NULL && m < open && strncmp(m, " m=nil", 6) != 0) {
        one->has_m = true;
        one->m = strtoll(m + 3, NULL, 10);
    }
    copy(one->state, open + 1, (size_t)(close - open - 1));
    char *locked = strstr(one->state, ", locked to thread");
    if (locked != NULL) {
        one->locked = true;
        *locked = '\0';
    }
}

/* "\tfile:line +0x1c fp=0x1 sp=0x2 pc=0x3"; the numbers are there for the function that others were inlined into. */
static void read_place(const char *line, struct dumped *one, bool of_creator) {
    struct dumped_frame *frame = &one->frames[one->frame_count];
    size_t length = strcspn(line + 1, " ");
    if (of_creator) {
        copy(one->creator_place, line + 1, length);
        return;
    }
    if (frame->place[0] == '\0') {
        copy(frame->place, line + 1, length);
    }
    if (strstr(line, " pc=") != NULL && !one->cut) {
        frame->sp = hex_after(line, " sp=");
        frame->pc = hex_after(line, " pc=");
        one->frame_count++;
        assert_true(one->frame_count < FRAMES_MAX);
    }
}

static void read_creator(const char *line, struct dumped *one) {
    const char *name = line + strlen("created by ");
    const char *parent = strstr(name, " in goroutine ");
    copy(one->creator, name, parent != NULL ? (size_t)(parent - name) : strlen(name));
    one->parent = parent != NULL ? strtoull(parent + strlen(" in goroutine "), NULL, 10) : 0;
}

/* A line of a goroutine's part; false: the part ends. */
static bool read_line(const char *line, struct dumped *one, bool *of_creator) {
    if (line[0] == '\0') {
        return false;
    }
    if (line[0] == '\t' && strstr(line, "stack unavailable") != NULL) {
        one->unavailable = true;
    } else if (line[0] == '\t') {
        read_place(line, one, *of_creator);
    } else if (strncmp(line, "created by ", 11) == 0) {
        *of_creator = true;
        read_creator(line, one);
    } else if (strncmp(line, "...", 3) == 0) {
        one->cut = true;
    } else if (!one->cut) {
        const char *end = strrchr(line, '(');
        assert_non_null(end);
        copy(one->frames[one->frame_count].name, line, (size_t)(end - line));
    }
    return true;
}

static void read_dump(void) {
    struct dumped *one = NULL;
    bool of_creator = false;
    char *rest = dump.text;
    dump.count = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, "goroutine ", 10) == 0) {
            assert_true(dump.count < GOROUTINES_MAX);
            one = &dump.items[dump.count++];
            of_creator = false;
            read_header(line, one);
        } else if (one != NULL && !read_line(line, one, &of_creator)) {
            one = NULL;
        }
    }
}

/* ---- both ---- */

static size_t differences;

#define DIFFERS(one, ...)                                                                                              \
    do {                                                                                                               \
        differences++;                                                                                                 \
        print_message("goroutine %llu: ", (unsigned long long)(one)->id);                                              \
        print_message(__VA_ARGS__);                                                                                    \
        print_message("\n");                                                                                           \
    } while (0)

static const struct itr_goroutine *find_read(const struct itr_goroutines *list, uint64_t id) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].id == id) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* Function and file:line of code, as they are shown. */
static void name_code(uint64_t code, char *name, char *place) {
    const struct itr_target_module *module = itr_target_module_at(&host.process, code);
    const char *found = "?";
    const char *file = "?";
    uint64_t offset;
    uint32_t line = 0;
    if (module != NULL && module->image != NULL) {
        (void)itr_image_symbol_at(module->image, code - module->base, &found, &offset);
        (void)itr_image_line_at(module->image, code - module->base, &file, &line);
    }
    size_t length = strlen(found);
    bool is_twin = length > 5 && strcmp(found + length - 5, ".abi0") == 0;
    copy(name, found, is_twin ? length - 5 : length);
    snprintf(place, NAME_BYTES, "%s:%u", file, (unsigned)line);
}

static void compare_frame(const struct dumped *said, uint32_t index, const struct itr_frame *read) {
    const struct dumped_frame *frame = &said->frames[index];
    char name[NAME_BYTES];
    char place[NAME_BYTES];
    name_code(itr_frame_code(read), name, place);
    if (strcmp(name, frame->name) != 0 || strcmp(place, frame->place) != 0 || read->pc != frame->pc ||
        read->sp != frame->sp || read->guessed) {
        DIFFERS(said, "frame %u: read %s%s at %s, pc %llx, sp %llx; said %s at %s, pc %llx, sp %llx", (unsigned)index,
                read->guessed ? "(guessed) " : "", name, place, (unsigned long long)read->pc, (unsigned long long)read->sp,
                frame->name, frame->place, (unsigned long long)frame->pc, (unsigned long long)frame->sp);
    }
}

static void compare_stack(const struct dumped *said, const struct itr_goroutine *read) {
    uint32_t count = read->stack != NULL ? read->stack->count + read->stack->omitted : 0;
    if (said->unavailable) {
        return; /* the runtime cannot see it; whether there is one is self.stacks' to say */
    }
    if (said->cut ? count <= said->frame_count : count != said->frame_count) {
        DIFFERS(said, "%u frames read, %u%s said", (unsigned)count, (unsigned)said->frame_count, said->cut ? " and more" : "");
    }
    for (uint32_t i = 0; i < said->frame_count && read->stack != NULL && i < read->stack->count; i++) {
        compare_frame(said, i, &read->stack->frames[i]);
    }
}

static void compare_creator(const struct dumped *said, const struct itr_goroutine *read) {
    char name[NAME_BYTES];
    char place[NAME_BYTES];
    if (said->creator[0] == '\0') {
        if (read->created_at != 0 && read->id != 1) { /* the runtime tells it of all others */
            DIFFERS(said, "a creator read, none said");
        }
        return;
    }
    name_code(read->created_at - 1, name, place);
    if (strcmp(name, said->creator) != 0 || strcmp(place, said->creator_place) != 0 || read->parent != said->parent) {
        DIFFERS(said, "created by %s at %s in %llu read; %s at %s in %llu said", name, place,
                (unsigned long long)read->parent, said->creator, said->creator_place, (unsigned long long)said->parent);
    }
}

static void compare(const struct dumped *said, const struct itr_goroutine *read) {
    char status[NAME_BYTES];
    const char *state = read->wait_reason[0] != '\0' ? read->wait_reason
                                                     : itr_goroutine_status_name(read->status, status, sizeof status);
    if (strcmp(state, said->state) != 0 || read->locked != said->locked) {
        DIFFERS(said, "read [%s%s], said [%s%s]", state, read->locked ? ", locked" : "", said->state,
                said->locked ? ", locked" : "");
    }
    if (read->address != said->g && said->g != 0) { /* Go 1.19 does not say it */
        DIFFERS(said, "read at %llx, said at %llx", (unsigned long long)read->address, (unsigned long long)said->g);
    }
    if (said->g != 0 && (read->has_thread != said->has_m || read->m != said->m)) {
        DIFFERS(said, "read m=%lld, said m=%lld", (long long)(read->has_thread ? read->m : -1),
                (long long)(said->has_m ? said->m : -1));
    }
    compare_stack(said, read);
    compare_creator(said, read);
}

static void compare_all(const struct itr_goroutines *list) {
    size_t compared = 0;
    size_t frames = 0;
    for (size_t i = 0; i < dump.count; i++) {
        const struct dumped *said = &dump.items[i];
        const struct itr_goroutine *read = find_read(list, said->id);
        if (said->id == 0) {
            continue; /* the thread's own that got the signal */
        }
        if (read == NULL) {
            DIFFERS(said, "not read");
            continue;
        }
        compare(said, read);
        compared++;
        frames += said->frame_count;
    }
    if (compared != list->count) {
        differences++;
        print_message("%zu goroutines read, %zu of them said\n", list->count, compared);
    }
    print_message("%zu goroutines with %zu frames compared\n", compared, frames);
    assert_true(compared >= LEAST_GOROUTINES);
}

/* ---- the test ---- */

/* Parked ones have no way to say that they are. */
static bool has_settled(const struct itr_goroutines *list) {
    size_t waiting = 0;
    bool spins = false;
    for (size_t i = 0; i < list->count; i++) {
        waiting += list->items[i].status == ITR_GOROUTINE_WAITING ? 1 : 0;
        spins = spins || list->items[i].status == ITR_GOROUTINE_RUNNING;
    }
    return spins && waiting + 2 == list->count; /* and one is in a call of C */
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
    make_it_dump(&list);
    read_dump();
    compare_all(&list);
    itr_goroutines_release(&list);
    end_host();
}

static void what_is_read_is_what_the_runtime_says(void **state) {
    char libraries[] = INITRACE_STACKS_LIBRARIES;
    (void)state;
    differences = 0;
    for (char *library = strtok(libraries, ":"); library != NULL; library = strtok(NULL, ":")) {
        check_library(library);
    }
    assert_int_equal(differences, 0);
}

static int tear_down(void **state) {
    (void)state;
    end_host();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_read_is_what_the_runtime_says, tear_down),
    };
    return cmocka_run_group_tests_name("goroutines", tests, NULL, NULL);
}
