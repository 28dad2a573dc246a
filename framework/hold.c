/* Lets a person look at a host that stands stopped at an exact point: says where, gives the terminal to gdb or waits
 * until the person is done. It neither starts nor ends the host. */
#include "framework/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- what is said ---- */

/* "module!symbol+0x1c (file:line)" of the point. */
static void name_place(const struct itr_hold *hold, char *out, size_t room) {
    const struct itr_module *library = &hold->modules->library;
    uint64_t rva = hold->plan->point.rva;
    const char *symbol = NULL;
    const char *file = NULL;
    uint64_t offset = 0;
    uint32_t line = 0;
    struct itr_text text = {.ceiling = 4096};
    itr_text_printf(&text, "%s!", library->name);
    if (library->image != NULL && itr_image_symbol_at(library->image, rva, &symbol, &offset)) {
        itr_text_add(&text, symbol);
        rva = offset;
    }
    if (rva != 0) {
        itr_text_printf(&text, "+0x%" PRIx64, rva);
    }
    if (library->image != NULL &&
        itr_image_line_at(library->image, hold->plan->point.rva, &file, &line)) {
        itr_text_printf(&text, " (%s:%u)", file, (unsigned)line);
    }
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, itr_text_string(&text),
                    strlen(itr_text_string(&text)));
    itr_text_release(&text);
}

static const char *event_state(const struct itr_hold *hold) {
    return hold->plan->request.shot_count == 0 ? "none" : hold->sent ? "sent" : "not sent";
}

void itr_hold_describe(const struct itr_hold *hold, struct itr_text *out) {
    const struct itr_held *held = hold->held;
    char place[400];
    name_place(hold, place, sizeof place);
    itr_text_printf(out, "process %" PRIu32 " stands stopped at %s, thread %" PRIu32 " (%s)",
                    hold->held->process, place, held->thread, itr_role_name((uint32_t)held->role));
    if (hold->plan->request.shot_count > 0) {
        itr_text_printf(out, ", %s %s", itr_event_name(hold->plan->request.shots[0].event),
                        event_state(hold));
    }
    itr_text_printf(out, "\n  library at 0x%" PRIx64 ", point at 0x%" PRIx64 "\n",
                    held->library_base, held->library_base + hold->plan->point.rva);
    for (const char *const *command = itrp_attach_commands(); *command != NULL; command++) {
        itr_text_printf(out, "  %s%s %" PRIu32,
                        command == itrp_attach_commands() ? "attach with: " : "or: ", *command,
                        hold->held->process);
    }
    itr_text_add(out, "\n");
}

json_t *itr_hold_to_json(const struct itr_hold *hold) {
    const struct itr_held *held = hold->held;
    char place[400];
    char base[32];
    char address[32];
    json_t *attach = json_array();
    name_place(hold, place, sizeof place);
    snprintf(base, sizeof base, "0x%" PRIx64, held->library_base);
    snprintf(address, sizeof address, "0x%" PRIx64, held->library_base + hold->plan->point.rva);
    for (const char *const *command = itrp_attach_commands(); *command != NULL; command++) {
        json_array_append_new(attach,
                              json_sprintf("%s %u", *command, (unsigned)hold->held->process));
    }
    return json_pack("{s:I, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:o}", "process",
                     (json_int_t)hold->held->process, "at", hold->at, "place", place, "thread",
                     (json_int_t)held->thread, "thread_role", itr_role_name((uint32_t)held->role),
                     "library_base", base, "pc", address, "event", event_state(hold), "attach",
                     attach);
}

/* ---- waiting ---- */

struct vigil {
    uv_signal_t interrupt;
    uv_process_t debugger;
    union {
        uv_stream_t stream;
        uv_tty_t terminal;
        uv_pipe_t pipe;
    } input;
    char byte[64];
    int open; /* handles */
    bool over;
};

static void on_closed(uv_handle_t *handle) {
    ((struct vigil *)handle->data)->open--;
}

static void close_handle(struct vigil *vigil, uv_handle_t *handle) {
    if (handle->data == vigil && !uv_is_closing(handle)) {
        uv_close(handle, on_closed);
    }
}

static void add_handle(struct vigil *vigil, uv_handle_t *handle) {
    handle->data = vigil;
    vigil->open++;
}

static void close_all(struct itr_slot *slot, struct vigil *vigil) {
    close_handle(vigil, (uv_handle_t *)&vigil->interrupt);
    close_handle(vigil, (uv_handle_t *)&vigil->debugger);
    close_handle(vigil, (uv_handle_t *)&vigil->input.stream);
    while (vigil->open > 0) {
        uv_run(itr_slot_loop(slot), UV_RUN_ONCE);
    }
}

