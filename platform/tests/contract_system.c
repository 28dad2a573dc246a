/* Contract of the capabilities, names and deliveries that a system reports: they agree with each
 * other. That what can be sent is heard is in contract_process.c. */
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_one_of(const char *text, const char *const *set) {
    for (; *set != NULL; set++) {
        if (strcmp(text, *set) == 0) {
            return true;
        }
    }
    return false;
}

static void test_names(void **context) {
    static const char *const systems[] = {"linux", "windows", "wine", NULL};
    static const char *const families[] = {"linux", "windows", NULL};
    static const char *const libraries[] = {".so", ".dll", NULL};
    static const char *const programs[] = {"", ".exe", NULL};
    (void)context;
    assert_true(is_one_of(itrp_system_name(), systems));
    assert_true(is_one_of(itrp_system_family(), families));
    assert_true(is_one_of(itrp_library_suffix(), libraries));
    assert_true(is_one_of(itrp_program_suffix(), programs));
    bool linux_name = strcmp(itrp_system_name(), "linux") == 0;
    assert_int_equal(linux_name, strcmp(itrp_system_family(), "linux") == 0);
    assert_int_equal(linux_name, strcmp(itrp_library_suffix(), ".so") == 0);
    assert_int_not_equal(itrp_c_library()[0], '\0');
    assert_null(strchr(itrp_c_library(), '\n'));
}

static void test_capabilities_are_found_once(void **context) {
    const struct itrp_capabilities *capabilities = itrp_capabilities();
    (void)context;
    assert_ptr_equal(capabilities, itrp_capabilities());
    assert_true(capabilities->signals || capabilities->ctrl_routine ||
                capabilities->console_events);
}

/* A debugger may do the same, in any way; a gate is what hosts for console events have. */
static void test_gates_are_where_they_were_built(void **context) {
    const struct itrp_capabilities *capabilities = itrp_capabilities();
    (void)context;
    assert_int_equal(capabilities->gates, strcmp(itrp_system_family(), "windows") == 0);
    assert_true(!capabilities->gates || capabilities->exact_points); /* what a gate cannot do is the debugger's */
}

/* An event is either unknown here or has a default delivery that can send it. */
static void test_default_delivery_can_send(void **context) {
    (void)context;
    for (int event = 0; event < ITR_EVENT_COUNT; event++) {
        enum itr_delivery chosen = itrp_default_delivery((enum itr_event)event);
        bool any = false;
        for (int delivery = 0; delivery < ITR_DELIVERY_COUNT; delivery++) {
            any = any || itrp_can_send((enum itr_event)event, (enum itr_delivery)delivery);
        }
        assert_int_equal(any, chosen != ITR_DELIVERY_NONE);
        assert_int_equal(any, itrp_can_send((enum itr_event)event, chosen));
    }
}

static void test_capabilities_decide_what_can_be_sent(void **context) {
    const struct itrp_capabilities *capabilities = itrp_capabilities();
    (void)context;
    assert_int_equal(itrp_can_send(ITR_EVENT_SIGINT, ITR_DELIVERY_KILL), capabilities->signals);
    assert_int_equal(itrp_can_send(ITR_EVENT_SIGINT, ITR_DELIVERY_TGKILL), capabilities->signals);
    assert_int_equal(itrp_can_send(ITR_EVENT_CTRL_C, ITR_DELIVERY_CONSOLE),
                     capabilities->console_events);
    assert_int_equal(itrp_can_send(ITR_EVENT_CTRL_CLOSE, ITR_DELIVERY_CTRL_ROUTINE),
                     capabilities->ctrl_routine);
}

static void test_nonsense_cannot_be_sent(void **context) {
    (void)context;
    assert_false(itrp_can_send(ITR_EVENT_NONE, ITR_DELIVERY_KILL));
    assert_false(itrp_can_send(ITR_EVENT_NONE, ITR_DELIVERY_CTRL_ROUTINE));
    assert_false(itrp_can_send(ITR_EVENT_SIGINT, ITR_DELIVERY_NONE));
    assert_false(itrp_can_send(ITR_EVENT_SIGINT, ITR_DELIVERY_CONSOLE));
    assert_false(itrp_can_send(ITR_EVENT_CTRL_C, ITR_DELIVERY_KILL));
    /* GenerateConsoleCtrlEvent knows CTRL_C and CTRL_BREAK only. */
    assert_false(itrp_can_send(ITR_EVENT_CTRL_CLOSE, ITR_DELIVERY_CONSOLE));
}

static void test_signal_names(void **context) {
    (void)context;
    for (int signal = 1; signal < 64; signal++) {
        const char *name = itrp_signal_name(signal);
        assert_int_equal(strncmp(name, "SIG", 3), 0);
        assert_true(strlen(name) > 3);
    }
    assert_string_equal(itrp_signal_name(99), "SIG99");
}

/* One line each, whatever the answer where it may be asked for; no command has an empty word. */
static void test_what_other_tools_can_do_is_said(void **context) {
    char attach[256] = "";
    char record[256] = "";
    (void)context;
    assert_non_null(itrp_attach_commands()[0]);
    for (const char *const *command = itrp_attach_commands(); *command != NULL; command++) {
        assert_true(strlen(*command) > 1);
        assert_null(strchr(*command, '\n'));
    }
    assert_true(itrp_attach_note() == NULL || strchr(itrp_attach_note(), '\n') == NULL);
    bool can_attach = itrp_can_attach_gdb(attach, sizeof attach);
    assert_int_not_equal(attach[0], '\0'); /* where gdb is, or why not */
    assert_null(strchr(attach, '\n'));
    assert_int_equal(can_attach, itrp_can_attach_gdb(attach, sizeof attach));
    bool can_record = itrp_can_record(record, sizeof record);
    assert_int_equal(can_record, record[0] == '\0');
    assert_null(strchr(record, '\n'));
    assert_int_equal(can_record, itrp_can_record(record, sizeof record));
}

/* What is no recording is not complete, cannot be packed, and is removed without a word. */
static void test_a_recording_that_is_not_there(void **context) {
    struct itr_error err = {0};
    (void)context;
    assert_false(itrp_recording_is_complete("no-such-folder"));
    itrp_recording_remove("no-such-folder");
    assert_int_not_equal(itrp_recording_pack("no-such-folder", 20000, &err), ITR_OK);
    assert_int_not_equal(err.text[0], '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_capabilities_are_found_once),
        cmocka_unit_test(test_gates_are_where_they_were_built),
        cmocka_unit_test(test_default_delivery_can_send),
        cmocka_unit_test(test_capabilities_decide_what_can_be_sent),
        cmocka_unit_test(test_nonsense_cannot_be_sent),
        cmocka_unit_test(test_signal_names),
        cmocka_unit_test(test_what_other_tools_can_do_is_said),
        cmocka_unit_test(test_a_recording_that_is_not_there),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
