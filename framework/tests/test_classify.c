/* Unit tests of classify.c: each outcome from a synthetic observation, the gravest first; what looks like a
 * failure and is none; signatures that are the same for the same failure, whatever differs besides. */
#include "framework/classify.h"
#include "framework/random.h"
#include "framework/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS           UINT64_C(1000000)
#define BEGIN_NS     UINT64_C(5000000000)
#define LIBRARY_BASE UINT64_C(0x180000000)
#define HOST_BASE    UINT64_C(0x140000000)
#define AV           0xC0000005u
#define INT3         0x80000003u

struct trial {
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_modules modules;
    struct itr_capture output;
    struct itr_capture error_output;
    struct itr_classification result;
};

/* A trial in which all went well. */
static void trial_begin(struct trial *trial) {
    struct itr_ledger_reply *ledger = &trial->seen.ledger;
    memset(trial, 0, sizeof *trial);
    trial->plan.request.flags = ITR_HOST_RECORD_EXCEPTIONS;
    trial->plan.request.shot_count = 1;
    trial->plan.request.shots[0] = (struct itr_shot_request){.event = ITR_EVENT_SIGURG,
                                                             .where = ITR_WHERE_CALL,
                                                             .call = ITR_CALL_PTHREAD_CREATE,
                                                             .nth = 3};
    trial->plan.unit = -1;
    trial->modules.library.name = "minimal";
    trial->modules.host.name = "library_host";
    trial->seen.output = &trial->output;
    trial->seen.error_output = &trial->error_output;
    trial->seen.end = ITR_END_EXIT;
    trial->seen.begin_ns = BEGIN_NS;
    trial->seen.end_ns = BEGIN_NS + 20 * MS;
    trial->seen.ledger_sound = true;
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        ledger->phase_ns[i] = BEGIN_NS + i * MS;
    }
    ledger->shots[0].fired_ns = BEGIN_NS + 3 * MS;
    ledger->shots[0].sent_ns = BEGIN_NS + 3 * MS;
    ledger->handled_count = 1;
    ledger->handled[0] =
        (struct itr_handled){.entered_ns = BEGIN_NS + 4 * MS, .event = ITR_EVENT_SIGURG};
    ledger->calls_counted = 5;
    ledger->library_base = LIBRARY_BASE;
    ledger->host_base = HOST_BASE;
}

static void trial_end(struct trial *trial) {
    itr_capture_release(&trial->output);
    itr_capture_release(&trial->error_output);
}

static void reached(struct trial *trial, enum itr_phase last) {
    for (uint32_t i = (uint32_t)last + 1; i < ITR_PHASE_COUNT; i++) {
        trial->seen.ledger.phase_ns[i] = 0;
    }
}

static void complain(struct trial *trial, const char *text) {
    itr_capture_feed(&trial->error_output, text, strlen(text));
}

static void unheard(struct trial *trial) {
    trial->seen.ledger.handled_count = 0;
    memset(trial->seen.ledger.handled, 0, sizeof trial->seen.ledger.handled);
    reached(trial, ITR_PHASE_WAITING);
}

static void ended(struct trial *trial, enum itr_end how) {
    trial->seen.end = how;
    trial->seen.ended_by_runner = true;
    trial->seen.exit = (struct itrp_exit){.signaled = true, .signal = 9};
}

static void exit_with(struct trial *trial, enum itr_phase last, uint32_t code) {
    unheard(trial);
    reached(trial, last);
    trial->seen.exit = (struct itrp_exit){.code = code};
}

static void die_of(struct trial *trial, enum itr_phase last, int signal) {
    unheard(trial);
    reached(trial, last);
    trial->seen.exit = (struct itrp_exit){.signaled = true, .signal = signal};
}

static void except(struct trial *trial, uint32_t code, uint64_t pc, uint64_t base,
                   uint64_t address) {
    struct itr_ledger_reply *ledger = &trial->seen.ledger;
    struct itr_exception exception = {.time_ns = BEGIN_NS + 4 * MS,
                                      .code = code,
                                      .pc = pc,
                                      .module_base = base,
                                      .address = address,
                                      .thread = 77};
    if (ledger->exception_count < ITR_EXCEPTIONS_MAX) {
        ledger->exceptions[ledger->exception_count] = exception;
    }
    ledger->exception_count++;
    ledger->last_exception = exception;
}

/* ---- each outcome ---- */

static void well(struct trial *trial) {
    (void)trial;
}

static void lost(struct trial *trial) {
    unheard(trial);
    ended(trial, ITR_END_LOST);
}

static void lost_while_pending(struct trial *trial) {
    lost(trial);
    trial->seen.event_pending = true;
}

static void lost_with_its_thread(struct trial *trial) {
    lost(trial);
    trial->seen.ledger.shots[0].thread_started_ns = BEGIN_NS + 3 * MS;
    trial->seen.ledger.shots[0].thread_ended_ns = BEGIN_NS + 4 * MS;
    trial->seen.ledger.shots[0].event_thread_exit = 0xC0000005;
}

static void stuck_event_thread(struct trial *trial) {
    unheard(trial);
    ended(trial, ITR_END_STUCK);
    trial->plan.request.shots[0].event = ITR_EVENT_CTRL_C;
    trial->seen.ledger.shots[0].thread_started_ns = BEGIN_NS + 3 * MS;
}

static void hang_in_the_load(struct trial *trial) {
    unheard(trial);
    reached(trial, ITR_PHASE_LOAD_BEGIN);
    ended(trial, ITR_END_DEADLINE);
}

static void hang_after_it_was_heard(struct trial *trial) {
    reached(trial, ITR_PHASE_WAITING);
    ended(trial, ITR_END_STUCK);
}

static void hang_at_the_very_end(struct trial *trial) {
    ended(trial, ITR_END_DEADLINE);
}

