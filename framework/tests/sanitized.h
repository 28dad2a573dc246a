/* How much a test repeats under a sanitizer: that looks at every path of the code, and needs each of them once. How often
 * something comes out right is counted in the plain builds, by the same code. For tests only. */
#ifndef INITRACE_FRAMEWORK_TESTS_SANITIZED_H
#define INITRACE_FRAMEWORK_TESTS_SANITIZED_H

#include <stdbool.h>

/* CMake defines it for all tests of a build with a sanitizer. */
#ifdef INITRACE_SANITIZED
enum { IS_SANITIZED = true };
#else
enum { IS_SANITIZED = false };
#endif

/* ThreadSanitizer looks for threads that meet. In a test that has one thread there is nothing for it to see, and it is the slowest. */
#ifdef INITRACE_SANITIZED_THREAD
enum { IS_THREAD_SANITIZED = true };
#else
enum { IS_THREAD_SANITIZED = false };
#endif

/* Of a loop that needs `all` turns for what it proves, and `few` for every path to be taken. */
#define TIMES(all, few) (IS_SANITIZED ? (few) : (all))

#endif