static void on_interrupt(uv_signal_t *handle, int number) {
    (void)number;
    ((struct vigil *)handle->data)->over = true;
}

/* While gdb has the terminal an interrupt is for gdb alone. */
static void on_interrupt_for_gdb(uv_signal_t *handle, int number) {
    (void)handle;
    (void)number;
}

static int catch_interrupt(const struct itr_hold *hold, struct vigil *vigil,
                           uv_signal_cb callback) {
    int result = uv_signal_init(itr_slot_loop(hold->slot), &vigil->interrupt);
    if (result == 0) {
        add_handle(vigil, (uv_handle_t *)&vigil->interrupt);
        result = uv_signal_start(&vigil->interrupt, callback, SIGINT);
    }
    return result;
}

/* ---- gdb ---- */

static void on_gdb_exit(uv_process_t *process, int64_t code, int number) {
    (void)code;
    (void)number;
    ((struct vigil *)process->data)->over = true;
}

enum itr_status itr_hold_open_gdb(const struct itr_hold *hold, struct itr_error *err) {
    char id[16];
    char choose[160];
    char gdb[] = "gdb";
    char *arguments[] = {gdb,   "-q",      "-p", id, "-ex", choose, "-ex", "info symbol $pc",
                         "-ex", "x/i $pc", NULL};
    uv_stdio_container_t streams[3];
    uv_process_options_t options = {
        .file = gdb, .args = arguments, .exit_cb = on_gdb_exit, .stdio = streams, .stdio_count = 3};
    struct vigil vigil = {.open = 0};
    snprintf(id, sizeof id, "%" PRIu32, hold->held->process);
    /* gdb begins at the main thread, and has no command of its own that goes to a thread by its number in the system. */
    snprintf(
        choose, sizeof choose,
        "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == %" PRIu32
        "]",
        hold->held->thread);
    for (int i = 0; i < 3; i++) {
        streams[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = i};
    }
    int result = catch_interrupt(hold, &vigil, on_interrupt_for_gdb);
    if (result == 0) {
        result = uv_spawn(itr_slot_loop(hold->slot), &vigil.debugger, &options);
        add_handle(
            &vigil,
            (uv_handle_t *)&vigil.debugger); /* to be closed also when it could not be started */
    }
    while (result == 0 && !vigil.over) {
        uv_run(itr_slot_loop(hold->slot), UV_RUN_ONCE);
    }
    close_all(hold->slot, &vigil);
    return result == 0
               ? ITR_OK
               : itr_fail(err, ITR_E_SYSTEM, result, "cannot start gdb: %s", uv_strerror(result));
}

/* ---- Enter, or the end of standard input ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct vigil *vigil = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(vigil->byte, sizeof vigil->byte);
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
    struct vigil *vigil = stream->data;
    vigil->over = vigil->over || got < 0 ||
                  (got > 0 && memchr(buffer->base, '\n', (size_t)got) != NULL) ||
                  (got > 0 && memchr(buffer->base, '\r', (size_t)got) != NULL);
}

/* A file, the null device or nothing at all is at its end before anybody could look. */
static int open_input(const struct itr_hold *hold, struct vigil *vigil) {
    uv_loop_t *loop = itr_slot_loop(hold->slot);
    int result = 0;
    switch (uv_guess_handle(0)) {
    case UV_TTY: result = uv_tty_init(loop, &vigil->input.terminal, 0, 1); break;
    case UV_NAMED_PIPE: result = uv_pipe_init(loop, &vigil->input.pipe, 0); break;
    default: vigil->over = true; return 0;
    }
    if (result != 0) {
        return result;
    }
    add_handle(vigil, (uv_handle_t *)&vigil->input.stream);
    if (vigil->input.stream.type == UV_NAMED_PIPE) {
        result = uv_pipe_open(&vigil->input.pipe, 0);
    }
    return result == 0 ? uv_read_start(&vigil->input.stream, on_room, on_input) : result;
}

enum itr_status itr_hold_wait(const struct itr_hold *hold, struct itr_error *err) {
    struct vigil vigil = {.open = 0};
    bool lives = true;
    int result = catch_interrupt(hold, &vigil, on_interrupt);
    if (result == 0) {
        result = open_input(hold, &vigil);
    }
    while (result == 0 && lives && !vigil.over) {
        lives = itr_slot_turn(hold->slot);
    }
    close_all(hold->slot, &vigil);
    return result == 0 ? ITR_OK
                       : itr_fail(err, ITR_E_SYSTEM, result, "cannot wait at a held host: %s",
                                  uv_strerror(result));
}
