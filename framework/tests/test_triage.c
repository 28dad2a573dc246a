/* Unit tests of triage on recorded crash texts (tests/crashes): every field of every answer, and the same answer
 * when the text is cut, wrapped, mixed with other output or comes in pieces; and its limits.
 *
 * `unit_triage --write FOLDER` tests nothing, but writes for each text what is said of it now: to be read beside the
 * text, line by line, before it takes the place of what is in tests/crashes. */
#include "framework/known.h"
#include "framework/report_triage.h"
#include "framework/tests/sanitized.h"
#include "framework/text.h"
#include "framework/triage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

/* Cuts, and damaged copies, of each text. */
enum { FILES_MAX = 256, CUTS = IS_THREAD_SANITIZED ? 4 : 48, DAMAGES = IS_THREAD_SANITIZED ? 1 : 8 };

struct sample {
    char name[128];
    char *text;
    size_t length;
    json_t *answer;
    json_int_t settled_line; /* so many first lines suffice for the signature; 0: it has none */
    const char *watchflakes;
    json_t *root;
};

struct samples {
    struct sample items[FILES_MAX];
    size_t count;
    struct itr_known_list known;
};

/* ---- loading ---- */

static char *load(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    text[size] = '\0';
    *length = (size_t)size;
    return text;
}

static void load_sample(struct sample *sample, const char *name) {
    char path[1024];
    json_error_t why;
    snprintf(sample->name, sizeof sample->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s.txt", INITRACE_CRASHES, name);
    sample->text = load(path, &sample->length);
    snprintf(path, sizeof path, "%s/%s.json", INITRACE_CRASHES, name);
    sample->root = json_load_file(path, 0, &why);
    if (sample->root == NULL) {
        fail_msg("%s:%d: %s", path, why.line, why.text);
    }
    sample->answer = json_object_get(sample->root, "answer");
    assert_non_null(sample->answer);
    sample->settled_line = json_integer_value(json_object_get(sample->root, "settled_line"));
    sample->watchflakes = json_string_value(json_object_get(sample->root, "watchflakes"));
}

static int load_all(void **state) {
    struct samples *samples = calloc(1, sizeof *samples);
    struct itr_error error = {0};
    uv_fs_t request;
    uv_dirent_t entry;
    assert_non_null(samples);
    assert_int_equal(itr_known_read(INITRACE_KNOWN, &samples->known, &error), ITR_OK);
    assert_true(uv_fs_scandir(NULL, &request, INITRACE_CRASHES, 0, NULL) > 0);
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        char name[128];
        size_t length = strlen(entry.name);
        if (length > 4 && length < sizeof name && strcmp(entry.name + length - 4, ".txt") == 0) {
            snprintf(name, sizeof name, "%.*s", (int)(length - 4), entry.name);
            assert_true(samples->count < FILES_MAX);
            load_sample(&samples->items[samples->count++], name);
        }
    }
    uv_fs_req_cleanup(&request);
    assert_true(samples->count >= 40);
    *state = samples;
    return 0;
}

static int release_all(void **state) {
    struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        json_decref(samples->items[i].root);
        free(samples->items[i].text);
    }
    itr_known_release(&samples->known);
    free(samples);
    return 0;
}

/* ---- reading ---- */

static struct itr_triage *read_text(const char *text, size_t length, size_t piece, const struct itr_crash **crash) {
    struct itr_triage *triage = itr_triage_new(NULL);
    struct itr_error error = {0};
    assert_non_null(triage);
    for (size_t at = 0; at < length; at += piece) {
        itr_triage_feed(triage, text + at, length - at < piece ? length - at : piece);
    }
    assert_int_equal(itr_triage_answer(triage, crash, &error), ITR_OK);
    return triage;
}

static json_t *answer_of(const struct samples *samples, const char *text, size_t length, size_t piece) {
    const struct itr_crash *crash = NULL;
    struct itr_triage *triage = read_text(text, length, piece, &crash);
    json_t *json = itr_triage_json(crash, itr_known_find(&samples->known, crash), false);
    assert_non_null(json);
    itr_triage_free(triage);
    return json;
}

static void same_value(const char *where, const char *key, const json_t *is, const json_t *should) {
    if (!json_equal(is, should)) {
        char *a = json_dumps(is, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        char *b = json_dumps(should, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        print_error("%s: %s\n  is     %s\n  should %s\n", where, key, a != NULL ? a : "(nothing)", b != NULL ? b : "(nothing)");
        free(a);
        free(b);
        fail();
    }
}

/* Every field, one by one, and none besides. */
static void same_answer(const char *where, json_t *is, json_t *should) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(should, key, value) {
        same_value(where, key, json_object_get(is, key), value);
    }
    assert_int_equal(json_object_size(is), json_object_size(should));
    json_decref(is);
}

static void check_variant(const struct samples *samples, const struct sample *sample, const char *variant,
                          const struct itr_text *text) {
    char where[256];
    snprintf(where, sizeof where, "%s, %s", sample->name, variant);
    assert_false(text->truncated || text->no_memory);
    same_answer(where, answer_of(samples, itr_text_string(text), text->length, SIZE_MAX / 2), sample->answer);
}

static const char *line_end(const char *text, const char *end) {
    const char *found = memchr(text, '\n', (size_t)(end - text));
    return found != NULL ? found : end;
}

/* The same on every machine. */
static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- the texts ---- */

static void every_field_of_every_recorded_text_is_right(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        same_answer(sample->name, answer_of(samples, sample->text, sample->length, SIZE_MAX / 2), sample->answer);
    }
}

