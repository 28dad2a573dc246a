/* Contract of the search for CtrlRoutine, on Windows only: what it finds is what kernelbase
 * exports, where it does (Wine); elsewhere contract_process.c shows that events sent with it are
 * heard. */
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_finds_what_is_exported(void **context) {
    uint64_t exported =
        (uintptr_t)GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    uint64_t found = itrp_windows_find_ctrl_routine();
    (void)context;
    assert_int_not_equal(found, 0);
    if (exported != 0) {
        assert_int_equal(found, exported);
    }
}

static void test_leaves_no_trace(void **context) {
    HWND console = GetConsoleWindow();
    uint64_t found = itrp_windows_find_ctrl_routine();
    (void)context;
    assert_int_equal(found, itrp_windows_find_ctrl_routine());
    assert_ptr_equal(console, GetConsoleWindow());
    assert_int_equal(GetEnvironmentVariableW(L"INITRACE_FIND_CTRL_ROUTINE", NULL, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_is_exported),
        cmocka_unit_test(test_leaves_no_trace),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
