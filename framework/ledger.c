/* The runner's end of the ledger: prepares the block, and reads it back without trusting it. It does
 * not say what a reply means. */
#include "framework/ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GUARD_BEFORE UINT64_C(0x9ae16a3b2f90404f)
#define GUARD_AFTER UINT64_C(0xc3a5c85c97cb3127)
/* Two clocks of one machine (uv_hrtime of the runner, the host's own) may differ this much. */
#define CLOCK_SLACK_NS UINT64_C(2000000)

void itr_ledger_prepare(void *block, const struct itr_ledger_request *request, uint64_t nonce) {
    struct itr_ledger *ledger = block;
    memset(block, 0, ITR_LEDGER_BYTES);
    ledger->magic = ITR_LEDGER_MAGIC;
    ledger->version = ITR_LEDGER_VERSION;
    ledger->bytes = ITR_LEDGER_BYTES;
    ledger->nonce = nonce;
    ledger->request = *request;
    ledger->guard_before_reply = nonce ^ GUARD_BEFORE;
    ledger->guard_after_reply = nonce ^ GUARD_AFTER;
}

struct check {
    uint64_t begin_ns;
    uint64_t end_ns;
    char *why;
    unsigned why_bytes;
    bool sound;
};

static void ITR_PRINTF(2, 3) damaged(struct check *check, const char *format, ...) {
    if (check->sound) {
        va_list args;
        va_start(args, format);
        vsnprintf(check->why, check->why_bytes, format, args);
        va_end(args);
    }
    check->sound = false;
}

static void check_time(struct check *check, const char *what, uint64_t time_ns) {
    if (time_ns != 0 && (time_ns < check->begin_ns || time_ns > check->end_ns)) {
        damaged(check, "the time of %s lies outside the trial", what);
    }
}

/* The phases in the order in which a host with this request reaches them. */
static void order_phases(const struct itr_ledger_request *request, uint32_t *order) {
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        order[i] = i;
    }
    if ((request->flags & ITR_HOST_HANDLERS_AFTER_LOAD) != 0) {
        order[1] = ITR_PHASE_LOAD_BEGIN;
        order[2] = ITR_PHASE_LOAD_RETURNED;
        order[3] = ITR_PHASE_HANDLERS_READY;
    }
}

static void check_phases(struct check *check, const struct itr_ledger_request *request,
                         const struct itr_ledger_reply *reply) {
    uint32_t order[ITR_PHASE_COUNT];
    uint64_t before_ns = 0;
    bool gap = false;
    order_phases(request, order);
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        uint64_t at_ns = reply->phase_ns[order[i]];
        check_time(check, itr_phase_name(order[i]), at_ns);
        if (at_ns == 0) {
            gap = true;
        } else if (gap || at_ns < before_ns) {
            damaged(check, "phase %s is out of order", itr_phase_name(order[i]));
        }
        before_ns = at_ns != 0 ? at_ns : before_ns;
    }
}

static void check_shots(struct check *check, const struct itr_ledger_request *request,
                        const struct itr_ledger_reply *reply) {
    static const struct itr_shot_reply untouched;
    for (uint32_t i = 0; i < ITR_SHOTS_MAX; i++) {
        const struct itr_shot_reply *shot = &reply->shots[i];
        if (i >= request->shot_count && memcmp(shot, &untouched, sizeof untouched) != 0) {
            damaged(check, "shot %u was not asked for but has an entry", i);
        }
        /* A requested time may lie in the future of a host that was ended before it. */
        if (shot->requested_ns != 0 && shot->requested_ns < check->begin_ns) {
            damaged(check, "the time of a requested shot lies before the trial");
        }
        check_time(check, "a fired shot", shot->fired_ns);
        check_time(check, "a sent shot", shot->sent_ns);
        check_time(check, "an event thread's start", shot->thread_started_ns);
        check_time(check, "an event thread's end", shot->thread_ended_ns);
        check_time(check, "a release", shot->released_ns);
        check_time(check, "a thread at the gate", shot->gate_ns);
        if (shot->gate_role >= ITR_ROLE_COUNT) {
            damaged(check, "shot %u names no thread's role", i);
        }
        if (shot->sent_ns != 0 && (shot->fired_ns == 0 || shot->sent_ns < shot->fired_ns)) {
            damaged(check, "shot %u was sent before it was fired", i);
        }
    }
}

