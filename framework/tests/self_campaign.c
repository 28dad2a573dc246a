/* Tests of the program as a whole, from outside: campaigns that are repeated, replayed, killed, interrupted and
 * resumed; exit codes; what goes to which stream. It starts INITRACE_PROGRAM and, as hosts, those of its build
 * tree and INITRACE_KEEPER (keeper.c), whose processes it can see live and die. */
#include "framework/commands.h"
#include "framework/tests/self.h"

#ifndef INITRACE_KEEPER
#error "INITRACE_KEEPER names the host made from keeper.c"
#endif

/* No such signals on Windows, where the test that sends them is skipped. */
#ifndef SIGSTOP
#define SIGSTOP 0
#define SIGCONT 0
#endif

enum {
    CONNECTIONS_MAX = 512,
    JOBS = 2,
};

static char keeper_path[SCRATCH_PATH_MAX];
static char plain_library[2 * SCRATCH_PATH_MAX];
/* An event that the host's handler hears here, and a call that no plain library makes. */
static const char *event_here;
static const char *call_here;

static void scratch_path(char *path, size_t room, const char *name) {
    snprintf(path, room, "%s/%s", scratch, name);
}

/* ---- the test's end of what keepers hold ---- */

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    bool is_host;
    bool is_child;
    bool held;
    bool open;
};

static struct {
    uv_tcp_t tcp;
    char variable[64]; /* KEEPER_PORT=… */
    struct connection connections[CONNECTIONS_MAX];
    size_t count;
    unsigned budget; /* so many hosts more may go on to their end */
} server;

static void on_connection_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    connection->open = false;
}

static void let_go(struct connection *connection) {
    static char word[] = "g";
    uv_buf_t buffer = uv_buf_init(word, 1);
    connection->held = false;
    (void)uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buffer, 1, NULL);
}

static void on_keeper_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char room[64];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof room);
}

static void on_keeper_line(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
    struct connection *connection = stream->data;
    if (got < 0) {
        uv_close((uv_handle_t *)stream, on_connection_closed);
    } else if (got > 0 && buffer->base[0] == 'c') {
        connection->is_child = true;
    } else if (got > 0 && buffer->base[0] == 'h') {
        connection->is_host = true;
        connection->held = true;
        if (server.budget > 0) {
            server.budget--;
            let_go(connection);
        }
    }
}

static void on_keeper(uv_stream_t *listener, int status) {
    assert_int_equal(status, 0);
    assert_true(server.count < CONNECTIONS_MAX);
    struct connection *connection = &server.connections[server.count++];
    memset(connection, 0, sizeof *connection);
    assert_int_equal(uv_tcp_init(&loop, &connection->tcp), 0);
    connection->tcp.data = connection;
    connection->open = true;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&connection->tcp, on_keeper_room, on_keeper_line),
                     0);
}

static void open_server(void) {
    struct sockaddr_in address;
    int length = sizeof address;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_init(&loop, &server.tcp), 0);
    assert_int_equal(uv_tcp_bind(&server.tcp, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server.tcp, 64, on_keeper), 0);
    assert_int_equal(uv_tcp_getsockname(&server.tcp, (struct sockaddr *)&address, &length), 0);
    /* The port stands in network order. */
    const unsigned char *port = (const unsigned char *)&address.sin_port;
    snprintf(server.variable, sizeof server.variable, "KEEPER_PORT=%d", port[0] << 8 | port[1]);
}

static void let_all_go(void) {
    server.budget = UINT32_MAX;
    for (size_t i = 0; i < server.count; i++) {
        if (server.connections[i].open && server.connections[i].held) {
            let_go(&server.connections[i]);
        }
    }
}

static bool no_keeper_lives(void) {
    for (size_t i = 0; i < server.count; i++) {
        if (server.connections[i].open) {
            return false;
        }
    }
    return true;
}

/* Every slot has a host that waits for us, and a detached child of it. */
static bool all_slots_are_held(void) {
    unsigned hosts = 0;
    unsigned children = 0;
    for (size_t i = 0; i < server.count; i++) {
        const struct connection *connection = &server.connections[i];
        hosts += connection->open && connection->is_host && connection->held ? 1 : 0;
        children += connection->open && connection->is_child ? 1 : 0;
    }
    return (hosts == JOBS && children >= JOBS) || run.exited;
}

