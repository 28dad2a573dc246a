/* Under what policy hosts run: one at a call point under SCHED_BATCH, every other one as the system has it. What the kernel
 * says inside of the host (policy_library.c) must be what the trial's record says, also where the policy is refused. */
#include "framework/cell.h"
#include "framework/tests/self.h"
#include "platform/unix/tests/policy_library.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef INITRACE_POLICY_LIBRARY
#error "INITRACE_POLICY_LIBRARY names the library made from policy_library.c"
#endif

/* Fires two shots at the point; each host must end with this policy and its record say this, NULL: nothing. */
static void assert_policy(const char *at, int policy, const char *recorded) {
    char *text = NULL;
    char code[32];
    START("run", "--library", INITRACE_POLICY_LIBRARY, "--function", "InitraceProbe", "--event", "SIGUSR1", "--at", at, "--count",
          "2", "--seed", "1", "--quiet", "--output", output);
    wait_until(program_is_over, "the end of the program");
    text = scratch_read(output, "trials.jsonl");
    assert_non_null(text);
    snprintf(code, sizeof code, "0x%x", (unsigned)(POLICY_CODE + policy));
    int lines = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        json_t *trial = json_loads(line, 0, NULL);
        assert_non_null(trial);
        const char *scheduling = json_string_value(json_object_get(trial, "scheduling"));
        uint64_t ended = 0;
        assert_true(itr_json_from_hex(json_object_get(json_object_get(trial, "exit"), "code"), &ended));
        if (ended != (uint64_t)(POLICY_CODE + policy) || (scheduling == NULL) != (recorded == NULL) ||
            (recorded != NULL && strcmp(scheduling, recorded) != 0)) {
            fail_msg("at %s, expected code %s and \"%s\": %s", at, code, recorded != NULL ? recorded : "", line);
        }
        json_decref(trial);
    }
    assert_int_equal(lines, 2);
    free(text);
}

static void a_host_at_a_call_runs_under_batch(void **state) {
    (void)state;
    assert_policy("pthread_create#1", SCHED_BATCH, "batch");
}

static void a_host_elsewhere_runs_as_the_system_has_it(void **state) {
    (void)state;
    assert_policy("load-begin+50us", SCHED_OTHER, NULL);
    assert_policy("load-returned", SCHED_OTHER, NULL);
}

static void a_host_under_the_debugger_runs_as_the_system_has_it(void **state) {
    char why[256];
    (void)state;
    if (!itrp_can_debug(why, sizeof why)) {
        print_message("no debugger here: %s\n", why);
        skip();
    }
    assert_policy("InitraceProbe#1", SCHED_OTHER, NULL);
}

/* From here on no policy can be set, in this process and in all that it starts. */
static bool refuse_policies(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setscheduler, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof steps[0], .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The last test: there is no way back. */
static void a_refusal_is_recorded(void **state) {
    (void)state;
    if (!refuse_policies()) {
        print_message("no seccomp here: %s\n", strerror(errno));
        skip();
    }
    assert_policy("pthread_create#1", SCHED_OTHER, "batch-refused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SELF_TEST(a_host_at_a_call_runs_under_batch),
        SELF_TEST(a_host_elsewhere_runs_as_the_system_has_it),
        SELF_TEST(a_host_under_the_debugger_runs_as_the_system_has_it),
        SELF_TEST(a_refusal_is_recorded),
    };
    return cmocka_run_group_tests_name("scheduling", tests, self_set_up_group, self_tear_down_group);
}
