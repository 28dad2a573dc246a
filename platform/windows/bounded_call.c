/* A call that may never return, with a deadline: made on a thread of its own, which is left to itself when it takes too
 * long. It ends no thread. */
#include "platform/windows/bounded_call.h"

#include <process.h>
#include <stdlib.h>

enum {
    STACK_BYTES = 256 * 1024,
    GONE_MS = 500, /* a call about a process that has ended returns by then, or not at all */
};

enum { RUNNING, RETURNED, LEFT_ALONE };

struct itrp_windows_call {
    void (*work)(void *argument);
    void (*discard)(void *argument);
    void *argument;
    HANDLE thread; /* the caller's */
    volatile LONG state;
};

static volatile LONG left_alone;

static unsigned __stdcall run(void *context) {
    struct itrp_windows_call *call = context;
    call->work(call->argument);
    if (InterlockedCompareExchange(&call->state, RETURNED, RUNNING) == LEFT_ALONE) {
        call->discard(call->argument);
        free(call);
        InterlockedDecrement(&left_alone);
    }
    return 0;
}

struct itrp_windows_call *itrp_windows_call_begin(void (*work)(void *argument),
                                                  void (*discard)(void *argument), void *argument) {
    struct itrp_windows_call *call = NULL;
    if (left_alone < ITRP_WINDOWS_LEFT_ALONE_MAX) {
        call = malloc(sizeof *call);
    }
    if (call == NULL) {
        return NULL;
    }
    *call = (struct itrp_windows_call){.work = work, .discard = discard, .argument = argument};
    call->thread = (HANDLE)_beginthreadex(NULL, STACK_BYTES, run, call,
                                          STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (call->thread == NULL) {
        free(call);
        return NULL;
    }
    return call;
}

HANDLE itrp_windows_call_thread(const struct itrp_windows_call *call) {
    return call->thread;
}

/* Until the thread has ended or the time is up; where the process ends first, for what is left of that, at most GONE_MS. */
static void wait(const struct itrp_windows_call *call, HANDLE process, uint32_t timeout_ms) {
    const HANDLE handles[2] = {call->thread, process};
    uint64_t deadline_ns = uv_hrtime() + timeout_ms * UINT64_C(1000000);
    if (WaitForMultipleObjects(process != NULL ? 2 : 1, handles, FALSE, timeout_ms) == WAIT_OBJECT_0 + 1) {
        WaitForSingleObject(call->thread, itrp_windows_left_ms(deadline_ns, GONE_MS));
    }
}

bool itrp_windows_call_end(struct itrp_windows_call *call, HANDLE process, uint32_t timeout_ms) {
    HANDLE thread = call->thread;
    wait(call, process, timeout_ms);
    InterlockedIncrement(&left_alone);
    bool returned =
        InterlockedCompareExchange(&call->state, LEFT_ALONE, RUNNING) == RETURNED;
    if (returned) {
        InterlockedDecrement(&left_alone);
        free(call);
    }
    CloseHandle(thread);
    return returned;
}

bool itrp_windows_call(void (*work)(void *argument), void (*discard)(void *argument),
                       void *argument, uint32_t timeout_ms) {
    struct itrp_windows_call *call = itrp_windows_call_begin(work, discard, argument);
    if (call == NULL) {
        discard(argument);
        return false;
    }
    return itrp_windows_call_end(call, NULL, timeout_ms);
}

uint32_t itrp_windows_left_alone(void) {
    return (uint32_t)left_alone;
}

uint32_t itrp_windows_left_ms(uint64_t deadline_ns, uint32_t most_ms) {
    uint64_t now_ns = uv_hrtime();
    uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns + 999999u) / 1000000u : 0;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}