static void pieces_of_any_size_give_the_same_answer(void **state) {
    const struct samples *samples = *state;
    static const size_t sizes[] = {1, 7, 4096};
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            same_answer(sample->name, answer_of(samples, sample->text, sample->length, sizes[k]), sample->answer);
        }
    }
}

/* ---- wrapped ---- */

typedef void (*wrap_line)(struct itr_text *out, const char *line, size_t length, size_t number);

static void with_crlf(struct itr_text *out, const char *line, size_t length, size_t number) {
    (void)number;
    itr_text_append(out, line, length);
    itr_text_add(out, "\r\n");
}

static void in_test_log(struct itr_text *out, const char *line, size_t length, size_t number) {
    itr_text_add(out, number == 0 ? "    host_test.go:12: " : "        ");
    itr_text_append(out, line, length);
    itr_text_add(out, "\n");
}

static void with_timestamp(struct itr_text *out, const char *line, size_t length, size_t number) {
    itr_text_printf(out, "2026/01/13 12:%02zu:%02zu.%zu [host] ", number / 60 % 60, number % 60, number * 37 % 1000);
    itr_text_append(out, line, length);
    itr_text_add(out, "\n");
}

static void in_colour(struct itr_text *out, const char *line, size_t length, size_t number) {
    itr_text_add(out, number % 2 == 0 ? "\x1b[31m" : "\x1b[0;1;4m");
    itr_text_append(out, line, length);
    itr_text_add(out, "\x1b[0m\n");
}

static void with_other_output(struct itr_text *out, const char *line, size_t length, size_t number) {
    itr_text_append(out, line, length);
    itr_text_printf(out, "\nlevel=info msg=tick n=%zu\n", number);
}

static void with_nul(struct itr_text *out, const char *line, size_t length, size_t number) {
    itr_text_append(out, "\0\0\0", number % 4);
    itr_text_append(out, line, length);
    itr_text_append(out, "\0\n", 2);
}

static void wrapped_lines_give_the_same_answer(void **state) {
    static const struct {
        const char *name;
        wrap_line wrap;
    } variants[] = {
        {"CRLF", with_crlf},          {"test log", in_test_log},             {"timestamps", with_timestamp},
        {"colours", in_colour},       {"other output", with_other_output}, {"NUL bytes", with_nul},
    };
    const struct samples *samples = *state;
    for (size_t k = 0; k < sizeof variants / sizeof variants[0]; k++) {
        for (size_t i = 0; i < samples->count; i++) {
            const struct sample *sample = &samples->items[i];
            struct itr_text text = {0};
            const char *end = sample->text + sample->length;
            size_t number = 0;
            for (const char *line = sample->text; line < end; line = line_end(line, end) + 1) {
                variants[k].wrap(&text, line, (size_t)(line_end(line, end) - line), number++);
            }
            check_variant(samples, sample, variants[k].name, &text);
            itr_text_release(&text);
        }
    }
}

static void add_json_string(struct itr_text *out, const char *line, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c == '"' || c == '\\') {
            itr_text_printf(out, "\\%c", c);
        } else if (c == '<' || c == '>' || c == '&' || c < 0x20) {
            itr_text_printf(out, c == '\t' ? "\\t" : "\\u%04x", c);
        } else {
            itr_text_append(out, line + i, 1);
        }
    }
}

static void json_of_go_test_gives_the_same_answer_and_the_test(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        struct itr_text text = {0};
        const char *end = sample->text + sample->length;
        json_t *should = json_deep_copy(sample->answer);
        if (strstr(sample->text, "\"Action\"") == NULL) {
            for (const char *line = sample->text; line < end; line = line_end(line, end) + 1) {
                itr_text_add(&text, "{\"Time\":\"2026-01-13T12:31:02.5Z\",\"Action\":\"output\",\"Package\":\"example.org/p\","
                                    "\"Test\":\"TestHost\",\"Output\":\"");
                add_json_string(&text, line, (size_t)(line_end(line, end) - line));
                itr_text_add(&text, "\\n\"}\n");
            }
            json_t *is = answer_of(samples, itr_text_string(&text), text.length, SIZE_MAX / 2);
            if (json_is_null(json_object_get(should, "test")) && json_is_null(json_object_get(should, "package"))) {
                json_object_set_new(should, "test", json_string("TestHost"));
                json_object_set_new(should, "package", json_string("example.org/p"));
                same_answer(sample->name, is, should);
            } else {
                same_value(sample->name, "signature", json_object_get(is, "signature"), json_object_get(should, "signature"));
                json_decref(is);
            }
        }
        json_decref(should);
        itr_text_release(&text);
    }
}