static void exit_2(struct trial *trial) {
    exit_with(trial, ITR_PHASE_WAITING, 2);
}
static void exit_0_too_early(struct trial *trial) {
    exit_with(trial, ITR_PHASE_INIT_DONE, 0);
}
static void exit_3_after_all(struct trial *trial) {
    trial->seen.exit.code = 3;
}
static void exit_139(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 139);
}
static void exit_134(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 134);
}
static void exit_like_an_av(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, AV);
}
static void exit_like_control_c(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC000013A);
}

static void exit_like_an_av_unrecorded(struct trial *trial) {
    exit_like_an_av(trial);
    trial->plan.request.flags = 0;
}

static void exit_by_fail_fast(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC0000409);
}
static void exit_by_fail_fast_exception(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC0000602);
}

static void sigsegv(struct trial *trial) {
    die_of(trial, ITR_PHASE_LOAD_BEGIN, 11);
}

static void sigsegv_with_a_core(struct trial *trial) {
    sigsegv(trial);
    trial->seen.exit.core_dumped = true;
}

static void go_crash(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 2);
    complain(trial, "SIGSEGV: segmentation violation\nPC=0x47a2c1 m=0 sigcode=1 addr=0x30\n");
}

static void go_signal_report(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 2);
    complain(trial,
             "[signal SIGSEGV: segmentation violation code=0x1 addr=0x30 pc=0x7f00deadbeef]\n");
}

static void go_exception_report(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 2);
    complain(trial, "Exception 0xc0000005 0x0 0x30 0x18006d2ac\nPC=0x18006d2ac\n");
}

static void go_fatal(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 2);
    complain(trial, "fatal error: runtime.main not on m0\n\nruntime stack:\nruntime.throw()\n");
}

static void go_fatal_on_stdout(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 2);
    itr_capture_feed(&trial->output, "fatal error: fault\n", 19);
}

static void go_panic(struct trial *trial) {
    exit_with(trial, ITR_PHASE_INIT_DONE, 2);
    complain(
        trial,
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n");
}

/* The runtime often remarks on something before it gives up. */
static void go_notice_then_fatal(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 2);
    complain(trial, "runtime: VirtualAlloc of 8192 bytes failed with errno=1455\n"
                    "runtime: and more\nfatal error: out of memory\n");
}

static void go_notice_only(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 2);
    complain(trial, "runtime: just a remark\n");
}

static void noise_then_fatal(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 2);
    complain(trial,
             "0024:fixme:ntdll:NtQuerySystemInformation info_class SYSTEM_PERFORMANCE_INFORMATION\n"
             "fatal error: fault\n");
}

static void noise(struct trial *trial) {
    complain(trial, "wine client error:2c8: sendmsg: Bad file descriptor\n"
                    "0024:err:ntoskrnl:ZwLoadDriver failed to create driver L\"x\": c0000003\n"
                    "it looks like wine32 is missing, you should install it.\n");
}

static void noise_and_exit_1(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_RETURNED, 1);
    noise(trial);
}

static void fatal_text_and_all_well(struct trial *trial) {
    complain(trial, "fatal error: only text\n");
}
static void signal_text_and_all_well(struct trial *trial) {
    complain(trial, "SIGSEGV: only text\n");
}

/* Heard is not enough, finished is not enough. */
static void fatal_text_and_not_finished(struct trial *trial) {
    reached(trial, ITR_PHASE_WAITING);
    complain(trial, "fatal error: in the midst\n");
}

static void fatal_text_and_not_heard(struct trial *trial) {
    trial->seen.ledger.handled_count = 0;
    complain(trial, "fatal error: unheard\n");
}

/* A runtime that says why it gives up ends with whatever status it likes. */
static void fatal_text_and_error_status(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC0000409);
    complain(trial, "fatal error: and a status\n");
}

static void our_own_kill_with_an_error_status(struct trial *trial) {
    lost(trial);
    trial->seen.exit = (struct itrp_exit){.code = 0xC0000409};
}

static void damage(struct trial *trial) {
    trial->seen.ledger_sound = false;
    snprintf(trial->seen.ledger_damage, sizeof trial->seen.ledger_damage,
             "a guard word was overwritten");
}

static void tool_failure(struct trial *trial) {
    (void)itr_fail(&trial->seen.tool, ITR_E_SYSTEM, 12, "cannot make a pipe for the host: no room");
}

static void host_failure(struct trial *trial) {
    exit_with(trial, ITR_PHASE_HANDLERS_READY, 86);
    trial->seen.ledger.host_failed = 1;
    trial->seen.ledger.host_error_code = 2;
    snprintf(trial->seen.ledger.host_error, sizeof trial->seen.ledger.host_error,
             "dlopen: no such file");
}

static void machine_failure(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 2);
    complain(trial, "fatal error: bcryptprimitives.dll not found\n");
}

static void no_ledger(struct trial *trial) {
    exit_with(trial, ITR_PHASE_HOST_STARTED, 0);
    trial->seen.ledger.phase_ns[0] = 0;
}

/* ---- what hosts look at themselves ---- */

static void no_shot_all_kept(struct trial *trial) {
    trial->plan.request.shot_count = 0;
    trial->seen.ledger.handled_count = 0;
    trial->seen.ledger.checks.made = 3;
}

static void kept_but_ended_by_the_runner(struct trial *trial) {
    no_shot_all_kept(trial);
    reached(trial, ITR_PHASE_WAITING);
    ended(trial, ITR_END_LOST);
}

static void kept_and_exit_1(struct trial *trial) {
    no_shot_all_kept(trial);
    trial->seen.exit = (struct itrp_exit){.code = 1};
}

static void kept_and_lost(struct trial *trial) {
    lost(trial);
    trial->seen.ledger.checks.made = 3;
}

static void kept_and_heard(struct trial *trial) {
    trial->seen.ledger.checks.made = 3;
}

