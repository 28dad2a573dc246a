/* Recordings with rr: how a host is put under it, whether it works here, and what becomes of a recording's folder. It
 * knows no trial; who waits for a recorded host is process.c. */
#include "platform/platform.h"
#include "platform/unix/recorder_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TRY_MS = 20000,   /* for a trivial program; it takes half a second */
    END_TREE_MS = 3000,
    WORDS_MAX = 200,  /* kept of what rr says when it fails */
    OPEN_MAX_FTW = 8, /* descriptors of a walk through a folder */
};

/* "" where there is none. */
static const char *recorder_path(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool looked;
    static char path[1024];
    pthread_mutex_lock(&lock);
    if (!looked && !itrp_unix_find_program("rr", path, sizeof path)) {
        path[0] = '\0';
    }
    looked = true;
    pthread_mutex_unlock(&lock);
    return path;
}

size_t itrp_unix_recorder_words(const char *folder, const char **words) {
    /* Without warnings of the machine's set-up, which would stand in the host's standard error. */
    const char *const all[] = {recorder_path(), "record", "--suppress-environment-warnings", "--chaos", "-o", folder, "--"};
    size_t count = sizeof all / sizeof all[0];
    if (all[0][0] == '\0') {
        return 0;
    }
    memcpy(words, all, sizeof all);
    return count;
}

/* ---- a run of rr that is no trial ---- */

struct errand {
    uv_loop_t loop;
    uv_timer_t timer;
    struct itrp_process *process;
    bool over;
    bool late;
};

static void on_errand_over(struct itrp_process *process, void *context) {
    struct errand *errand = context;
    (void)process;
    errand->over = true;
    uv_timer_stop(&errand->timer);
}

static void on_errand_late(uv_timer_t *timer) {
    struct errand *errand = timer->data;
    errand->late = true;
    itrp_process_kill(errand->process);
}

/* All that was written into a file, on one line, as far as there is room. */
static void read_words(int file, char *words, size_t room) {
    ssize_t got = pread(file, words, room - 1, 0);
    size_t length = got > 0 ? (size_t)got : 0;
    for (size_t i = 0; i < length; i++) {
        words[i] = words[i] >= ' ' && words[i] <= '~' ? words[i] : ' ';
    }
    while (length > 0 && words[length - 1] == ' ') {
        length--;
    }
    words[length] = '\0';
}

static enum itr_status wait_for_errand(struct errand *errand, uint32_t timeout_ms, struct itr_error *err) {
    uint32_t strays = 0;
    struct itrp_exit exit;
    uv_timer_start(&errand->timer, on_errand_late, timeout_ms, 0);
    while (!errand->over) {
        uv_run(&errand->loop, UV_RUN_ONCE);
    }
    exit = *itrp_process_exit(errand->process);
    enum itr_status status = itrp_process_end_tree(errand->process, END_TREE_MS, &strays, err);
    if (status != ITR_OK) {
        return status;
    }
    if (errand->late) {
        return itr_fail(err, ITR_E_TIMEOUT, 0, "it did not end within %" PRIu32 " s", timeout_ms / 1000);
    }
    if (exit.signaled) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "ended by %s", itrp_signal_name(exit.signal));
    }
    return exit.code == 0 ? ITR_OK : itr_fail(err, ITR_E_SYSTEM, 0, "exit code %" PRIu32, exit.code);
}

/* Starts what `spec` says, with its streams set here, and waits for its end, which must be a good one. The last words
 * of one that fails are in `err`. */