/* Docker's, a line each; a structured log's, all in one. */
static void quotes_of_other_logs_give_the_same_answer(void **state) {
    enum { ONE_LINE_MAX = 12 * 1024 };
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        struct itr_text docker = {0};
        struct itr_text whole = {0};
        const char *end = sample->text + sample->length;
        if (memchr(sample->text, '{', sample->length) != NULL && strstr(sample->text, "\":") != NULL) {
            continue; /* it is JSON itself */
        }
        itr_text_add(&whole, "time=2026-01-13T12:31:02Z level=error msg=\"");
        for (const char *line = sample->text; line < end; line = line_end(line, end) + 1) {
            size_t length = (size_t)(line_end(line, end) - line);
            itr_text_add(&docker, "{\"log\":\"");
            add_json_string(&docker, line, length);
            itr_text_add(&docker, "\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-13T12:31:02.5Z\"}\n");
            add_json_string(&whole, line, length);
            itr_text_add(&whole, "\\n");
        }
        itr_text_add(&whole, "\" id=7\n");
        check_variant(samples, sample, "docker's JSON", &docker);
        if (whole.length < ONE_LINE_MAX) {
            check_variant(samples, sample, "one quoted field", &whole);
        }
        itr_text_release(&docker);
        itr_text_release(&whole);
    }
}

static void add_garbage(struct itr_text *out, size_t count, uint32_t *seed) {
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)next_random(seed);
        itr_text_append(out, &byte, 1);
    }
}

static void garbage_around_changes_nothing(void **state) {
    const struct samples *samples = *state;
    uint32_t seed = 4711;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        struct itr_text text = {0};
        add_garbage(&text, 3000, &seed);
        itr_text_add(&text, "\n");
        itr_text_append(&text, sample->text, sample->length);
        add_garbage(&text, 3000, &seed);
        check_variant(samples, sample, "garbage around", &text);
        itr_text_release(&text);
    }
}

/* Enough of it that only heads are looked for. */
static void a_report_behind_megabytes_of_garbage_is_found(void **state) {
    const struct samples *samples = *state;
    struct itr_text garbage = {.ceiling = 4u << 20};
    uint32_t seed = 815;
    add_garbage(&garbage, 1u << 20, &seed);
    for (size_t i = 0; i < samples->count; i += IS_THREAD_SANITIZED ? 36u : 9u) {
        const struct sample *sample = &samples->items[i];
        size_t length = garbage.length;
        itr_text_add(&garbage, "\n");
        itr_text_append(&garbage, sample->text, sample->length);
        json_t *is = answer_of(samples, itr_text_string(&garbage), garbage.length, SIZE_MAX / 2);
        same_value(sample->name, "signature", json_object_get(is, "signature"), json_object_get(sample->answer, "signature"));
        json_decref(is);
        garbage.length = length;
    }
    itr_text_release(&garbage);
}

/* PowerShell's redirection. */
static void utf16_gives_the_same_answer(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        struct itr_text text = {0};
        bool ascii = true;
        itr_text_append(&text, "\xff\xfe", 2);
        for (size_t k = 0; k < sample->length; k++) {
            char unit[2] = {sample->text[k], 0};
            ascii = ascii && (unsigned char)unit[0] < 0x80;
            itr_text_append(&text, unit, 2);
        }
        if (ascii) {
            check_variant(samples, sample, "UTF-16", &text);
        }
        itr_text_release(&text);
    }
}

/* ---- cut and shuffled ---- */

static void expect_signature(const struct samples *samples, const struct sample *sample, const char *text, size_t length,
                             bool same) {
    const char *should = json_string_value(json_object_get(sample->answer, "signature"));
    const struct itr_crash *crash = NULL;
    struct itr_triage *triage = read_text(text, length, SIZE_MAX / 2, &crash);
    (void)itr_known_find(&samples->known, crash);
    if ((strcmp(crash->signature, should) == 0) != same) {
        fail_msg("%s cut after %zu bytes: signature is %s, the whole text's is %s", sample->name, length, crash->signature,
                 should);
    }
    itr_triage_free(triage);
}

static size_t bytes_of_lines(const struct sample *sample, size_t lines) {
    const char *end = sample->text + sample->length;
    const char *at = sample->text;
    while (lines-- > 0 && at < end) {
        at = line_end(at, end);
        at += at < end ? 1 : 0;
    }
    return (size_t)(at - sample->text);
}

static void a_text_that_is_cut_is_signed_as_soon_as_its_lines_are_whole(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        size_t enough = bytes_of_lines(sample, (size_t)sample->settled_line);
        expect_signature(samples, sample, sample->text, enough, true);
        if (sample->settled_line > 0) {
            expect_signature(samples, sample, sample->text, bytes_of_lines(sample, (size_t)sample->settled_line - 1), false);
        }
        for (size_t k = 1; k <= CUTS; k++) {
            expect_signature(samples, sample, sample->text, enough + (sample->length - enough) * k / CUTS, true);
        }
    }
}