/* Starts a campaign of keepers of which so many may end, and waits until the next ones are held. */
static void start_keepers(const char *count, unsigned may_end, const char *deadline) {
    server.count = 0;
    server.budget = may_end;
    START("run", "--host", keeper_path, "--count", count, "--jobs", "2", "--seed", "5",
          "--deadline", deadline, "--env", server.variable, "--output", output, "--format", "json",
          "--quiet");
    wait_until(all_slots_are_held, "a host in every slot");
    if (run.exited) {
        fail_msg("the campaign ended: %.2000s", err_text());
    }
}

/* ---- set-up ---- */

static void find_plain_library(void) {
    char prefix[SCRATCH_PATH_MAX];
    snprintf(prefix, sizeof prefix, "%s", program_path);
    for (int up = 0; up < 2; up++) {
        size_t length = strlen(prefix);
        while (length > 0 && prefix[length - 1] != '/' && prefix[length - 1] != '\\') {
            length--;
        }
        assert_true(length > 0);
        prefix[length - 1] = '\0';
    }
    snprintf(plain_library, sizeof plain_library, "%s/lib/initrace/c/plain%s", prefix,
             itrp_library_suffix());
}

static int set_up_group(void **state) {
    bool signals = itrp_capabilities()->signals;
    event_here = signals ? "SIGUSR1" : "CTRL_C";
    call_here = signals ? "pthread_create#999" : "CreateThread#999";
    self_set_up_group(state);
    real_path(INITRACE_KEEPER, keeper_path, sizeof keeper_path);
    find_plain_library();
    open_server();
    return 0;
}

static int tear_down_group(void **state) {
    uv_close((uv_handle_t *)&server.tcp, NULL);
    return self_tear_down_group(state);
}

static int tear_down(void **state) {
    if (program_was_left()) {
        let_all_go();
    }
    self_end_program();
    forget_program();
    wait_until(no_keeper_lives, "the end of all hosts");
    return self_tear_down(state);
}

/* ---- campaigns on disk ---- */

/* The trials of a campaign by their number, and how many lines there are. The caller releases the list. */
static json_t *read_trials(const char *folder, size_t *lines) {
    json_t *by_number = json_object();
    char *text = scratch_read(folder, "trials.jsonl");
    assert_non_null(text);
    *lines = 0;
    for (char *line = text; *line != '\0';) {
        char key[32];
        char *end = strchr(line, '\n');
        assert_non_null(end);
        json_t *trial = json_loadb(line, (size_t)(end - line), 0, NULL);
        assert_non_null(trial);
        snprintf(key, sizeof key, "%d", (int)json_integer_value(json_object_get(trial, "trial")));
        json_object_set_new(by_number, key, trial);
        ++*lines;
        line = end + 1;
    }
    free(text);
    return by_number;
}

static const json_t *shot_of(const json_t *trials, const char *number) {
    return json_array_get(json_object_get(json_object_get(trials, number), "shots"), 0);
}

static uint64_t trials_of_summary(const json_t *summary) {
    uint64_t trials = 0;
    const json_t *cells = json_object_get(summary, "cells");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        trials += (uint64_t)json_integer_value(json_object_get(json_array_get(cells, i), "trials"));
    }
    return trials;
}

static void assert_each_trial_once(const char *folder, size_t count) {
    size_t lines = 0;
    json_t *trials = read_trials(folder, &lines);
    assert_int_equal(lines, count);
    assert_int_equal(json_object_size(trials), count);
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "%u", (unsigned)i);
        assert_non_null(json_object_get(trials, key));
    }
    json_decref(trials);
}

/* A case in SCRATCH/NAME with the misbehaving host; gives its path. */
static void write_case(char *path, size_t room, const char *name, const char *os,
                       const char *more) {
    char text[1024];
    scratch_path(path, room, name);
    scratch_folder(scratch, name);
    snprintf(text, sizeof text,
             "{\"format\": 1, \"summary\": \"s\", \"os\": [\"%s\"], \"host\": \"misbehave\", "
             "\"event\": null,"
             " \"env\": {\"INITRACE_MISDEED\": \"none\"}, \"expect\": \"not-fired\"%s}",
             os, more);
    scratch_write(path, "case.json", text, strlen(text));
}

#define MISBEHAVE(word) \
    "run", "--host", "misbehave", "--env", "INITRACE_MISDEED=" word, "--count", "3", "--quiet"

/* ---- repeating ---- */