static enum itr_status run_errand(struct itrp_process_spec *spec, uint32_t timeout_ms, struct itr_error *err) {
    struct errand errand = {0};
    struct itr_error why = {0};
    char words[WORDS_MAX] = "";
    enum itr_status status = ITR_OK;
    int file = memfd_create("initrace-rr", MFD_CLOEXEC);
    if (file < 0 || uv_loop_init(&errand.loop) != 0) {
        status = itr_fail(err, ITR_E_SYSTEM, errno, "cannot make a file in memory or a loop for rr");
        if (file >= 0) {
            close(file);
        }
        return status;
    }
    uv_timer_init(&errand.loop, &errand.timer);
    errand.timer.data = &errand;
    spec->output = spec->error = file;
    spec->nonce = uv_hrtime();
    status = itrp_process_start(&errand.process, &errand.loop, spec, on_errand_over, &errand, &why);
    if (status == ITR_OK) {
        status = wait_for_errand(&errand, timeout_ms, &why);
    }
    itrp_process_close(errand.process);
    uv_close((uv_handle_t *)&errand.timer, NULL);
    uv_run(&errand.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&errand.loop) != 0) {
        ITR_BUG("a recorder's loop still has handles");
    }
    read_words(file, words, sizeof words);
    close(file);
    if (status != ITR_OK) {
        return itr_fail(err, why.status, why.os_code, "%s%s%s", why.text, words[0] != '\0' ? ": " : "", words);
    }
    return ITR_OK;
}

/* ---- recordings ---- */

static bool is_there(const char *folder, const char *name) {
    char path[2048];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && access(path, F_OK) == 0;
}

/* rr calls its version file "incomplete" until all else is written. */
bool itrp_recording_is_complete(const char *folder) {
    return is_there(folder, "version") && !is_there(folder, "incomplete");
}

enum itr_status itrp_recording_pack(const char *folder, uint32_t timeout_ms, struct itr_error *err) {
    const char *const arguments[] = {"pack", folder, NULL};
    struct itrp_process_spec spec = {.program = recorder_path(), .arguments = arguments};
    struct itr_error why = {0};
    if (run_errand(&spec, timeout_ms, &why) == ITR_OK) {
        return ITR_OK;
    }
    return itr_fail(err, why.status, why.os_code, "rr pack failed: %s", why.text);
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *walk) {
    (void)about;
    (void)kind;
    (void)walk;
    (void)remove(path);
    return 0;
}

void itrp_recording_remove(const char *folder) {
    (void)nftw(folder, remove_entry, OPEN_MAX_FTW, FTW_DEPTH | FTW_PHYS);
}

/* ---- whether it works here ---- */

static enum itr_status record_something(const char *program, struct itr_error *err) {
    char scratch[1024];
    char folder[1100];
    size_t length = sizeof scratch - 32;
    if (uv_os_tmpdir(scratch, &length) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "this system names no folder for temporary files");
    }
    snprintf(scratch + length, sizeof scratch - length, "/initrace-rr-XXXXXX");
    if (mkdtemp(scratch) == NULL) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "cannot make %s: %s", scratch, strerror(errno));
    }
    snprintf(folder, sizeof folder, "%s/trace", scratch);
    struct itrp_process_spec spec = {.program = program, .record_to = folder};
    enum itr_status status = run_errand(&spec, TRY_MS, err);
    if (status == ITR_OK && !itrp_recording_is_complete(folder)) {
        status = itr_fail(err, ITR_E_SYSTEM, 0, "it left no complete trace");
    }
    itrp_recording_remove(scratch);
    return status;
}

static void try_to_record(char *why, size_t room) {
    char program[1024];
    struct itr_error error = {0};
    why[0] = '\0';
    if (recorder_path()[0] == '\0') {
        snprintf(why, room, "rr is not installed: no program rr in PATH");
    } else if (!itrp_unix_find_program("true", program, sizeof program)) {
        snprintf(why, room, "there is nothing to try rr with: no program true in PATH");
    } else if (record_something(program, &error) != ITR_OK && itrp_unix_can_count(why, room)) {
        snprintf(why, room, "rr record failed: %.200s", error.text);
    }
}

bool itrp_can_record(char *why, size_t room) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool tried;
    static char reason[256]; /* "": it can */
    pthread_mutex_lock(&lock);
    if (!tried) {
        try_to_record(reason, sizeof reason);
    }
    tried = true;
    pthread_mutex_unlock(&lock);
    if (reason[0] != '\0') {
        snprintf(why, room, "%s", reason);
    }
    return reason[0] == '\0';
}
