/* Contract of calls that may never return, on Windows only: each is given up in time, what it was given is freed once and by
 * whoever ends last, not too many are left alone, and a debugger that does not end is no more than one of them. */
#include "framework/image.h"
#include "framework/ledger.h"
#include "platform/platform.h"
#include "platform/snapshot.h"
#include "platform/windows/bounded_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NONCE UINT64_C(0xb0a7ed)
#define MS    UINT64_C(1000000)

enum {
    SHORT_MS = 100,
    LONG_MS = 60000,
    SOON_MS = 10000,         /* what is at once takes less, also on a busy machine */
    DEBUGGER_AT_LEAST_MS = 20000, /* a debugger itself waits for its host's end that long */
    DEBUGGER_AT_MOST_MS = 60000,
};

/* ---- a call that returns when it is told to ---- */

static volatile LONG discarded;

struct errand {
    HANDLE go; /* NULL: at once */
    volatile LONG done;
};

static void work(void *argument) {
    struct errand *errand = argument;
    if (errand->go != NULL) {
        WaitForSingleObject(errand->go, LONG_MS);
    }
    InterlockedExchange(&errand->done, 1);
}

static void discard(void *argument) {
    free(argument);
    InterlockedIncrement(&discarded);
}

static struct errand *new_errand(HANDLE go) {
    struct errand *errand = calloc(1, sizeof *errand);
    assert_non_null(errand);
    errand->go = go;
    return errand;
}

static HANDLE new_event(void) {
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    assert_non_null(event);
    return event;
}

static uint64_t since_ms(uint64_t begin_ns) {
    return (uv_hrtime() - begin_ns) / MS;
}

/* Lets `go` the calls that wait for it, and waits until none is left alone. */
static void let_go(HANDLE go) {
    uint64_t begin_ns = uv_hrtime();
    SetEvent(go);
    while (itrp_windows_left_alone() > 0 && since_ms(begin_ns) < SOON_MS) {
        Sleep(1);
    }
    assert_int_equal(itrp_windows_left_alone(), 0);
    CloseHandle(go);
}

static int begin(void **state) {
    (void)state;
    discarded = 0;
    return itrp_windows_left_alone() == 0 ? 0 : -1;
}

/* ---- calls ---- */

static void test_one_that_returns_is_the_callers(void **state) {
    uint64_t begin_ns = uv_hrtime();
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct errand *errand = new_errand(NULL);
        assert_true(itrp_windows_call(work, discard, errand, LONG_MS));
        assert_int_equal(errand->done, 1);
        free(errand);
    }
    print_message("a call costs %.0f us\n", (double)(uv_hrtime() - begin_ns) / 1e6);
    assert_int_equal(discarded, 0);
    assert_int_equal(itrp_windows_left_alone(), 0);
}

static void test_one_that_does_not_return_is_left_alone(void **state) {
    (void)state;
    HANDLE go = new_event();
    uint64_t begin_ns = uv_hrtime();
    assert_false(itrp_windows_call(work, discard, new_errand(go), SHORT_MS));
    assert_in_range(since_ms(begin_ns), SHORT_MS - 20, SOON_MS);
    assert_int_equal(discarded, 0); /* it is still in use */
    assert_int_equal(itrp_windows_left_alone(), 1);
    let_go(go);
    assert_int_equal(discarded, 1);
}

/* Whoever comes second discards it, and only once: the time is up just as the call returns. */
static void test_one_that_returns_as_its_time_is_up(void **state) {
    LONG late = 0;
    (void)state;
    for (int i = 0; i < 300; i++) {
        HANDLE go = new_event();
        struct errand *errand = new_errand(go);
        struct itrp_windows_call *call = itrp_windows_call_begin(work, discard, errand);
        assert_non_null(call);
        SetEvent(go);
        if (itrp_windows_call_end(call, NULL, 0)) {
            assert_int_equal(errand->done, 1);
            free(errand);
        } else {
            late++;
        }
        let_go(go);
        assert_int_equal(discarded, late);
    }
}

static void test_one_about_a_process_that_ends_is_given_up(void **state) {
    wchar_t program[4 * MAX_PATH];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    HANDLE go = new_event();
    (void)state;
    assert_in_range(GetModuleFileNameW(NULL, program, 4 * MAX_PATH), 1, 4 * MAX_PATH - 1);
    assert_true(CreateProcessW(program, NULL, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start, &child));
    struct itrp_windows_call *call = itrp_windows_call_begin(work, discard, new_errand(go));
    assert_non_null(call);
    struct itrp_windows_call *other = itrp_windows_call_begin(work, discard, new_errand(go));
    assert_non_null(other);
    uint64_t begin_ns = uv_hrtime();
    assert_false(itrp_windows_call_end(call, child.hProcess, SHORT_MS)); /* it lives: for its whole time */
    assert_in_range(since_ms(begin_ns), SHORT_MS - 20, SOON_MS);
    assert_true(TerminateProcess(child.hProcess, 0));
    begin_ns = uv_hrtime();
    assert_false(itrp_windows_call_end(other, child.hProcess, LONG_MS));
    assert_in_range(since_ms(begin_ns), 0, SOON_MS);
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    let_go(go);
    assert_int_equal(discarded, 2);
}

