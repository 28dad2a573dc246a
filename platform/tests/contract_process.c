/* Contract of itrp_process_*, the same on every system: start, streams, exit, kill, what was left
 * behind, activity; and that a host hears whatever itrp_can_send() says can be sent. The child does
 * what it is told by its first argument (child.c). */
#include "framework/ledger.h"
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef INITRACE_CONTRACT_CHILD
#error "INITRACE_CONTRACT_CHILD names the program built from child.c"
#endif

#define DEADLINE_MS 20000u
#define NONCE       UINT64_C(0x5eed0f7e57)

static char child_program[4096];
static char child_directory[4096];

/* ---- one run of the child ---- */

struct stream {
    uv_pipe_t pipe;
    char text[16384];
    size_t bytes;
    bool ended;
};

struct run {
    uv_loop_t loop;
    uv_timer_t timer;
    struct itrp_process *process;
    struct itrp_memory memory;
    struct itr_ledger_request request;
    struct stream streams[2];
    bool own_console;
    bool no_ledger;
    bool timed_out;
    unsigned exits;
};

static void on_exit_of(struct itrp_process *process, void *context) {
    struct run *run = context;
    assert_ptr_equal(process, run->process);
    run->exits++;
    uv_stop(&run->loop);
}

static void on_deadline(uv_timer_t *timer) {
    struct run *run = timer->data;
    run->timed_out = true;
    uv_stop(&run->loop);
}

static void on_room_wanted(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(stream->text + stream->bytes,
                          (unsigned)(sizeof stream->text - stream->bytes - 1));
}

/* Bytes as they come, less the carriage returns that some C libraries put before a newline. */
static void on_bytes(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    (void)buffer;
    if (got < 0) {
        stream->ended = true;
        uv_stop(handle->loop);
        return;
    }
    size_t end = stream->bytes + (size_t)got;
    for (size_t i = stream->bytes; i < end; i++) {
        if (stream->text[i] != '\r') {
            stream->text[stream->bytes++] = stream->text[i];
        }
    }
    stream->text[stream->bytes] = '\0';
}

static void run_init(struct run *run) {
    struct itr_error err = {0};
    memset(run, 0, sizeof *run);
    assert_int_equal(uv_loop_init(&run->loop), 0);
    assert_int_equal(uv_timer_init(&run->loop, &run->timer), 0);
    run->timer.data = run;
    assert_int_equal(itrp_memory_create(&run->memory, ITR_LEDGER_BYTES, &err), ITR_OK);
}

static uv_file open_stream(struct run *run, struct stream *stream) {
    uv_file ends[2];
    assert_int_equal(uv_pipe(ends, UV_NONBLOCK_PIPE, 0), 0);
    assert_int_equal(uv_pipe_init(&run->loop, &stream->pipe, 0), 0);
    stream->pipe.data = stream;
    assert_int_equal(uv_pipe_open(&stream->pipe, ends[0]), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&stream->pipe, on_room_wanted, on_bytes), 0);
    return ends[1];
}

static void close_file(uv_file file) {
    uv_fs_t request;
    assert_int_equal(uv_fs_close(NULL, &request, file, NULL), 0);
    uv_fs_req_cleanup(&request);
}

static enum itr_status run_start_program(struct run *run, const char *program,
                                         const char *directory, const char *const *words,
                                         const char *const *environment, struct itr_error *err) {
    struct itrp_process_spec spec = {
        .program = program,
        .arguments = words,
        .environment = environment,
        .directory = directory,
        .output = open_stream(run, &run->streams[0]),
        .error = open_stream(run, &run->streams[1]),
        .ledger = run->no_ledger ? NULL : &run->memory,
        .nonce = NONCE,
        .own_console = run->own_console,
    };
    itr_ledger_prepare(run->memory.base, &run->request, NONCE);
    enum itr_status status =
        itrp_process_start(&run->process, &run->loop, &spec, on_exit_of, run, err);
    close_file(spec.output);
    close_file(spec.error);
    return status;
}

static void run_start(struct run *run, const char *const *words, const char *const *environment) {
    struct itr_error err = {0};
    if (run_start_program(run, child_program, child_directory, words, environment, &err) !=
        ITR_OK) {
        fail_msg("cannot start the child: %s", err.text);
    }
    assert_non_null(run->process);
    assert_int_not_equal(itrp_process_id(run->process), 0);
}

