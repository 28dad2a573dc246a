/* The family on unix: this process is the subreaper of all that it starts. */
#include "platform/tests/family.h"
#include "platform/unix/tree.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

bool family_open(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

bool family_lives(long id, const char *program) {
    char what = itrp_tree_state((pid_t)id);
    (void)program;
    return what != 0 && what != 'Z' && what != 'X';
}

/* The orphans come to this process: it has them all when nothing is left to wait for. */
bool family_is_gone(void) {
    pid_t got;
    while ((got = waitpid(-1, NULL, WNOHANG)) > 0 || (got < 0 && errno == EINTR)) {
    }
    return got < 0 && errno == ECHILD;
}

bool family_end_all(unsigned timeout_ms) {
    return itrp_tree_end_descendants(timeout_ms);
}
