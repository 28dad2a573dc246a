/* Goroutines as they are read from a held process's memory, against what its runtime says of them itself: all threads
 * stand, the list is read, and then one idle thread of Go's is let go with a signal that makes the runtime dump all
 * goroutines, while the others go on standing. Nothing may differ: ids, states, frames with their stack pointers and
 * lines, creators. (SIGQUIT would not do: a library does not handle it.) What a dump does not say is held against what
 * it follows from: entries, saved states, threads. The layout by the table must be the one by DWARF. */
#include "platform/unix/tests/runtime_dump.h"
#include "platform/unix/tests/stacks_process.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>

#ifndef INITRACE_STACKS_LIBRARIES
#error "INITRACE_STACKS_LIBRARIES names the libraries, separated by ':'"
#endif

enum {
    LEAST_GOROUTINES = 14, /* eleven of the library's own, main's and the runtime's */
    HEADER_SECTIONS = 40, /* offset of an ELF file's section headers, in its header */
    HEADER_SECTION_COUNT = 60,
    LIBRARY_BYTES_MAX = 64 << 20,
};

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

static void compare_frames(const struct dumped *said, const struct itr_stack *read) {
    uint32_t count = said->frame_count + said->elided;
    bool whole = !said->cut || said->elided > 0;
    assert_int_equal(read->omitted, 0); /* none is that deep */
    if (whole ? read->count != count : read->count <= count) {
        DIFFERS(said, "%u frames read, %u%s said", (unsigned)read->count, (unsigned)count, whole ? "" : " and more");
        return;
    }
    for (uint32_t i = 0; i < said->frame_count; i++) {
        compare_frame(said, i, &read->frames[said->cut && i >= said->head ? i + said->elided : i]);
    }
    if (read->end != ITR_STACK_END_BOTTOM) {
        DIFFERS(said, "the stack read ends: %s", itr_stack_end_name(read->end));
    }
}

/* What it goes on with is what it stands in; where it began is what was called first, of which the runtime keeps
 * nothing for a callback. */
static void compare_ends(const struct dumped *said, const struct itr_goroutine *read) {
    const struct dumped_frame *first = &said->frames[0];
    char name[NAME_BYTES];
    char place[NAME_BYTES];
    if (read->saved_pc != first->pc || read->saved_sp != first->sp) {
        DIFFERS(said, "goes on at pc %llx, sp %llx read; stands at pc %llx, sp %llx said",
                (unsigned long long)read->saved_pc, (unsigned long long)read->saved_sp, (unsigned long long)first->pc,
                (unsigned long long)first->sp);
    }
    if (said->frame_count < 2 || (said->cut && said->elided == 0)) {
        return;
    }
    const char *began = said->frames[said->frame_count - 2].name;
    bool is_callback = strcmp(began, "runtime.cgocallback") == 0;
    name_code(read->entry, name, place);
    if (is_callback ? read->entry != 0 : strcmp(name, began) != 0) {
        DIFFERS(said, "began with %s read, %s said", name, is_callback ? "a callback" : began);
    }
}

