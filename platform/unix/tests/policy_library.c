/* A library that starts a thread and then ends its host with a code that says under what policy it and that thread run
 * (policy_library.h). It asks the kernel, not the host. For tests only. */
#include "platform/unix/tests/policy_library.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

int InitraceProbe(void);

static void *policy_of_thread(void *nothing) {
    (void)nothing;
    return (void *)(intptr_t)sched_getscheduler(0);
}

int InitraceProbe(void) {
    pthread_t thread;
    void *inherited = NULL;
    if (pthread_create(&thread, NULL, policy_of_thread, NULL) != 0 || pthread_join(thread, &inherited) != 0) {
        _exit(POLICY_NO_THREAD);
    }
    int own = sched_getscheduler(0);
    _exit(own == (int)(intptr_t)inherited ? POLICY_CODE + own : POLICY_NOT_INHERITED);
}
