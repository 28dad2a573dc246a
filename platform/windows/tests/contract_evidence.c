/* What only Windows' snapshots have: the first exception with its address, threads that were suspended, handles, the end
 * that is seen before it is over, minidumps. The child does what it is told (child.c). */
#include "framework/ledger.h"
#include "platform/platform.h"
#include "platform/snapshot.h"

#include <windows.h>
#include <dbghelp.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 20000u
#define NONCE       UINT64_C(0xe71de7ce)
#define KIBI        UINT64_C(1024)

static char child_program[4096];

struct run {
    uv_loop_t loop;
    struct itrp_process *process;
    struct itrp_memory memory;
    struct itr_ledger_request request;
    struct itrp_debug_plan plan;
    bool ended;
};

static void on_exit_of(struct itrp_process *process, void *context) {
    (void)process;
    ((struct run *)context)->ended = true;
}

static void begin(struct run *run, bool debugged, const char *word, const char *argument) {
    const char *const words[] = {word, argument, NULL};
    struct itr_error err = {0};
    uv_fs_t request;
    memset(run, 0, sizeof *run);
    run->plan.evidence = true;
    assert_int_equal(uv_loop_init(&run->loop), 0);
    assert_int_equal(itrp_memory_create(&run->memory, ITR_LEDGER_BYTES, &err), ITR_OK);
    itr_ledger_prepare(run->memory.base, &run->request, NONCE);
    uv_file output = uv_fs_open(NULL, &request, "contract_evidence.out",
                                UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY, 0600, NULL);
    uv_fs_req_cleanup(&request);
    assert_true(output >= 0);
    struct itrp_process_spec spec = {
        .program = child_program,
        .arguments = words,
        .output = output,
        .error = output,
        .ledger = &run->memory,
        .nonce = NONCE,
        .debug = debugged ? &run->plan : NULL,
    };
    enum itr_status status = itrp_process_start(&run->process, &run->loop, &spec, on_exit_of, run, &err);
    uv_fs_close(NULL, &request, output, NULL);
    uv_fs_req_cleanup(&request);
    if (status != ITR_OK) {
        fail_msg("cannot start the child: %s", err.text);
    }
}

static void end(struct run *run) {
    itrp_process_close(run->process);
    while (uv_run(&run->loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&run->loop), 0);
    itrp_memory_close(&run->memory);
}

static uint32_t exit_code(struct run *run) {
    for (unsigned ms = 0; ms < DEADLINE_MS && !run->ended; ms++) {
        uv_run(&run->loop, UV_RUN_NOWAIT);
        Sleep(run->ended ? 0 : 1);
    }
    assert_true(run->ended);
    return itrp_process_exit(run->process)->code;
}

static const struct itrp_snapshot *wait_for_snapshot(struct run *run) {
    const struct itrp_snapshot *snapshot = NULL;
    for (unsigned ms = 0; ms < DEADLINE_MS && snapshot == NULL && !run->ended; ms++) {
        uv_run(&run->loop, UV_RUN_NOWAIT);
        snapshot = itrp_process_snapshot(run->process);
        Sleep(snapshot != NULL ? 0 : 1);
    }
    assert_non_null(snapshot);
    return snapshot;
}

static void wait_until_ready(struct run *run) {
    const struct itr_ledger *ledger = run->memory.base;
    for (unsigned ms = 0; ms < DEADLINE_MS; ms++) {
        if (__atomic_load_n(&ledger->reply.phase_ns[ITR_PHASE_HANDLERS_READY], __ATOMIC_ACQUIRE) != 0) {
            return;
        }
        Sleep(1);
    }
    fail_msg("the child was not ready in time");
}

static size_t thread_at_fault(const struct itrp_snapshot *snapshot) {
    size_t index = 0;
    while (index < snapshot->target.thread_count && !snapshot->target.threads[index].at_fault) {
        index++;
    }
    assert_true(index < snapshot->target.thread_count);
    return index;
}

