/* Unit tests of the files of known failures: what is refused, with which words, and which one a crash is. */
#include "framework/known.h"
#include "framework/report_triage.h"
#include "framework/tests/scratch.h"
#include "framework/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void read_one(const char *text, enum itr_status should, const char *part) {
    char folder[SCRATCH_PATH_MAX];
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    scratch_make(folder);
    scratch_write(folder, "one.json", text, strlen(text));
    scratch_write(folder, "README.md", "not read", 8);
    assert_int_equal(itr_known_read(folder, &list, &error), should);
    if (should != ITR_OK) {
        assert_contains(error.text, "one.json");
        assert_contains(error.text, part);
        assert_int_equal(list.count, 0);
    } else {
        assert_int_equal(list.count, 1);
        assert_string_equal(list.items[0].name, "one");
    }
    itr_known_release(&list);
    scratch_remove(folder);
}

static void mistakes_name_file_key_and_expectation(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } wrong[] = {
        {"{", "one.json:1:"},
        {"[]", "expected an object"},
        {"{\"format\": 2, \"summary\": \"x\", \"match\": [{\"message\": \"y\"}]}", "\"format\": expected 1"},
        {"{\"format\": 1, \"match\": [{\"message\": \"y\"}]}", "\"summary\": expected one sentence"},
        {"{\"format\": 1, \"summary\": \"x\"}", "\"match\": expected a list of conditions"},
        {"{\"format\": 1, \"summary\": \"x\", \"match\": []}", "\"match\": expected a list of conditions"},
        {"{\"format\": 1, \"summary\": \"x\", \"match\": [{}]}", "\"match[0]\": expected at least one condition"},
        {"{\"format\": 1, \"summary\": \"x\", \"match\": [{\"mesage\": \"y\"}]}", "\"match[0].mesage\": expected one of signature"},
        {"{\"format\": 1, \"summary\": \"x\", \"match\": [{\"message\": 3}]}", "\"match[0].message\": expected a string"},
        {"{\"format\": 1, \"summary\": \"x\", \"match\": [{\"functions\": \"f\"}]}",
         "\"match[0].functions\": expected a list of strings"},
        {"{\"format\": 1, \"sumary\": \"x\"}", "\"sumary\": expected one of format, summary"},
        {"{\"format\": 1, \"summary\": \"x\", \"go\": \"new\", \"match\": [{\"message\": \"y\"}]}", "\"go\": expected a range"},
        {"{\"format\": 1, \"summary\": \"x\", \"system\": \"beos\", \"match\": [{\"message\": \"y\"}]}",
         "\"system\": expected linux or windows"},
        {"{\"format\": 1, \"summary\": \"x\", \"finding\": 1, \"match\": [{\"message\": \"y\"}]}",
         "\"finding\": expected true or false"},
        {"{\"format\": 1, \"summary\": \"x\", \"threads\": \"y\", \"match\": [{\"message\": \"y\"}]}",
         "\"threads\": expected a list of strings"},
        {"{\"format\": 1, \"format\": 1}", "one.json:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        read_one(wrong[i].text, ITR_E_FORMAT, wrong[i].part);
    }
    read_one("{\"format\": 1, \"summary\": \"x\", \"go\": \">=1.19\", \"system\": \"linux\", \"finding\": false,"
             "\"threads\": [\"https://example.org/1\"], \"note\": \"n\", \"printed_by\": \"p\","
             "\"match\": [{\"signature\": \"*\", \"message\": \"*\", \"functions\": [\"f*\", \"g\"], \"signal\": \"SIGSEGV\","
             "\"exception\": \"AV\", \"address\": \"null-page\"}]}",
             ITR_OK, "");
}

static void a_folder_that_is_not_there_is_told(void **state) {
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    (void)state;
    assert_int_equal(itr_known_read("no/such/folder", &list, &error), ITR_E_NOT_FOUND);
    assert_contains(error.text, "no/such/folder");
}

static const char a_failure[] = "{\"format\": 1, \"summary\": \"x\", \"match\": [{\"message\": \"y\"}]}";

