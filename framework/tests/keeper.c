/* A host for self_campaign.c: connects to the test (127.0.0.1, port in KEEPER_PORT), leaves a detached child
 * that does so too, and goes on to its end only when the test says so. Each connection lasts as long as its
 * process lives, so that the test sees every end, whoever brings it about. It tests nothing itself. */
#include "platform/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static struct itrh_host host;
static uv_tcp_t connection;
static uv_process_t child;
static bool connected;

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char room[16];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof room);
}

/* A byte: go on. The end of the connection: the test is gone. */
static void on_word(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
    (void)buffer;
    if (got < 0) {
        itrh_exit_now(ITRH_EXIT_SETUP);
    } else if (got > 0) {
        uv_stop(stream->loop);
    }
}

static void on_connected(uv_connect_t *request, int status) {
    static uv_write_t write;
    uv_buf_t name = uv_buf_init(request->data, (unsigned)strlen(request->data));
    connected = status == 0 && uv_write(&write, request->handle, &name, 1, NULL) == 0 &&
                uv_read_start(request->handle, on_room, on_word) == 0;
    if (!connected) {
        uv_stop(request->handle->loop);
    }
}

/* Starts to connect; what is in `line` goes first. */
static bool connect_to_test(char *line) {
    static uv_connect_t request;
    struct sockaddr_in address;
    const char *port = getenv("KEEPER_PORT");
    request.data = line;
    return port != NULL && uv_ip4_addr("127.0.0.1", atoi(port), &address) == 0 &&
           uv_tcp_init(uv_default_loop(), &connection) == 0 &&
           uv_tcp_connect(&request, &connection, (const struct sockaddr *)&address, on_connected) ==
               0;
}

static bool leave_a_child(void) {
    char path[2048];
    char word[] = "child";
    char *arguments[] = {path, word, NULL};
    size_t length = sizeof path;
    uv_process_options_t options = {
        .file = path, .args = arguments, .flags = UV_PROCESS_DETACHED | UV_PROCESS_WINDOWS_HIDE};
    return uv_exepath(path, &length) == 0 && uv_spawn(uv_default_loop(), &child, &options) == 0;
}

int main(int argc, char **argv) {
    char child_line[] = "child\n";
    char host_line[] = "host\n";
    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        if (connect_to_test(child_line)) {
            uv_run(uv_default_loop(), UV_RUN_DEFAULT);
        }
        return 0;
    }
    if (!itrh_open(&host, NULL, NULL) || !itrh_install_handlers(&host) || !itrh_arm(&host) ||
        !itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    if (!leave_a_child() || !connect_to_test(host_line)) {
        return itrh_fail(&host, 0, "cannot start a child or reach the test");
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    if (!connected) {
        return itrh_fail(&host, 0, "cannot reach the test at KEEPER_PORT");
    }
    if (!itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(&host);
    return itrh_finish(&host);
}