static void test_too_many_are_refused(void **state) {
    HANDLE go = new_event();
    (void)state;
    for (int i = 0; i < ITRP_WINDOWS_LEFT_ALONE_MAX; i++) {
        assert_false(itrp_windows_call(work, discard, new_errand(go), 1));
    }
    struct errand *errand = new_errand(NULL);
    assert_null(itrp_windows_call_begin(work, discard, errand));
    assert_int_equal(errand->done, 0); /* and it is the caller's still */
    assert_false(itrp_windows_call(work, discard, errand, LONG_MS));
    assert_int_equal(discarded, 1);
    let_go(go);
    assert_int_equal(discarded, 1 + ITRP_WINDOWS_LEFT_ALONE_MAX);
    errand = new_errand(NULL);
    assert_true(itrp_windows_call(work, discard, errand, LONG_MS));
    free(errand);
}

/* ---- a debugger ---- */

struct run {
    uv_loop_t loop;
    uv_timer_t timer;
    struct itrp_process *process;
    struct itrp_memory memory;
    bool over;
    unsigned exits;
};

static void on_exit_of(struct itrp_process *process, void *context) {
    struct run *run = context;
    (void)process;
    run->exits++;
    uv_stop(&run->loop);
}

static void on_deadline(uv_timer_t *timer) {
    struct run *run = timer->data;
    run->over = true;
    uv_stop(&run->loop);
}

static void run_for(struct run *run, uint64_t ms) {
    run->over = false;
    uv_timer_start(&run->timer, on_deadline, ms, 0);
    while (!run->over && run->exits == 0) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
    uv_timer_stop(&run->timer);
}

static const struct itr_ledger *ledger_of(const struct run *run) {
    return run->memory.base;
}

/* The caller frees. */
static char *real_path(const char *path) {
    uv_fs_t request;
    if (uv_fs_realpath(NULL, &request, path, NULL) != 0) {
        fail_msg("%s is not there", path);
    }
    char *real = strdup(request.ptr);
    uv_fs_req_cleanup(&request);
    assert_non_null(real);
    return real;
}

static void open_loop(struct run *run) {
    assert_int_equal(uv_loop_init(&run->loop), 0);
    assert_int_equal(uv_timer_init(&run->loop, &run->timer), 0);
    run->timer.data = run;
    assert_int_equal(itrp_memory_create(&run->memory, ITR_LEDGER_BYTES, NULL), ITR_OK);
}

/* What the debugger may still use is not here any more. */
static void close_loop(struct run *run) {
    itrp_process_close(run->process);
    uv_close((uv_handle_t *)&run->timer, NULL);
    while (uv_run(&run->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&run->loop), 0);
    itrp_memory_close(&run->memory);
}

/* Of a host that is to be held where a thread of the library comes first, its event's handler at work for long. */
static void prepare_ledger(const struct run *run, const char *library) {
    struct itr_ledger_request request = {.handler_count = 1, .shot_count = 1};
    request.handlers[0] = ITR_EVENT_CTRL_C;
    request.ctrl_routine = itrp_capabilities()->ctrl_routine_address;
    request.shots[0] = (struct itr_shot_request){.event = ITR_EVENT_CTRL_C,
                                                 .delivery = ITR_DELIVERY_CTRL_ROUTINE,
                                                 .where = ITR_WHERE_POINT,
                                                 .hold_ns = LONG_MS * MS};
    snprintf(request.library, sizeof request.library, "%s", library);
    snprintf(request.function, sizeof request.function, "debug_call_steps");
    itr_ledger_prepare(run->memory.base, &request, NONCE);
}

static uint64_t rva_of(const char *library, const char *name) {
    struct itr_image *image = NULL;
    struct itr_symbol symbol;
    assert_int_equal(itr_image_open(&image, library, NULL), ITR_OK);
    assert_true(itr_image_lookup(image, name, &symbol));
    itr_image_close(image);
    return symbol.rva;
}

/* Nothing of the plan is left once it has returned. */
static enum itr_status start_debugged(struct run *run, struct itr_error *err) {
    char directory[4 * MAX_PATH];
    size_t room = sizeof directory;
    uv_fs_t opened;
    char *library = real_path(INITRACE_CONTRACT_LIBRARY);
    char *program = real_path(INITRACE_CONTRACT_CHILD);
    prepare_ledger(run, library);
    struct itr_shot_request shot = ledger_of(run)->request.shots[0];
    struct itrp_debug_plan plan = {
        .library = library,
        .has_point = true,
        .point = {.rva = rva_of(library, "debug_step"), .occurrence = 1, .role = ITR_ROLE_INIT},
        .ctrl_routine = itrp_capabilities()->ctrl_routine_address,
        .shot = &shot};
    uv_file output = uv_fs_open(NULL, &opened, "contract_bounded_call.out",
                                UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY, 0600, NULL);
    uv_fs_req_cleanup(&opened);
    assert_true(output >= 0);
    assert_int_equal(uv_cwd(directory, &room), 0);
    const struct itrp_process_spec spec = {
        .program = program,
        .arguments = (const char *const[]){"hear-slowly", "100000", NULL},
        .directory = directory,
        .output = output,
        .error = output,
        .ledger = &run->memory,
        .nonce = NONCE,
        .debug = &plan,
    };
    enum itr_status status = itrp_process_start(&run->process, &run->loop, &spec, on_exit_of, run, err);
    uv_fs_close(NULL, &opened, output, NULL);
    uv_fs_req_cleanup(&opened);
    free(program);
    free(library);
    memset(&plan, 0xff, sizeof plan);
    memset(&shot, 0xff, sizeof shot);
    return status;
}

