/* The system's words about paths, through libuv's synchronous calls. */
#include "framework/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

bool itr_path_exists(const char *path) {
    uv_fs_t request;
    int result = uv_fs_stat(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
    return result == 0;
}

enum itr_status itr_path_real(const char *path, char *out, size_t room, struct itr_error *err) {
    uv_fs_t request;
    int result = uv_fs_realpath(NULL, &request, path, NULL);
    size_t length = result == 0 ? strlen(request.ptr) : 0;
    enum itr_status status = ITR_OK;
    if (result != 0) {
        status = itr_fail(err, result == UV_ENOMEM ? ITR_E_NO_MEMORY : ITR_E_NOT_FOUND, result, "%s: %s", path, uv_strerror(result));
    } else if (length >= room) {
        status = itr_fail(err, ITR_E_LIMIT, 0, "%.200s: its absolute path is longer than %zu bytes", path, room - 1);
    } else {
        memcpy(out, request.ptr, length + 1);
    }
    uv_fs_req_cleanup(&request);
    for (char *at = out; status == ITR_OK && *at != '\0'; at++) {
        *at = *at == '\\' ? '/' : *at;
    }
    return status;
}

enum itr_status itr_path_real_copy(const char *path, char **out, struct itr_error *err) {
    char real[ITR_PATH_MAX];
    enum itr_status status = itr_path_real(path, real, sizeof real, err);
    *out = status == ITR_OK ? strdup(real) : NULL;
    return status != ITR_OK || *out != NULL ? status : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
}

void itr_path_remove(const char *path, int depth) {
    uv_fs_t request;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &request, path, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            char child[ITR_PATH_MAX];
            uv_fs_t remove;
            if (snprintf(child, sizeof child, "%s/%s", path, entry.name) >= (int)sizeof child) {
                continue; /* cut it would be another one */
            }
            if (entry.type == UV_DIRENT_DIR && depth > 0) {
                itr_path_remove(child, depth - 1);
            } else {
                uv_fs_unlink(NULL, &remove, child, NULL);
                uv_fs_req_cleanup(&remove);
            }
        }
    }
    uv_fs_req_cleanup(&request);
    uv_fs_rmdir(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
}