static void run_for(struct run *run, uint64_t ms) {
    run->timed_out = false;
    uv_timer_start(&run->timer, on_deadline, ms, 0);
    while (!run->timed_out) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
}

static void run_until_exit(struct run *run) {
    run->timed_out = false;
    uv_timer_start(&run->timer, on_deadline, DEADLINE_MS, 0);
    while (run->exits == 0 && !run->timed_out) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
    uv_timer_stop(&run->timer);
    assert_int_equal(run->exits, 1);
}

static void run_until_streams_end(struct run *run) {
    run->timed_out = false;
    uv_timer_start(&run->timer, on_deadline, DEADLINE_MS, 0);
    while (!(run->streams[0].ended && run->streams[1].ended) && !run->timed_out) {
        uv_run(&run->loop, UV_RUN_DEFAULT);
    }
    uv_timer_stop(&run->timer);
    assert_false(run->timed_out);
}

static struct itr_ledger *ledger_of(struct run *run) {
    return run->memory.base;
}

static void run_until_phase(struct run *run, enum itr_phase phase) {
    for (unsigned waited_ms = 0; waited_ms < DEADLINE_MS; waited_ms += 10) {
        if (__atomic_load_n(&ledger_of(run)->reply.phase_ns[phase], __ATOMIC_ACQUIRE) != 0) {
            return;
        }
        run_for(run, 10);
    }
    fail_msg("the child did not reach %s", itr_phase_name(phase));
}

static uint32_t run_end_tree(struct run *run) {
    struct itr_error err = {0};
    uint32_t strays = UINT32_MAX;
    if (itrp_process_end_tree(run->process, DEADLINE_MS, &strays, &err) != ITR_OK) {
        fail_msg("end_tree: %s", err.text);
    }
    return strays;
}

/* Nothing may stay in the loop. */
static void run_release(struct run *run) {
    itrp_process_close(run->process);
    for (int i = 0; i < 2; i++) {
        if (run->streams[i].pipe.data != NULL) {
            uv_close((uv_handle_t *)&run->streams[i].pipe, NULL);
        }
    }
    uv_close((uv_handle_t *)&run->timer, NULL);
    while (uv_run(&run->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&run->loop), 0);
    itrp_memory_close(&run->memory);
}

#define WORDS(...)          \
    (const char *const[]) { \
        __VA_ARGS__, NULL   \
    }

/* True once no process has that id; a killed one may need a moment to be gone. */
static bool is_gone(uint32_t id) {
    for (unsigned waited_ms = 0; waited_ms < DEADLINE_MS; waited_ms += 10) {
        if (uv_kill((int)id, 0) != 0) {
            return true;
        }
        uv_sleep(10);
    }
    return false;
}

/* Exit codes have eight bits where processes end by signals, else 32. */
static uint32_t whole_code(uint32_t code) {
    return itrp_capabilities()->signals ? code & 0xff : code;
}

/* ---- start and exit ---- */

static void test_exit_codes(void **context) {
    static const uint32_t codes[] = {0, 1, 77, 255, 0x12345678, 0xC0000005, 0xFFFFFFFF};
    (void)context;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct run run;
        char code[16];
        snprintf(code, sizeof code, "%#x", (unsigned)codes[i]);
        run_init(&run);
        run_start(&run, WORDS("exit", code), NULL);
        run_until_exit(&run);
        const struct itrp_exit *ended = itrp_process_exit(run.process);
        assert_false(ended->signaled);
        assert_int_equal(ended->code, whole_code(codes[i]));
        assert_int_equal(run_end_tree(&run), 0);
        run_release(&run);
    }
}

static void test_crash(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("crash"), NULL);
    run_until_exit(&run);
    const struct itrp_exit *ended = itrp_process_exit(run.process);
    assert_int_equal(ended->signaled, itrp_capabilities()->signals);
    if (ended->signaled) {
        assert_string_equal(itrp_signal_name(ended->signal), "SIGSEGV");
    } else {
        assert_int_equal(ended->code, 0xC0000005);
    }
    run_release(&run);
}