static void a_text_that_is_cut_anywhere_is_read_without_harm(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        for (size_t k = 0; k < CUTS; k++) {
            size_t from = sample->length * k / (2 * CUTS);
            size_t to = sample->length - sample->length * k / (3 * CUTS);
            size_t length = to - from;
            char *exact = malloc(length > 0 ? length : 1);
            assert_non_null(exact);
            memcpy(exact, sample->text + from, length);
            json_decref(answer_of(samples, exact, length, SIZE_MAX / 2));
            free(exact);
        }
    }
}

/* The paragraphs behind the first goroutine, backwards: the others have no order. */
static void the_order_of_later_goroutines_does_not_matter(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        const char *starts[512];
        size_t count = 0;
        struct itr_text text = {0};
        const char *at = strstr(sample->text, "\n\ngoroutine ");
        at = at != NULL ? strstr(at + 2, "\n\n") : NULL;
        const char *tail = at;
        while (at != NULL && count < 512 && strncmp(at, "\n\ngoroutine ", 12) == 0) {
            starts[count++] = at;
            at = strstr(at + 2, "\n\n");
        }
        if (count < 2 || json_integer_value(json_object_get(sample->answer, "reports")) > 1) {
            continue;
        }
        itr_text_append(&text, sample->text, (size_t)(tail - sample->text));
        for (size_t k = count; k-- > 0;) {
            const char *end = k + 1 < count ? starts[k + 1] : at != NULL ? at : sample->text + sample->length;
            itr_text_append(&text, starts[k], (size_t)(end - starts[k]));
        }
        expect_signature(samples, sample, itr_text_string(&text), text.length, true);
        itr_text_release(&text);
    }
}

static void damaged_texts_are_read_without_harm(void **state) {
    const struct samples *samples = *state;
    uint32_t seed = 99;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        for (int round = 0; round < DAMAGES; round++) {
            char *copy = malloc(sample->length + 1);
            assert_non_null(copy);
            memcpy(copy, sample->text, sample->length);
            for (int k = 0; k < 40; k++) {
                size_t at = next_random(&seed) % sample->length;
                size_t from = next_random(&seed) % sample->length;
                size_t room = sample->length - (at > from ? at : from);
                size_t count = next_random(&seed) % 64;
                memmove(copy + at, copy + from, count < room ? count : room);
                copy[next_random(&seed) % sample->length] = (char)next_random(&seed);
            }
            json_decref(answer_of(samples, copy, sample->length, SIZE_MAX / 2));
            free(copy);
        }
    }
}

/* ---- watchflakes ---- */

static void each_text_makes_the_rule_that_it_should(void **state) {
    const struct samples *samples = *state;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        const struct itr_crash *crash = NULL;
        struct itr_triage *triage = read_text(sample->text, sample->length, SIZE_MAX / 2, &crash);
        struct itr_text rule = {0};
        bool made = itr_triage_watchflakes(&rule, crash);
        assert_int_equal(made, sample->watchflakes != NULL);
        if (made) {
            assert_string_equal(itr_text_string(&rule), sample->watchflakes);
        }
        itr_text_release(&rule);
        itr_triage_free(triage);
    }
}

/* ---- the page ---- */

