/* Runs the program under test from outside and keeps what it prints. For tests only, one program at a time; every
 * failure, and every wait of more than DEADLINE_MS, fails the test. */
#ifndef INITRACE_FRAMEWORK_TESTS_PROGRAM_H
#define INITRACE_FRAMEWORK_TESTS_PROGRAM_H

#include "framework/tests/scratch.h"

#include <jansson.h>
#include <stdbool.h>

#ifndef INITRACE_PROGRAM
#error "INITRACE_PROGRAM names the program"
#endif

enum {
    WORDS_MAX = 40,
    OUTPUT_MAX = 4 << 20,
    DEADLINE_MS = 900000, /* of any wait: generous, nothing is measured here, and a guest may step 25,000
                             instructions a second where others make 150,000 */
};

static uv_loop_t loop;
static char program_path[SCRATCH_PATH_MAX];

/* ---- waiting ---- */

static uv_timer_t timer;
static bool timed_out;
/* Not yet initialised: becomes the program's standard input at its start, the test's to close. NULL: the null
 * device. */
static uv_pipe_t *program_input;

SCRATCH_UNUSED static void on_deadline(uv_timer_t *handle) {
    (void)handle;
    timed_out = true;
}

/* Runs the loop until the condition holds. */
SCRATCH_UNUSED static void wait_until(bool (*holds)(void), const char *what) {
    timed_out = false;
    uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0);
    while (!holds() && !timed_out) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&timer);
    if (!holds()) {
        fail_msg("it never came: %s", what);
    }
}

SCRATCH_UNUSED static void on_time_is_up(uv_timer_t *handle) {
    (void)handle;
    timed_out = true;
    uv_stop(&loop); /* or a turn of the loop that begins with this waits for something else then */
}

SCRATCH_UNUSED static void let_pass(uint64_t length_ms) {
    timed_out = false;
    uv_timer_start(&timer, on_time_is_up, length_ms, 0);
    while (!timed_out) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&timer);
}

/* ---- the program under test ---- */

struct stream {
    uv_pipe_t pipe;
    char *text;
    size_t length;
    bool ended;
};

static struct {
    uv_process_t process;
    struct stream streams[2];
    bool started;
    bool exited;
    int64_t code;
    int signal;
} run;

SCRATCH_UNUSED static void on_exit_of_program(uv_process_t *process, int64_t code, int signal) {
    run.exited = true;
    run.code = code;
    run.signal = signal;
    uv_close((uv_handle_t *)process, NULL);
}

SCRATCH_UNUSED static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    (void)suggested;
    *buffer =
        uv_buf_init(stream->text + stream->length, (unsigned)(OUTPUT_MAX - stream->length - 1));
}

/* Bytes as they come, less the carriage returns that some C libraries put before a newline. */
SCRATCH_UNUSED static void on_bytes(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    (void)buffer;
    if (got < 0) {
        stream->ended = true;
        uv_close((uv_handle_t *)handle, NULL);
        return;
    }
    size_t end = stream->length + (size_t)got;
    for (size_t i = stream->length; i < end; i++) {
        if (stream->text[i] != '\r') {
            stream->text[stream->length++] = stream->text[i];
        }
    }
    stream->text[stream->length] = '\0';
}

SCRATCH_UNUSED static bool program_is_over(void) {
    return run.exited && run.streams[0].ended && run.streams[1].ended;
}

SCRATCH_UNUSED static void forget_program(void) {
    for (int i = 0; i < 2; i++) {
        free(run.streams[i].text);
    }
    memset(&run, 0, sizeof run);
}

/* This environment with `more` ("K=V", NULL-terminated) in it. The caller frees the list and its strings. */
SCRATCH_UNUSED static char **make_environment(const char *const *more) {
    uv_env_item_t *items = NULL;
    int count = 0;
    size_t used = 0;
    assert_int_equal(uv_os_environ(&items, &count), 0);
    char **list = calloc((size_t)count + WORDS_MAX, sizeof *list);
    assert_non_null(list);
    for (int i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t k = 0; more[k] != NULL; k++) {
            size_t length = strcspn(more[k], "=");
            replaced = replaced || (strlen(items[i].name) == length &&
                                    strncmp(items[i].name, more[k], length) == 0);
        }
        if (!replaced) {
            size_t room = strlen(items[i].name) + strlen(items[i].value) + 2;
            list[used] = malloc(room);
            assert_non_null(list[used]);
            snprintf(list[used++], room, "%s=%s", items[i].name, items[i].value);
        }
    }
    for (size_t k = 0; more[k] != NULL; k++) {
        list[used] = malloc(strlen(more[k]) + 1);
        assert_non_null(list[used]);
        memcpy(list[used++], more[k], strlen(more[k]) + 1);
    }
    uv_os_free_environ(items, count);
    return list;
}

