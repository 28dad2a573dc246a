/* A call that may never return, with a deadline: made on a thread of its own, which is left to itself when it takes too
 * long. It ends no thread. */
#include "platform/windows/snapshot_windows.h"

#include <process.h>
#include <stdlib.h>
#include <uv.h>

enum {
    STACK_BYTES = 256 * 1024,
    LEFT_ALONE_MAX = 64, /* threads that still wait for an answer; with so many no more is asked */
};

enum { RUNNING, RETURNED, LEFT_ALONE };

struct call {
    void (*work)(void *argument);
    void (*discard)(void *argument);
    void *argument;
    volatile LONG state;
};

static volatile LONG left_alone;

static unsigned __stdcall run(void *context) {
    struct call *call = context;
    call->work(call->argument);
    if (InterlockedCompareExchange(&call->state, RETURNED, RUNNING) == LEFT_ALONE) {
        call->discard(call->argument);
        free(call);
        InterlockedDecrement(&left_alone);
    }
    return 0;
}

bool itrp_windows_call(void (*work)(void *argument), void (*discard)(void *argument),
                       void *argument, uint32_t timeout_ms) {
    struct call *call = left_alone < LEFT_ALONE_MAX ? calloc(1, sizeof *call) : NULL;
    HANDLE thread = NULL;
    if (call != NULL) {
        *call = (struct call){.work = work, .discard = discard, .argument = argument};
        thread = (HANDLE)_beginthreadex(NULL, STACK_BYTES, run, call,
                                        STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    }
    if (thread == NULL) {
        free(call);
        discard(argument);
        return false;
    }
    WaitForSingleObject(thread, timeout_ms);
    InterlockedIncrement(&left_alone);
    bool returned =
        InterlockedCompareExchange(&call->state, LEFT_ALONE, RUNNING) == RETURNED;
    CloseHandle(thread);
    if (returned) {
        InterlockedDecrement(&left_alone);
        free(call);
    }
    return returned;
}

uint32_t itrp_windows_left_ms(uint64_t deadline_ns, uint32_t most_ms) {
    uint64_t now_ns = uv_hrtime();
    uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns + 999999u) / 1000000u : 0;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}