static void the_page_counts_what_is_there(void **state) {
    static const struct {
        const char *text;
        const char *page;
    } samples[] = {
        {"panic: x\n\nruntime stack:\nmain.g()\n\t/x.go:1 +0x1\n\ngoroutine 1 [select, 1 minutes]:\nmain.f()\n\t/x.go:2 +0x1\n",
         "where: goroutine 1 [select, 1 minute]\n"},
        {"panic: x\n\nruntime stack:\nmain.g()\n\t/x.go:1 +0x1\n\ngoroutine 1 [select]:\nmain.f()\n\t/x.go:2 +0x1\n",
         "\n1 goroutine, 2 different stacks:\n"},
        {"Thread 1 received signal SIGSEGV, x.\n\nThread 1 (LWP 7):\n#0  0x1 in f ()\n\nThread 2 (LWP 8):\n#0  0x2 in g ()\n",
         "\n2 threads, 2 different stacks:\n"},
        {"WARNING: DATA RACE\nWrite at 0x00c00001c0a8 by goroutine 8:\n  main.f()\n      /x.go:1 +0x1\n\n"
         "Previous read at 0x00c00001c0a8 by main goroutine:\n  main.g()\n      /x.go:2 +0x1\n\n"
         "Goroutine 8 (running) created at:\n  main.h()\n      /x.go:3 +0x1\n",
         "where: goroutine 8 [write]\n    main.f                                        /x.go:1\n\n3 different stacks:\n"
         "  goroutine 1 [read]\n      main.g                                        /x.go:2\n"
         "  goroutine 8, created\n      main.h                                        /x.go:3\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct itr_crash *crash = NULL;
        struct itr_text out = {0};
        struct itr_triage *triage = read_text(samples[i].text, strlen(samples[i].text), SIZE_MAX / 2, &crash);
        itr_triage_text(&out, crash, NULL, false);
        if (strstr(itr_text_string(&out), samples[i].page) == NULL) {
            fail_msg("is\n%s\nshould have\n%s", itr_text_string(&out), samples[i].page);
        }
        itr_text_release(&out);
        itr_triage_free(triage);
    }
}

/* A process may go on behind a report of the race detector, and die of something else: the race is what came first,
 * unless its report was cut before it told of any access. */
static void a_race_is_told_before_what_came_later(void **state) {
#define RACE_AT "WARNING: DATA RACE\n"
#define READ_BY "Read at 0x00c00001c0a8 by goroutine 8:\n  main.f()\n      /x.go:1 +0x1\n\n"
#define WRITE_BY "Previous write at 0x00c00001c0a8 by main goroutine:\n  main.g()\n      /x.go:2 +0x1\n"
#define DIES "panic: x\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x9]\n\ngoroutine 7 [running]:\nmain.h()\n\t/x.go:3 +0x1\n"
    static const struct {
        const char *text;
        enum itr_crash_kind kind;
        const char *signature;
        uint64_t reports, address;
    } samples[] = {
        {RACE_AT READ_BY WRITE_BY DIES, ITR_CRASH_RACE, "race read at main.f, write at main.g", 2, 0xc00001c0a8},
        {RACE_AT READ_BY DIES, ITR_CRASH_RACE, "race access at unknown, read at main.f", 2, 0xc00001c0a8},
        {RACE_AT READ_BY WRITE_BY "unexpected fault address 0x9\nfatal error: fault\n", ITR_CRASH_RACE,
         "race read at main.f, write at main.g", 2, 0xc00001c0a8},
        {RACE_AT DIES, ITR_CRASH_CRASH, "crash SIGSEGV at main.h null-page \"panic: x\"", 1, 8},
        {DIES RACE_AT READ_BY WRITE_BY, ITR_CRASH_CRASH, "crash SIGSEGV at main.h null-page \"panic: x\"", 2, 8},
    };
#undef RACE_AT
#undef READ_BY
#undef WRITE_BY
#undef DIES
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct itr_crash *crash = NULL;
        struct itr_triage *triage = read_text(samples[i].text, strlen(samples[i].text), SIZE_MAX / 2, &crash);
        assert_string_equal(crash->signature, samples[i].signature);
        assert_int_equal(crash->kind, samples[i].kind);
        assert_int_equal(crash->reports, samples[i].reports);
        assert_int_equal(crash->address, samples[i].address);
        itr_triage_free(triage);
    }
}

/* The runtime touches maps and slices for the program: which of its functions does it, says little. */
static void a_race_is_where_the_program_was(void **state) {
    static const char text[] =
        "WARNING: DATA RACE\nWrite at 0x00c00001c0a8 by goroutine 8:\n  runtime.mapassign_faststr()\n      /map.go:1 +0x0\n"
        "  main.f()\n      /x.go:1 +0x1\n\nPrevious write at 0x00c00001c0a8 by main goroutine:\n  sync/atomic.AddInt64()\n"
        "      /race_amd64.s:1 +0xb\n  internal/race.Write()\n      /race.go:41 +0x125\n  sync.(*WaitGroup).Wait()\n"
        "      /waitgroup.go:115 +0x126\n  main.g()\n      /x.go:2 +0x1\n";
    const struct itr_crash *crash = NULL;
    struct itr_text rule = {0};
    struct itr_triage *triage = read_text(text, sizeof text - 1, SIZE_MAX / 2, &crash);
    (void)state;
    assert_string_equal(crash->signature, "race write at main.f, write at main.g");
    assert_true(itr_triage_watchflakes(&rule, crash));
    assert_string_equal(itr_text_string(&rule), "#!watchflakes\npost <- `WARNING: DATA RACE` && `main\\.f` && `main\\.g`\n");
    itr_text_release(&rule);
    itr_triage_free(triage);
}

/* ---- the same failure, the same signature ---- */

static const char *signature_of(const struct samples *samples, const char *name) {
    for (size_t i = 0; i < samples->count; i++) {
        if (strcmp(samples->items[i].name, name) == 0) {
            return json_string_value(json_object_get(samples->items[i].answer, "signature"));
        }
    }
    fail_msg("no text %s", name);
    return "";
}

/* "nil-crash" of "wine-go1.27-nil-crash" with prefix "wine-go"; NULL for texts with another one. */
static const char *behind_version(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    const char *dash = strncmp(name, prefix, length) == 0 ? strchr(name + length, '-') : NULL;
    return dash != NULL ? dash + 1 : NULL;
}

