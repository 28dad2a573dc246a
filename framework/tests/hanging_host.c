/* A host that hangs with a child, both in one file's list (INITRACE_TEST_HOSTS), until there is a file of that name and
 * ".poke": then it writes more than a pipe holds, and hangs on. For self.keep_hung; no part of the tool. */
#include "platform/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BLOCKS = 17, BLOCK_BYTES = 1 << 20, NAP_NS = 20000000 }; /* a block more than the runner's limit for a kept host's output */

static bool write_all(uv_file to, char *bytes, size_t count) {
    while (count > 0) {
        uv_fs_t request;
        uv_buf_t buffer = uv_buf_init(bytes, (unsigned)count);
        int put = uv_fs_write(NULL, &request, to, &buffer, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        if (put <= 0) {
            return false;
        }
        bytes += put;
        count -= (size_t)put;
    }
    return true;
}

/* In one write: hosts write side by side. */
static bool add_to_list(const char *path, long child) {
    char lines[64];
    uv_fs_t request;
    uv_file file = uv_fs_open(NULL, &request, path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_APPEND, 0644, NULL);
    uv_fs_req_cleanup(&request);
    int length = snprintf(lines, sizeof lines, "%ld\n%ld\n", child, (long)uv_os_getpid());
    bool added = file >= 0 && write_all(file, lines, (size_t)length);
    if (file >= 0) {
        uv_fs_close(NULL, &request, file, NULL);
        uv_fs_req_cleanup(&request);
    }
    return added;
}

static void wait_for(const char *path) {
    uv_fs_t request;
    while (uv_fs_stat(NULL, &request, path, NULL) != 0) {
        uv_fs_req_cleanup(&request);
        itrh_sleep_ns(NAP_NS);
    }
    uv_fs_req_cleanup(&request);
}

int main(void) {
    static char block[BLOCK_BYTES];
    char answer[] = "poked\n";
    char poke[1200];
    const char *list = getenv("INITRACE_TEST_HOSTS");
    struct itrh_host host = {0};
    if (!itrh_open(&host, NULL, NULL) || !itrh_install_handlers(&host) || !itrh_arm(&host) || !itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    uint32_t child = itrh_spawn_child(false);
    if (list == NULL || child == 0 || !add_to_list(list, (long)child)) {
        return itrh_fail(&host, 0, "no list, or no child");
    }
    snprintf(poke, sizeof poke, "%s.poke", list);
    memset(block, 'x', sizeof block);
    wait_for(poke);
    for (int i = 0; i < BLOCKS; i++) {
        if (!write_all(1, block, sizeof block)) {
            itrh_exit_now(9);
        }
    }
    if (!write_all(2, answer, strlen(answer))) {
        itrh_exit_now(9);
    }
    for (;;) {
        itrh_sleep_ns(NAP_NS);
    }
}