static void one_broken(struct trial *trial) {
    trial->seen.ledger.checks = (struct itr_checks){
        .broken_ns = BEGIN_NS + 5 * MS, .made = 3, .broken = 2, .name = "calls-return", .text = "7 of 9\033[31m"};
}

static void one_broken_half_written(struct trial *trial) {
    trial->seen.ledger.checks.made = 1;
    trial->seen.ledger.checks.broken = 1;
}

static void one_broken_and_lost(struct trial *trial) {
    lost(trial);
    one_broken(trial);
}

static void one_broken_and_exit_3(struct trial *trial) {
    one_broken(trial);
    trial->seen.exit = (struct itrp_exit){.code = 3};
}

static void one_broken_then_hung(struct trial *trial) {
    one_broken(trial);
    unheard(trial);
    ended(trial, ITR_END_DEADLINE);
}

static void no_shot_planned(struct trial *trial) {
    trial->plan.request.shot_count = 0;
    memset(trial->seen.ledger.shots, 0, sizeof trial->seen.ledger.shots);
    trial->seen.ledger.handled_count = 0;
}

static void call_never_made(struct trial *trial) {
    unheard(trial);
    ended(trial, ITR_END_LOST);
    memset(trial->seen.ledger.shots, 0, sizeof trial->seen.ledger.shots);
    trial->seen.ledger.calls_counted = 2;
}

static void call_never_made_unsteadied(struct trial *trial) {
    call_never_made(trial);
    trial->seen.ledger.scheduling = ITR_SCHEDULING_REFUSED;
}

static struct itrp_debug_report debug_report; /* of the trial under way */

static void debug(struct trial *trial) {
    memset(&debug_report, 0, sizeof debug_report);
    debug_report.library_mapped = true;
    debug_report.library_base = LIBRARY_BASE;
    trial->seen.debug = &debug_report;
}

static void point_never_reached(struct trial *trial) {
    call_never_made(trial);
    debug(trial);
    debug_report.hits = 1;
    trial->plan.request.shots[0].where = ITR_WHERE_POINT;
    trial->plan.point = (struct itr_plan_point){.rva = 0x1234, .nth = 2};
}

static void hung_before_the_point(struct trial *trial) {
    point_never_reached(trial);
    reached(trial, ITR_PHASE_LOAD_BEGIN);
    ended(trial, ITR_END_DEADLINE);
}

static void hung_at_the_point(struct trial *trial) {
    hung_before_the_point(trial);
    trial->seen.ledger.shots[0].fired_ns = trial->seen.ledger.shots[0].sent_ns = BEGIN_NS + 3 * MS;
}

static void gate_never_reached(struct trial *trial) {
    call_never_made(trial);
    trial->plan.request.shots[0].where = ITR_WHERE_GATE;
    trial->plan.request.shots[0].role = ITR_ROLE_INIT;
    trial->seen.ledger.shots[0].gate_written = 1;
}

static void gate_never_written(struct trial *trial) {
    gate_never_reached(trial);
    trial->seen.ledger.shots[0].gate_written = 0;
}

static void somebody_else_at_the_gate(struct trial *trial) {
    gate_never_reached(trial);
    trial->seen.ledger.shots[0].gate_ns = BEGIN_NS + 3 * MS;
    trial->seen.ledger.shots[0].gate_thread = 77;
    trial->seen.ledger.shots[0].gate_role = ITR_ROLE_MAIN;
}

static void hung_before_the_gate(struct trial *trial) {
    gate_never_reached(trial);
    reached(trial, ITR_PHASE_LOAD_BEGIN);
    ended(trial, ITR_END_DEADLINE);
}

static void library_never_mapped(struct trial *trial) {
    point_never_reached(trial);
    debug_report.library_mapped = false;
    debug_report.hits = 0;
}

static void fault(uint32_t code, uint64_t pc, uint64_t base, uint64_t address) {
    struct itrp_debug_fault *one = &debug_report.faults[debug_report.fault_count++];
    *one = (struct itrp_debug_fault){.time_ns = BEGIN_NS + 4 * MS,
                                     .pc = pc,
                                     .address = address,
                                     .module_base = base,
                                     .code = code,
                                     .si_code = 1,
                                     .role = ITR_ROLE_INIT};
    debug_report.last_fault = *one;
}

/* A fault that the host handled is none. */
static void fault_and_all_well(struct trial *trial) {
    debug(trial);
    fault(11, LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30);
}

static void phase_never_reached(struct trial *trial) {
    call_never_made(trial);
    trial->plan.request.shots[0].where = ITR_WHERE_PHASE;
}

static void sending_failed(struct trial *trial) {
    lost(trial);
    trial->seen.ledger.shots[0].send_error = 3;
}

/* The sending call never came back, and nobody heard anything: that is no loss. */
static void fired_but_never_sent(struct trial *trial) {
    lost(trial);
    trial->seen.ledger.shots[0].sent_ns = 0;
}

/* The host heard the event and ended before the sending thread had written that its call returned. */
static void heard_before_it_was_sent(struct trial *trial) {
    trial->seen.ledger.shots[0].sent_ns = 0;
}

static void av_in_the_library(struct trial *trial) {
    lost(trial);
    except(trial, AV, LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30);
}

static void av_and_breakpoints(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC00000FD);
    except(trial, AV, LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30);
    for (int i = 0; i < 3000; i++) {
        except(trial, INT3, LIBRARY_BASE + 0x70000, LIBRARY_BASE, 0);
    }
}

static void av_in_the_host(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, AV);
    except(trial, AV, HOST_BASE + 0x1234, HOST_BASE, UINT64_C(0xffffffffffffffff));
}

static void av_elsewhere(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, AV);
    except(trial, AV, 0x7ffe1234, 0x7ffe0000, 0x7ffe12345678);
}

static void av_nowhere(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, AV);
    except(trial, AV, 8, 0, 8);
}