/* All recordings of the failure have one signature; it is returned. */
static const char *the_signature(const struct samples *samples, const char *prefix, const char *failure) {
    const char *first = NULL;
    size_t compared = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->items[i];
        const char *rest = behind_version(sample->name, prefix);
        size_t length = strlen(failure);
        if (rest == NULL || strncmp(rest, failure, length) != 0 || (rest[length] != '-' && rest[length] != '\0') ||
            strcmp(rest + length, "-none") == 0) {
            continue;
        }
        const char *signature = json_string_value(json_object_get(sample->answer, "signature"));
        if (first != NULL) {
            assert_string_equal(signature, first);
        }
        first = signature;
        compared++;
    }
    if (compared < 2) {
        fail_msg("%s…-%s: %zu texts", prefix, failure, compared);
    }
    return first;
}

/* Recorded of programs that are built anew by several versions of Go, at all levels of GOTRACEBACK; `none` shows no
 * place, so its signature is another one. */
static void a_failure_has_one_signature_in_all_versions_and_levels(void **state) {
    static const struct {
        const char *prefix, *failure;
    } failures[] = {
        {"go", "nil-dereference"}, {"go", "deadlock"}, {"go", "panic-in-panic"}, {"go", "panic-again"}, {"go", "panic-error"},
        {"go", "concurrent-map"}, {"go", "bad-pointer"}, {"go", "stack-overflow"}, {"go", "quit"}, {"go", "cgo-abort"},
        {"wine-go", "nil"}, {"wine-go", "fault"}, {"wine-go", "overflow"}, {"wine-go", "nested"}, {"wine-go", "raised"},
        {"wine-go", "deadlock"}, {"wine-go", "library-nil"}, {"wine-go", "library-fault"}, {"wine-go", "library-index"},
        {"race-go", "previous-read"}, {"race-go", "previous-write"}, {"race-go", "created"}, {"race-go", "map"},
        {"race-go", "atomic"}, {"race-go", "two"}, {"race-go", "halt"}, {"race-go", "panic"}, {"race-go", "cut"},
        {"race-go", "library-start"}, {"race-go", "library-threads"},
    };
    const struct samples *samples = *state;
    for (size_t k = 0; k < sizeof failures / sizeof failures[0]; k++) {
        (void)the_signature(samples, failures[k].prefix, failures[k].failure);
    }
    assert_string_equal(the_signature(samples, "race-go", "test"), the_signature(samples, "race-go", "testjson"));
    assert_string_equal(signature_of(samples, "byhand-race-goroutines"), signature_of(samples, "byhand-race-swapped"));
}

/* ---- limits ---- */

static void many_equal_goroutines_are_one_stack(void **state) {
    struct itr_text text = {.ceiling = 64u << 20};
    const struct itr_crash *crash = NULL;
    (void)state;
    itr_text_add(&text, "SIGQUIT: quit\nPC=0x1 m=0 sigcode=0\n\n");
    for (int i = 1; i <= 20000; i++) {
        itr_text_printf(&text, "goroutine %d [select, %d minutes]:\nmain.loop(0x%x)\n\t/src/loop.go:7 +0x1d\ncreated by main.main "
                               "in goroutine 1\n\t/src/main.go:3 +0x2a\n\n", i, i % 60 + 1, i * 64);
    }
    struct itr_triage *triage = read_text(itr_text_string(&text), text.length, 100000, &crash);
    assert_int_equal(crash->goroutines, 20000);
    assert_int_equal(crash->stack_count, 1);
    assert_int_equal(crash->stacks[0].count, 20000);
    assert_int_equal(crash->stacks[0].wait_min, 1);
    assert_int_equal(crash->stacks[0].wait_max, 60);
    assert_false(crash->cut);
    itr_triage_free(triage);
    itr_text_release(&text);
}

static void too_many_different_stacks_are_cut_and_said_so(void **state) {
    struct itr_text text = {.ceiling = 64u << 20};
    const struct itr_crash *crash = NULL;
    (void)state;
    itr_text_add(&text, "panic: x\n\n");
    for (int i = 0; i < ITR_STACKS_MAX + 500; i++) {
        itr_text_printf(&text, "goroutine %d [select]:\nmain.f%d()\n\t/src/x.go:7 +0x1d\n\n", i, i);
    }
    struct itr_triage *triage = read_text(itr_text_string(&text), text.length, SIZE_MAX / 2, &crash);
    assert_int_equal(crash->stack_count, ITR_STACKS_MAX);
    assert_true(crash->cut);
    assert_string_equal(crash->signature, "fatal \"panic: x\" at main.f0");
    itr_triage_free(triage);
    itr_text_reset(&text);
    itr_text_add(&text, "panic: x\n\ngoroutine 1 [running]:\n");
    for (int i = 0; i < 2 * ITR_FRAMES_MAX; i++) {
        itr_text_printf(&text, "main.f%d()\n\t/src/x.go:7 +0x1d\n", i);
    }
    triage = read_text(itr_text_string(&text), text.length, SIZE_MAX / 2, &crash);
    assert_int_equal(crash->crashed->frame_count, ITR_FRAMES_MAX);
    assert_true(crash->crashed->elided);
    itr_triage_free(triage);
    itr_text_release(&text);
}