/* What every standing host has. */
static void check_whole(const struct itrp_snapshot *snapshot) {
    const struct itr_target_module *program = NULL;
    assert_int_equal(snapshot->target.system, ITR_TARGET_WINDOWS);
    assert_false(snapshot->threads_cut || snapshot->mappings_cut || snapshot->descriptors_cut);
    assert_int_equal(snapshot->not_stopped, 0);
    assert_true(snapshot->handle_count > 0 && snapshot->descriptor_count > 0);
    assert_true(snapshot->mapping_count > 0 && snapshot->target.module_count > 1);
    for (size_t i = 0; i < snapshot->mapping_count; i++) {
        assert_true(snapshot->mappings[i].begin < snapshot->mappings[i].end);
        assert_true(i == 0 || snapshot->mappings[i - 1].end <= snapshot->mappings[i].begin);
    }
    for (size_t i = 0; i < snapshot->target.module_count; i++) {
        const struct itr_target_module *module = &snapshot->target.modules[i];
        uint8_t magic[2] = {0};
        assert_true(itr_target_read(&snapshot->target, module->base, magic, sizeof magic));
        assert_memory_equal(magic, "MZ", 2);
        assert_true(i == 0 || module[-1].base + module[-1].bytes <= module->base);
        if (strcmp(itr_target_module_name(module), "contract_child.exe") == 0) {
            program = module;
        }
    }
    assert_non_null(program);
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        const struct itr_target_thread *thread = &snapshot->target.threads[i];
        uint64_t itself = 0;
        /* A TEB has its own address in it. */
        assert_true(itr_target_read_u64(&snapshot->target, thread->registers[ITR_REGISTER_GS_BASE] + 0x30, &itself));
        assert_true(itself == thread->registers[ITR_REGISTER_GS_BASE]);
        assert_true(itr_target_read_u64(&snapshot->target, thread->registers[ITR_REGISTER_RSP], &itself));
    }
}

/* A file's bytes; the caller frees. */
static void *read_file(const char *path, size_t bytes) {
    FILE *file = fopen(path, "rb");
    void *whole = malloc(bytes);
    assert_non_null(file);
    assert_non_null(whole);
    assert_int_equal(fread(whole, 1, bytes, file), bytes);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    return whole;
}

static const void *stream_of(void *dump, ULONG type) {
    typedef BOOL(WINAPI * read_fn)(PVOID base, ULONG stream, PMINIDUMP_DIRECTORY *directory, PVOID *begin, ULONG *bytes);
    HMODULE dbghelp = LoadLibraryW(L"dbghelp.dll");
    assert_non_null(dbghelp);
    read_fn read_stream = (read_fn)(uintptr_t)GetProcAddress(dbghelp, "MiniDumpReadDumpStream");
    PMINIDUMP_DIRECTORY directory = NULL;
    PVOID begin = NULL;
    ULONG bytes = 0;
    assert_non_null(read_stream);
    return read_stream(dump, type, &directory, &begin, &bytes) ? begin : NULL;
}

/* What the system's own reader finds in it. */
static void check_streams(const struct itrp_snapshot *snapshot, size_t at_fault, void *dump) {
    const MINIDUMP_THREAD_LIST *threads = stream_of(dump, ThreadListStream);
    const MINIDUMP_MODULE_LIST *modules = stream_of(dump, ModuleListStream);
    const MINIDUMP_EXCEPTION_STREAM *exception = stream_of(dump, ExceptionStream);
    const MINIDUMP_SYSTEM_INFO *system = stream_of(dump, SystemInfoStream);
    const MINIDUMP_MEMORY_INFO_LIST *regions = stream_of(dump, MemoryInfoListStream);
    assert_true(threads != NULL && modules != NULL && exception != NULL && system != NULL && regions != NULL);
    assert_int_equal(system->ProcessorArchitecture, PROCESSOR_ARCHITECTURE_AMD64);
    assert_int_equal(threads->NumberOfThreads, snapshot->target.thread_count);
    assert_int_equal(modules->NumberOfModules, snapshot->target.module_count);
    assert_int_equal(regions->NumberOfEntries, snapshot->mapping_count);
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        const MINIDUMP_THREAD *thread = &threads->Threads[i];
        const struct itr_target_thread *target = &snapshot->target.threads[i];
        assert_int_equal(thread->ThreadId, target->id);
        assert_int_equal(thread->ThreadContext.DataSize, sizeof(CONTEXT));
        const CONTEXT *context = (const CONTEXT *)((char *)dump + thread->ThreadContext.Rva);
        assert_true(context->Rip == target->registers[ITR_REGISTER_RIP]);
        assert_true(context->Rsp == target->registers[ITR_REGISTER_RSP]);
        uint64_t top = 0;
        assert_true(itr_target_read_u64(&snapshot->target, thread->Stack.StartOfMemoryRange, &top));
        assert_memory_equal((char *)dump + thread->Stack.Memory.Rva, &top, sizeof top);
    }
    assert_int_equal(exception->ThreadId, snapshot->target.threads[at_fault].id);
    assert_int_equal(exception->ExceptionRecord.ExceptionCode, EXCEPTION_ACCESS_VIOLATION);
    assert_int_equal(exception->ExceptionRecord.ExceptionInformation[1], 8);
    assert_int_equal(exception->ThreadContext.Rva, threads->Threads[at_fault].ThreadContext.Rva);
}

static void check_dump(const struct itrp_snapshot *snapshot, size_t at_fault) {
    struct itrp_core_result result;
    struct itr_error err = {0};
    if (itrp_snapshot_write_core(snapshot, "contract_evidence.dmp", 64 * KIBI * KIBI, &result, &err) != ITR_OK) {
        fail_msg("no minidump: %s", err.text);
    }
    assert_true(result.bytes > 0 && result.bytes <= 64 * KIBI * KIBI);
    void *dump = read_file("contract_evidence.dmp", result.bytes);
    check_streams(snapshot, at_fault, dump);
    free(dump);
    assert_int_equal(remove("contract_evidence.dmp"), 0);
}