static void odd_exception(struct trial *trial) {
    exit_with(trial, ITR_PHASE_LOAD_BEGIN, 0xC1234567);
    except(trial, 0xC1234567, LIBRARY_BASE + 5, LIBRARY_BASE, 0);
}

static void exception_and_message(struct trial *trial) {
    av_in_the_library(trial);
    complain(trial, "Exception 0xc0000005 0x0 0x30 0x18006d2ac\n");
}

/* Runtimes raise and handle exceptions of their own. */
static void exception_and_all_well(struct trial *trial) {
    except(trial, AV, LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30);
}

/* DBG_CONTROL_C and thread names are messages for a debugger. */
static void debugger_messages(struct trial *trial) {
    lost(trial);
    except(trial, 0x40010005, LIBRARY_BASE + 1, LIBRARY_BASE, 0);
    except(trial, 0x406D1388, LIBRARY_BASE + 2, LIBRARY_BASE, 0);
}

static void feed_garbage(struct itr_capture *capture, const char *line) {
    static unsigned char block[65536];
    struct itr_random random = itr_random_seed(3);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (unsigned char)itr_random_next(&random);
    }
    for (int i = 0; i < 12; i++) {
        itr_capture_feed(capture, line, strlen(line));
        itr_capture_feed(capture, block, sizeof block);
    }
}

static void garbage(struct trial *trial) {
    lost(trial);
    feed_garbage(&trial->error_output, "runtime: signal received on thread not created by Go.\n");
}

static void garbage_on_stdout(struct trial *trial) {
    feed_garbage(&trial->output, "");
}