static void a_line_without_end_is_read_in_bounds(void **state) {
    size_t count = 3u << 20;
    char *bytes = malloc(count);
    static const char report[] = "\x01" "fatal error: late\n\ngoroutine 7 [running]:\nmain.f()\n\t/src/x.go:1 +0x1\n";
    const struct itr_crash *crash = NULL;
    (void)state;
    assert_non_null(bytes);
    for (int fill = 0; fill < 3; fill++) {
        memset(bytes, "Q \0"[fill], count);
        memcpy(bytes + count - sizeof report, report, sizeof report);
        struct itr_triage *triage = read_text(bytes, count, 50000, &crash);
        assert_string_equal(crash->signature, "fatal \"fatal error: late\" at main.f");
        assert_int_equal(crash->bytes, count);
        assert_true(crash->hard_bytes >= 2);
        itr_triage_free(triage);
    }
    free(bytes);
}

static void what_is_no_crash_text_is_nothing(void **state) {
    static const char *const texts[] = {
        "", "\n\n\n", "hello (world)\n", "ok  \texample.org/p\t0.01s\n", "x: y\n# 0 a\n[signal]\ngoroutine\nThread \n",
        "level=info msg=\"no panic here\"\nfoo.go:12\n", "PC=\nException 0x\n#\n# \n#1\n=>\n0  0x\n> \n[\n",
        "Xab,(1)\nz\xab\xc1.go:8\n", "Xab,(1)\nzabcd:8\n",
        "f(1)\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\n!\nx.go:8\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct itr_crash *crash = NULL;
        struct itr_text out = {0};
        struct itr_triage *triage = read_text(texts[i], strlen(texts[i]), 3, &crash);
        assert_int_equal(crash->kind, ITR_CRASH_NONE);
        assert_string_equal(crash->signature, "");
        assert_false(itr_triage_watchflakes(&out, crash));
        itr_triage_text(&out, crash, NULL, false);
        assert_non_null(strstr(itr_text_string(&out), "nothing that is known"));
        itr_text_release(&out);
        itr_triage_free(triage);
    }
}

static void nothing_of_the_text_reaches_a_terminal_unescaped(void **state) {
    static const char text[] = "panic: \x1b]0;evil\x07 \xff\n\ngoroutine 1 [\xe2\x80\xaerunning]:\nmain.f\xc2\x9b()\n\t/\xff.go:1 +0x1\n"
                               "created by main.\xe2\x80\xae\n\t/src/y.go:2 +0x1\n";
    const struct itr_crash *crash = NULL;
    struct itr_text out = {0};
    struct itr_triage *triage = read_text(text, sizeof text - 1, SIZE_MAX / 2, &crash);
    (void)state;
    assert_int_equal(crash->kind, ITR_CRASH_FATAL);
    itr_triage_text(&out, crash, NULL, false);
    (void)itr_triage_watchflakes(&out, crash);
    for (size_t i = 0; i < out.length; i++) {
        unsigned char c = (unsigned char)out.data[i];
        assert_true((c >= 0x20 && c < 0x7f) || c == '\n' || c >= 0x80);
    }
    assert_null(strstr(itr_text_string(&out), "\xe2\x80\xae"));
    assert_null(strstr(itr_text_string(&out), "\xc2\x9b"));
    assert_null(strstr(itr_text_string(&out), "\xff"));
    itr_text_release(&out);
    itr_triage_free(triage);
}

static int allowed;

static void *fails_at_last(void *pointer, size_t bytes) {
    return allowed-- > 0 ? realloc(pointer, bytes) : NULL;
}

static void every_failing_allocation_is_told(void **state) {
    const struct samples *samples = *state;
    const struct sample *sample = &samples->items[samples->count / 2];
    bool done = false;
    for (int n = 0; n < 200 && !done; n++) {
        const struct itr_crash *crash = NULL;
        struct itr_error error = {0};
        allowed = n;
        struct itr_triage *triage = itr_triage_new(fails_at_last);
        if (triage == NULL) {
            continue;
        }
        itr_triage_feed(triage, sample->text, sample->length);
        enum itr_status status = itr_triage_answer(triage, &crash, &error);
        done = allowed >= 0;
        assert_int_equal(status, done ? ITR_OK : ITR_E_NO_MEMORY);
        itr_triage_free(triage);
    }
    assert_true(done);
}

/* ---- writing what is said now ---- */

static bool is_signed_so(const struct sample *sample, size_t lines, const char *signature) {
    const struct itr_crash *crash = NULL;
    struct itr_triage *triage = read_text(sample->text, bytes_of_lines(sample, lines), SIZE_MAX / 2, &crash);
    bool same = strcmp(crash->signature, signature) == 0;
    itr_triage_free(triage);
    return same;
}