static void the_same_seed_gives_the_same_plans(void **state) {
    char other[SCRATCH_PATH_MAX + 32];
    char third[SCRATCH_PATH_MAX + 32];
    size_t lines = 0;
    unsigned different = 0;
    (void)state;
    scratch_path(other, sizeof other, "other");
    scratch_path(third, sizeof third, "third");
    RUN(0, "run", "--library", plain_library, "--event", event_here, "--window", "0us..2ms",
        "--count", "30", "--seed", "7", "--output", output, "--quiet");
    RUN(0, "run", "--library", plain_library, "--event", event_here, "--window", "0us..2ms",
        "--count", "30", "--seed", "7", "--output", other, "--quiet");
    RUN(0, "run", "--library", plain_library, "--event", event_here, "--window", "0us..2ms",
        "--count", "30", "--seed", "8", "--output", third, "--quiet");
    assert_each_trial_once(output, 30);
    json_t *a = read_trials(output, &lines);
    json_t *b = read_trials(other, &lines);
    json_t *c = read_trials(third, &lines);
    for (int i = 0; i < 30; i++) {
        static const char *const keys[] = {"event",  "at",         "delivery",
                                           "target", "planned_ns", "unit"};
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            const json_t *one = json_object_get(shot_of(a, number), keys[k]);
            assert_non_null(one);
            assert_true(json_equal(one, json_object_get(shot_of(b, number), keys[k])));
        }
        int64_t planned_ns = json_integer_value(json_object_get(shot_of(a, number), "planned_ns"));
        assert_in_range(planned_ns, 0, 1999999);
        different +=
            planned_ns != json_integer_value(json_object_get(shot_of(c, number), "planned_ns")) ? 1
                                                                                                : 0;
    }
    assert_in_range(different, 28, 30);
    json_decref(a);
    json_decref(b);
    json_decref(c);
}

static void an_old_campaign_is_moved_aside(void **state) {
    (void)state;
    RUN(0, MISBEHAVE("none"), "--seed", "1", "--output", output);
    RUN(0, MISBEHAVE("none"), "--seed", "2", "--output", output);
    assert_contains(err_text(), "out.~1~");
    char *first = scratch_read(scratch, "out.~1~/campaign.json");
    char *second = scratch_read(scratch, "out/campaign.json");
    assert_non_null(first);
    assert_non_null(second);
    assert_contains(first, "\"0x1\"");
    assert_contains(second, "\"0x2\"");
    free(first);
    free(second);
    assert_each_trial_once(output, 3);
}

static void a_planted_failure_is_replayed(void **state) {
    char replay[SCRATCH_PATH_MAX + 64];
    (void)state;
    RUN(1, MISBEHAVE("crash"), "--seed", "3", "--output", output);
    assert_contains(out_text(), "initrace replay");
    char *line = scratch_read(output, "failures/1/replay.txt");
    assert_non_null(line);
    snprintf(replay, sizeof replay, "initrace replay \"");
    assert_contains(line, replay);
    assert_contains(line, "out\" 1\n");
    free(line);
    RUN(1, "replay", output, "1", "--count", "2", "--format", "json");
    json_t *json = json_of_output();
    assert_int_equal(json_integer_value(json_object_get(json, "trial")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "trials")), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "same")), 2);
    assert_int_equal(
        strncmp(json_string_value(json_object_get(json, "recorded_signature")), "crash ", 6), 0);
    json_decref(json);
    RUN(2, "replay", output, "99");
    assert_contains(err_text(), "has no trial 99");
}

/* ---- killing ---- */

static void a_killed_runner_leaves_no_host_and_a_folder_that_can_be_continued(void **state) {
    enum { FIRST = 6, ALL = 16 };
    (void)state;
    start_keepers("16", FIRST, "5m");
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0); /* TerminateProcess on Windows */
    wait_until(no_keeper_lives, "the end of every host and of its detached child");
    wait_until(program_is_over, "the end of the program");

    RUN(3, "report", output, "--format", "json");
    json_t *json = json_of_output();
    assert_true(json_is_true(json_object_get(json, "interrupted")));
    assert_int_equal(trials_of_summary(json), FIRST);
    json_decref(json);
    assert_true(scratch_exists(output, "report.html"));

    let_all_go();
    RUN(0, "run", "--resume", "--output", output, "--jobs", "2", "--quiet", "--format", "json");
    json = json_of_output();
    assert_true(json_is_false(json_object_get(json, "interrupted")));
    assert_int_equal(trials_of_summary(json), ALL);
    /* Each host left a child, which was found and ended, and is no finding. */
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 0);
    assert_true(json_integer_value(json_object_get(cell, "strays")) >= ALL);
    json_decref(json);
    assert_each_trial_once(output, ALL);
    wait_until(no_keeper_lives, "the end of all hosts");

    RUN(0, "run", "--resume", "--output", output, "--quiet"); /* nothing is left to do */
    assert_each_trial_once(output, ALL);
}