static const struct row {
    const char *name;
    void (*happen)(struct trial *trial);
    enum itr_outcome outcome;
    const char *signature;
    const char *detail; /* part of it */
} rows[] = {
    {"well", well, ITR_OUTCOME_DELIVERED, "", ""},
    {"heard before sent", heard_before_it_was_sent, ITR_OUTCOME_DELIVERED, "", ""},
    {"noise", noise, ITR_OUTCOME_DELIVERED, "", ""},
    {"fatal text", fatal_text_and_all_well, ITR_OUTCOME_DELIVERED, "", ""},
    {"signal text", signal_text_and_all_well, ITR_OUTCOME_DELIVERED, "", ""},
    {"handled exception", exception_and_all_well, ITR_OUTCOME_DELIVERED, "", ""},
    {"no shot planned", no_shot_planned, ITR_OUTCOME_NOT_FIRED, "not-fired", ""},
    {"all kept", no_shot_all_kept, ITR_OUTCOME_PASSED, "", ""},
    {"kept, no end", kept_but_ended_by_the_runner, ITR_OUTCOME_NOT_FIRED, "not-fired", ""},
    {"kept, exit 1", kept_and_exit_1, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x1 after finished", ""},
    {"kept, lost", kept_and_lost, ITR_OUTCOME_LOST, "lost SIGURG", ""},
    {"kept, heard", kept_and_heard, ITR_OUTCOME_DELIVERED, "", ""},
    {"broken", one_broken, ITR_OUTCOME_CHECK_FAILED, "check-failed calls-return",
     "2 of 3 checks failed, first calls-return: 7 of 9\\x1b[31m"},
    {"broken, half written", one_broken_half_written, ITR_OUTCOME_CHECK_FAILED, "check-failed",
     "1 of 1 checks failed, first one without a name"},
    {"broken, lost", one_broken_and_lost, ITR_OUTCOME_CHECK_FAILED, "check-failed calls-return", ""},
    {"broken, exit 3", one_broken_and_exit_3, ITR_OUTCOME_CHECK_FAILED, "check-failed calls-return", ""},
    {"broken, hung", one_broken_then_hung, ITR_OUTCOME_HANG, "hang SIGURG after waiting", "first calls-return: 7 of 9"},
    {"call never made", call_never_made, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG pthread_create#3",
     "made 2 calls"},
    {"call never made, scheduling refused", call_never_made_unsteadied, ITR_OUTCOME_NOT_FIRED,
     "not-fired SIGURG pthread_create#3", "the system refused the host the scheduling"},
    {"point never reached", point_never_reached, ITR_OUTCOME_NOT_FIRED,
     "not-fired SIGURG point-not-reached", "reached 1 times of 2"},
    {"hung before", hung_before_the_point, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG point-not-reached",
     "the host hung after load-begin, before the point"},
    {"hung at it", hung_at_the_point, ITR_OUTCOME_HANG, "hang SIGURG after load-begin", ""},
    {"gate never reached", gate_never_reached, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG point-not-reached",
     "no thread came to the gate"},
    {"gate never written", gate_never_written, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG point-not-reached",
     "the library was never mapped"},
    {"somebody else at the gate", somebody_else_at_the_gate, ITR_OUTCOME_NOT_FIRED,
     "not-fired SIGURG point-not-reached", "another thread came to the gate before the init thread: thread 77 (main)"},
    {"hung before the gate", hung_before_the_gate, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG point-not-reached",
     "the host hung after load-begin, before the point; no thread came to the gate"},
    {"never mapped", library_never_mapped, ITR_OUTCOME_NOT_FIRED,
     "not-fired SIGURG point-not-reached", "reached 0 times of 2: the library was never mapped"},
    {"handled fault", fault_and_all_well, ITR_OUTCOME_DELIVERED, "", ""},
    {"phase never reached", phase_never_reached, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG",
     "ended after waiting"},
    {"sending failed", sending_failed, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG send-error",
     "error 3"},
    {"never sent", fired_but_never_sent, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG pthread_create#3",
     ""},
    {"lost", lost, ITR_OUTCOME_LOST, "lost SIGURG", ""},
    {"pending", lost_while_pending, ITR_OUTCOME_LOST, "lost SIGURG", "still pending"},
    {"thread gone", lost_with_its_thread, ITR_OUTCOME_LOST, "lost SIGURG",
     "ended with code 0xc0000005"},
    {"messages", debugger_messages, ITR_OUTCOME_LOST, "lost SIGURG", ""},
    {"exit 2", exit_2, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x2 after waiting",
     "before it had finished"},
    {"exit 0", exit_0_too_early, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x0 after init-done",
     "before it had finished"},
    {"exit 3", exit_3_after_all, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x3 after finished",
     "with code 3"},
    {"exit 139", exit_139, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x8b after load-begin", ""},
    {"exit 134", exit_134, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x86 after load-begin", ""},
    {"exit AV", exit_like_an_av, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0xc0000005 after load-begin",
     ""},
    {"exit ^C", exit_like_control_c, ITR_OUTCOME_WRONG_EXIT,
     "wrong-exit 0xc000013a after load-begin", ""},
    {"notice", go_notice_only, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x2 after load-returned", ""},
    {"noise, exit", noise_and_exit_1, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x1 after load-returned",
     ""},
    {"stuck", stuck_event_thread, ITR_OUTCOME_HANG, "hang CTRL_C after waiting, event thread stuck",
     "nothing moved"},
    {"in load", hang_in_the_load, ITR_OUTCOME_HANG, "hang SIGURG after load-begin",
     "deadline after 20.0 ms"},
    {"heard", hang_after_it_was_heard, ITR_OUTCOME_HANG, "hang SIGURG after waiting",
     "nothing moved"},
    {"at end", hang_at_the_very_end, ITR_OUTCOME_HANG, "hang SIGURG after finished", "deadline"},
    {"fatal", go_fatal, ITR_OUTCOME_FATAL, "fatal \"fatal error: runtime.main not on m0\"",
     "0x2 after load-returned"},
    {"stdout", go_fatal_on_stdout, ITR_OUTCOME_FATAL, "fatal \"fatal error: fault\"", ""},
    {"panic", go_panic, ITR_OUTCOME_FATAL,
     "fatal \"panic: runtime error: index out of range [#] with length #\"", "0x2 after init-done"},
    {"notice first", go_notice_then_fatal, ITR_OUTCOME_FATAL,
     "fatal \"fatal error: out of memory\"", ""},
    {"noise first", noise_then_fatal, ITR_OUTCOME_FATAL, "fatal \"fatal error: fault\"", ""},
    {"unfinished", fatal_text_and_not_finished, ITR_OUTCOME_FATAL,
     "fatal \"fatal error: in the midst\"", ""},
    {"unheard", fatal_text_and_not_heard, ITR_OUTCOME_FATAL, "fatal \"fatal error: unheard\"", ""},
    {"status", fatal_text_and_error_status, ITR_OUTCOME_FATAL,
     "fatal \"fatal error: and a status\"", "0xc0000409"},
    {"own kill", our_own_kill_with_an_error_status, ITR_OUTCOME_LOST, "lost SIGURG", ""},
    {"SIGSEGV", sigsegv, ITR_OUTCOME_CRASH, "crash {11}", "ended by {11} after load-begin"},
    {"core", sigsegv_with_a_core, ITR_OUTCOME_CRASH, "crash {11}", "core written"},
    {"Go crash", go_crash, ITR_OUTCOME_CRASH, "crash \"SIGSEGV: segmentation violation\"", ""},
    {"Go signal", go_signal_report, ITR_OUTCOME_CRASH,
     "crash \"[signal SIGSEGV: segmentation violation code=0x1 addr=# pc=#]\"", ""},
    {"Go exception", go_exception_report, ITR_OUTCOME_CRASH, "crash \"Exception 0xc0000005 # # #\"",
     ""},
    {"unrecorded", exit_like_an_av_unrecorded, ITR_OUTCOME_CRASH, "crash AV",
     "no exception was recorded"},
    {"fail fast", exit_by_fail_fast, ITR_OUTCOME_CRASH, "crash STACK_BUFFER_OVERRUN", "0xc0000409"},
    {"fail fast 2", exit_by_fail_fast_exception, ITR_OUTCOME_CRASH, "crash FAIL_FAST_EXCEPTION",
     "0xc0000602"},
    {"AV", av_in_the_library, ITR_OUTCOME_CRASH, "crash AV minimal null-page",
     "AV at pc 0x18006d2ac (minimal+0x6d2ac); reading address 0x30; thread 77, 1 exceptions"},
    {"AV+INT3*", av_and_breakpoints, ITR_OUTCOME_CRASH, "crash AV+INT3* minimal null-page",
     "3001 exceptions"},
    {"AV host", av_in_the_host, ITR_OUTCOME_CRASH, "crash AV library_host non-canonical-or-kernel",
     "+0x1234"},
    {"AV other", av_elsewhere, ITR_OUTCOME_CRASH, "crash AV other-module elsewhere",
     "0x7ffe12345678"},
    {"AV nowhere", av_nowhere, ITR_OUTCOME_CRASH, "crash AV no-module null-page", "pc 0x8"},
    {"odd", odd_exception, ITR_OUTCOME_CRASH, "crash 0xC1234567 minimal", ""},
    {"AV, message", exception_and_message, ITR_OUTCOME_CRASH,
     "crash AV minimal null-page \"Exception 0xc0000005 # # #\"", ""},
    {"garbage", garbage, ITR_OUTCOME_GARBAGE,
     "garbage stderr binary periodic after \"runtime: signal received on thread not created by "
     "Go.\"",
     "period 65590 bytes, 12 times, the size is a multiple of it"},
    {"garbage 2", garbage_on_stdout, ITR_OUTCOME_GARBAGE, "garbage stdout binary periodic",
     "786432 bytes on stdout"},
    {"damage", damage, ITR_OUTCOME_LEDGER_DAMAGED, "ledger-damaged",
     "a guard word was overwritten"},
    {"tool", tool_failure, ITR_OUTCOME_TOOL_ERROR, "tool-error system", "cannot make a pipe"},
    {"host", host_failure, ITR_OUTCOME_TOOL_ERROR, "tool-error host-set-up",
     "dlopen: no such file (error 2)"},
    {"machine", machine_failure, ITR_OUTCOME_TOOL_ERROR,
     "tool-error set-up \"fatal error: bcryptprimitives.dll not found\"", "initrace doctor"},
    {"no ledger", no_ledger, ITR_OUTCOME_TOOL_ERROR, "tool-error no-ledger", "platform/host.h"},
};

/* Puts this system's name of signal 11 in the place of "{11}". */
static const char *expand(const char *text, char *out, size_t room) {
    const char *mark = strstr(text, "{11}");
    if (mark == NULL) {
        return text;
    }
    snprintf(out, room, "%.*s%s%s", (int)(mark - text), text, itrp_signal_name(11), mark + 4);
    return out;
}

static void classify(struct trial *trial) {
    memset(&trial->result, 0xa5, sizeof trial->result);
    itr_classify(&trial->plan, &trial->seen, &trial->modules, &trial->result);
}

static void each_observation_has_its_outcome(void **state) {
    struct trial trial;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char signature[ITR_SIGNATURE_MAX];
        char detail[ITR_DETAIL_MAX];
        trial_begin(&trial);
        rows[i].happen(&trial);
        classify(&trial);
        if (trial.result.outcome != rows[i].outcome ||
            strcmp(trial.result.signature,
                   expand(rows[i].signature, signature, sizeof signature)) != 0 ||
            strstr(trial.result.detail, expand(rows[i].detail, detail, sizeof detail)) == NULL) {
            fail_msg("%s: %s, \"%s\", \"%s\"", rows[i].name,
                     itr_outcome_name((uint32_t)trial.result.outcome), trial.result.signature,
                     trial.result.detail);
        }
        trial_end(&trial);
    }
}

static void every_outcome_was_tried(void **state) {
    bool tried[ITR_OUTCOME_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tried[rows[i].outcome] = true;
    }
    for (uint32_t i = 0; i < ITR_OUTCOME_COUNT; i++) {
        assert_true(tried[i]);
    }
}

/* ---- the gravest counts ---- */

static void the_gravest_outcome_counts(void **state) {
    static void (*const gravest_last[])(struct trial *) = {
        exit_2, one_broken, stuck_event_thread, go_fatal, av_in_the_library, garbage, damage, tool_failure};
    static const enum itr_outcome outcomes[] = {ITR_OUTCOME_WRONG_EXIT, ITR_OUTCOME_CHECK_FAILED,
                                                ITR_OUTCOME_HANG,
                                                ITR_OUTCOME_FATAL,      ITR_OUTCOME_CRASH,
                                                ITR_OUTCOME_GARBAGE,    ITR_OUTCOME_LEDGER_DAMAGED,
                                                ITR_OUTCOME_TOOL_ERROR};
    struct trial trial;
    (void)state;
    for (size_t count = 1; count <= sizeof outcomes / sizeof outcomes[0]; count++) {
        trial_begin(&trial);
        for (size_t i = 0; i < count; i++) {
            gravest_last[i](&trial);
        }
        classify(&trial);
        if (trial.result.outcome != outcomes[count - 1]) {
            fail_msg("with %u things wrong: %s", (unsigned)count,
                     itr_outcome_name((uint32_t)trial.result.outcome));
        }
        trial_end(&trial);
    }
}

/* A damaged ledger says nothing, not even that the host itself failed or was never started. */
static void a_damaged_ledger_is_not_believed(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    damage(&trial);
    trial.seen.ledger.host_failed = 1;
    trial.seen.ledger.phase_ns[0] = 0;
    trial.seen.ledger.exception_count = UINT32_MAX;
    trial.seen.ledger.handled_count = UINT32_MAX;
    classify(&trial);
    assert_int_equal(trial.result.outcome, ITR_OUTCOME_LEDGER_DAMAGED);
    trial_end(&trial);
}

static void our_own_kill_is_no_crash(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    ended(&trial, ITR_END_LOST); /* ended just as it had heard the event */
    classify(&trial);
    assert_int_equal(trial.result.outcome, ITR_OUTCOME_DELIVERED);
    trial_end(&trial);
}

/* ---- signatures ---- */

static void an_exceptions_signature_has_no_address(void **state) {
    struct trial one;
    struct trial two;
    uint64_t moved = UINT64_C(0x7ff612340000);
    (void)state;
    trial_begin(&one);
    lost(&one);
    except(&one, AV, LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30);
    classify(&one);
    trial_begin(&two); /* another machine, another build, later, another thread, twice */
    lost(&two);
    two.seen.ledger.library_base = moved;
    two.seen.end_ns += 5000 * MS;
    two.seen.ledger.process = 99;
    except(&two, AV, moved + 0x71234, moved, 0x48);
    except(&two, AV, moved + 0x71234, moved, 0x48);
    two.seen.ledger.exceptions[0].thread = 1234;
    classify(&two);
    assert_string_equal(one.result.signature, "crash AV minimal null-page");
    assert_string_equal(two.result.signature, "crash AV* minimal null-page");
    assert_string_not_equal(one.result.detail, two.result.detail);
    trial_end(&one);
    trial_end(&two);
}

static void a_messages_signature_has_no_number(void **state) {
    static const char *const texts[] = {
        "unexpected fault address 0x7f1200340000\nfatal error: fault\n[signal SIGSEGV: code=0x1 "
        "addr=0x7f1200340000]\n",
        "unexpected fault address 0xc000123\nfatal error: fault\n",
    };
    char signatures[2][ITR_SIGNATURE_MAX];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct trial trial;
        trial_begin(&trial);
        exit_with(&trial, ITR_PHASE_LOAD_BEGIN, 2);
        complain(&trial, texts[i]);
        classify(&trial);
        memcpy(signatures[i], trial.result.signature, sizeof signatures[i]);
        trial_end(&trial);
    }
    assert_string_equal(signatures[0], "fatal \"unexpected fault address #\"");
    assert_string_equal(signatures[0], signatures[1]);
}

static void a_garbage_signature_has_no_count(void **state) {
    struct trial one;
    struct trial two;
    (void)state;
    trial_begin(&one);
    garbage(&one);
    classify(&one);
    trial_begin(&two);
    garbage(&two);
    feed_garbage(&two.error_output, "runtime: signal received on thread not created by Go.\n");
    classify(&two);
    assert_string_equal(one.result.signature, two.result.signature);
    assert_string_not_equal(one.result.detail, two.result.detail);
    trial_end(&one);
    trial_end(&two);
}

static void assert_one_clean_line(const char *text, size_t room) {
    size_t length = strlen(text);
    assert_true(length < room);
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t step = itr_utf8_length(text + at, length - at, &code);
        if (step == 0 || (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0)) {
            fail_msg("byte %u of \"%s\" is not fit for a terminal", (unsigned)at, text);
        }
        at += step;
    }
}

/* Whatever a host prints, and however long names are: one line, fit for a terminal, never half a character. */
static void signatures_and_details_are_clean(void **state) {
    static const char *const hostile[] = {"\x1b[31mred",
                                          "\xff\xfe\xc3",
                                          "a\rb\tc\vd",
                                          "\xe2\x80\xae"
                                          "evil",
                                          "<script>&\"'",
                                          "%s%n%x",
                                          "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"};
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        for (size_t length = 1; length < 400; length += 7) {
            struct trial trial;
            char text[800] = "fatal error: ";
            char name[420] = "";
            trial_begin(&trial);
            while (strlen(text) < length) {
                strcat(text, hostile[i]);
            }
            while (strlen(name) < length) {
                strcat(name, hostile[i]);
            }
            name[length] = '\0';
            av_in_the_library(&trial);
            complain(&trial, text);
            trial.modules.library.name = name;
            classify(&trial);
            assert_one_clean_line(trial.result.signature, sizeof trial.result.signature);
            assert_one_clean_line(trial.result.detail, sizeof trial.result.detail);
            trial_end(&trial);
            trial_begin(&trial);
            host_failure(&trial);
            snprintf(trial.seen.ledger.host_error, sizeof trial.seen.ledger.host_error, "%.255s",
                     text);
            classify(&trial);
            assert_int_equal(trial.result.outcome, ITR_OUTCOME_TOOL_ERROR);
            assert_one_clean_line(trial.result.detail, sizeof trial.result.detail);
            trial_end(&trial);
        }
    }
}