/* Until the event was sent and its handler is at work: the debugger has nothing to do then. Returns its thread. */
static HANDLE wait_until_held(struct run *run) {
    const struct itr_shot_reply *reply = &ledger_of(run)->reply.shots[0];
    uint64_t begin_ns = uv_hrtime();
    while (__atomic_load_n(&reply->sent_ns, __ATOMIC_ACQUIRE) == 0 && since_ms(begin_ns) < LONG_MS) {
        run_for(run, 10);
    }
    assert_int_not_equal(reply->sent_ns, 0);
    run_for(run, 1000);
    assert_int_equal(run->exits, 0);
    HANDLE thread = OpenThread(THREAD_SUSPEND_RESUME, FALSE, reply->sender_thread);
    assert_non_null(thread);
    return thread;
}

/* One that is stopped for good stands for one whose call does not return. */
static void test_a_debugger_that_does_not_end_is_left_alone(void **state) {
    struct run run = {0};
    struct itr_error err = {0};
    uint32_t strays = 0;
    (void)state;
    open_loop(&run);
    if (start_debugged(&run, &err) != ITR_OK) {
        fail_msg("cannot start the child: %s", err.text);
    }
    HANDLE thread = wait_until_held(&run);
    uint32_t id = itrp_process_id(run.process);
    assert_int_not_equal(SuspendThread(thread), (DWORD)-1);
    uint64_t begin_ns = uv_hrtime();
    itrp_process_kill(run.process);
    run_for(&run, DEBUGGER_AT_MOST_MS);
    assert_int_equal(run.exits, 1);
    assert_in_range(since_ms(begin_ns), DEBUGGER_AT_LEAST_MS, DEBUGGER_AT_MOST_MS);
    const struct itrp_debug_report *report = itrp_process_debug_report(run.process);
    assert_non_null(report);
    assert_int_equal(report->error.status, ITR_E_TIMEOUT);
    assert_non_null(strstr(report->error.text, "left behind"));
    assert_false(itrp_process_is_paused(run.process));
    assert_null(itrp_process_snapshot(run.process));
    assert_int_equal(itrp_windows_left_alone(), 1);
    itrp_process_kill(run.process);
    assert_int_equal(itrp_process_end_tree(run.process, SOON_MS, &strays, NULL), ITR_OK);
    close_loop(&run);
    assert_int_not_equal(uv_kill((int)id, 0), 0);
    ResumeThread(thread);
    begin_ns = uv_hrtime();
    while (itrp_windows_left_alone() > 0 && since_ms(begin_ns) < DEBUGGER_AT_MOST_MS) {
        Sleep(10);
    }
    assert_int_equal(itrp_windows_left_alone(), 0);
    CloseHandle(thread);
}

static void test_too_many_and_nothing_is_debugged(void **state) {
    struct run run = {0};
    struct itr_error err = {0};
    HANDLE go = new_event();
    (void)state;
    open_loop(&run);
    for (int i = 0; i < ITRP_WINDOWS_LEFT_ALONE_MAX; i++) {
        assert_false(itrp_windows_call(work, discard, new_errand(go), 1));
    }
    assert_int_equal(start_debugged(&run, &err), ITR_E_LIMIT);
    assert_non_null(strstr(err.text, "have not returned"));
    assert_null(run.process);
    let_go(go);
    assert_int_equal(start_debugged(&run, &err), ITR_OK);
    itrp_process_kill(run.process);
    run_for(&run, LONG_MS);
    assert_int_equal(run.exits, 1);
    assert_int_equal(itrp_process_debug_report(run.process)->error.status, ITR_OK);
    close_loop(&run);
    assert_int_equal(itrp_windows_left_alone(), 0);
}

int main(void) {
#define CALL_TEST(test) cmocka_unit_test_setup(test, begin)
    const struct CMUnitTest tests[] = {
        CALL_TEST(test_one_that_returns_is_the_callers),
        CALL_TEST(test_one_that_does_not_return_is_left_alone),
        CALL_TEST(test_one_that_returns_as_its_time_is_up),
        CALL_TEST(test_one_about_a_process_that_ends_is_given_up),
        CALL_TEST(test_too_many_are_refused),
        CALL_TEST(test_a_debugger_that_does_not_end_is_left_alone),
        CALL_TEST(test_too_many_and_nothing_is_debugged),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return cmocka_run_group_tests_name("bounded_call", tests, NULL, NULL);
}
