/* Stands in for rr in tests of those who call it: understands "record [--chaos] [-n] [-o DIR] [--] PROGRAM ARGS", which
 * records nothing but leaves a folder with the files by which a recording is told, and ends as PROGRAM did, and "pack
 * DIR". RR_STAND_IN names what it does wrong:
 *
 *   record-fails   records no program
 *   dies           ends by SIGABRT while its program runs; not with the program "true"
 *   lingers        goes on for ever after its program's end; not with the program "true"
 *   pack-fails     */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool wrong(const char *what) {
    const char *word = getenv("RR_STAND_IN");
    return word != NULL && strcmp(word, what) == 0;
}

static _Noreturn void give_up(const char *what, const char *path) {
    fprintf(stderr, "[FATAL stand-in] %s %s\n", what, path);
    exit(1);
}

static void leave(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || write(file, "85\n", 3) != 3) {
        give_up("cannot write", path);
    }
    close(file);
}

static void complete(const char *folder) {
    char from[4096];
    char to[4096];
    snprintf(from, sizeof from, "%s/incomplete", folder);
    snprintf(to, sizeof to, "%s/version", folder);
    if (rename(from, to) != 0) {
        give_up("cannot rename", from);
    }
}

static int end_like(int status) {
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        prctl(PR_SET_DUMPABLE, 0);
        kill(getpid(), WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

static int record(const char *folder, char **program) {
    int status = 0;
    const char *name = strrchr(program[0], '/');
    bool trial = name == NULL || strcmp(name, "/true") != 0;
    if (wrong("record-fails")) {
        give_up("the stand-in was told to record nothing:", program[0]);
    }
    if (mkdir(folder, 0700) != 0) {
        give_up(errno == EEXIST ? "there is already a" : "cannot make", folder);
    }
    leave(folder, "incomplete");
    leave(folder, "events");
    pid_t child = fork();
    if (child == 0) {
        execv(program[0], program);
        _exit(127);
    }
    if (trial && wrong("dies")) {
        usleep(100000);
        abort();
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    while (trial && wrong("lingers")) {
        pause();
    }
    complete(folder);
    return end_like(status);
}

static int pack(const char *folder) {
    char version[4096];
    snprintf(version, sizeof version, "%s/version", folder);
    if (wrong("pack-fails") || access(version, F_OK) != 0) {
        fprintf(stderr, "[FATAL stand-in] No space left on device\n");
        return 3;
    }
    leave(folder, "packed");
    return 0;
}

int main(int argc, char **argv) {
    const char *folder = NULL;
    int at = 2;
    if (argc == 3 && strcmp(argv[1], "pack") == 0) {
        return pack(argv[2]);
    }
    for (; at < argc && argv[at][0] == '-' && strcmp(argv[at], "--") != 0; at++) {
        static const char *const flags[] = {"--chaos", "-h", "-n", "-S", "--suppress-environment-warnings"};
        bool known = false;
        if (strcmp(argv[at], "-o") == 0 && at + 1 < argc) {
            folder = argv[++at];
            continue;
        }
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            known = known || strcmp(argv[at], flags[i]) == 0;
        }
        if (!known) {
            give_up("Invalid option", argv[at]);
        }
    }
    at += at < argc && strcmp(argv[at], "--") == 0 ? 1 : 0;
    if (argc < 2 || strcmp(argv[1], "record") != 0 || folder == NULL || at >= argc) {
        fprintf(stderr, "usage: rr record [OPTION]... <exe> [exe-args]... | rr pack <trace-dir>\n");
        return 1;
    }
    return record(folder, &argv[at]);
}
