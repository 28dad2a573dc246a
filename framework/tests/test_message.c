/* Unit tests of message.c: the table, normal forms, Wine's noise, hostile lines. */
#include "framework/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One real line for every kind of message, its kind, who prints it, its normal form. */
static const struct {
    const char *line;
    enum itr_message_kind kind;
    const char *printed_by;
    const char *normal;
} samples[] = {
    {"fatal error: cgo callback before cgo call", ITR_MESSAGE_FATAL, "needm", NULL},
    {"runtime: signal received on thread not created by Go.", ITR_MESSAGE_FATAL, "badsignal2",
     NULL},
    {"fatal: bad g in signal handler", ITR_MESSAGE_FATAL, "badsignal", NULL},
    {"fatal: morestack on g0", ITR_MESSAGE_FATAL, "badmorestack", NULL},
    {"fatal: morestack on gsignal", ITR_MESSAGE_FATAL, "badmorestack", NULL},
    {"runtime: morestack on g0, stack [0x7ffc00000000 0x7ffc00002000]", ITR_MESSAGE_FATAL,
     "badmorestack", "runtime: morestack on g0, stack [# #]"},
    {"fatal: systemstack called from unexpected goroutine", ITR_MESSAGE_FATAL, "badsystemstack",
     NULL},
    {"runtime: panic before malloc heap initialized", ITR_MESSAGE_FATAL, "startpanic_m", NULL},
    {"fatal error: unexpected signal during runtime execution", ITR_MESSAGE_FATAL, "sigpanic",
     NULL},
    {"unexpected fault address 0x7f1200340000", ITR_MESSAGE_FATAL, "sigpanic",
     "unexpected fault address #"},
    {"fatal error: fault", ITR_MESSAGE_FATAL, "sigpanic", NULL},
    {"fatal error: runtime.main not on m0", ITR_MESSAGE_FATAL, "throw", NULL},
    {"signal 23 received but handler not on signal stack", ITR_MESSAGE_SIGNAL, "sigNotOnStack",
     "signal 23 received but handler not on signal stack"},
    {"non-Go code set up signal handler without SA_ONSTACK flag", ITR_MESSAGE_SIGNAL,
     "sigNotOnStack", NULL},
    {"signal 13 received on thread with no signal stack", ITR_MESSAGE_SIGNAL, "noSignalStack",
     "signal 13 received on thread with no signal stack"},
    {"non-Go code disabled sigaltstack", ITR_MESSAGE_SIGNAL, "noSignalStack", NULL},
    {"signal 2 received during fork", ITR_MESSAGE_SIGNAL, "signalDuringFork",
     "signal 2 received during fork"},
    {"signal arrived during cgo execution", ITR_MESSAGE_SIGNAL, "sighandler", NULL},
    {"signal arrived during external code execution", ITR_MESSAGE_EXCEPTION, "winthrow", NULL},
    {"Exception 0xc0000005 0x0 0x30 0x18006d2ac", ITR_MESSAGE_EXCEPTION, "winthrow",
     "Exception 0xc0000005 # # #"},
    {"SIGSEGV: segmentation violation", ITR_MESSAGE_SIGNAL, "sighandler", NULL},
    {"SIGABRT: abort", ITR_MESSAGE_SIGNAL, "sighandler", NULL},
    {"[signal SIGSEGV: segmentation violation code=0x1 addr=0x30 pc=0x7f00deadbeef]",
     ITR_MESSAGE_SIGNAL, "sigpanic",
     "[signal SIGSEGV: segmentation violation code=0x1 addr=# pc=#]"},
    {"[signal 0xc0000005 code=0x0 addr=0x30 pc=0x18006d2ac]", ITR_MESSAGE_EXCEPTION, "sigpanic",
     "[signal 0xc0000005 code=0x0 addr=# pc=#]"},
    {"runtime: split stack overflow: 0x7ff < 0x800", ITR_MESSAGE_FATAL, "newstack",
     "runtime: split stack overflow: # < #"},
    {"runtime: stack split at bad time", ITR_MESSAGE_FATAL, "newstack", NULL},
    {"runtime: newstack at runtime.needm+0x12 sp=0x1 stack=[0x2, 0x3]", ITR_MESSAGE_FATAL,
     "newstack", "runtime: newstack at runtime.needm+# sp=# stack=[#, #]"},
    {"runtime: wrong goroutine in newstack", ITR_MESSAGE_FATAL, "newstack", NULL},
    {"attempted to trace stack of a goroutine this thread does not own", ITR_MESSAGE_FATAL,
     "traceStack", NULL},
    {"runtime/cgo: pthread_create failed: Resource temporarily unavailable", ITR_MESSAGE_FATAL,
     "cgo", NULL},
    {"pthread_create failed: Resource temporarily unavailable", ITR_MESSAGE_FATAL, "cgo", NULL},
    {"runtime: something nobody has seen yet, 17 times", ITR_MESSAGE_NOTICE, "the runtime",
     "runtime: something nobody has seen yet, # times"},
    {"panic: runtime error: index out of range [5] with length 3", ITR_MESSAGE_PANIC, "printpanics",
     "panic: runtime error: index out of range [#] with length #"},
    {"bcryptprimitives.dll not found", ITR_MESSAGE_SETUP, "loadOptionalSyscalls", NULL},
    {"fatal error: bcryptprimitives.dll not found", ITR_MESSAGE_SETUP, "loadOptionalSyscalls",
     NULL},
    {"==12640==ERROR: ThreadSanitizer failed to allocate 0x1f10000 (32571392) bytes at address 11fffedb30000 (errno: 12)",
     ITR_MESSAGE_SETUP, "race detector",
     "==#==ERROR: ThreadSanitizer failed to allocate # (#) bytes at address # (errno: #)"},
    {"FATAL: ThreadSanitizer: unexpected memory mapping 0x55e0a7e2c000-0x55e0a7e9a000", ITR_MESSAGE_SETUP, "race detector",
     "FATAL: ThreadSanitizer: unexpected memory mapping #-#"},
    {"runtime: failed to create new OS thread (have 2 already; errno=11)", ITR_MESSAGE_SETUP,
     "newosproc", "runtime: failed to create new OS thread (have # already; errno=#)"},
    {"wine: Unhandled page fault on read access to 0000000000000030 at address "
     "00000001ABCDEFAB (thread 0124), starting debugger...",
     ITR_MESSAGE_EXCEPTION, "Wine",
     "wine: Unhandled page fault on read access to # at address # (thread #), starting "
     "debugger..."},
    {"panic: dead beef face 0f1e deadbeef FFFFFFFFFFFFFFFF g0 x86", ITR_MESSAGE_PANIC,
     "printpanics", "panic: dead beef face # # # g0 x86"},
    {"double free or corruption (out)", ITR_MESSAGE_FATAL, "C library", NULL},
    {"*** stack smashing detected ***: terminated", ITR_MESSAGE_FATAL, "C library", NULL},
};