static size_t settled_line_of(const struct sample *sample, const char *signature) {
    size_t lines = 0;
    for (size_t i = 0; i < sample->length; i++) {
        lines += sample->text[i] == '\n' || i + 1 == sample->length ? 1 : 0;
    }
    while (lines > 0 && is_signed_so(sample, lines - 1, signature)) {
        lines--;
    }
    return lines;
}

/* Lists of things that have many fields: one a line. */
static void write_field(FILE *file, const char *key, json_t *value) {
    bool list = json_array_size(value) > 0 && (strcmp(key, "messages") == 0 || strcmp(key, "stacks") == 0);
    size_t count = list ? json_array_size(value) : 1;
    fprintf(file, list ? " \"%s\": [\n" : " \"%s\": ", key);
    for (size_t i = 0; i < count; i++) {
        char *text = json_dumps(list ? json_array_get(value, i) : value, JSON_ENCODE_ANY);
        assert_non_null(text);
        fprintf(file, list ? "  %s%s\n" : "%s%s", text, i + 1 < count ? "," : "");
        free(text);
    }
    fprintf(file, list ? " ]" : "");
}

static void write_sample(const struct samples *samples, const char *folder, const struct sample *sample) {
    char path[1024];
    const struct itr_crash *crash = NULL;
    struct itr_text rule = {0};
    struct itr_triage *triage = read_text(sample->text, sample->length, SIZE_MAX / 2, &crash);
    json_t *answer = itr_triage_json(crash, itr_known_find(&samples->known, crash), false);
    snprintf(path, sizeof path, "%s/%s.json", folder, sample->name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "{\n\"answer\": {\n");
    size_t left = json_object_size(answer);
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(answer, key, value) {
        write_field(file, key, value);
        fprintf(file, --left > 0 ? ",\n" : "\n");
    }
    fprintf(file, "},\n\"settled_line\": %zu,\n\"watchflakes\": ", settled_line_of(sample, crash->signature));
    json_t *text = itr_triage_watchflakes(&rule, crash) ? json_string(itr_text_string(&rule)) : json_null();
    char *dumped = json_dumps(text, JSON_ENCODE_ANY);
    fprintf(file, "%s\n}\n", dumped);
    fclose(file);
    free(dumped);
    json_decref(text);
    json_decref(answer);
    itr_text_release(&rule);
    itr_triage_free(triage);
}

static int write_all(const char *folder) {
    struct samples samples = {.count = 0};
    struct itr_error error = {0};
    uv_fs_t request;
    uv_dirent_t entry;
    assert_int_equal(itr_known_read(INITRACE_KNOWN, &samples.known, &error), ITR_OK);
    assert_true(uv_fs_scandir(NULL, &request, INITRACE_CRASHES, 0, NULL) > 0);
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        char path[1024];
        struct sample sample = {.length = 0};
        size_t length = strlen(entry.name);
        if (length > 4 && length < sizeof sample.name && strcmp(entry.name + length - 4, ".txt") == 0) {
            snprintf(sample.name, sizeof sample.name, "%.*s", (int)(length - 4), entry.name);
            snprintf(path, sizeof path, "%s/%s", INITRACE_CRASHES, entry.name);
            sample.text = load(path, &sample.length);
            write_sample(&samples, folder, &sample);
            free(sample.text);
        }
    }
    uv_fs_req_cleanup(&request);
    itr_known_release(&samples.known);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        return write_all(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_every_recorded_text_is_right),
        cmocka_unit_test(pieces_of_any_size_give_the_same_answer),
        cmocka_unit_test(wrapped_lines_give_the_same_answer),
        cmocka_unit_test(json_of_go_test_gives_the_same_answer_and_the_test),
        cmocka_unit_test(quotes_of_other_logs_give_the_same_answer),
        cmocka_unit_test(garbage_around_changes_nothing),
        cmocka_unit_test(a_report_behind_megabytes_of_garbage_is_found),
        cmocka_unit_test(utf16_gives_the_same_answer),
        cmocka_unit_test(a_text_that_is_cut_is_signed_as_soon_as_its_lines_are_whole),
        cmocka_unit_test(a_text_that_is_cut_anywhere_is_read_without_harm),
        cmocka_unit_test(the_order_of_later_goroutines_does_not_matter),
        cmocka_unit_test(damaged_texts_are_read_without_harm),
        cmocka_unit_test(each_text_makes_the_rule_that_it_should),
        cmocka_unit_test(the_page_counts_what_is_there),
        cmocka_unit_test(a_race_is_told_before_what_came_later),
        cmocka_unit_test(a_race_is_where_the_program_was),
        cmocka_unit_test(a_failure_has_one_signature_in_all_versions_and_levels),
        cmocka_unit_test(many_equal_goroutines_are_one_stack),
        cmocka_unit_test(too_many_different_stacks_are_cut_and_said_so),
        cmocka_unit_test(a_line_without_end_is_read_in_bounds),
        cmocka_unit_test(what_is_no_crash_text_is_nothing),
        cmocka_unit_test(nothing_of_the_text_reaches_a_terminal_unescaped),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests_name("triage", tests, load_all, release_all);
}