SCRATCH_UNUSED static void on_failed_closed(uv_handle_t *handle) {
    (void)handle;
}

/* Once more where the system says what Wine 8 says now and then: an internal error (ERROR_INTERNAL_ERROR), of which libuv
 * knows no name. The runner does so with its hosts, too. */
SCRATCH_UNUSED static int spawn(uv_process_options_t *options, uv_stdio_container_t *streams) {
    enum { TRIES = 6 };
    int result = UV_UNKNOWN;
    for (unsigned try = 0; try < TRIES && result == UV_UNKNOWN; try++) {
        uv_sleep(try > 0 ? 1u << try : 0);
        for (int i = 0; i < 2; i++) {
            struct stream *stream = &run.streams[i];
            assert_int_equal(uv_pipe_init(&loop, &stream->pipe, 0), 0);
            stream->pipe.data = stream;
            streams[i + 1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
            streams[i + 1].data.stream = (uv_stream_t *)&stream->pipe;
        }
        if (program_input != NULL) {
            assert_int_equal(uv_pipe_init(&loop, program_input, 0), 0);
            streams[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
            streams[0].data.stream = (uv_stream_t *)program_input;
        }
        result = uv_spawn(&loop, &run.process, options);
        if (result != 0) {
            uv_close((uv_handle_t *)&run.process, on_failed_closed);
            for (int i = program_input != NULL ? 0 : 1; i < 3; i++) {
                uv_close((uv_handle_t *)streams[i].data.stream, on_failed_closed);
            }
            uv_run(&loop, UV_RUN_NOWAIT);
            uv_run(&loop, UV_RUN_NOWAIT); /* on Windows a handle's close ends a turn later */
        }
    }
    return result;
}

SCRATCH_UNUSED static void start_with(const char *const *more, const char *const *words) {
    char *arguments[WORDS_MAX + 2] = {program_path};
    uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE}};
    uv_process_options_t options = {.file = program_path,
                                    .args = arguments,
                                    .exit_cb = on_exit_of_program,
                                    .stdio = streams,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_WINDOWS_HIDE};
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_in_range(i, 0, WORDS_MAX - 1);
        arguments[i + 1] = (char *)(uintptr_t)words[i];
    }
    forget_program();
    for (int i = 0; i < 2; i++) {
        run.streams[i].text = calloc(1, OUTPUT_MAX);
        assert_non_null(run.streams[i].text);
    }
    options.env = make_environment(more);
    int result = spawn(&options, streams);
    for (size_t i = 0; options.env[i] != NULL; i++) {
        free(options.env[i]);
    }
    free(options.env);
    if (result != 0) {
        fail_msg("cannot start %s: %s", program_path, uv_strerror(result));
    }
    run.started = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uv_read_start((uv_stream_t *)&run.streams[i].pipe, on_room, on_bytes), 0);
    }
}

#define LIST(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING    ((const char *const[]){NULL})
#define START(...) start_with(NOTHING, LIST(__VA_ARGS__))

SCRATCH_UNUSED static const char *out_text(void) {
    return run.streams[0].text;
}

SCRATCH_UNUSED static const char *err_text(void) {
    return run.streams[1].text;
}

/* Waits for the end; the exit code must be this one. */
SCRATCH_UNUSED static void finish(int code) {
    wait_until(program_is_over, "the end of the program");
    if (run.signal != 0 || run.code != code) {
        print_error("%.4000s\n%.4000s\n", err_text(), out_text());
        fail_msg("exit code %d, signal %d, expected %d", (int)run.code, run.signal, code);
    }
}

#define RUN(code, ...)      \
    do {                    \
        START(__VA_ARGS__); \
        finish(code);       \
    } while (0)

/* All of standard output must be one JSON value. */
SCRATCH_UNUSED static json_t *json_of_output(void) {
    json_error_t why;
    json_t *json = json_loads(out_text(), JSON_REJECT_DUPLICATES, &why);
    if (json == NULL) {
        fail_msg("standard output is not JSON alone: %s:\n%.1000s", why.text, out_text());
    }
    return json;
}

/* ---- before the first test and after the last ---- */

SCRATCH_UNUSED static void real_path(const char *path, char *out, size_t room) {
    uv_fs_t request;
    int result = uv_fs_realpath(NULL, &request, path, NULL);
    if (result != 0) {
        fail_msg("%s: %s", path, uv_strerror(result));
    }
    snprintf(out, room, "%s", (const char *)request.ptr);
    uv_fs_req_cleanup(&request);
}

SCRATCH_UNUSED static void program_open(void) {
    real_path(INITRACE_PROGRAM, program_path, sizeof program_path);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
}

/* After the test has closed its own handles on the loop. */
SCRATCH_UNUSED static void program_close(void) {
    forget_program();
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

#endif