/* movl $1, 8: before anybody could handle it. */
static void test_first_exception(void **state) {
    struct run run;
    (void)state;
    begin(&run, true, "crash", NULL);
    const struct itrp_snapshot *snapshot = wait_for_snapshot(&run);
    size_t index = thread_at_fault(snapshot);
    const struct itr_target_thread *thread = &snapshot->target.threads[index];
    const struct itrp_snapshot_exception *exception = &snapshot->threads[index].exception;
    assert_int_equal(snapshot->reason, ITRP_SNAPSHOT_FAULT);
    check_whole(snapshot);
    assert_int_equal(thread->role, ITR_ROLE_MAIN);
    assert_true(snapshot->threads[index].has_exception && exception->first_chance);
    assert_int_equal(exception->code, EXCEPTION_ACCESS_VIOLATION);
    assert_int_equal(exception->access, 1);
    assert_int_equal(exception->address, 8);
    assert_true(exception->pc == thread->registers[ITR_REGISTER_RIP]);
    const struct itr_target_module *module = itr_target_module_at(&snapshot->target, exception->pc);
    assert_non_null(module);
    assert_string_equal(itr_target_module_name(module), "contract_child.exe");
    check_dump(snapshot, index);
    itrp_process_go_on(run.process);
    exit_code(&run);
    const struct itrp_debug_report *report = itrp_process_debug_report(run.process);
    assert_int_equal(report->error.status, ITR_OK);
    assert_int_equal(report->runs[0].code, EXCEPTION_ACCESS_VIOLATION);
    end(&run);
}

static void test_end_is_seen_before_it_is_over(void **state) {
    static const char *const words[] = {"exit", "print"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct run run;
        begin(&run, true, words[i], "7"); /* TerminateProcess(); then what the C library makes of an end of main() */
        const struct itrp_snapshot *snapshot = wait_for_snapshot(&run);
        assert_int_equal(snapshot->reason, ITRP_SNAPSHOT_EXIT);
        assert_int_equal(snapshot->exit_status, i == 0 ? 7 : 99);
        check_whole(snapshot);
        itrp_process_go_on(run.process);
        assert_int_equal(exit_code(&run), i == 0 ? 7 : 99);
        end(&run);
    }
}

static void test_asked(void **state) {
    (void)state;
    for (int debugged = 0; debugged < 2; debugged++) {
        struct run run;
        struct itr_error err = {0};
        begin(&run, debugged != 0, "spin", NULL);
        wait_until_ready(&run);
        for (int again = 0; again < 2; again++) {
            if (itrp_process_stop(run.process, DEADLINE_MS, &err) != ITR_OK) {
                fail_msg("it does not stop: %s", err.text);
            }
            const struct itrp_snapshot *snapshot = itrp_process_snapshot(run.process);
            assert_non_null(snapshot);
            assert_int_equal(snapshot->reason, ITRP_SNAPSHOT_ASKED);
            check_whole(snapshot);
            itrp_process_go_on(run.process);
            assert_null(itrp_process_snapshot(run.process));
        }
        itrp_process_kill(run.process);
        exit_code(&run);
        assert_int_equal(itrp_process_stop(run.process, 100, &err), ITR_E_NOT_FOUND);
        end(&run);
    }
}

static void test_kill_while_standing(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct run run;
        struct itr_error err = {0};
        begin(&run, way != 0, way == 2 ? "crash" : "sleep", NULL);
        if (way == 2) {
            wait_for_snapshot(&run);
        } else {
            wait_until_ready(&run);
            assert_int_equal(itrp_process_stop(run.process, DEADLINE_MS, &err), ITR_OK);
        }
        itrp_process_kill(run.process);
        exit_code(&run);
        end(&run);
    }
}

static void test_close_while_standing(void **state) {
    struct run run;
    (void)state;
    begin(&run, true, "crash", NULL);
    wait_for_snapshot(&run);
    end(&run);
}

/* Its name as this system spells it. */
static bool find_child(void) {
    uv_fs_t request;
    bool found = uv_fs_realpath(NULL, &request, INITRACE_CONTRACT_CHILD, NULL) == 0;
    if (found) {
        snprintf(child_program, sizeof child_program, "%s", (const char *)request.ptr);
    } else {
        fprintf(stderr, "%s is not there\n", INITRACE_CONTRACT_CHILD);
    }
    uv_fs_req_cleanup(&request);
    return found;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_exception),
        cmocka_unit_test(test_end_is_seen_before_it_is_over),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_kill_while_standing),
        cmocka_unit_test(test_close_while_standing),
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
    if (!find_child()) {
        return 1;
    }
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