/* Only what does not fit is cut. */
static void long_signatures_fill_their_room(void **state) {
    char name[ITR_LOCATION_MAX];
    char text[ITR_SIGNATURE_MAX];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "fatal error: %0100d", 7);
    for (size_t i = 13; i < strlen(text); i++) {
        text[i] = 'y';
    }
    struct trial trial;
    trial_begin(&trial);
    trial.modules.library.name = name;
    av_in_the_library(&trial);
    complain(&trial, text);
    classify(&trial);
    assert_int_equal(strlen(trial.result.signature), sizeof trial.result.signature - 1);
    trial_end(&trial);
}

/* ---- parts ---- */

static void exceptions_have_a_shape(void **state) {
    static const struct {
        uint32_t codes[12]; /* up to the first 0 */
        const char *shape;
    } shapes[] = {
        {{0}, ""},
        {{AV}, "AV"},
        {{AV, AV}, "AV*"},
        {{AV, INT3}, "AV+INT3"},
        {{AV, INT3, INT3, INT3}, "AV+INT3*"},
        {{AV, AV, INT3}, "AV*+INT3"},
        {{INT3, AV, INT3, AV}, "INT3+AV+INT3+AV"},
        {{0x40010005, AV, 0x406D1388, AV}, "AV*"},
        {{0xC00000FD}, "STACK_OVERFLOW"},
        {{0xE1234567}, "0xE1234567"},
        {{AV, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, INT3, 0xC00000FD},
         "AV+INT3*+STACK_OVERFLOW"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct trial trial;
        char shape[64] = "x";
        char tiny[4];
        trial_begin(&trial);
        for (size_t k = 0; shapes[i].codes[k] != 0; k++) {
            except(&trial, shapes[i].codes[k], 1, 0, 0);
        }
        itr_exception_shape(&trial.seen.ledger, shape, sizeof shape);
        assert_string_equal(shape, shapes[i].shape);
        itr_exception_shape(&trial.seen.ledger, tiny, sizeof tiny);
        assert_true(strlen(tiny) < sizeof tiny);
        trial_end(&trial);
    }
}

static void the_first_exception_is_no_debugger_message(void **state) {
    struct trial trial;
    (void)state;
    trial_begin(&trial);
    assert_null(itr_first_exception(&trial.seen.ledger));
    except(&trial, 0x40010005, 1, 0, 0);
    assert_null(itr_first_exception(&trial.seen.ledger));
    except(&trial, INT3, 2, 0, 0);
    except(&trial, AV, 3, 0, 0);
    assert_ptr_equal(itr_first_exception(&trial.seen.ledger), &trial.seen.ledger.exceptions[1]);
    trial_end(&trial);
}

static void a_pc_is_located_in_a_module(void **state) {
    struct trial trial;
    char text[ITR_LOCATION_MAX];
    struct itr_exception exception = {.pc = LIBRARY_BASE + 0x123, .module_base = LIBRARY_BASE};
    (void)state;
    trial_begin(&trial);
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, true, text, sizeof text);
    assert_string_equal(text, "minimal+0x123");
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, false, text, sizeof text);
    assert_string_equal(text, "minimal");
    /* While the load has not returned only the calibration knows where the library lies. */
    trial.seen.ledger.library_base = 0;
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, false, text, sizeof text);
    assert_string_equal(text, "other-module");
    trial.modules.library.base = LIBRARY_BASE;
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, false, text, sizeof text);
    assert_string_equal(text, "minimal");
    exception = (struct itr_exception){.pc = HOST_BASE + 7, .module_base = HOST_BASE};
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, true, text, sizeof text);
    assert_string_equal(text, "library_host+0x7");
    exception = (struct itr_exception){.pc = 7};
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &exception, true, text, sizeof text);
    assert_string_equal(text, "no-module");
    trial_end(&trial);
}