static void test_program_that_is_not_there(void **context) {
    struct run run;
    struct itr_error err = {0};
    char program[sizeof child_program + 16];
    (void)context;
    snprintf(program, sizeof program, "%s-missing", child_program);
    run_init(&run);
    enum itr_status status =
        run_start_program(&run, program, child_directory, WORDS("exit", "0"), NULL, &err);
    assert_int_not_equal(status, ITR_OK);
    assert_int_equal(err.status, status);
    assert_non_null(strstr(err.text, "-missing"));
    assert_int_not_equal(err.os_code, 0);
    assert_null(run.process);
    run_until_streams_end(&run);
    assert_int_equal(run.exits, 0);
    run_release(&run);
}

static void test_directory_that_is_not_there(void **context) {
    struct run run;
    struct itr_error err = {0};
    char directory[sizeof child_directory + 16];
    (void)context;
    snprintf(directory, sizeof directory, "%s/no/such/folder", child_directory);
    run_init(&run);
    assert_int_not_equal(
        run_start_program(&run, child_program, directory, WORDS("exit", "0"), NULL, &err), ITR_OK);
    assert_int_not_equal(err.text[0], '\0');
    assert_null(run.process);
    run_release(&run);
}

static void test_works_in_its_directory(void **context) {
    struct run run;
    const char *name = strrchr(child_program, '/');
    const char *other = strrchr(child_program, '\\');
    (void)context;
    name = name == NULL || (other != NULL && other > name) ? other : name;
    run_init(&run);
    run_start(&run, WORDS("open", name + 1), NULL);
    run_until_exit(&run);
    assert_int_equal(itrp_process_exit(run.process)->code, 0);
    run_release(&run);
}

/* ---- what a host is given ---- */

static void test_output(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("output"), NULL);
    run_until_exit(&run);
    run_until_streams_end(&run);
    assert_string_equal(run.streams[0].text, "to output\n");
    assert_string_equal(run.streams[1].text, "to error\n");
    run_release(&run);
}

static void test_input_is_empty(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("input"), NULL);
    run_until_exit(&run);
    assert_int_equal(itrp_process_exit(run.process)->code, 0);
    run_release(&run);
}

static void test_arguments(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run,
              WORDS("arguments", "plain", "", "two words", "quote\"inside", "back\\slash\\",
                    "both\\\"\\\\", "\\\\server\\share dir\\", "tab\there", "%PATH% $HOME *?"),
              NULL);
    run_until_exit(&run);
    run_until_streams_end(&run);
    assert_string_equal(
        run.streams[0].text,
        "[plain]\n[]\n[two words]\n[quote\"inside]\n[back\\slash\\]\n[both\\\"\\\\]\n"
        "[\\\\server\\share dir\\]\n[tab\there]\n[%PATH% $HOME *?]\n");
    run_release(&run);
}

static void test_environment(void **context) {
    struct run run;
    (void)context;
    assert_int_equal(uv_os_setenv("INITRACE_TEST_KEPT", "kept"), 0);
    assert_int_equal(uv_os_setenv("INITRACE_TEST_REPLACED", "before"), 0);
    run_init(&run);
    run_start(&run,
              WORDS("environment", "INITRACE_TEST_KEPT", "INITRACE_TEST_REPLACED",
                    "INITRACE_TEST_ADDED", "INITRACE_TEST_ABSENT"),
              WORDS("INITRACE_TEST_REPLACED=after", "INITRACE_TEST_ADDED=a=b c"));
    run_until_exit(&run);
    run_until_streams_end(&run);
    assert_string_equal(run.streams[0].text,
                        "INITRACE_TEST_KEPT=kept\nINITRACE_TEST_REPLACED=after\n"
                        "INITRACE_TEST_ADDED=a=b c\nINITRACE_TEST_ABSENT=(unset)\n");
    run_release(&run);
}

static void test_ledger(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    uint64_t begin_ns = uv_hrtime();
    run_start(&run, WORDS("ledger"), NULL);
    run_until_exit(&run);
    assert_int_equal(itrp_process_exit(run.process)->code, 0);
    assert_int_equal(ledger_of(&run)->reply.call_result, NONCE);
    assert_int_equal(ledger_of(&run)->reply.process, itrp_process_id(run.process));
    /* The host's clock is the runner's. */
    assert_in_range(ledger_of(&run)->reply.phase_ns[ITR_PHASE_HOST_STARTED], begin_ns, uv_hrtime());
    run_release(&run);
}

static void test_no_ledger_unless_given(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run.no_ledger = true;
    run_start(&run, WORDS("environment", ITR_LEDGER_VARIABLE), NULL);
    run_until_exit(&run);
    run_until_streams_end(&run);
    assert_string_equal(run.streams[0].text, ITR_LEDGER_VARIABLE "=(unset)\n");
    run_release(&run);
}