static const char *const noise[] = {
    "0024:err:winediag:nodrv_CreateWindow Application tried to create a window",
    "002c:fixme:ntdll:NtQuerySystemInformation info_class SYSTEM_PERFORMANCE_INFORMATION",
    "0020:0024:err:module:import_dll Library foo.dll not found",
    "00fc:warn:seh:dispatch_exception x",
    "wine client error:11c: sendmsg: Bad file descriptor",
    "it looks like wine32 is missing, you should install it.",
    "multiarch needs to be enabled first.  as root, please",
    "execute \"dpkg --add-architecture i386 && apt-get update &&",
    "apt-get install wine32:i386\"",
    "wine: created the configuration directory 'prefix'",
    "preloader: Warning: failed to reserve range 0000000000010000-0000000000110000",
};

static const char *const ordinary[] = {
    "",
    "hello",
    "the runtime: is fine",
    " fatal error: indented",
    "SIGNAL: not the name of one",
    "SIGSEGV",
    "SIG: ",
    "SIGSEGVX: no",
    "signal received but handler not on signal stack",
    "Exception handling works",
    "Exception 0x",
    "00:41:12 err: a clock, not Wine",
    "goroutine 1 [running]:",
    "runtime.goexit()",
    "wine is good",
    ":err:x",
    "zz24:err:x",
};

static void every_known_line_has_its_kind_and_normal_form(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct itr_message message;
        const char *printed_by = NULL;
        const char *normal = samples[i].normal != NULL ? samples[i].normal : samples[i].line;
        size_t length = strlen(samples[i].line);
        assert_int_equal(itr_message_kind_of(samples[i].line, length, &printed_by),
                         samples[i].kind);
        assert_string_equal(printed_by, samples[i].printed_by);
        assert_true(itr_message_of(samples[i].line, length, &message));
        assert_int_equal(message.kind, samples[i].kind);
        assert_string_equal(message.printed_by, samples[i].printed_by);
        assert_string_equal(message.text, normal);
        assert_int_equal(message.offset, 0);
        assert_int_equal(message.line_bytes, length);
    }
}

static void ordinary_lines_are_no_message(void **state) {
    struct itr_message message;

    (void)state;
    for (size_t i = 0; i < sizeof ordinary / sizeof ordinary[0]; i++) {
        assert_false(itr_message_of(ordinary[i], strlen(ordinary[i]), &message));
        assert_int_equal(message.kind, ITR_MESSAGE_NONE);
        assert_string_equal(message.text, "");
        assert_string_equal(message.printed_by, "");
    }
}