/* ---- what a debugger saw ---- */

/* The first fault says where it began; what ends the process may be another signal. */
static void a_crash_has_the_place_of_its_first_fault(void **state) {
    static const struct {
        uint64_t pc;
        uint64_t base;
        uint64_t address;
        const char *signature;
        const char *detail;
    } places[] = {
        {LIBRARY_BASE + 0x6d2ac, LIBRARY_BASE, 0x30, "crash SIGABRT SIGSEGV at minimal null-page",
         "first SIGSEGV at pc 0x18006d2ac (minimal+0x6d2ac), address 0x30, si_code 1, init thread"},
        {HOST_BASE + 0x1234, HOST_BASE, UINT64_MAX,
         "crash SIGABRT SIGSEGV at library_host non-canonical-or-kernel", "(library_host+0x1234)"},
        {0x600d1000, 0, 0x600d1000, "crash SIGABRT SIGSEGV at no-module elsewhere", "pc 0x600d1000"},
        {0x700000001234, 0x700000000000, 0x8, "crash SIGABRT SIGSEGV at other-module null-page", ""},
    };
    (void)state;
    if (!itrp_capabilities()->signals) {
        skip(); /* the host's own record of exceptions says it there */
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct trial trial;
        trial_begin(&trial);
        die_of(&trial, ITR_PHASE_LOAD_BEGIN, 6);
        debug(&trial);
        fault(11, places[i].pc, places[i].base, places[i].address);
        fault(6, 0x700000005678, 0x700000000000, 0);
        classify(&trial);
        assert_int_equal(trial.result.outcome, ITR_OUTCOME_CRASH);
        assert_string_equal(trial.result.signature, places[i].signature);
        assert_non_null(strstr(trial.result.detail, places[i].detail));
        trial_end(&trial);
    }
}