/* ---- the tree ---- */

static void tree_ids(struct run *run, uint32_t ids[2]) {
    uint64_t both = ledger_of(run)->reply.call_result;
    ids[0] = (uint32_t)(both >> 32);
    ids[1] = (uint32_t)both;
    assert_int_not_equal(ids[0], 0);
    assert_int_not_equal(ids[1], 0);
}

static void test_kill_ends_the_tree(void **context) {
    struct run run;
    uint32_t ids[2];
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("tree"), NULL);
    run_until_phase(&run, ITR_PHASE_HANDLERS_READY);
    tree_ids(&run, ids);
    assert_int_equal(uv_kill((int)ids[0], 0), 0);
    assert_int_equal(uv_kill((int)ids[1], 0), 0);
    itrp_process_kill(run.process);
    run_until_exit(&run);
    run_end_tree(&run);
    assert_true(is_gone(ids[0]));
    assert_true(is_gone(ids[1]));
    run_until_streams_end(&run);
    itrp_process_kill(run.process);
    run_release(&run);
}

static void test_end_tree_counts_strays(void **context) {
    struct run run;
    uint32_t ids[2];
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("leave"), NULL);
    run_until_exit(&run);
    assert_int_equal(itrp_process_exit(run.process)->code, 5);
    tree_ids(&run, ids);
    assert_int_equal(run_end_tree(&run), 2);
    assert_true(is_gone(ids[0]));
    assert_true(is_gone(ids[1]));
    run_until_streams_end(&run);
    assert_int_equal(run_end_tree(&run), 0);
    run_release(&run);
}

static void test_kill_cannot_be_ignored(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("deaf"), NULL);
    run_until_phase(&run, ITR_PHASE_HANDLERS_READY);
    run_until_streams_end(&run);
    assert_int_equal(run.exits, 0);
    itrp_process_kill(run.process);
    run_until_exit(&run);
    assert_int_equal(run_end_tree(&run), 0);
    run_release(&run);
}

static void test_close_while_running(void **context) {
    struct run run;
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("sleep"), NULL);
    run_until_phase(&run, ITR_PHASE_HANDLERS_READY);
    uint32_t id = itrp_process_id(run.process);
    run_release(&run);
    assert_int_equal(run.exits, 0);
    assert_true(is_gone(id));
}

static void test_close_null(void **context) {
    (void)context;
    itrp_process_close(NULL);
}

static void test_two_at_a_time(void **context) {
    (void)context;
    for (int i = 0; i < 10; i++) {
        struct run runs[2];
        for (int k = 0; k < 2; k++) {
            run_init(&runs[k]);
            run_start(&runs[k], WORDS("exit", k == 0 ? "3" : "4"), NULL);
        }
        for (int k = 0; k < 2; k++) {
            run_until_exit(&runs[k]);
            assert_int_equal(itrp_process_exit(runs[k].process)->code, 3 + k);
            /* The neighbour's copies of these pipes are not inherited: both end. */
            run_until_streams_end(&runs[k]);
            run_release(&runs[k]);
        }
    }
}

/* ---- activity ---- */

static struct itrp_activity activity_of(struct run *run) {
    struct itrp_activity activity = {0};
    struct itr_error err = {0};
    if (itrp_process_activity(run->process, true, &activity, &err) != ITR_OK) {
        fail_msg("activity: %s", err.text);
    }
    return activity;
}

static uint64_t cpu_ns_of_half_a_second(const char *word) {
    struct run run;
    run_init(&run);
    run_start(&run, WORDS(word), NULL);
    run_until_phase(&run, ITR_PHASE_HANDLERS_READY);
    run_for(&run, 50);
    struct itrp_activity before = activity_of(&run);
    run_for(&run, 500);
    struct itrp_activity after = activity_of(&run);
    assert_true(before.thorough && after.thorough);
    assert_true(after.cpu_ns >= before.cpu_ns);
    itrp_process_kill(run.process);
    run_until_exit(&run);
    run_release(&run);
    return after.cpu_ns - before.cpu_ns;
}

static void test_activity_moves_when_spinning(void **context) {
    (void)context;
    assert_true(cpu_ns_of_half_a_second("spin") >= UINT64_C(50000000));
}