static void check_handled(struct check *check, const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < ITR_HANDLED_MAX; i++) {
        check_time(check, "a handler entry", reply->handled[i].entered_ns);
        if (reply->handled[i].event >= ITR_EVENT_COUNT) {
            damaged(check, "handler entry %u names no event", i);
        }
        if (reply->handled[i].entered_ns == 0 && i < reply->handled_count) {
            damaged(check, "%u handler entries are counted, entry %u is empty", reply->handled_count, i);
        }
    }
    for (uint32_t i = 0; i < ITR_EXCEPTIONS_MAX; i++) {
        check_time(check, "an exception", reply->exceptions[i].time_ns);
        if (reply->exceptions[i].time_ns == 0 && i < reply->exception_count) {
            damaged(check, "%u exceptions are counted, entry %u is empty", reply->exception_count, i);
        }
    }
    check_time(check, "the last exception", reply->last_exception.time_ns);
}

static void check_actions(struct check *check, const struct itr_ledger_request *request,
                          const struct itr_ledger_reply *reply) {
    static const struct itr_action untouched[ITR_ACTIONS_COUNT][ITR_SIGNALS_MAX];
    for (uint32_t i = 0; i < ITR_ACTIONS_COUNT; i++) {
        check_time(check, "a look at signal handlers", reply->actions_ns[i]);
    }
    bool empty = memcmp(reply->actions, untouched, sizeof untouched) == 0 &&
                 (reply->actions_ns[0] | reply->actions_ns[1] | reply->actions_ns[2]) == 0;
    if ((request->flags & ITR_HOST_RECORD_ACTIONS) == 0 && !empty) {
        damaged(check, "signal handlers were not asked for but are there");
    }
}

/* The name becomes a word of signatures, so it must be one. */
static void check_checks(struct check *check, const struct itr_checks *checks) {
    size_t length = 0;
    check_time(check, "a broken promise", checks->broken_ns);
    while (length < sizeof checks->name && checks->name[length] != '\0') {
        char c = checks->name[length++];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            damaged(check, "the name of a broken promise has a character that is none of a-z, 0-9 and '-'");
            return;
        }
    }
    if (length == sizeof checks->name) {
        damaged(check, "the name of a broken promise has no end");
    }
}

static void check_scheduling(struct check *check, const struct itr_ledger_reply *reply) {
    if (reply->scheduling >= ITR_SCHEDULING_COUNT) {
        damaged(check, "the host's scheduling is none that there is");
    }
}

static void check_frame(struct check *check, const struct itr_ledger *copy,
                        const struct itr_ledger_request *request, uint64_t nonce) {
    if (copy->magic != ITR_LEDGER_MAGIC || copy->version != ITR_LEDGER_VERSION ||
        copy->bytes != ITR_LEDGER_BYTES || copy->nonce != nonce) {
        damaged(check, "the ledger's head was overwritten");
    }
    if (memcmp(&copy->request, request, sizeof *request) != 0) {
        damaged(check, "the request was overwritten");
    }
    if (copy->guard_before_reply != (nonce ^ GUARD_BEFORE) ||
        copy->guard_after_reply != (nonce ^ GUARD_AFTER)) {
        damaged(check, "a guard word was overwritten");
    }
}

static void check_tail(struct check *check, const unsigned char *block) {
    for (size_t i = sizeof(struct itr_ledger); i < ITR_LEDGER_BYTES; i++) {
        if (block[i] != 0) {
            damaged(check, "the space after the ledger was written to");
            return;
        }
    }
}

bool itr_ledger_read(const void *block, const struct itr_ledger_request *request, uint64_t nonce,
                     uint64_t begin_ns, uint64_t end_ns, struct itr_ledger_reply *reply, char *why,
                     unsigned why_bytes) {
    struct itr_ledger copy;
    struct check check = {.begin_ns = begin_ns > CLOCK_SLACK_NS ? begin_ns - CLOCK_SLACK_NS : 1,
                          .end_ns = end_ns + CLOCK_SLACK_NS,
                          .why = why,
                          .why_bytes = why_bytes,
                          .sound = true};
    memcpy(&copy, block, sizeof copy);
    check_frame(&check, &copy, request, nonce);
    check_tail(&check, block);
    check_phases(&check, request, &copy.reply);
    check_shots(&check, request, &copy.reply);
    check_handled(&check, &copy.reply);
    check_actions(&check, request, &copy.reply);
    check_scheduling(&check, &copy.reply);
    check_checks(&check, &copy.reply.checks);
    copy.reply.checks.name[sizeof copy.reply.checks.name - 1] = '\0';
    copy.reply.checks.text[sizeof copy.reply.checks.text - 1] = '\0';
    copy.reply.host_error[sizeof copy.reply.host_error - 1] = '\0';
    *reply = copy.reply;
    return check.sound;
}