/* Side by side, each host's child is ended and counted for its own trial: a neighbour's that is ending is nobody else's. */
static void a_child_that_stays_is_counted_once(void **state) {
    enum { ALL = 40 };
    (void)state;
    RUN(0, "run", "--host", "misbehave", "--env", "INITRACE_MISDEED=keep-child", "--count", "40", "--jobs", "8", "--quiet",
        "--output", output, "--format", "json");
    json_t *json = json_of_output();
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 0);
    assert_int_equal(trials_of_summary(json), ALL);
    assert_int_equal(json_integer_value(json_object_get(cell, "strays")), ALL);
    json_decref(json);
}

/* A line that was being written when the runner died. */
static void an_unfinished_line_is_run_again(void **state) {
    (void)state;
    RUN(0, MISBEHAVE("none"), "--seed", "1", "--output", output);
    char *text = scratch_read(output, "trials.jsonl");
    assert_non_null(text);
    scratch_write(output, "trials.jsonl", text, strlen(text) - 10);
    free(text);
    RUN(3, "report", output);
    RUN(0, "run", "--resume", "--output", output, "--quiet");
    assert_each_trial_once(output, 3);
}

/* ---- interrupting ---- */

static bool interrupt_is_heard(void) {
    return strstr(err_text(), "finishing the trials under way") != NULL || run.exited;
}

static bool can_interrupt(void) {
    if (!itrp_capabilities()->signals) {
        print_message(
            "skipped: this system cannot send an interrupt to one process from outside\n");
        return false;
    }
    return true;
}

static void one_interrupt_finishes_what_is_under_way(void **state) {
    (void)state;
    if (!can_interrupt()) {
        skip();
    }
    start_keepers("50", 4, "5m");
    assert_int_equal(uv_process_kill(&run.process, SIGINT), 0);
    wait_until(interrupt_is_heard, "the answer to an interrupt");
    assert_false(run.exited);
    assert_true(all_slots_are_held()); /* it waits for them */
    let_all_go();
    finish(ITR_EXIT_INCONCLUSIVE);
    json_t *json = json_of_output();
    assert_true(json_is_true(json_object_get(json, "interrupted")));
    assert_int_equal(trials_of_summary(json), 4 + JOBS);
    json_decref(json);
    assert_true(scratch_exists(output, "summary.json"));
    assert_true(scratch_exists(output, "junit.xml"));
    wait_until(no_keeper_lives, "the end of all hosts");
}

static void two_interrupts_end_at_once(void **state) {
    (void)state;
    if (!can_interrupt()) {
        skip();
    }
    start_keepers("50", 4, "5m");
    assert_int_equal(uv_process_kill(&run.process, SIGINT), 0);
    wait_until(interrupt_is_heard, "the answer to an interrupt");
    uv_sleep(200); /* signals less than 100 ms apart are one interrupt */
    assert_int_equal(uv_process_kill(&run.process, SIGINT), 0);
    finish(ITR_EXIT_INCONCLUSIVE);
    assert_contains(err_text(), "ended at once");
    wait_until(no_keeper_lives, "the end of every host and of its detached child");
    RUN(3, "report", output, "--format", "json");
    json_t *json = json_of_output();
    assert_int_equal(trials_of_summary(json), 4);
    json_decref(json);
}

/* ---- stopping ---- */

/* The runner proper, a child of the guard that was started. */
static int worker(void) {
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%d/task/%d", run.process.pid, run.process.pid);
    char *children = scratch_read(folder, "children");
    assert_non_null(children);
    int first = atoi(children);
    free(children);
    assert_true(first > 0);
    return first;
}

/* Ctrl-Z, a debugger, a suspended machine: the time in which the runner stood is no host's. */
static void a_runner_that_was_stopped_blames_no_host(void **state) {
    enum { ALL = 12, DEADLINE = 5000 };
    (void)state;
    if (!can_interrupt()) {
        skip();
    }
    start_keepers("12", 4, "5s");
    int runner = worker();
    assert_int_equal(uv_kill(runner, SIGSTOP), 0);
    let_pass(DEADLINE + 2000);
    assert_true(all_slots_are_held());
    assert_int_equal(uv_kill(runner, SIGCONT), 0);
    let_pass(200); /* in which the runner looks at hosts of more than their deadline's age */
    let_all_go();
    finish(0);
    json_t *json = json_of_output();
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 0);
    assert_int_equal(trials_of_summary(json), ALL);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(cell, "outcomes"), "not-fired")), ALL);
    json_decref(json);
    wait_until(no_keeper_lives, "the end of all hosts");
}

