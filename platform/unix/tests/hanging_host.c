/* A host that hangs with a child, both in one file's list (INITRACE_TEST_HOSTS), until SIGUSR1: then it writes more than a
 * pipe holds, and hangs on. For self.keep_hung; no part of the tool. */
#include "platform/host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 17, BLOCK_BYTES = 1 << 20 }; /* one more than the runner's limit for a kept host's output */

static void add_to_list(long id) {
    char line[32];
    const char *path = getenv("INITRACE_TEST_HOSTS");
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    int length = snprintf(line, sizeof line, "%ld\n", id);
    if (file >= 0 && write(file, line, (size_t)length) == length) {
        close(file);
    }
}

static void write_all(int to, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t put = write(to, bytes, count);
        if (put <= 0) {
            _exit(9);
        }
        bytes += put;
        count -= (size_t)put;
    }
}

int main(void) {
    static char block[BLOCK_BYTES];
    struct itrh_host host = {0};
    sigset_t poke;
    int number = 0;
    if (!itrh_open(&host, NULL, NULL) || !itrh_install_handlers(&host) || !itrh_arm(&host) || !itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    sigemptyset(&poke);
    sigaddset(&poke, SIGUSR1);
    sigprocmask(SIG_BLOCK, &poke, NULL);
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    add_to_list(child);
    add_to_list(getpid());
    memset(block, 'x', sizeof block);
    for (;;) {
        sigwait(&poke, &number);
        for (int i = 0; i < BLOCKS; i++) {
            write_all(1, block, sizeof block);
        }
        write_all(2, "poked\n", 6);
    }
}
