/* The descendants of this process, as /proc shows them. Private to platform/unix. */
#ifndef INITRACE_PLATFORM_UNIX_TREE_H
#define INITRACE_PLATFORM_UNIX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Children that were adopted by, or started from, this process's main thread: a subreaper's orphans
 * come here. At most `max` ids; returns how many there are (more than `max`: call again after
 * ending some), or -1 if /proc does not tell. One system call when there are none. */
long itrp_tree_adopted(pid_t *children, size_t max);

/* Children of all threads of `process`: at most `max` ids, returns how many it put there. */
size_t itrp_tree_children(pid_t process, pid_t *children, size_t max);

/* True if `process` has `name=value` in its environment. False also for one that cannot be read. */
bool itrp_tree_has_variable(pid_t process, const char *name, const char *value);

/* One letter of /proc/PID/stat ('R', 'S', 'Z', …), 'X' also where it is ending, 0 if it is gone. */
char itrp_tree_state(pid_t process);

/* Descendants that are left to a person: itrp_tree_end_descendants() passes them by. The list is shared with children
 * that are forked after the first of these calls. False: no room, or no memory. */
bool itrp_tree_can_spare(void);
bool itrp_tree_spare(pid_t process);
void itrp_tree_spare_no_more(pid_t process);

/* Kills and reaps every descendant of this process, again and again until none is left or
 * `timeout_ms` has passed. Async-signal-safe enough to run in a thread beside stopped work. */
bool itrp_tree_end_descendants(uint32_t timeout_ms);

/* CLOCK_MONOTONIC in ms. */
uint64_t itrp_tree_now_ms(void);

#endif
