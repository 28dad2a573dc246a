/* Contract of the debugger behind itrp_process_start(), the same on every system: points, shots at them and
 * holds, watches, traces, faults, perturbed scheduling, pauses, and that it ends with its host. The child does
 * what it is told (child.c) with a library whose threads and functions are known (debug_library.c). */
#include "framework/image.h"
#include "framework/ledger.h"
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if !defined(INITRACE_CONTRACT_CHILD) || !defined(INITRACE_CONTRACT_LIBRARY)
#error "the programs and libraries built from child.c and debug_library.c must be named"
#endif

#define DEADLINE_MS 20000u
#define NONCE       UINT64_C(0xdeb0f7e57)
#define SECOND_NS   UINT64_C(1000000000)

/* What debug_library.c does, in numbers. */
enum { MAIN_STEPS = 3, INIT_STEPS = 5, OTHER_STEPS = 7, ALL_STEPS = 15, RACES = 400, RACES_EACH = 4 };

static char child_program[4096];
static char child_directory[4096];
static char library[ITR_LIBRARY_MAX - 16];
static struct itr_image *image;
static bool in_code; /* every test is run with debug registers, where there are some, and with breakpoints in the code */

/* ---- one run of the child ---- */

struct run {
    uv_loop_t loop;
    uv_timer_t timer;
    struct itrp_process *process;
    struct itrp_memory memory;
    struct itr_ledger_request request;
    struct itrp_debug_plan plan;
    struct itr_shot_request shot;
    uv_file output;
    bool timed_out;
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
    run->timed_out = true;
    uv_stop(&run->loop);
}

/* False if something could not be had; no assertion, so that any thread may ask. */
static bool run_open(struct run *run, const char *function) {
    uv_fs_t request;
    memset(run, 0, sizeof *run);
    run->plan.library = library;
    run->plan.code_breakpoints = in_code;
    snprintf(run->request.library, sizeof run->request.library, "%s", library);
    snprintf(run->request.function, sizeof run->request.function, "%s", function);
    run->output = uv_fs_open(NULL, &request, "contract_debug.out", UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY,
                             0600, NULL);
    uv_fs_req_cleanup(&request);
    if (run->output < 0 || uv_loop_init(&run->loop) != 0 || uv_timer_init(&run->loop, &run->timer) != 0) {
        return false;
    }
    run->timer.data = run;
    return itrp_memory_create(&run->memory, ITR_LEDGER_BYTES, NULL) == ITR_OK;
}

static void run_init(struct run *run, const char *function) {
    assert_true(run_open(run, function));
}