static void compare_stack(const struct dumped *said, const struct itr_goroutine *read,
                          const struct itr_go_stack *bounds) {
    uint64_t bytes = bounds->high - bounds->low;
    if (said->unavailable) {
        return; /* the runtime cannot see it; whether there is one is self.stacks' to say */
    }
    if (said->frame_count == 0 || read->stack == NULL) {
        DIFFERS(said, "%s", read->stack == NULL ? "no stack read" : "no frame said");
        return;
    }
    compare_frames(said, read->stack);
    compare_ends(said, read);
    const struct dumped_frame *outermost = &said->frames[said->frame_count - 1];
    /* The runtime's allocator has powers of two only. */
    if (said->frames[0].sp < bounds->low || outermost->sp >= bounds->high || (bytes & (bytes - 1)) != 0) {
        DIFFERS(said, "stack %llx to %llx read; sp %llx to %llx said", (unsigned long long)bounds->low,
                (unsigned long long)bounds->high, (unsigned long long)said->frames[0].sp,
                (unsigned long long)outermost->sp);
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

static bool reaches(const struct itr_stack *stack, const struct itr_go_stack *bounds) {
    for (uint32_t i = 0; i < stack->count; i++) {
        if (stack->frames[i].sp >= bounds->low && stack->frames[i].sp < bounds->high) {
            return true;
        }
    }
    return false;
}

/* A thread that is one goroutine's has that one's stack under its own. */
static void check_thread(const struct itr_goroutine *read, const struct itr_go_stacks *stacks) {
    bool is_run = read->status == ITR_GOROUTINE_RUNNING || read->status == ITR_GOROUTINE_SYSCALL;
    struct itr_stack stack = {0};
    if (read->has_thread != is_run) {
        DIFFERS(read, "status %u read, and %s", (unsigned)read->status, read->has_thread ? "a thread" : "no thread");
    }
    if (!read->has_thread) {
        return;
    }
    for (size_t i = 0; i < host.process.thread_count; i++) {
        if (host.process.threads[i].id == read->thread) {
            itr_unwind_thread(&host.process, stacks, &host.process.threads[i], &stack);
        }
    }
    /* A thread of C's keeps its goroutine when its call has returned (Go 1.21 and later): nothing of it is on that stack. */
    bool has_called = read->stack != NULL && read->stack->count > 1;
    if (has_called && !reaches(&stack, &stacks->goroutines[read->stack_index])) {
        DIFFERS(read, "thread %llu read, which is not on its stack", (unsigned long long)read->thread);
    }
    if (read->locked && read->locked_m != read->m) {
        DIFFERS(read, "m=%lld read, and locked to m=%lld", (long long)read->m, (long long)read->locked_m);
    }
}

static void compare(const struct dumped *said, const struct itr_goroutine *read, const struct itr_go_stacks *stacks) {
    char status[NAME_BYTES];
    const char *state = read->wait_reason[0] != '\0' ? read->wait_reason
                                                     : itr_goroutine_status_name(read->status, status, sizeof status);
    if (strcmp(state, said->state) != 0 || read->locked != said->locked || read->scanned != said->scanned) {
        DIFFERS(said, "read [%s%s%s], said [%s%s%s]", state, read->scanned ? " (scan)" : "",
                read->locked ? ", locked" : "", said->state, said->scanned ? " (scan)" : "",
                said->locked ? ", locked" : "");
    }
    if (read->address != said->g && said->g != 0) { /* Go 1.19 does not say it */
        DIFFERS(said, "read at %llx, said at %llx", (unsigned long long)read->address, (unsigned long long)said->g);
    }
    if (said->g != 0 && (read->has_thread != said->has_m || read->m != said->m)) {
        DIFFERS(said, "read m=%lld, said m=%lld", (long long)(read->has_thread ? read->m : -1),
                (long long)(said->has_m ? said->m : -1));
    }
    compare_stack(said, read, &stacks->goroutines[read->stack_index]);
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
        compare(said, read, &list->stacks);
        compared++;
        frames += said->frame_count;
    }
    if (compared != list->count || list->unread + list->more != 0 || list->libraries != 1) {
        differences++;
        print_message("%zu goroutines of %zu libraries read, %zu not read, %zu left out; %zu of them said\n", list->count,
                      list->libraries, list->unread, list->more, compared);
    }
    print_message("%zu goroutines with %zu frames compared\n", compared, frames);
    assert_true(compared >= LEAST_GOROUTINES);
}

/* ---- the layout ---- */

static size_t read_file(const char *path, uint8_t **bytes) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *bytes = malloc(LIBRARY_BYTES_MAX);
    assert_non_null(*bytes);
    size_t count = fread(*bytes, 1, LIBRARY_BYTES_MAX, file);
    fclose(file);
    assert_true(count > HEADER_SECTION_COUNT + 4 && count < LIBRARY_BYTES_MAX);
    return count;
}

static enum itr_status layout_in(const uint8_t *bytes, size_t count, struct itr_go_layout *layout) {
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    assert_int_equal(itr_image_open_bytes(&image, bytes, count, NULL, NULL), ITR_OK);
    enum itr_status status = itr_go_layout_of(image, layout, &err);
    if (status != ITR_OK) {
        print_message("%s\n", err.text);
    }
    itr_image_close(image);
    return status;
}

/* What is known of the version by itself must be what its DWARF says: without section headers that is not found. */
static void compare_layouts(const char *library) {
    struct itr_go_layout asked = {0};
    struct itr_go_layout known = {0};
    uint8_t *bytes = NULL;
    size_t count = read_file(library, &bytes);
    assert_int_equal(layout_in(bytes, count, &asked), ITR_OK);
    assert_false(asked.from_table);
    memset(bytes + HEADER_SECTIONS, 0, 8);
    memset(bytes + HEADER_SECTION_COUNT, 0, 4); /* and which one has the names */
    enum itr_status status = layout_in(bytes, count, &known);
    free(bytes);
    if (status == ITR_E_UNSUPPORTED) {
        return; /* a version that is not in the table */
    }
    assert_int_equal(status, ITR_OK);
    assert_true(known.from_table);
#define LAYOUT_COMPARE(field, structure, member, needed)                                                               \
    if (asked.field != known.field) {                                                                                  \
        differences++;                                                                                                 \
        print_message("layout: " structure "." member " at %u by DWARF, at %u by the table\n", (unsigned)asked.field,  \
                      (unsigned)known.field);                                                                          \
    }
    ITR_GO_LAYOUT_MAP(LAYOUT_COMPARE)
#undef LAYOUT_COMPARE
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
    compare_layouts(library);
    start_host(library);
    hold_settled_host(&list, has_settled);
    for (size_t i = 0; i < list.count; i++) { /* while there is something to read */
        check_thread(&list.items[i], &list.stacks);
    }
    make_it_dump(&list);
    read_dump();
    compare_all(&list);
    itr_goroutines_release(&list);
    end_host();
}

static void what_is_read_is_what_the_runtime_says(void **state) {
    (void)state;
    differences = 0;
    for_each_library(INITRACE_STACKS_LIBRARIES, check_library);
    assert_int_equal(differences, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_read_is_what_the_runtime_says, end_host_of_test),
    };
    return cmocka_run_group_tests_name("goroutines", tests, NULL, NULL);
}
