/* posix_spawn and waitpid, nothing more; with strace before the host on demand. */
#include "platform/bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int64_t run(const char *program, char *const *arguments, const struct itrp_memory *ledger) {
    posix_spawn_file_actions_t actions;
    pid_t id = 0;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, (int)ledger->handle, 3);
    setenv("INITRACE_LEDGER", "fd:3", 0);
    int result = posix_spawnp(&id, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0 || waitpid(id, &status, 0) != id) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int64_t itrp_bare_run(const char *program, const struct itrp_memory *ledger) {
    char *arguments[] = {(char *)(uintptr_t)program, NULL};
    return run(program, arguments, ledger);
}

int64_t itrp_bare_inject(const char *program, const struct itrp_memory *ledger) {
    static const char *const options[] = {
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3", "-e", "inject=clone3:signal=SIGUSR1:when=1"};
    enum { OPTIONS = sizeof options / sizeof options[0] };
    char *arguments[OPTIONS + 2];
    for (int i = 0; i < OPTIONS; i++) {
        arguments[i] = (char *)(uintptr_t)options[i];
    }
    arguments[OPTIONS] = (char *)(uintptr_t)program;
    arguments[OPTIONS + 1] = NULL;
    return run("strace", arguments, ledger);
}