static void close_file(uv_file file) {
    uv_fs_t request;
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

static enum itr_status start_program(struct run *run, const char *program, const char *const *words,
                                     bool debugged, struct itr_error *err) {
    struct itrp_process_spec spec = {
        .program = program,
        .arguments = words,
        .directory = child_directory,
        .output = run->output,
        .error = run->output,
        .ledger = &run->memory,
        .nonce = NONCE,
        .debug = debugged ? &run->plan : NULL,
    };
    itr_ledger_prepare(run->memory.base, &run->request, NONCE);
    enum itr_status status = itrp_process_start(&run->process, &run->loop, &spec, on_exit_of, run, err);
    close_file(run->output);
    return status;
}

#define WORDS(...)          \
    (const char *const[]) { \
        __VA_ARGS__, NULL   \
    }

static void run_start(struct run *run, const char *const *words) {
    struct itr_error err = {0};
    if (start_program(run, child_program, words, true, &err) != ITR_OK) {
        fail_msg("cannot start the child: %s", err.text);
    }
}

static void run_for(struct run *run, uint64_t ms) {
    run->timed_out = false;
    uv_timer_start(&run->timer, on_deadline, ms, 0);
    while (!run->timed_out) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
}

static bool wait_for_exit(struct run *run, uint64_t ms) {
    run->timed_out = false;
    uv_timer_start(&run->timer, on_deadline, ms, 0);
    while (run->exits == 0 && !run->timed_out) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
    uv_timer_stop(&run->timer);
    return run->exits == 1;
}

static const struct itrp_debug_report *report_of(struct run *run) {
    const struct itrp_debug_report *report = itrp_process_debug_report(run->process);
    assert_non_null(report);
    if (report->error.status != ITR_OK) {
        fail_msg("the debugger failed: %s", report->error.text);
    }
    assert_int_equal(report->code_breakpoints, in_code);
    return report;
}

/* Wine 8 can lock up for good a thread whose debug register is hit just as another one's debug event suspends it. There
 * is nothing that a debugger could do about it, so such a run shows nothing, and the test says that it was skipped. */
static void give_up_locked_host(struct run *run) {
    if (strcmp(itrp_system_name(), "wine") == 0 && run->plan.has_point && !in_code) {
        itrp_process_kill(run->process);
        assert_true(wait_for_exit(run, DEADLINE_MS));
        if (report_of(run)->hit_ns == 0) {
            print_message("skipped: the host stood still before its point for %d ms, as Wine 8 sometimes makes it\n",
                          (int)DEADLINE_MS);
            skip();
        }
    }
    fail_msg("the host did not end in %d ms", (int)DEADLINE_MS);
}

static const struct itrp_debug_report *run_until_exit(struct run *run) {
    if (!wait_for_exit(run, DEADLINE_MS)) {
        give_up_locked_host(run);
    }
    return report_of(run);
}

static struct itr_ledger_reply *reply_of(struct run *run) {
    return &((struct itr_ledger *)run->memory.base)->reply;
}

/* The usual end: the host did what it was told. */
static const struct itrp_debug_report *run_to_the_end(struct run *run, const char *const *words) {
    run_start(run, words);
    const struct itrp_debug_report *report = run_until_exit(run);
    const struct itrp_exit *ended = itrp_process_exit(run->process);
    if (ended->signaled || ended->code != 0) {
        fail_msg("the child ended with %s %d: %s", ended->signaled ? "signal" : "code",
                 ended->signaled ? ended->signal : (int)ended->code, reply_of(run)->host_error);
    }
    return report;
}

/* Nothing may stay in the loop. */
static void run_release(struct run *run) {
    itrp_process_close(run->process);
    uv_close((uv_handle_t *)&run->timer, NULL);
    while (uv_run(&run->loop, UV_RUN_DEFAULT) != 0) {
    }
    if (uv_loop_close(&run->loop) != 0) {
        abort();
    }
    itrp_memory_close(&run->memory);
}

static bool is_gone(uint32_t id) {
    for (unsigned waited_ms = 0; waited_ms < DEADLINE_MS; waited_ms += 10) {
        if (uv_kill((int)id, 0) != 0) {
            return true;
        }
        uv_sleep(10);
    }
    return false;
}

/* ---- plans ---- */

static struct itr_symbol symbol_of(const char *name) {
    struct itr_symbol symbol;
    if (!itr_image_lookup(image, name, &symbol)) {
        fail_msg("no %s in %s", name, library);
    }
    return symbol;
}

static void put_point(struct run *run, const char *function, enum itr_role role, uint32_t occurrence) {
    run->plan.has_point = true;
    run->plan.point = (struct itrp_debug_point){
        .rva = symbol_of(function).rva, .role = role, .occurrence = occurrence};
}

/* The interrupt, as this system has it, aimed at somebody; one handler in the host waits for it. */
static void put_shot(struct run *run, enum itr_target target, uint64_t hold_ns) {
    bool signals = itrp_capabilities()->signals;
    run->shot = (struct itr_shot_request){
        .event = signals ? ITR_EVENT_SIGINT : ITR_EVENT_CTRL_C,
        .delivery = signals ? ITR_DELIVERY_KILL : ITR_DELIVERY_CTRL_ROUTINE,
        .target = (uint32_t)target,
        .where = ITR_WHERE_POINT,
        .hold_ns = hold_ns,
    };
    run->plan.shot = &run->shot;
    run->plan.ctrl_routine = itrp_capabilities()->ctrl_routine_address;
    run->request.ctrl_routine = itrp_capabilities()->ctrl_routine_address;
    run->request.handler_count = 1;
    run->request.handlers[0] = run->shot.event;
    run->request.shot_count = 1;
    run->request.shots[0] = run->shot;
}

static uint32_t put_watch(struct run *run, const char *variable, uint8_t bytes) {
    run->plan.watches[run->plan.watch_count] =
        (struct itrp_debug_watch){.address = symbol_of(variable).rva, .bytes = bytes};
    return run->plan.watch_count++;
}

static uint32_t thread_of_role(const struct itrp_debug_report *report, enum itr_role role) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < report->thread_count && i < ITRP_DEBUG_THREADS_MAX; i++) {
        if (report->threads[i].role == role) {
            assert_int_equal(found, 0);
            found = report->threads[i].id;
        }
    }
    assert_int_not_equal(found, 0);
    return found;
}

/* ---- points ---- */

static void test_without_a_plan_there_is_no_report(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    assert_int_equal(start_program(&run, child_program, WORDS("hear"), false, NULL), ITR_OK);
    assert_true(wait_for_exit(&run, DEADLINE_MS));
    assert_null(itrp_process_debug_report(run.process));
    assert_false(itrp_process_is_paused(run.process));
    run_release(&run);
}

static void test_an_empty_plan_changes_nothing(void **context) {
    struct run run;
    (void)context;
    for (int i = 0; i < 2; i++) {
        run_init(&run, "debug_call_steps");
        run.plan.library = i == 0 ? NULL : "";
        const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
        assert_int_equal(reply_of(&run)->call_result, ALL_STEPS);
        assert_false(report->library_mapped);
        assert_false(report->armed);
        assert_int_equal(report->hit_ns, 0);
        assert_int_equal(report->fault_count, 0);
        assert_false(itrp_process_is_paused(run.process));
        run_release(&run);
    }
}

static void test_base_and_threads(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_never", ITR_ROLE_ANY, 1);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_true(report->library_mapped);
    assert_true(report->library_base == reply_of(&run)->library_base);
    assert_int_not_equal(report->library_base, 0);
    assert_true(report->thread_count >= 3);
    assert_int_equal(report->threads[0].id, reply_of(&run)->main_thread);
    assert_int_equal(thread_of_role(report, ITR_ROLE_MAIN), reply_of(&run)->main_thread);
    thread_of_role(report, ITR_ROLE_INIT);
    for (uint32_t i = 0; i < report->thread_count && i < ITRP_DEBUG_THREADS_MAX; i++) {
        assert_int_not_equal(report->threads[i].born_ns, 0);
        if (report->threads[i].role == ITR_ROLE_INIT) {
            assert_true(report->threads[i].ended_ns > report->threads[i].born_ns);
        }
    }
    run_release(&run);
}

/* The watch on what debug_step() writes shows where between the writes the hit was; without registers there is
 * none, and only who was hit, and at which time, is seen. */