/* By their names without the suffix, in which a hyphen comes before the dot. */
static void files_are_read_by_name_and_nothing_else_is(void **state) {
    static const char *const names[] = {"a", "a-b", "go1.9", "go1.19", "z"};
    char folder[SCRATCH_PATH_MAX];
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    (void)state;
    scratch_make(folder);
    for (size_t i = 5; i-- > 0;) {
        char name[16];
        snprintf(name, sizeof name, "%s.json", names[i]);
        scratch_write(folder, name, a_failure, strlen(a_failure));
    }
    scratch_write(folder, ".hidden.json", "{", 1);
    scratch_write(folder, ".json", "{", 1);
    scratch_write(folder, "json", "{", 1);
    scratch_write(folder, "x.json~", "{", 1);
    scratch_folder(folder, "folder.json");
    assert_int_equal(itr_known_read(folder, &list, &error), ITR_OK);
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(list.items[i].name, names[i]);
    }
    itr_known_release(&list);
    scratch_remove(folder);
}

static void what_is_too_much_is_refused(void **state) {
    char folder[SCRATCH_PATH_MAX];
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    char *large = calloc(1, ITR_KNOWN_FILE_BYTES_MAX + 1);
    (void)state;
    assert_non_null(large);
    memset(large, ' ', ITR_KNOWN_FILE_BYTES_MAX + 1);
    memcpy(large, a_failure, strlen(a_failure));
    scratch_make(folder);
    scratch_write(folder, "large.json", large, ITR_KNOWN_FILE_BYTES_MAX);
    assert_int_equal(itr_known_read(folder, &list, &error), ITR_OK);
    itr_known_release(&list);
    scratch_write(folder, "large.json", large, ITR_KNOWN_FILE_BYTES_MAX + 1);
    assert_int_equal(itr_known_read(folder, &list, &error), ITR_E_LIMIT);
    assert_contains(error.text, "large.json");
    assert_int_equal(list.count, 0);
    for (int i = 0; i <= ITR_KNOWN_FILES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.json", i);
        scratch_write(folder, name, "", 0);
    }
    assert_int_equal(itr_known_read(folder, &list, &error), ITR_E_LIMIT);
    assert_contains(error.text, "more than 1024 known failures");
    free(large);
    scratch_remove(folder);
}

