/* How policy_library.c ends its host. */
#ifndef INITRACE_PLATFORM_UNIX_TESTS_POLICY_LIBRARY_H
#define INITRACE_PLATFORM_UNIX_TESTS_POLICY_LIBRARY_H

enum {
    POLICY_CODE = 40, /* and the policy: SCHED_OTHER, SCHED_BATCH, … */
    POLICY_NO_THREAD = 60,
    POLICY_NOT_INHERITED,
};

#endif
