/* The rules by which a waiting host's fate is known before its deadline. They read a copy of the ledger
 * and samples of processor use; they never wait themselves. */
#include "framework/settle.h"

/* A shot due within this time may still be on its way through timer and firing thread. */
#define SHOT_LATE_NS UINT64_C(50000000)
/* A host that has nothing left to do but end, or to go on after its handler, gets this time before anybody
 * looks: looking costs both sides (the kernel keeps /proc entries for a process that was looked at, and
 * takes them down at its end). */
#define ENDING_NS UINT64_C(100000000)
/* One that only waits, likewise: the event is most often handled within this time. */
#define WAITING_NS UINT64_C(1000000)

/* One that does not wait yet may sleep for reasons of its own: only after this time without any use of the processor is
 * it taken to hang. */
#define STARTING_QUIET_NS UINT64_C(2000000000)
/* Longest time between two looks that counts as quiet: where it was longer, this program was not given the
 * processor, and the host may not have been either. */
#define LOOK_GAP_NS UINT64_C(50000000)

static bool all_sent(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply, uint64_t *last_ns) {
    *last_ns = 0;
    for (uint32_t i = 0; i < request->shot_count; i++) {
        uint64_t sent_ns = reply->shots[i].sent_ns;
        if (sent_ns == 0) {
            return false;
        }
        *last_ns = sent_ns > *last_ns ? sent_ns : *last_ns;
    }
    return request->shot_count > 0;
}

static bool shot_is_due_later(const struct itr_shot_reply *shot, uint64_t now_ns) {
    return shot->sent_ns == 0 && shot->requested_ns != 0 && now_ns < shot->requested_ns + SHOT_LATE_NS;
}

/* A debugger is at it, and the host stands still for that long. */
static bool shot_is_being_sent(const struct itr_shot_request *wanted, const struct itr_shot_reply *shot) {
    return wanted->where == ITR_WHERE_POINT && shot->fired_ns != 0 && shot->sent_ns == 0;
}

bool itr_settle_wants_look(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply,
                           uint64_t now_ns) {
    uint64_t waiting_ns = reply->phase_ns[ITR_PHASE_WAITING];
    bool ending = reply->phase_ns[ITR_PHASE_FINISHED] != 0 || reply->handled_count >= request->shot_count;
    if (waiting_ns == 0) {
        uint64_t sent_ns = 0;
        return all_sent(request, reply, &sent_ns) && now_ns >= sent_ns + ENDING_NS;
    }
    if (now_ns < waiting_ns + (ending ? ENDING_NS : WAITING_NS)) {
        return false;
    }
    for (uint32_t i = 0; i < request->shot_count; i++) {
        if (shot_is_due_later(&reply->shots[i], now_ns) ||
            shot_is_being_sent(&request->shots[i], &reply->shots[i])) {
            return false;
        }
    }
    return true;
}

/* Windows: an event's own thread was started and has not ended. */
static bool event_under_way(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < request->shot_count; i++) {
        if (reply->shots[i].thread_started_ns != 0 && reply->shots[i].thread_ended_ns == 0) {
            return true;
        }
    }
    return false;
}

/* Windows: every shot's own thread has come and gone. */
static bool events_over(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply) {
    for (uint32_t i = 0; i < request->shot_count; i++) {
        if (reply->shots[i].thread_ended_ns == 0) {
            return false;
        }
    }
    return request->shot_count > 0;
}

bool itr_settle_wants_thorough(const struct itr_settle *settle) {
    return settle->unchanged;
}

enum itr_settled itr_settle_look(struct itr_settle *settle, const struct itr_ledger_request *request,
                                 const struct itr_ledger_reply *reply, const struct itrp_activity *activity,
                                 uint64_t now_ns, uint64_t quiet_ns) {
    uint64_t gap_ns = settle->looked && now_ns > settle->last_look_ns ? now_ns - settle->last_look_ns : 0;
    settle->unchanged = settle->looked && settle->cpu_ns == activity->cpu_ns;
    settle->unchanged_since_ns += gap_ns > LOOK_GAP_NS ? gap_ns - LOOK_GAP_NS : 0;
    settle->last_look_ns = now_ns;
    settle->looked = true;
    settle->cpu_ns = activity->cpu_ns;
    /* A starved host uses no processor time either: one with a thread that wants to run is not quiet. */
    if (!settle->unchanged || activity->ready) {
        settle->unchanged_since_ns = now_ns;
    }
    bool quiet = settle->unchanged && now_ns - settle->unchanged_since_ns >= quiet_ns;
    if (reply->phase_ns[ITR_PHASE_WAITING] == 0) {
        bool long_quiet = settle->unchanged && now_ns - settle->unchanged_since_ns >=
                                                   (quiet_ns > STARTING_QUIET_NS ? quiet_ns : STARTING_QUIET_NS);
        return long_quiet ? ITR_SETTLED_STUCK : ITR_SETTLED_NOT_YET;
    }
    bool heard = request->shot_count > 0 && reply->handled_count >= request->shot_count;
    if (reply->phase_ns[ITR_PHASE_FINISHED] != 0 || heard) {
        return quiet ? ITR_SETTLED_STUCK : ITR_SETTLED_NOT_YET; /* it should have ended, or gone on */
    }
    /* Nothing ran between the last look and the end of this one, nothing is ready to run, nothing is pending. */
    bool nothing_moves = settle->unchanged && activity->thorough && activity->asleep && !activity->pending;
    if (nothing_moves || events_over(request, reply)) {
        return ITR_SETTLED_LOST;
    }
    if (!quiet) {
        return ITR_SETTLED_NOT_YET;
    }
    return event_under_way(request, reply) ? ITR_SETTLED_STUCK : ITR_SETTLED_LOST;
}
