/* Contract of itrp_process_keep(), the same on every system: a host that stands is given up and lives on, with what it
 * prints; one that does not stand is not. Where a system cannot do it, it says so. */
#include "platform/platform.h"
#include "platform/snapshot.h"
#include "framework/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#ifndef INITRACE_CONTRACT_CHILD
#error "the program built from child.c must be named"
#endif

enum { STOP_MS = 10000, READY_MS = 20000, NAP_MS = 5, LIMIT = 4 };

static uv_loop_t loop;
static struct itrp_memory memory;
static char program[4096];
static char directory[4096];
static uv_file output[2]; /* the host's pipe, for both streams */
static unsigned exits;
static int kept; /* its process id; 0: none is left */

static void on_exit_of(struct itrp_process *process, void *context) {
    (void)process;
    (void)context;
    exits++;
}

static void close_file(uv_file file) {
    uv_fs_t request;
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
}

static struct itrp_process *start(void) {
    const char *arguments[] = {"sleep", NULL};
    struct itr_ledger_request request = {0};
    struct itr_error error = {0};
    struct itrp_process *process = NULL;
    assert_int_equal(uv_pipe(output, 0, 0), 0);
    struct itrp_process_spec spec = {.program = program,
                                     .arguments = arguments,
                                     .directory = directory,
                                     .output = output[1],
                                     .error = output[1],
                                     .ledger = &memory,
                                     .nonce = 78};
    itr_ledger_prepare(memory.base, &request, 78);
    exits = 0;
    if (itrp_process_start(&process, &loop, &spec, on_exit_of, NULL, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    const struct itr_ledger_reply *reply = &((const struct itr_ledger *)memory.base)->reply;
    for (int waited = 0; __atomic_load_n(&reply->phase_ns[ITR_PHASE_HANDLERS_READY], __ATOMIC_ACQUIRE) == 0; waited++) {
        assert_true(waited < READY_MS / NAP_MS);
        uv_sleep(NAP_MS);
    }
    return process;
}

static struct itrp_keep keeping(void) {
    return (struct itrp_keep){.output = uv_get_osfhandle(output[0]),
                              .error = uv_get_osfhandle(output[0]),
                              .output_path = "contract_keep.stdout",
                              .error_path = "contract_keep.stderr",
                              .limit_bytes = LIMIT};
}

static void finish(struct itrp_process *process) {
    uint32_t strays = 0;
    if (exits == 0) {
        itrp_process_kill(process);
        while (exits == 0) {
            uv_run(&loop, UV_RUN_ONCE);
        }
    }
    assert_int_equal(itrp_process_end_tree(process, STOP_MS, &strays, NULL), ITR_OK);
    itrp_process_close(process);
    uv_run(&loop, UV_RUN_DEFAULT);
    close_file(output[0]);
    close_file(output[1]);
}

static void one_that_does_not_stand_is_not_kept(void **state) {
    struct itr_error error = {0};
    (void)state;
    struct itrp_process *process = start();
    struct itrp_keep keep = keeping();
    assert_int_equal(itrp_process_keep(process, &keep, &error), ITR_E_UNSUPPORTED);
    assert_true(error.text[0] != '\0');
    finish(process);
    assert_true(strlen(itrp_end_command()) > 0);
}

static int64_t file_bytes(const char *path) {
    uv_fs_t request;
    int64_t bytes = uv_fs_stat(NULL, &request, path, NULL) == 0 ? (int64_t)request.statbuf.st_size : -1;
    uv_fs_req_cleanup(&request);
    return bytes;
}

static void a_standing_one_lives_on(void **state) {
    struct itr_error error = {0};
    uv_fs_t request;
    char text[] = "longer than the limit";
    uv_buf_t word = uv_buf_init(text, sizeof text - 1);
    (void)state;
    struct itrp_process *process = start();
    int id = (int)itrp_process_id(process);
    struct itrp_keep keep = keeping();
    if (itrp_process_stop(process, STOP_MS, &error) != ITR_OK || itrp_process_keep(process, &keep, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    kept = id;
    assert_null(itrp_process_snapshot(process));
    itrp_process_kill(process); /* it is not ours any more */
    itrp_process_close(process);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_kill(id, 0), 0);
    assert_int_equal(exits, 0);
    close_file(output[0]); /* nobody but the reader has that end */
    assert_int_equal(uv_fs_write(NULL, &request, output[1], &word, 1, -1, NULL), 21);
    uv_fs_req_cleanup(&request);
    for (int waited = 0; file_bytes(keep.output_path) + file_bytes(keep.error_path) < LIMIT; waited++) {
        assert_true(waited < READY_MS / NAP_MS);
        uv_sleep(NAP_MS);
    }
    uv_sleep(50); /* what would come more */
    assert_int_equal(file_bytes(keep.output_path) + file_bytes(keep.error_path), LIMIT);
    assert_int_equal(uv_kill(id, SIGKILL), 0);
    kept = 0;
    close_file(output[1]);
}

/* Of a test that failed before its end. */
static int end_kept(void **state) {
    (void)state;
    if (kept != 0) {
        uv_kill(kept, SIGKILL);
        kept = 0;
    }
    return 0;
}

static int set_up_group(void **state) {
    uv_fs_t request;
    size_t length = sizeof directory;
    (void)state;
    assert_int_equal(uv_fs_realpath(NULL, &request, INITRACE_CONTRACT_CHILD, NULL), 0);
    snprintf(program, sizeof program, "%s", (const char *)request.ptr);
    uv_fs_req_cleanup(&request);
    assert_int_equal(uv_cwd(directory, &length), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    return itrp_memory_create(&memory, ITR_LEDGER_BYTES, NULL) == ITR_OK ? 0 : -1;
}

static int tear_down_group(void **state) {
    (void)state;
    itrp_memory_close(&memory);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_does_not_stand_is_not_kept),
        cmocka_unit_test_teardown(a_standing_one_lives_on, end_kept),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(one_that_does_not_stand_is_not_kept),
    };
    char why[256];
    itrp_help_if_asked();
    if (itrp_guard_enter(NULL) != ITR_OK) {
        return 1;
    }
    if (!itrp_capabilities()->keeps) {
        return cmocka_run_group_tests_name("keep", without, set_up_group, tear_down_group);
    }
    if (!itrp_can_debug(why, sizeof why)) {
        print_message("skipped: no debugger here: %s\n", why);
        return 77;
    }
    return cmocka_run_group_tests_name("keep", tests, set_up_group, tear_down_group);
}