static void wine_noise_is_no_message(void **state) {
    struct itr_message message;

    (void)state;
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        assert_int_equal(itr_message_kind_of(noise[i], strlen(noise[i]), NULL), ITR_MESSAGE_NOISE);
        assert_false(itr_message_of(noise[i], strlen(noise[i]), &message));
    }
}

static void the_first_message_behind_noise_and_text_is_found(void **state) {
    static const char stream[] = "starting\n"
                                 "0024:err:module:x runtime: not at the line's beginning\n"
                                 "fatal error: first\r\n"
                                 "fatal error: second\n";
    struct itr_message message;

    (void)state;
    assert_true(itr_message_of(stream, sizeof stream - 1, &message));
    assert_string_equal(message.text, "fatal error: first");
    assert_int_equal(message.offset, strstr(stream, "fatal error: first") - stream);
    assert_int_equal(message.line_bytes, strlen("fatal error: first"));
}

static void the_same_failure_at_other_addresses_has_the_same_text(void **state) {
    char one[ITR_MESSAGE_TEXT_MAX];
    char two[ITR_MESSAGE_TEXT_MAX];
    static const char a[] = "unexpected fault address 0x7f1200340000 in 12ms by 0fa3 of m3";
    static const char b[] = "unexpected fault address 0x30 in 9ms by 1234 of m3";

    (void)state;
    itr_message_normalise(one, sizeof one, a, sizeof a - 1);
    itr_message_normalise(two, sizeof two, b, sizeof b - 1);
    assert_string_equal(one, two);
    assert_string_equal(one, "unexpected fault address # in #ms by # of m3");
}

static void garbage_right_behind_the_message_is_not_part_of_it(void **state) {
    static const char stream[] = "fatal error: x\0\x01\x02garbage\n";
    struct itr_message message;

    (void)state;
    assert_true(itr_message_of(stream, sizeof stream - 1, &message));
    assert_string_equal(message.text, "fatal error: x");
    assert_int_equal(message.line_bytes, 14);
}

static void hostile_lines_are_bounded_and_escaped(void **state) {
    size_t count = 1 << 20;
    char *bytes = malloc(count);
    struct itr_message message;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'Z', count);
    memcpy(bytes, "panic: \x1b[2J\xff", 12); /* NOLINT: bytes, not a string */
    assert_true(itr_message_of(bytes, count, &message));
    assert_memory_equal(message.text, "panic: \\x1b[#J\\xffZZZ", 20);
    assert_int_equal(strlen(message.text), ITR_MESSAGE_TEXT_MAX - 1);
    assert_true(message.line_bytes <= 4096);
    memset(bytes, '7', count);
    memcpy(bytes, "panic: ", 7); /* NOLINT: bytes, not a string */
    assert_true(itr_message_of(bytes, count, &message));
    assert_string_equal(message.text, "panic: #");
    free(bytes);
}

/* Each prefix of each line in an array of exactly that size: a reader beyond the end is caught by
 * the address sanitizer. */
static void lines_that_end_early_are_not_read_beyond(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        size_t length = strlen(samples[i].line);
        for (size_t cut = 0; cut <= length; cut++) {
            struct itr_message message;
            char *exact = malloc(cut > 0 ? cut : 1);
            assert_non_null(exact);
            memcpy(exact, samples[i].line, cut);
            (void)itr_message_of(exact, cut, &message);
            free(exact);
        }
    }
}

static void the_last_line_is_not_read_beyond(void **state) {
    static const char lines[] = "first\nsecond\nlast";
    char *exact = malloc(sizeof lines - 1);
    struct itr_message message;

    (void)state;
    assert_non_null(exact);
    memcpy(exact, lines, sizeof lines - 1);
    assert_false(itr_message_of(exact, sizeof lines - 1, &message));
    free(exact);
}

static void kinds_have_names(void **state) {
    (void)state;
    assert_string_equal(itr_message_kind_name(ITR_MESSAGE_SETUP), "setup");
    assert_string_equal(itr_message_kind_name((enum itr_message_kind)99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_line_has_its_kind_and_normal_form),
        cmocka_unit_test(ordinary_lines_are_no_message),
        cmocka_unit_test(wine_noise_is_no_message),
        cmocka_unit_test(the_first_message_behind_noise_and_text_is_found),
        cmocka_unit_test(the_same_failure_at_other_addresses_has_the_same_text),
        cmocka_unit_test(garbage_right_behind_the_message_is_not_part_of_it),
        cmocka_unit_test(hostile_lines_are_bounded_and_escaped),
        cmocka_unit_test(lines_that_end_early_are_not_read_beyond),
        cmocka_unit_test(the_last_line_is_not_read_beyond),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