/* ---- exit codes ---- */

static void what_is_as_expected_exits_with_0(void **state) {
    (void)state;
    RUN(0, MISBEHAVE("none"), "--output", output);
    RUN(0, "run", "--library", plain_library, "--function", "InitraceProbe", "--event", event_here,
        "--at", "init-done", "--count", "3", "--quiet", "--output", output);
}

static void a_finding_exits_with_1(void **state) {
    (void)state;
    RUN(1, MISBEHAVE("exit-2"), "--output", output);
    assert_contains(out_text(), "wrong-exit 0x2");
    RUN(1, "report", output); /* and stays one */
}

static void nothing_that_landed_exits_with_3(void **state) {
    (void)state;
    RUN(3, "run", "--library", plain_library, "--event", event_here, "--at", call_here, "--count",
        "3", "--quiet", "--output", output);
    assert_contains(out_text(), "no shot landed");
}

/* One point that nobody comes to beside one that is as it should be: nothing was tested there. */
static void one_point_that_was_not_reached_exits_with_3(void **state) {
    (void)state;
    RUN(3, "run", "--library", plain_library, "--event", event_here, "--at", "init-done", "--at", call_here, "--count", "3",
        "--quiet", "--output", output);
    assert_contains(out_text(), "as-expected");
    assert_contains(out_text(), "not reached: no shot landed in 3 trials, so nothing was tested");
    assert_contains(out_text(), "no verdict: nothing was tested in 1 of 2 cells");
    char *junit = scratch_read(output, "junit.xml");
    assert_contains(junit, "errors=\"1\" skipped=\"0\"");
    free(junit);
    RUN(3, "report", output); /* and stays so */
}

/* A point that the library does not have at all is no such point: it was known before the first trial. */
static void one_point_that_the_library_lacks_is_skipped_and_exits_with_0(void **state) {
    char why[256];
    (void)state;
    if (!itrp_can_debug(why, sizeof why)) {
        print_message("no debugger here: %s\n", why);
        skip();
    }
    RUN(0, "run", "--library", plain_library, "--event", event_here, "--at", "init-done", "--at", "there_is_no_such_symbol#1",
        "--count", "3", "--quiet", "--output", output);
    assert_contains(out_text(), "as-expected");
    assert_contains(out_text(), "skipped: ");
    char *junit = scratch_read(output, "junit.xml");
    assert_contains(junit, "errors=\"0\" skipped=\"1\"");
    free(junit);
    RUN(0, "report", output);
}

static void assert_usage_error(const char *part) {
    finish(ITR_EXIT_USAGE);
    assert_string_equal(out_text(), "");
    assert_int_equal(strncmp(err_text(), "initrace: ", 10), 0);
    assert_ptr_equal(strchr(err_text(), '\n'), err_text() + strlen(err_text()) - 1); /* one line */
    assert_contains(err_text(), part);
}