static void check_point(enum itr_role role, uint32_t occurrence, uint32_t steps_before, enum itr_role hit_role) {
    struct run run;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", role, occurrence);
    if (!in_code) {
        put_watch(&run, "debug_steps", 4);
    }
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(reply_of(&run)->call_result, ALL_STEPS);
    assert_true(report->armed);
    assert_int_equal(report->hits, occurrence);
    assert_int_equal(report->hit_role, hit_role);
    if (hit_role != ITR_ROLE_ANY) {
        assert_int_equal(report->hit_thread, thread_of_role(report, hit_role));
    }
    assert_true(report->released_ns >= report->hit_ns);
    if (!in_code) {
        assert_int_equal(report->write_count, ALL_STEPS);
        const struct itrp_debug_write *after = &report->writes[steps_before];
        assert_int_equal(after->new_value, steps_before + 1);
        assert_int_equal(after->thread, report->hit_thread);
        assert_true(report->hit_ns <= after->time_ns && report->released_ns <= after->time_ns);
        assert_true(steps_before == 0 || report->hit_ns >= report->writes[steps_before - 1].time_ns);
    }
    assert_int_equal(report->taken_ns, 0);
    assert_int_equal(report->fault_count, 0);
    assert_int_equal(reply_of(&run)->shots[0].fired_ns, 0);
    run_release(&run);
}

static void test_points(void **context) {
    (void)context;
    check_point(ITR_ROLE_INIT, 1, 0, ITR_ROLE_INIT);
    check_point(ITR_ROLE_INIT, INIT_STEPS, INIT_STEPS - 1, ITR_ROLE_INIT);
    check_point(ITR_ROLE_MAIN, 1, INIT_STEPS + OTHER_STEPS, ITR_ROLE_MAIN);
    check_point(ITR_ROLE_MAIN, MAIN_STEPS, ALL_STEPS - 1, ITR_ROLE_MAIN);
    check_point(ITR_ROLE_ANY, 1, 0, ITR_ROLE_INIT);
    check_point(ITR_ROLE_ANY, INIT_STEPS + 1, INIT_STEPS, ITR_ROLE_ANY);
    check_point(ITR_ROLE_ANY, ALL_STEPS, ALL_STEPS - 1, ITR_ROLE_MAIN);
}

static void test_point_in_a_constructor(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_constructor_step", ITR_ROLE_MAIN, 1);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(report->hits, 1);
    assert_in_range(report->hit_ns, reply_of(&run)->phase_ns[ITR_PHASE_LOAD_BEGIN],
                    reply_of(&run)->phase_ns[ITR_PHASE_LOAD_RETURNED]);
    run_release(&run);
}

static void test_library_under_another_name(void **context) {
    struct run run;
    const char *slash = strrchr(library, '/');
    const char *other = strrchr(library, '\\');
    (void)context;
    slash = slash == NULL || (other != NULL && other > slash) ? other : slash;
    run_init(&run, "debug_call_steps");
    snprintf(run.request.library, sizeof run.request.library, "%.*s./%s", (int)(slash - library + 1), library,
             slash + 1);
    put_point(&run, "debug_constructor_step", ITR_ROLE_ANY, 1);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(report->hits, 1);
    run_release(&run);
}

static void check_not_hit(const char *function, enum itr_role role, uint32_t occurrence, uint32_t hits) {
    struct run run;
    run_init(&run, "debug_call_steps");
    put_point(&run, function, role, occurrence);
    put_shot(&run, ITR_TARGET_MAIN, SECOND_NS);
    run.request.shot_count = 0; /* the host does not wait for it */
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(reply_of(&run)->call_result, ALL_STEPS);
    assert_true(report->library_mapped);
    assert_true(report->armed);
    assert_int_equal(report->hits, hits);
    assert_int_equal(report->hit_ns, 0);
    assert_int_equal(report->taken_ns, 0);
    assert_int_equal(reply_of(&run)->shots[0].fired_ns, 0);
    assert_int_equal(reply_of(&run)->handled_count, 0);
    run_release(&run);
}

static void test_points_that_are_not_hit(void **context) {
    struct run run;
    char missing[sizeof library + 16];
    (void)context;
    snprintf(missing, sizeof missing, "%s-missing", library);
    check_not_hit("debug_never", ITR_ROLE_ANY, 1, 0);
    check_not_hit("debug_step", ITR_ROLE_INIT, INIT_STEPS + 1, INIT_STEPS);
    check_not_hit("debug_step", ITR_ROLE_ANY, ALL_STEPS + 1, ALL_STEPS);
    check_not_hit("debug_constructor_step", ITR_ROLE_INIT, 1, 0);
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_ANY, 1);
    run.plan.library = missing;
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(reply_of(&run)->call_result, ALL_STEPS);
    assert_false(report->library_mapped);
    assert_false(report->armed);
    assert_int_equal(report->hits, 0);
    run_release(&run);
}

/* ---- shots ---- */

static void check_ledger_of_shot(struct run *run, const struct itrp_debug_report *report) {
    const struct itr_shot_reply *shot = &reply_of(run)->shots[0];
    assert_int_equal(shot->send_error, 0);
    assert_int_not_equal(shot->sender_thread, 0);
    assert_true(shot->requested_ns >= report->hit_ns);
    assert_true(shot->fired_ns >= shot->requested_ns);
    assert_true(shot->sent_ns >= shot->fired_ns);
    assert_true(shot->released_ns == 0 || shot->released_ns == report->released_ns);
    assert_true(report->released_ns >= shot->sent_ns);
}

/* What the handler must have seen; the numbers of Linux. */
static int si_code_of(enum itr_delivery delivery) {
    switch (delivery) {
    case ITR_DELIVERY_KILL:
        return 0; /* SI_USER */
    case ITR_DELIVERY_SIGQUEUE:
        return -1; /* SI_QUEUE */
    case ITR_DELIVERY_TIMER:
        return -2; /* SI_TIMER */
    default:
        return -6; /* SI_TKILL */
    }
}

