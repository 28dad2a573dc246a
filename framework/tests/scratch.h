/* A folder of a test's own in the system's place for temporary files, and files in it. For tests only; every
 * failure fails the test. */
#ifndef INITRACE_FRAMEWORK_TESTS_SCRATCH_H
#define INITRACE_FRAMEWORK_TESTS_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#define SCRATCH_UNUSED __attribute__((unused))

enum { SCRATCH_PATH_MAX = 1024 };

/* Makes a new folder; `path` has SCRATCH_PATH_MAX bytes and gets forward slashes only. */
SCRATCH_UNUSED static void scratch_make(char *path) {
    char temporary[SCRATCH_PATH_MAX - 64];
    size_t length = sizeof temporary;
    uv_fs_t request;
    assert_int_equal(uv_os_tmpdir(temporary, &length), 0);
    snprintf(path, SCRATCH_PATH_MAX, "%s/initrace-test-XXXXXX", temporary);
    assert_int_equal(uv_fs_mkdtemp(NULL, &request, path, NULL), 0);
    snprintf(path, SCRATCH_PATH_MAX, "%s", request.path);
    uv_fs_req_cleanup(&request);
    for (char *at = path; *at != '\0'; at++) {
        *at = *at == '\\' ? '/' : *at;
    }
}

/* Removes a folder and all that is in it. */
SCRATCH_UNUSED static void scratch_remove(const char *path) {
    uv_fs_t request;
    uv_fs_t remove_request;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &request, path, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            char child[2 * SCRATCH_PATH_MAX];
            snprintf(child, sizeof child, "%s/%s", path, entry.name);
            if (entry.type == UV_DIRENT_DIR) {
                scratch_remove(child);
            } else {
                uv_fs_unlink(NULL, &remove_request, child, NULL);
                uv_fs_req_cleanup(&remove_request);
            }
        }
    }
    uv_fs_req_cleanup(&request);
    uv_fs_rmdir(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
}

/* Makes FOLDER/NAME, a folder; it may be there already. */
SCRATCH_UNUSED static void scratch_folder(const char *folder, const char *name) {
    char path[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int result = uv_fs_mkdir(NULL, &request, path, 0777, NULL);
    uv_fs_req_cleanup(&request);
    assert_true(result == 0 || result == UV_EEXIST);
}

/* Writes FOLDER/NAME as a whole. */
SCRATCH_UNUSED static void scratch_write(const char *folder, const char *name, const void *bytes,
                                         size_t count) {
    char path[2 * SCRATCH_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* FOLDER/NAME as a string, to be freed by the caller; NULL if there is no such file. */
SCRATCH_UNUSED static char *scratch_read(const char *folder, const char *name) {
    char path[2 * SCRATCH_PATH_MAX + 256];
    char *text = NULL;
    size_t used = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    for (;;) {
        text = realloc(text, used + 4097);
        assert_non_null(text);
        size_t got = fread(text + used, 1, 4096, file);
        used += got;
        text[used] = '\0';
        if (got == 0) {
            break;
        }
    }
    fclose(file);
    return text;
}

SCRATCH_UNUSED static int scratch_exists(const char *folder, const char *name) {
    char path[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int result = uv_fs_stat(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
    return result == 0;
}

/* Fails unless `text` has `part` in it, and says both. */
SCRATCH_UNUSED static void assert_contains(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text);
    }
}

#endif