static void test_activity_rests_when_sleeping(void **context) {
    (void)context;
    assert_true(cpu_ns_of_half_a_second("sleep") <= UINT64_C(20000000));
}

static void test_no_activity_after_the_end(void **context) {
    struct run run;
    struct itrp_activity activity = {0};
    struct itr_error err = {0};
    (void)context;
    run_init(&run);
    run_start(&run, WORDS("exit", "0"), NULL);
    run_until_exit(&run);
    assert_int_not_equal(itrp_process_activity(run.process, false, &activity, &err), ITR_OK);
    assert_int_not_equal(err.text[0], '\0');
    run_release(&run);
}

/* ---- events ---- */

static void send_and_hear(enum itr_event event, enum itr_delivery delivery) {
    struct run run;
    run_init(&run);
    run.own_console = delivery == ITR_DELIVERY_CONSOLE;
    run.request.handler_count = 1;
    run.request.handlers[0] = (uint32_t)event;
    run.request.ctrl_routine = itrp_capabilities()->ctrl_routine_address;
    run.request.shot_count = 1;
    run.request.shots[0] = (struct itr_shot_request){
        .event = (uint32_t)event,
        .delivery = (uint32_t)delivery,
        .target = ITR_TARGET_MAIN,
        .where = ITR_WHERE_PHASE,
        .phase = ITR_PHASE_INIT_DONE,
        .offset_ns = 1000000,
    };
    run_start(&run, WORDS("hear"), NULL);
    run_until_exit(&run);
    const struct itr_ledger_reply *reply = &ledger_of(&run)->reply;
    if (itrp_process_exit(run.process)->code != 0 || reply->handled_count != 1) {
        fail_msg("%s by %s: exit code %u, heard %u, send error %d, %s",
                 itr_event_name((uint32_t)event), itr_delivery_name((uint32_t)delivery),
                 (unsigned)itrp_process_exit(run.process)->code, (unsigned)reply->handled_count,
                 (int)reply->shots[0].send_error, reply->host_error);
    }
    assert_int_equal(reply->handled[0].event, event);
    assert_in_range(reply->handled[0].entered_ns, reply->shots[0].fired_ns, uv_hrtime());
    assert_int_equal(run_end_tree(&run), 0);
    run_release(&run);
}

static void test_what_can_be_sent_is_heard(void **context) {
    unsigned sent = 0;
    (void)context;
    for (int event = 0; event < ITR_EVENT_COUNT; event++) {
        for (int delivery = 0; delivery < ITR_DELIVERY_COUNT; delivery++) {
            if (itrp_can_send((enum itr_event)event, (enum itr_delivery)delivery)) {
                send_and_hear((enum itr_event)event, (enum itr_delivery)delivery);
                sent++;
            }
        }
    }
    assert_true(sent > 0);
}

/* ---- */

static bool find_child(void) {
    uv_fs_t request;
    bool found = uv_fs_realpath(NULL, &request, INITRACE_CONTRACT_CHILD, NULL) == 0;
    if (found) {
        snprintf(child_program, sizeof child_program, "%s", (const char *)request.ptr);
        snprintf(child_directory, sizeof child_directory, "%s", child_program);
        size_t length = strlen(child_directory);
        while (length > 0 && child_directory[length] != '/' && child_directory[length] != '\\') {
            length--;
        }
        child_directory[length] = '\0';
    }
    uv_fs_req_cleanup(&request);
    return found;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_program_that_is_not_there),
        cmocka_unit_test(test_directory_that_is_not_there),
        cmocka_unit_test(test_works_in_its_directory),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_input_is_empty),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_no_ledger_unless_given),
        cmocka_unit_test(test_kill_ends_the_tree),
        cmocka_unit_test(test_end_tree_counts_strays),
        cmocka_unit_test(test_kill_cannot_be_ignored),
        cmocka_unit_test(test_close_while_running),
        cmocka_unit_test(test_close_null),
        cmocka_unit_test(test_two_at_a_time),
        cmocka_unit_test(test_activity_moves_when_spinning),
        cmocka_unit_test(test_activity_rests_when_sleeping),
        cmocka_unit_test(test_no_activity_after_the_end),
        cmocka_unit_test(test_what_can_be_sent_is_heard),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!find_child()) {
        fprintf(stderr, "%s is not there: build contract_child\n", INITRACE_CONTRACT_CHILD);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