static void check_shot(enum itr_role role, enum itr_target target, enum itr_delivery delivery) {
    struct run run;
    bool signals = itrp_capabilities()->signals;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", role, 2);
    put_shot(&run, target, 5 * SECOND_NS);
    if (signals) {
        run.shot.delivery = (uint32_t)delivery;
    }
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    const struct itr_ledger_reply *reply = reply_of(&run);
    assert_int_equal(report->hits, 2);
    assert_int_equal(report->hit_role, role);
    check_ledger_of_shot(&run, report);
    assert_int_equal(reply->handled_count, 1);
    assert_int_equal(reply->handled[0].event, run.shot.event);
    assert_false(report->hold_expired);
    assert_true(reply->handled[0].entered_ns >= report->hit_ns);
    assert_int_equal(report->fault_count, 0);
    if (signals) {
        uint32_t taker = target == ITR_TARGET_CALLER ? report->hit_thread
                         : target == ITR_TARGET_INIT ? thread_of_role(report, ITR_ROLE_INIT)
                                                     : reply->main_thread;
        if (target == ITR_TARGET_PROCESS && role != ITR_ROLE_MAIN) {
            /* The main thread, but for the moment in which pthread_create() blocks everything in it. */
            taker = report->taken_thread;
        }
        assert_int_equal(reply->handled[0].si_code, si_code_of(delivery));
        assert_int_equal(reply->handled[0].thread, taker);
        assert_int_equal(report->taken_thread, taker);
        assert_in_range(report->taken_ns, reply->shots[0].fired_ns, reply->handled[0].entered_ns);
    }
    if (!signals || report->taken_thread != report->hit_thread) {
        /* Somebody else takes it: the hit thread was held for that. */
        assert_true(reply->handled[0].entered_ns <= report->released_ns);
    }
    run_release(&run);
}

static void test_shots(void **context) {
    (void)context;
    check_shot(ITR_ROLE_INIT, ITR_TARGET_MAIN, ITR_DELIVERY_KILL);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_PROCESS, ITR_DELIVERY_KILL);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_CALLER, ITR_DELIVERY_KILL);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_INIT, ITR_DELIVERY_TGKILL);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_MAIN, ITR_DELIVERY_TGKILL);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_MAIN, ITR_DELIVERY_SIGQUEUE);
    check_shot(ITR_ROLE_INIT, ITR_TARGET_MAIN, ITR_DELIVERY_TIMER);
    check_shot(ITR_ROLE_MAIN, ITR_TARGET_MAIN, ITR_DELIVERY_KILL);
    check_shot(ITR_ROLE_MAIN, ITR_TARGET_PROCESS, ITR_DELIVERY_KILL);
    check_shot(ITR_ROLE_MAIN, ITR_TARGET_CALLER, ITR_DELIVERY_SIGQUEUE);
}

static void test_target_that_is_not_there(void **context) {
    struct run run;
    (void)context;
    if (!itrp_capabilities()->signals) {
        skip(); /* the target plays no part */
    }
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_constructor_step", ITR_ROLE_MAIN, 1);
    put_shot(&run, ITR_TARGET_INIT, 5 * SECOND_NS);
    run.request.shot_count = 0;
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(report->hits, 1);
    assert_int_not_equal(reply_of(&run)->shots[0].send_error, 0);
    assert_false(report->hold_expired);
    assert_true(report->released_ns - report->hit_ns < SECOND_NS);
    run_release(&run);
}

/* ---- holds ---- */

static void test_held_until_the_handler_is_through(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
    put_shot(&run, ITR_TARGET_MAIN, 10 * SECOND_NS);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear-slowly", "100"));
    const struct itr_ledger_reply *reply = reply_of(&run);
    assert_int_equal(report->hits, 1);
    assert_false(report->hold_expired);
    assert_true(reply->phase_ns[ITR_PHASE_WAITING] >= reply->phase_ns[ITR_PHASE_HANDLERS_READY] + SECOND_NS / 10);
    assert_in_range(report->released_ns, reply->phase_ns[ITR_PHASE_WAITING],
                    reply->phase_ns[ITR_PHASE_WAITING] + SECOND_NS);
    assert_true(reply->shots[0].released_ns == report->released_ns);
    run_release(&run);
}

static void test_hold_is_limited(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
    put_shot(&run, ITR_TARGET_MAIN, SECOND_NS / 20);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear-slowly", "500"));
    assert_true(report->hold_expired);
    assert_in_range(report->released_ns, report->hit_ns + SECOND_NS / 20, report->hit_ns + SECOND_NS * 4 / 10);
    assert_true(report->released_ns < reply_of(&run)->phase_ns[ITR_PHASE_WAITING]);
    run_release(&run);
}

static void test_no_hold(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
    put_shot(&run, ITR_TARGET_MAIN, 0);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear-slowly", "200"));
    assert_false(report->hold_expired);
    assert_true(report->released_ns < reply_of(&run)->phase_ns[ITR_PHASE_WAITING]);
    run_release(&run);
}

/* The handler that the main thread is in waits for the thread that is held for the main thread. */
static void check_hold_for_a_blocked_event(enum itr_target target) {
    struct run run;
    run_init(&run, "debug_call_busy_handler");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
    put_shot(&run, target, SECOND_NS / 10);
    run.request.handler_count = 0; /* the library's own */
    run.request.shot_count = 0;
    run_start(&run, WORDS("hear"));
    const struct itrp_debug_report *report = run_until_exit(&run);
    assert_int_equal(report->hits, 1);
    assert_true(report->hold_expired);
    assert_true(report->released_ns >= report->hit_ns + SECOND_NS / 10);
    /* Taken once the handler that had it blocked returned. */
    assert_true(report->taken_ns >= report->released_ns);
    assert_int_equal(report->taken_role, ITR_ROLE_MAIN);
    run_release(&run);
}