/* A case whose axes are what its hosts do wrong, one of the ways expected and one known, and something of no account. */
static void combinations_are_run_named_and_replayed(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    (void)state;
    write_case(path, sizeof path, "varied", itrp_system_family(),
               ", \"group\": \"hangs\", \"axes\": {\"deed\": {\"none\": {}, \"two\": {\"env\": {\"INITRACE_MISDEED\": \"exit-2\"}}, "
               "\"three\": {\"env\": {\"INITRACE_MISDEED\": \"exit-139\"}}}, \"restart\": {\"on\": {}, \"off\": {\"handler\": []}}}, "
               "\"expectations\": [{\"where\": {\"deed\": \"two\"}, \"expect\": \"wrong-exit\", \"note\": \"n\"}], "
               "\"known\": [{\"outcome\": \"wrong-exit\", \"where\": {\"deed\": \"three\", \"restart\": \"on\"}}]");
    RUN(0, "list", path);
    assert_contains(out_text(), "4 combinations here, 6 with --axes all");
    assert_contains(out_text(), "deed: none, two, three\n");
    assert_contains(out_text(), "deed=two must end wrong-exit");
    RUN(0, "run", path, "--count", "2", "--quiet", "--output", output); /* three with off is not in the quick form */
    assert_contains(out_text(), "varied deed=three restart=on at no point");
    RUN(1, "run", path, "--axes", "all", "--count", "2", "--quiet", "--output", output, "--format", "json");
    json_t *json = json_of_output();
    const json_t *list = json_object_get(json, "cells");
    assert_int_equal(json_array_size(list), 6);
    const json_t *last = json_object_get(json_array_get(list, 5), "axes");
    assert_string_equal(json_string_value(json_object_get(last, "deed")), "three");
    assert_string_equal(json_string_value(json_object_get(last, "restart")), "off");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 5), "verdict")), "finding");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 4), "verdict")), "known");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 3), "verdict")), "as-expected");
    json_decref(json);
    char *junit = scratch_read(output, "junit.xml");
    assert_contains(junit, "name=\"varied deed=three restart=off at no point");
    assert_contains(junit, "tests=\"6\" failures=\"1\"");
    free(junit);
    RUN(1, "replay", output, "11");
    assert_contains(out_text(), "wrong-exit 0x8b");
    RUN(1, "run", "--resume", "--output", output, "--quiet");
    assert_contains(out_text(), "varied deed=three restart=off");
    RUN(1, "report", output);
    assert_contains(out_text(), "varied deed=three restart=off");
    RUN(0, "run", path, "--axis", "deed=two", "--axis", "restart=on", "--count", "2", "--quiet", "--output", output);
    assert_contains(out_text(), "2 trials");
    START("run", path, "--axis", "deed=four");
    assert_usage_error("no value \"four\", but none, two, three");
    START("run", path, "--axes", "some");
    assert_usage_error("expected quick, all or base");
}

static void a_control_that_failed_exits_with_3(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    (void)state;
    write_case(path, sizeof path, "planted", itrp_system_family(),
               ", \"controls\": {\"bad\": {\"env\": {\"INITRACE_MISDEED\": \"exit-2\"}}}");
    RUN(0, "run", path, "--count", "3", "--quiet", "--output", output);
    RUN(3, "run", path, "--controls", "--count", "3", "--quiet", "--output", output);
    assert_contains(out_text(), "a control failed");
}

static void a_tool_that_failed_exits_with_4(void **state) {
    (void)state;
    RUN(4, MISBEHAVE("no-ledger"), "--output", output);
    assert_contains(out_text(), "tool-error");
}

static void what_cannot_run_here_exits_with_77(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    (void)state;
    bool linux_here = strcmp(itrp_system_family(), "linux") == 0;
    write_case(path, sizeof path, "elsewhere", linux_here ? "windows" : "linux", "");
    RUN(77, "run", path, "--count", "3", "--quiet", "--output", output);
    assert_contains(err_text(), "elsewhere is for ");
    assert_false(scratch_exists(output, "campaign.json"));
}

static void usage_errors_are_one_line_and_exit_with_2(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    (void)state;
    START("march");
    assert_usage_error("no such command");
    START("run");
    assert_usage_error("a case is missing");
    START("run", "no-such-case");
    assert_usage_error("no-such-case: no such case");
    START("run", "--count");
    assert_usage_error("--count");
    START("run", "--count", "many", "x");
    assert_usage_error("a whole number");
    START("run", "--host", "misbehave", "--count", "0");
    assert_usage_error("--count");
    START("run", "--host", "misbehave", "--count", "3", "--duration", "5s");
    assert_usage_error("--duration");
    START("run", "--host", "no_such_host", "--count", "3", "--output", output);
    assert_usage_error("no_such_host");
    START("run", "--library", "/no/such/library", "--count", "3", "--output", output);
    assert_usage_error("no/such/library");
    START("run", "--host", "misbehave", "--event", "SIGNAL", "--output", output);
    assert_usage_error("SIGNAL");
    START("run", "--resume");
    assert_usage_error("--output");
    START("report");
    assert_usage_error("which campaign?");
    START("report", scratch);
    assert_usage_error("campaign.json");
    START("replay", scratch);
    assert_usage_error("TRIAL");
    write_case(path, sizeof path, "mistyped", itrp_system_family(), ", \"evnt\": 1");
    START("run", path, "--count", "3");
    assert_usage_error("key \"evnt\": expected one of");
    assert_false(scratch_exists(output, "campaign.json"));
}

/* ---- streams ---- */