/* An address that is none of an access is not told. */
static void only_an_access_has_an_address(void **state) {
    struct trial trial;
    (void)state;
    if (!itrp_capabilities()->signals) {
        skip();
    }
    trial_begin(&trial);
    die_of(&trial, ITR_PHASE_LOAD_BEGIN, 4);
    debug(&trial);
    fault(4, LIBRARY_BASE + 0x10, LIBRARY_BASE, LIBRARY_BASE + 0x10);
    classify(&trial);
    assert_string_equal(trial.result.signature, "crash SIGILL SIGILL at minimal");
    trial_end(&trial);
}

static void a_debugger_without_a_fault_changes_no_signature(void **state) {
    struct trial trial;
    char signature[ITR_SIGNATURE_MAX];
    (void)state;
    trial_begin(&trial);
    sigsegv(&trial);
    debug(&trial);
    classify(&trial);
    assert_string_equal(trial.result.signature, expand("crash {11}", signature, sizeof signature));
    trial_end(&trial);
}

/* A function of this program, to be found by name in the program's own file. */
int itr_test_planted_function(int number);
__attribute__((noinline)) int itr_test_planted_function(int number) {
    return number + 1;
}

static void a_pc_has_the_name_of_its_function(void **state) {
    struct trial trial;
    struct itr_symbol symbol;
    struct itr_image *image = NULL;
    char path[1024];
    char text[ITR_LOCATION_MAX];
    size_t length = sizeof path;
    (void)state;
    assert_int_equal(itr_test_planted_function(1), 2);
    assert_int_equal(uv_exepath(path, &length), 0);
    assert_int_equal(itr_image_open(&image, path, NULL), ITR_OK);
    assert_true(itr_image_lookup(image, "itr_test_planted_function", &symbol));
    trial_begin(&trial);
    lost(&trial);
    trial.modules.library.image = image;
    except(&trial, AV, LIBRARY_BASE + symbol.rva + 1, LIBRARY_BASE, 0x30);
    itr_locate_pc(&trial.modules, &trial.seen.ledger, &trial.seen.ledger.exceptions[0], true, text,
                  sizeof text);
    assert_string_equal(text, "minimal!itr_test_planted_function+0x1");
    classify(&trial);
    assert_string_equal(trial.result.signature,
                        "crash AV minimal!itr_test_planted_function null-page");
    assert_non_null(strstr(trial.result.detail, "(minimal!itr_test_planted_function+0x1)"));
    trial_end(&trial);
    itr_image_close(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_observation_has_its_outcome),
        cmocka_unit_test(every_outcome_was_tried),
        cmocka_unit_test(the_gravest_outcome_counts),
        cmocka_unit_test(a_damaged_ledger_is_not_believed),
        cmocka_unit_test(our_own_kill_is_no_crash),
        cmocka_unit_test(an_exceptions_signature_has_no_address),
        cmocka_unit_test(a_messages_signature_has_no_number),
        cmocka_unit_test(a_garbage_signature_has_no_count),
        cmocka_unit_test(signatures_and_details_are_clean),
        cmocka_unit_test(long_signatures_fill_their_room),
        cmocka_unit_test(exceptions_have_a_shape),
        cmocka_unit_test(the_first_exception_is_no_debugger_message),
        cmocka_unit_test(a_pc_is_located_in_a_module),
        cmocka_unit_test(a_crash_has_the_place_of_its_first_fault),
        cmocka_unit_test(only_an_access_has_an_address),
        cmocka_unit_test(a_debugger_without_a_fault_changes_no_signature),
        cmocka_unit_test(a_pc_has_the_name_of_its_function),
    };
    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