static void test_hold_for_a_blocked_event(void **context) {
    (void)context;
    if (!itrp_capabilities()->signals) {
        skip(); /* nothing is blocked there */
    }
    check_hold_for_a_blocked_event(ITR_TARGET_MAIN);
    check_hold_for_a_blocked_event(ITR_TARGET_PROCESS);
}

/* ---- watches ---- */

static void test_watches(void **context) {
    static const uint32_t values[] = {1, 2, 10, 11, 3};
    struct run run;
    uint32_t seen[3] = {0};
    (void)context;
    run_init(&run, "debug_call_writes");
    uint32_t word = put_watch(&run, "debug_word", 4);
    uint32_t wide = put_watch(&run, "debug_wide", 8);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    struct itr_symbol writer = symbol_of("debug_write");
    assert_int_equal(reply_of(&run)->call_result, 3);
    assert_int_equal(report->write_count, 10);
    for (uint32_t i = 0; i < report->write_count; i++) {
        const struct itrp_debug_write *write = &report->writes[i];
        enum itr_role role = values[i / 2] >= 10 ? ITR_ROLE_INIT : ITR_ROLE_MAIN;
        unsigned shift = write->watch == wide ? 32 : 0;
        uint32_t *number = &seen[write->watch];
        assert_true(write->watch == word || write->watch == wide);
        assert_true(write->new_value == (uint64_t)values[*number] << shift);
        assert_true(write->old_value == (*number > 0 ? (uint64_t)values[*number - 1] << shift : 0));
        assert_int_equal(write->role, role);
        assert_int_equal(write->thread, thread_of_role(report, role));
        assert_in_range(write->pc - report->library_base, writer.rva, writer.rva + writer.bytes);
        assert_int_not_equal(write->time_ns, 0);
        (*number)++;
    }
    assert_int_equal(seen[word], 5);
    assert_int_equal(seen[wide], 5);
    assert_int_equal(report->fault_count, 0);
    run_release(&run);
}

static void test_watches_need_registers(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_writes");
    put_watch(&run, "debug_word", 4);
    run_start(&run, WORDS("hear"));
    assert_true(wait_for_exit(&run, DEADLINE_MS));
    const struct itrp_debug_report *report = itrp_process_debug_report(run.process);
    assert_int_equal(report->error.status, ITR_E_UNSUPPORTED);
    assert_non_null(strstr(report->error.text, "debug registers"));
    run_release(&run);
}

static void test_watch_of_an_untouched_variable(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_writes");
    put_watch(&run, "debug_untouched", 4);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_true(report->library_mapped);
    assert_int_equal(report->write_count, 0);
    run_release(&run);
}

static void test_point_and_watches_together(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_writes");
    put_watch(&run, "debug_word", 4);
    put_watch(&run, "debug_wide", 8);
    put_point(&run, "debug_write", ITR_ROLE_INIT, 2);
    put_shot(&run, ITR_TARGET_MAIN, 5 * SECOND_NS);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(report->hits, 2);
    assert_int_equal(report->write_count, 10);
    assert_int_equal(reply_of(&run)->handled_count, 1);
    assert_false(report->hold_expired);
    run_release(&run);
}

/* ---- traces ---- */

/* The letters of the functions whose first instruction was executed, in order. */
static void entries_of(const struct itrp_debug_report *report, char *text, size_t room) {
    static const struct {
        const char *name;
        char letter;
    } functions[] = {{"debug_constructor_step", 'c'}, {"debug_call_turns", 'f'}, {"debug_step", 's'},
                     {"debug_turn", 't'}};
    size_t length = 0;
    for (uint64_t i = 0; i < report->trace_count; i++) {
        for (size_t k = 0; k < sizeof functions / sizeof functions[0] && length < room - 1; k++) {
            if (report->trace[i] == symbol_of(functions[k].name).rva) {
                text[length++] = functions[k].letter;
            }
        }
    }
    text[length] = '\0';
}

static void check_trace(enum itr_role role, const char *expected) {
    struct run run;
    char entries[64];
    run_init(&run, "debug_call_turns");
    run.plan.trace = true;
    run.plan.trace_role = role;
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(reply_of(&run)->call_result, 4);
    assert_non_null(report->trace);
    assert_false(report->trace_cut);
    assert_true(report->trace_steps >= report->trace_count);
    assert_true(report->trace_count > strlen(expected));
    entries_of(report, entries, sizeof entries);
    assert_string_equal(entries, expected);
    for (uint64_t i = 0; i < report->trace_count; i++) {
        assert_true(report->trace[i] < itr_image_bytes(image));
    }
    run_release(&run);
}

static void test_traces(void **context) {
    (void)context;
    check_trace(ITR_ROLE_INIT, "ststsss");
    check_trace(ITR_ROLE_MAIN, "cfststsss");
}

static void test_trace_is_cut(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_turns");
    run.plan.trace = true;
    run.plan.trace_role = ITR_ROLE_MAIN;
    run.plan.trace_steps_max = 50;
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_true(report->trace_cut);
    assert_int_equal(report->trace_steps, 50);
    assert_int_equal(reply_of(&run)->call_result, 4);
    run_release(&run);
}