static void json_stands_alone_on_standard_output(void **state) {
    (void)state;
    RUN(1, MISBEHAVE("exit-2"), "--output", output, "--format", "json");
    json_decref(json_of_output());
    RUN(1, "run", "--host", "misbehave", "--env", "INITRACE_MISDEED=exit-2", "--count", "3",
        "--output", output, "--format=json"); /* not quiet, and an old campaign is moved aside */
    json_t *json = json_of_output();
    assert_int_equal(json_integer_value(json_object_get(json, "format")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 1);
    json_decref(json);
    RUN(1, "report", output, "--format", "json");
    json_decref(json_of_output());
    RUN(1, "replay", output, "0", "--format", "json");
    json_decref(json_of_output());
    RUN(0, "list", "--format", "json");
    json = json_of_output();
    assert_true(json_array_size(json_object_get(json, "cases")) > 5);
    json_decref(json);
    START("doctor", "--format", "json");
    wait_until(program_is_over, "the end of doctor");
    assert_true(run.code == 0 || run.code == 77);
    json_decref(json_of_output());
}

static void what_is_written_is_what_is_printed(void **state) {
    (void)state;
    RUN(1, MISBEHAVE("exit-2"), "--output", output, "--format", "json");
    json_t *printed = json_of_output();
    char *text = scratch_read(output, "summary.json");
    assert_non_null(text);
    json_t *written = json_loads(text, 0, NULL);
    assert_true(json_equal(printed, written));
    free(text);
    json_decref(written);
    json_decref(printed);
}

static void quiet_is_quiet(void **state) {
    (void)state;
    RUN(0, MISBEHAVE("none"), "--output", output);
    assert_string_equal(err_text(), "");
}

/* A library that the system loads and the reader of symbols does not take whole is told once, whatever else is quiet. */
static void symbols_that_are_left_out_are_told(void **state) {
    char library[SCRATCH_PATH_MAX + 32];
    (void)state;
    scratch_path(library, sizeof library, "no-library");
    scratch_write(scratch, "no-library", "text", 4);
    START("run", "--library", library, "--event", event_here, "--at", "init-done", "--at", "load-returned", "--count", "1", "--quiet",
          "--output", output);
    wait_until(program_is_over, "the end of the program");
    const char *told = strstr(err_text(), "initrace: no symbols: ");
    assert_non_null(told);
    assert_contains(told, "neither an ELF nor a PE file\n");
    assert_null(strstr(told + strlen("initrace: no symbols: "), "no symbols: "));
}

static void no_colour_goes_into_a_pipe(void **state) {
    static const char *const no_colour[] = {"NO_COLOR=1", NULL};
    (void)state;
    RUN(1, MISBEHAVE("exit-2"), "--output", output);
    assert_null(strchr(out_text(), '\033'));
    start_with(no_colour, LIST("report", output));
    finish(1);
    assert_null(strchr(out_text(), '\033'));
    assert_null(strchr(err_text(), '\033'));
}

/* ---- the rest ---- */

static void environment_twins_work_and_the_command_line_wins(void **state) {
    static const char *const twins[] = {"INITRACE_COUNT=4", "INITRACE_QUIET=1",
                                        "INITRACE_SEED=0x123", "INITRACE_HOST=misbehave", NULL};
    static const char *const wrong[] = {"INITRACE_COUNT=many", NULL};
    (void)state;
    start_with(twins, LIST("run", "--output", output, "--format", "json"));
    finish(0);
    json_t *json = json_of_output();
    assert_int_equal(trials_of_summary(json), 4);
    assert_string_equal(json_string_value(json_object_get(json, "seed")), "0x123");
    json_decref(json);
    start_with(twins, LIST("run", "--output", output, "--format", "json", "--count", "2"));
    finish(0);
    json = json_of_output();
    assert_int_equal(trials_of_summary(json), 2);
    json_decref(json);
    start_with(wrong, LIST("run", "--host", "misbehave"));
    assert_usage_error("INITRACE_COUNT");
}

static void any_working_directory_will_do(void **state) {
    char before[SCRATCH_PATH_MAX];
    size_t length = sizeof before;
    (void)state;
    assert_int_equal(uv_cwd(before, &length), 0);
    assert_int_equal(uv_chdir(scratch), 0);
    START("list");
    finish(0);
    assert_contains(out_text(), "sigurg-during-init");
    START(MISBEHAVE("none"), "--output", "below/here");
    finish(0);
    assert_int_equal(uv_chdir(before), 0);
    assert_true(scratch_exists(scratch, "below/here/summary.json"));
}

static void a_campaign_leaves_nothing_but_its_files(void **state) {
    (void)state;
    RUN(0, MISBEHAVE("none"), "--output", output);
    assert_true(scratch_exists(output, "campaign.json"));
    assert_true(scratch_exists(output, "summary.json"));
    assert_true(scratch_exists(output, "trials.jsonl"));
    assert_false(scratch_exists(output, "hosts"));
    assert_false(scratch_exists(output, "failures"));
    assert_false(scratch_exists(output, "summary.json.new"));
}

/* Case files and campaigns may be anybody's: what they say is text to a terminal, and never a command. */
static void what_is_read_cannot_steer_the_terminal(void **state) {
    char path[SCRATCH_PATH_MAX + 32];
    (void)state;
    write_case(path, sizeof path, "loud", itrp_system_family(), ", \"threads\": [\"\\u001b[31mred\", \"two\\nlines\"]");
    RUN(0, "list", path);
    assert_null(strchr(out_text(), '\x1b'));
    assert_contains(out_text(), "\\x1b[31mred\n");
    RUN(1, MISBEHAVE("exit-2"), "--output", output);
    char *trials = scratch_read(output, "trials.jsonl");
    char *signature = strstr(trials, "wrong-exit 0x2"); /* as long as what takes its place */
    for (; signature != NULL; signature = strstr(signature, "wrong-exit 0x2")) {
        memcpy(signature, "\\u001b[31mred ", strlen("wrong-exit 0x2"));
    }
    scratch_write(output, "trials.jsonl", trials, strlen(trials));
    free(trials);
    RUN(1, "replay", output, "0");
    assert_null(strchr(out_text(), '\x1b'));
    assert_contains(out_text(), "recorded: wrong-exit: \\x1b[31mred");
    RUN(1, "report", output);
    assert_null(strchr(out_text(), '\x1b'));
}

static void help_and_version_are_on_standard_output(void **state) {
    (void)state;
    RUN(0, "--help");
    assert_contains(out_text(), "initrace run");
    assert_string_equal(err_text(), "");
    RUN(0, "run", "--help");
    assert_contains(out_text(), "--until-fail");
    RUN(0, "--version");
    assert_int_equal(strncmp(out_text(), "initrace ", 9), 0);
}

int main(void) {
#define CAMPAIGN_TEST(test) cmocka_unit_test_setup_teardown(test, self_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CAMPAIGN_TEST(the_same_seed_gives_the_same_plans),
        CAMPAIGN_TEST(an_old_campaign_is_moved_aside),
        CAMPAIGN_TEST(a_planted_failure_is_replayed),
        CAMPAIGN_TEST(a_killed_runner_leaves_no_host_and_a_folder_that_can_be_continued),
        CAMPAIGN_TEST(a_child_that_stays_is_counted_once),
        CAMPAIGN_TEST(an_unfinished_line_is_run_again),
        CAMPAIGN_TEST(one_interrupt_finishes_what_is_under_way),
        CAMPAIGN_TEST(two_interrupts_end_at_once),
        CAMPAIGN_TEST(a_runner_that_was_stopped_blames_no_host),
        CAMPAIGN_TEST(what_is_as_expected_exits_with_0),
        CAMPAIGN_TEST(a_finding_exits_with_1),
        CAMPAIGN_TEST(nothing_that_landed_exits_with_3),
        CAMPAIGN_TEST(one_point_that_was_not_reached_exits_with_3),
        CAMPAIGN_TEST(one_point_that_the_library_lacks_is_skipped_and_exits_with_0),
        CAMPAIGN_TEST(combinations_are_run_named_and_replayed),
        CAMPAIGN_TEST(a_control_that_failed_exits_with_3),
        CAMPAIGN_TEST(a_tool_that_failed_exits_with_4),
        CAMPAIGN_TEST(what_cannot_run_here_exits_with_77),
        CAMPAIGN_TEST(usage_errors_are_one_line_and_exit_with_2),
        CAMPAIGN_TEST(json_stands_alone_on_standard_output),
        CAMPAIGN_TEST(what_is_written_is_what_is_printed),
        CAMPAIGN_TEST(quiet_is_quiet),
        CAMPAIGN_TEST(symbols_that_are_left_out_are_told),
        CAMPAIGN_TEST(no_colour_goes_into_a_pipe),
        CAMPAIGN_TEST(environment_twins_work_and_the_command_line_wins),
        CAMPAIGN_TEST(any_working_directory_will_do),
        CAMPAIGN_TEST(a_campaign_leaves_nothing_but_its_files),
        CAMPAIGN_TEST(what_is_read_cannot_steer_the_terminal),
        CAMPAIGN_TEST(help_and_version_are_on_standard_output),
    };
    return cmocka_run_group_tests_name("campaign", tests, set_up_group, tear_down_group);
}
