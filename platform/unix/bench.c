/* posix_spawn and waitpid, nothing more. */
#include "platform/bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int64_t itrp_bare_run(const char *program, const struct itrp_memory *ledger) {
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    pid_t id = 0;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, (int)ledger->handle, 3);
    setenv("INITRACE_LEDGER", "fd:3", 0);
    int result = posix_spawn(&id, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0 || waitpid(id, &status, 0) != id) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