static void test_point_while_tracing(void **context) {
    struct run run;
    char entries[64];
    (void)context;
    run_init(&run, "debug_call_turns");
    run.plan.trace = true;
    run.plan.trace_role = ITR_ROLE_INIT;
    put_point(&run, "debug_step", ITR_ROLE_INIT, 4);
    put_shot(&run, ITR_TARGET_MAIN, 5 * SECOND_NS);
    const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
    assert_int_equal(report->hits, 4);
    assert_int_equal(reply_of(&run)->handled_count, 1);
    entries_of(report, entries, sizeof entries);
    assert_string_equal(entries, "ststsss");
    assert_int_equal(report->fault_count, 0);
    run_release(&run);
}

/* ---- faults ---- */

static void test_fault(void **context) {
    struct run run;
    (void)context;
    for (int i = 0; i < 2; i++) {
        bool signals = itrp_capabilities()->signals;
        run_init(&run, "debug_call_crash");
        if (i == 1) {
            put_point(&run, "debug_crash_here", ITR_ROLE_MAIN, 1);
        }
        run_start(&run, WORDS("hear"));
        const struct itrp_debug_report *report = run_until_exit(&run);
        const struct itrp_exit *ended = itrp_process_exit(run.process);
        struct itr_symbol symbol = symbol_of("debug_crash_here");
        assert_int_equal(ended->signaled, signals);
        assert_int_equal(signals ? (uint32_t)ended->signal : ended->code, signals ? 11 : 0xC0000005);
        assert_true(report->fault_count >= 1);
        const struct itrp_debug_fault *fault = &report->faults[0];
        assert_int_equal(fault->code, signals ? 11 : 0xC0000005);
        assert_true(fault->module_base == reply_of(&run)->library_base);
        assert_in_range(fault->pc - fault->module_base, symbol.rva, symbol.rva + symbol.bytes);
        assert_int_equal(fault->address, 8);
        assert_int_equal(fault->thread, reply_of(&run)->main_thread);
        assert_int_equal(fault->role, ITR_ROLE_MAIN);
        assert_true(report->last_fault.pc == report->faults[report->fault_count - 1].pc);
        assert_int_equal(report->hits, i);
        run_release(&run);
    }
}

/* ---- chaos ---- */

/* Until each of the two was first some times: the one that is seldom first is so in one of two to five races, under Wine
 * too, so that 400 without 4 of them do not come. */
static void test_chaos_decides_a_race(void **context) {
    unsigned first[3] = {0};
    unsigned holds = 0;
    (void)context;
    for (unsigned i = 0; i < RACES && (first[1] < RACES_EACH || first[2] < RACES_EACH); i++) {
        struct run run;
        run_init(&run, "debug_call_race");
        run.plan.chaos = true;
        run.plan.chaos_seed = i;
        const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
        uint64_t winner = reply_of(&run)->call_result;
        assert_true(winner == 1 || winner == 2);
        first[winner]++;
        holds += report->chaos_holds;
        assert_int_equal(report->fault_count, 0);
        run_release(&run);
    }
    printf("chaos: the creator was first %u times, the thread %u times, %u holds\n", first[1], first[2], holds);
    assert_true(holds > 0);
    assert_true(first[1] >= RACES_EACH);
    assert_true(first[2] >= RACES_EACH);
}

/* Wine 8 locks a thread up for good whose debug register is hit just as it is suspended: not tried there. */
static void test_chaos_with_a_point_and_a_shot(void **context) {
    (void)context;
    if (strcmp(itrp_system_name(), "wine") == 0 && !in_code) {
        skip();
    }
    for (unsigned i = 0; i < 20; i++) {
        struct run run;
        run_init(&run, "debug_call_steps");
        run.plan.chaos = true;
        run.plan.chaos_seed = i;
        put_point(&run, "debug_step", ITR_ROLE_INIT, 2);
        put_shot(&run, ITR_TARGET_MAIN, 5 * SECOND_NS);
        const struct itrp_debug_report *report = run_to_the_end(&run, WORDS("hear"));
        assert_int_equal(reply_of(&run)->call_result, ALL_STEPS);
        assert_int_equal(report->hits, 2);
        assert_int_equal(reply_of(&run)->handled_count, 1);
        run_release(&run);
    }
}

/* ---- pauses ---- */

static void run_until_paused(struct run *run) {
    for (unsigned waited_ms = 0; waited_ms < DEADLINE_MS && !itrp_process_is_paused(run->process); waited_ms += 10) {
        run_for(run, 10);
    }
    assert_true(itrp_process_is_paused(run->process));
}

static void check_pause(enum itrp_debug_pause pause) {
    struct run run;
    struct itrp_activity before;
    struct itrp_activity after;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 2);
    put_shot(&run, ITR_TARGET_MAIN, SECOND_NS);
    run.plan.pause = pause;
    run_start(&run, WORDS("hear"));
    run_until_paused(&run);
    assert_int_equal(run.exits, 0);
    assert_int_equal(itrp_process_activity(run.process, false, &before, NULL), ITR_OK);
    run_for(&run, 200);
    assert_int_equal(itrp_process_activity(run.process, false, &after, NULL), ITR_OK);
    assert_true(before.cpu_ns == after.cpu_ns);
    assert_int_equal(run.exits, 0);
    assert_int_equal(reply_of(&run)->handled_count, 0);
    assert_int_equal(reply_of(&run)->shots[0].fired_ns != 0, pause == ITRP_DEBUG_PAUSE_AFTER);
    itrp_process_kill(run.process);
    const struct itrp_debug_report *report = run_until_exit(&run);
    assert_true(report->paused);
    assert_int_equal(report->hits, 2);
    assert_int_equal(report->hit_role, ITR_ROLE_INIT);
    run_release(&run);
}

