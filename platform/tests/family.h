/* All that a test starts and what that starts: who of it lives, and the end of it, also of what is meant to outlive the
 * program under test. For tests only. */
#ifndef INITRACE_PLATFORM_TESTS_FAMILY_H
#define INITRACE_PLATFORM_TESTS_FAMILY_H

#include <stdbool.h>

/* Before anything is started. False: it cannot be had here. */
bool family_open(void);
/* True if that process runs this program. unix: or any other. */
bool family_lives(long id, const char *program);
/* True if nobody is left but this process. */
bool family_is_gone(void);
/* Ends everybody but this process. False: somebody is still there after `timeout_ms`. */
bool family_end_all(unsigned timeout_ms);

#endif