/* Every message that is documented for the database, and the failure that it stands for. */
static void the_built_in_files_recognise_what_runtimes_print(void **state) {
    static const struct {
        const char *text;
        const char *name;
    } texts[] = {
        {"fatal error: cgo callback before cgo call", "cgo-callback-too-early"},
        {"runtime: signal received on thread not created by Go.", "signal-on-foreign-thread"},
        {"fatal: bad g in signal handler", "bad-g"},
        {"fatal: morestack on g0", "morestack-on-g0"},
        {"fatal: morestack on gsignal", "morestack-on-g0"},
        {"runtime: morestack on g0, stack [0x7ffc 0x7ffd], sp=0x1", "morestack-on-g0"},
        {"fatal: systemstack called from unexpected goroutine", "systemstack-called-wrongly"},
        {"runtime: panic before malloc heap initialized", "heap-not-ready"},
        {"fatal error: unexpected signal during runtime execution", "unexpected-signal"},
        {"unexpected fault address 0x123456789000\nfatal error: fault", "unexpected-signal"},
        {"signal 23 received but handler not on signal stack", "handler-not-on-signal-stack"},
        {"fatal error: non-Go code set up signal handler without SA_ONSTACK flag", "handler-not-on-signal-stack"},
        {"signal 13 received on thread with no signal stack", "no-signal-stack"},
        {"fatal error: non-Go code disabled sigaltstack", "no-signal-stack"},
        {"signal 2 received during fork", "signal-during-fork"},
        {"SIGSEGV: segmentation violation\nPC=0x1 m=0 sigcode=1\nsignal arrived during cgo execution", "signal-in-cgo"},
        {"Exception 0xc0000005 0x0 0x30 0x1234\nPC=0x1234\n\nruntime.needm(0x0)\n\tC:/go/src/runtime/proc.go:1 +0x5", "needm-without-g"},
        {"Exception 0xc0000005 0x0 0x1000000 0x1234\nPC=0x1234", "exception"},
        {"runtime: split stack overflow: 0x1 < 0x2", "stack-growth"},
        {"fatal error: runtime: stack split at bad time", "stack-growth"},
        {"runtime: newstack at runtime.needm+0x12 sp=0x1 stack=[0x2, 0x3]\nfatal error: runtime: wrong goroutine in newstack",
         "stack-growth"},
        {"attempted to trace stack of a goroutine this thread does not own", "foreign-stack-traced"},
        {"runtime/cgo: pthread_create failed: Resource temporarily unavailable", "no-more-threads"},
        {"pthread_create failed: Resource temporarily unavailable", "no-more-threads"},
        {"bcryptprimitives.dll not found", "bcryptprimitives-missing"},
        {"wine: Unhandled page fault on read access to 0000000000000030 at address 000000018006D2AC (thread 0124), starting",
         "unhandled-under-wine"},
        {"fatal error: runtime.main not on m0", "main-not-on-m0"},
        {"Thread 3 (LWP 5):\n#0  0x1 in runtime.stoplockedm () at p.go:1\n#1  0x2 in runtime.callbackasm1 () at a.s:2",
         "callback-waits-for-ever"},
        {"panic: something of one's own", NULL},
        {"nothing at all", NULL},
    };
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    (void)state;
    assert_int_equal(itr_known_read(INITRACE_KNOWN, &list, &error), ITR_OK);
    assert_true(list.count >= 20);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct itr_crash *crash = NULL;
        struct itr_triage *triage = itr_triage_new(NULL);
        assert_non_null(triage);
        itr_triage_feed(triage, texts[i].text, strlen(texts[i].text));
        assert_int_equal(itr_triage_answer(triage, &crash, &error), ITR_OK);
        const struct itr_known_failure *known = itr_known_find(&list, crash);
        if ((known == NULL) != (texts[i].name == NULL) || (known != NULL && strcmp(known->name, texts[i].name) != 0)) {
            fail_msg("%s: known as %s", texts[i].text, known != NULL ? known->name : "nothing");
        }
        itr_triage_free(triage);
    }
    itr_known_release(&list);
}

/* Two files fit: the one with more conditions is the answer. */
static void more_conditions_win(void **state) {
    static const char broad[] = "{\"format\": 1, \"summary\": \"x\", \"match\": [{\"message\": \"panic: *\"}]}";
    static const char narrow[] =
        "{\"format\": 1, \"summary\": \"x\", \"match\": [{\"message\": \"panic: *\", \"functions\": [\"main.*\"]}]}";
    static const char with[] = "panic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/x.go:1 +0x1\n";
    static const char without[] = "panic: x\n\ngoroutine 1 [running]:\nother.f()\n\t/x.go:1 +0x1\n";
    char folder[SCRATCH_PATH_MAX];
    struct itr_known_list list = {0};
    struct itr_error error = {0};
    (void)state;
    scratch_make(folder);
    scratch_write(folder, "a-broad.json", broad, sizeof broad - 1);
    scratch_write(folder, "b-narrow.json", narrow, sizeof narrow - 1);
    assert_int_equal(itr_known_read(folder, &list, &error), ITR_OK);
    for (int i = 0; i < 2; i++) {
        const struct itr_crash *crash = NULL;
        struct itr_triage *triage = itr_triage_new(NULL);
        assert_non_null(triage);
        itr_triage_feed(triage, i == 0 ? with : without, i == 0 ? sizeof with - 1 : sizeof without - 1);
        assert_int_equal(itr_triage_answer(triage, &crash, &error), ITR_OK);
        const struct itr_known_failure *known = itr_known_find(&list, crash);
        assert_non_null(known);
        assert_string_equal(known->name, i == 0 ? "b-narrow" : "a-broad");
        itr_triage_free(triage);
    }
    itr_known_release(&list);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_name_file_key_and_expectation),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
        cmocka_unit_test(files_are_read_by_name_and_nothing_else_is),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(the_built_in_files_recognise_what_runtimes_print),
        cmocka_unit_test(more_conditions_win),
    };
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