static void test_pauses(void **context) {
    (void)context;
    check_pause(ITRP_DEBUG_PAUSE_BEFORE);
    check_pause(ITRP_DEBUG_PAUSE_AFTER);
}

static void test_close_while_paused(void **context) {
    struct run run;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 2);
    run.plan.pause = ITRP_DEBUG_PAUSE_BEFORE;
    run_start(&run, WORDS("hear"));
    run_until_paused(&run);
    uint32_t id = itrp_process_id(run.process);
    run_release(&run);
    assert_true(is_gone(id));
    assert_int_equal(run.exits, 0);
}

/* ---- the end ---- */

static void test_program_that_is_not_there(void **context) {
    struct run run;
    struct itr_error err = {0};
    char program[sizeof child_program + 16];
    (void)context;
    snprintf(program, sizeof program, "%s-missing", child_program);
    for (int i = 0; i < 10; i++) {
        run_init(&run, "debug_call_steps");
        put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
        enum itr_status status = start_program(&run, program, WORDS("hear"), true, &err);
        assert_int_equal(status, ITR_E_NOT_FOUND);
        assert_int_equal(err.status, status);
        assert_non_null(strstr(err.text, "-missing"));
        assert_int_not_equal(err.os_code, 0);
        assert_null(run.process);
        run_release(&run);
    }
}

static void kill_or_close(struct run *run, bool kill) {
    uint32_t id = itrp_process_id(run->process);
    uint64_t begin_ns = uv_hrtime();
    assert_int_equal(run->exits, 0);
    if (kill) {
        itrp_process_kill(run->process);
        run_until_exit(run);
        itrp_process_kill(run->process);
    }
    run_release(run);
    assert_true(is_gone(id));
    assert_true(uv_hrtime() - begin_ns < 5 * SECOND_NS);
    assert_int_equal(run->exits, kill);
}

static void test_kill_while_held(void **context) {
    struct run run;
    (void)context;
    for (int kill = 0; kill < 2; kill++) {
        run_init(&run, "debug_call_steps");
        put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
        put_shot(&run, ITR_TARGET_MAIN, 100 * SECOND_NS);
        run_start(&run, WORDS("hear-slowly", "100000"));
        while (__atomic_load_n(&reply_of(&run)->phase_ns[ITR_PHASE_HANDLERS_READY], __ATOMIC_ACQUIRE) == 0 &&
               run.exits == 0) {
            run_for(&run, 10);
        }
        run_for(&run, 20);
        kill_or_close(&run, kill != 0);
    }
}

static void test_kill_while_tracing(void **context) {
    struct run run;
    (void)context;
    for (int kill = 0; kill < 2; kill++) {
        run_init(&run, "debug_call_spin");
        run.plan.trace = true;
        run.plan.trace_role = ITR_ROLE_INIT;
        run_start(&run, WORDS("hear"));
        run_for(&run, 100);
        kill_or_close(&run, kill != 0);
    }
}

static void test_kill_while_perturbed(void **context) {
    struct run run;
    (void)context;
    for (int kill = 0; kill < 2; kill++) {
        run_init(&run, "debug_call_spin");
        run.plan.chaos = true;
        run_start(&run, WORDS("hear"));
        run_for(&run, 100);
        kill_or_close(&run, kill != 0);
    }
}

static void test_kill_at_once(void **context) {
    struct run run;
    (void)context;
    for (int i = 0; i < 40; i++) {
        run_init(&run, "debug_call_steps");
        put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
        run_start(&run, WORDS("hear"));
        if (i >= 20) {
            uv_sleep((unsigned)(i % 5));
            itrp_process_kill(run.process);
            run_until_exit(&run);
        }
        run_release(&run);
    }
}

static void test_children_run_free_and_are_ended(void **context) {
    struct run run;
    uint32_t strays = 0;
    (void)context;
    run_init(&run, "debug_call_steps");
    put_point(&run, "debug_step", ITR_ROLE_INIT, 1);
    run_start(&run, WORDS("leave"));
    run_until_exit(&run);
    assert_int_equal(itrp_process_exit(run.process)->code, 5);
    uint64_t both = reply_of(&run)->call_result;
    assert_int_equal(itrp_process_end_tree(run.process, DEADLINE_MS, &strays, NULL), ITR_OK);
    assert_int_equal(strays, 2);
    assert_true(is_gone((uint32_t)(both >> 32)));
    assert_true(is_gone((uint32_t)both));
    run_release(&run);
}

/* ---- many ---- */

enum { MANY_THREADS = 2, MANY_EACH = 100 };

struct many {
    uint64_t rva;
    unsigned good;
    char first_failure[1280];
};

static void run_one_of_many(struct many *many) {
    struct run run;
    struct itr_error err = {0};
    uint32_t strays = 0;
    if (!run_open(&run, "debug_call_steps")) {
        snprintf(many->first_failure, sizeof many->first_failure, "no loop or ledger");
        return;
    }
    put_shot(&run, ITR_TARGET_MAIN, 5 * SECOND_NS);
    run.plan.has_point = true;
    run.plan.point = (struct itrp_debug_point){.rva = many->rva, .occurrence = 3, .role = ITR_ROLE_INIT};
    if (start_program(&run, child_program, WORDS("hear"), true, &err) != ITR_OK) {
        snprintf(many->first_failure, sizeof many->first_failure, "%s", err.text);
        return;
    }
    bool ended = wait_for_exit(&run, DEADLINE_MS);
    const struct itrp_debug_report *report = itrp_process_debug_report(run.process);
    if (ended && itrp_process_exit(run.process)->code == 0 && !itrp_process_exit(run.process)->signaled &&
        report->error.status == ITR_OK && report->hits == 3 && !report->hold_expired &&
        reply_of(&run)->handled_count == 1 &&
        itrp_process_end_tree(run.process, DEADLINE_MS, &strays, &err) == ITR_OK && strays == 0) {
        many->good++;
    } else {
        snprintf(many->first_failure, sizeof many->first_failure, "ended %d, code %u, hits %u, strays %u, %s%s", ended,
                 (unsigned)itrp_process_exit(run.process)->code, (unsigned)report->hits, (unsigned)strays, err.text,
                 report->error.text);
    }
    run_release(&run);
}

