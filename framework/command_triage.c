/* initrace triage: from files of any bytes to an answer for each. It reads them piece by piece and judges nothing
 * itself. */
#include "framework/commands.h"

#include "framework/known.h"
#include "framework/report_triage.h"
#include "framework/triage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { PIECE_BYTES = 256 * 1024 };

static enum itr_status read_all(uv_file file, const char *name, struct itr_triage *triage, struct itr_error *err) {
    char *piece = malloc(PIECE_BYTES);
    uv_buf_t buffer = uv_buf_init(piece, PIECE_BYTES);
    ssize_t got = 1;
    if (piece == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", name);
    }
    while (got > 0) {
        uv_fs_t request;
        got = uv_fs_read(NULL, &request, file, &buffer, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        if (got > 0) {
            itr_triage_feed(triage, piece, (size_t)got);
        }
    }
    free(piece);
    return got < 0 ? itr_fail(err, ITR_E_SYSTEM, got, "cannot read %s: %s", name, uv_strerror((int)got)) : ITR_OK;
}

/* "-" is standard input. */
static enum itr_status read_file(const char *name, struct itr_triage *triage, struct itr_error *err) {
    uv_fs_t request;
    if (strcmp(name, "-") == 0) {
        return read_all(0, "standard input", triage, err);
    }
    int file = uv_fs_open(NULL, &request, name, UV_FS_O_RDONLY, 0, NULL);
    uv_fs_req_cleanup(&request);
    if (file < 0) {
        return itr_fail(err, ITR_E_NOT_FOUND, file, "cannot open %s: %s", name, uv_strerror(file));
    }
    enum itr_status status = read_all(file, name, triage, err);
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    return status;
}

struct output {
    const struct itr_options *options;
    const struct itr_known_list *known;
    json_t *answers;
    size_t unanswered;
};

static void print_text(const struct itr_text *text) {
    fwrite(itr_text_string(text), 1, text->length, stdout);
}

static enum itr_status answer(struct output *output, const char *name, const struct itr_crash *crash,
                              struct itr_error *err) {
    const struct itr_known_failure *known = itr_known_find(output->known, crash);
    struct itr_text text = {.ceiling = 4u << 20};
    enum itr_status status = ITR_OK;
    bool answered = crash->kind != ITR_CRASH_NONE;
    if (output->options->json) {
        json_t *json = itr_triage_json(crash, known, true);
        char safe[2048];
        itr_escape_into(safe, sizeof safe, ITR_ESCAPE_UTF8, name, strlen(name));
        if (json == NULL || json_object_set_new(json, "file", json_string(safe)) != 0) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
        json_array_append_new(output->answers, json);
    } else if (output->options->watchflakes) {
        answered = itr_triage_watchflakes(&text, crash);
        if (!answered) {
            itr_text_reset(&text);
            itr_text_add(&text, "# nothing to make a rule of in ");
            itr_text_escape(&text, ITR_ESCAPE_TERMINAL, name, strlen(name));
            itr_text_add(&text, "\n");
        }
        print_text(&text);
    } else {
        if (output->options->words.count > 1) {
            itr_text_escape(&text, ITR_ESCAPE_TERMINAL, name, strlen(name));
            itr_text_add(&text, ":\n");
        }
        itr_triage_text(&text, crash, known, itr_use_colour());
        itr_text_add(&text, output->options->words.count > 1 ? "\n" : "");
        print_text(&text);
    }
    output->unanswered += answered ? 0 : 1;
    itr_text_release(&text);
    return status;
}

static enum itr_status triage_one(struct output *output, const char *name, struct itr_error *err) {
    const struct itr_crash *crash = NULL;
    struct itr_triage *triage = itr_triage_new(NULL);
    if (triage == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    enum itr_status status = read_file(name, triage, err);
    if (status == ITR_OK) {
        status = itr_triage_answer(triage, &crash, err);
    }
    if (status == ITR_OK) {
        status = answer(output, name, crash, err);
    }
    itr_triage_free(triage);
    return status;
}

int itr_command_triage(const struct itr_options *options, const struct itr_layout *layout) {
    struct itr_error error = {0};
    struct itr_known_list known = {0};
    struct output output = {.options = options, .known = &known};
    const char *folder = options->database != NULL ? options->database : layout->known;
    int code = ITR_EXIT_EXPECTED;
    if (options->words.count == 0) {
        itr_fail(&error, ITR_E_USAGE, 0, "initrace triage FILE…|-: which text? - is standard input");
        return itr_complain(&error);
    }
    if (itr_known_read(folder, &known, &error) != ITR_OK) {
        return itr_complain(&error);
    }
    output.answers = json_array();
    for (size_t i = 0; i < options->words.count; i++) {
        if (triage_one(&output, options->words.items[i], &error) != ITR_OK) {
            code = itr_complain(&error);
        }
    }
    itr_known_release(&known);
    if (code == ITR_EXIT_EXPECTED && output.unanswered > 0) {
        code = ITR_EXIT_INCONCLUSIVE;
    }
    if (options->json) {
        return itr_print_json(json_pack("{s:i, s:o}", "format", 1, "answers", output.answers), code);
    }
    json_decref(output.answers);
    return code;
}

int itr_command_list_known(const struct itr_options *options, const struct itr_layout *layout) {
    struct itr_error error = {0};
    struct itr_known_list known = {0};
    struct itr_text text = {.ceiling = 4u << 20};
    json_t *list = json_array();
    if (itr_known_read(options->database != NULL ? options->database : layout->known, &known, &error) != ITR_OK) {
        json_decref(list);
        return itr_complain(&error);
    }
    for (size_t i = 0; i < known.count; i++) {
        if (options->json) {
            json_array_append_new(list, itr_known_json(&known.items[i]));
        } else {
            itr_known_text(&text, &known.items[i]);
        }
    }
    itr_known_release(&known);
    print_text(&text);
    itr_text_release(&text);
    if (options->json) {
        return itr_print_json(json_pack("{s:i, s:o}", "format", 1, "known", list), ITR_EXIT_EXPECTED);
    }
    json_decref(list);
    return ITR_EXIT_EXPECTED;
}