static void run_many(void *argument) {
    struct many *many = argument;
    for (int i = 0; i < MANY_EACH && many->first_failure[0] == '\0'; i++) {
        run_one_of_many(many);
    }
}

static void test_many_at_a_time(void **context) {
    uv_thread_t threads[MANY_THREADS];
    struct many many[MANY_THREADS] = {{0}};
    (void)context;
    uint64_t begin_ns = uv_hrtime();
    for (int i = 0; i < MANY_THREADS; i++) {
        many[i].rva = symbol_of("debug_step").rva;
        assert_int_equal(uv_thread_create(&threads[i], run_many, &many[i]), 0);
    }
    for (int i = 0; i < MANY_THREADS; i++) {
        uv_thread_join(&threads[i]);
    }
    printf("many: %d debugged hosts in %.2f s\n", MANY_THREADS * MANY_EACH, (double)(uv_hrtime() - begin_ns) / 1e9);
    for (int i = 0; i < MANY_THREADS; i++) {
        assert_string_equal(many[i].first_failure, "");
        assert_int_equal(many[i].good, MANY_EACH);
    }
}

/* ---- */

static bool find_file(const char *name, char *path, size_t room) {
    uv_fs_t request;
    bool found = uv_fs_realpath(NULL, &request, name, NULL) == 0;
    if (found) {
        snprintf(path, room, "%s", (const char *)request.ptr);
    } else {
        fprintf(stderr, "%s is not there: build contract_child and contract_library\n", name);
    }
    uv_fs_req_cleanup(&request);
    return found;
}

static bool find_files(void) {
    struct itr_error err = {0};
    if (!find_file(INITRACE_CONTRACT_CHILD, child_program, sizeof child_program) ||
        !find_file(INITRACE_CONTRACT_LIBRARY, library, sizeof library)) {
        return false;
    }
    snprintf(child_directory, sizeof child_directory, "%s", child_program);
    size_t length = strlen(child_directory);
    while (length > 0 && child_directory[length] != '/' && child_directory[length] != '\\') {
        length--;
    }
    child_directory[length] = '\0';
    if (itr_image_open(&image, library, &err) != ITR_OK) {
        fprintf(stderr, "%s\n", err.text);
        return false;
    }
    return true;
}

/* In both ways, where the machine has registers. */
#define TESTS \
    cmocka_unit_test(test_without_a_plan_there_is_no_report), \
    cmocka_unit_test(test_an_empty_plan_changes_nothing), \
    cmocka_unit_test(test_base_and_threads), \
    cmocka_unit_test(test_points), \
    cmocka_unit_test(test_point_in_a_constructor), \
    cmocka_unit_test(test_library_under_another_name), \
    cmocka_unit_test(test_points_that_are_not_hit), \
    cmocka_unit_test(test_shots), \
    cmocka_unit_test(test_target_that_is_not_there), \
    cmocka_unit_test(test_held_until_the_handler_is_through), \
    cmocka_unit_test(test_hold_is_limited), \
    cmocka_unit_test(test_no_hold), \
    cmocka_unit_test(test_hold_for_a_blocked_event), \
    cmocka_unit_test(test_traces), \
    cmocka_unit_test(test_trace_is_cut), \
    cmocka_unit_test(test_point_while_tracing), \
    cmocka_unit_test(test_fault), \
    cmocka_unit_test(test_chaos_decides_a_race), \
    cmocka_unit_test(test_chaos_with_a_point_and_a_shot), \
    cmocka_unit_test(test_pauses), \
    cmocka_unit_test(test_close_while_paused), \
    cmocka_unit_test(test_program_that_is_not_there), \
    cmocka_unit_test(test_kill_while_held), \
    cmocka_unit_test(test_kill_while_tracing), \
    cmocka_unit_test(test_kill_while_perturbed), \
    cmocka_unit_test(test_kill_at_once), \
    cmocka_unit_test(test_children_run_free_and_are_ended), \
    cmocka_unit_test(test_many_at_a_time),

int main(void) {
    const struct CMUnitTest with_registers[] = {
        TESTS
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_watch_of_an_untouched_variable),
        cmocka_unit_test(test_point_and_watches_together),
    };
    const struct CMUnitTest with_breakpoints[] = {
        TESTS
        cmocka_unit_test(test_watches_need_registers),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!itrp_can_debug(err.text, sizeof err.text)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    if (!find_files()) {
        return 1;
    }
    int failed = 0;
    if (itrp_has_debug_registers()) {
        failed = cmocka_run_group_tests_name("debug, by registers", with_registers, NULL, NULL);
    } else {
        print_message("no debug registers here: points are tried as breakpoints in the code only\n");
    }
    in_code = true;
    failed += cmocka_run_group_tests_name("debug, by breakpoints in the code", with_breakpoints, NULL, NULL);
    itr_image_close(image);
    return failed;
}
