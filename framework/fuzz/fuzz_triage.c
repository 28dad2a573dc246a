/* Fuzzes triage: what it says of a text depends on the bytes alone, never on the pieces they came in; nothing of the text
 * reaches a terminal unescaped; and memory is bounded by the text's length, and at all. Input: the text. To reach what
 * only long texts do, a byte 0xfe (in no text) and two more stand for repeating: 0xfe A B is the last A % 64 + 1 bytes,
 * B * 16 times. */
#include "framework/fuzz/fuzz.h"

#include "framework/report_triage.h"

enum {
    TEXT_BYTES_MAX = 40 * 1024, /* more than two of the longest lines */
    REPEAT = 0xfe,
    FIXED_BYTES = 1024 * 1024, /* the reader's own, whatever it reads */
    BYTES_PER_BYTE = 160,      /* "a()" and its place make a frame of 72 bytes, and two strings in a table */
    BYTES_MAX = 64 * 1024 * 1024,
};

static size_t requested;

/* What is given back is not taken off: an upper bound. */
static void *count_requests(void *pointer, size_t bytes) {
    requested += bytes;
    return realloc(pointer, bytes);
}

static size_t expand(const uint8_t *data, size_t size, uint8_t *out) {
    size_t filled = 0;
    for (size_t i = 0; i < size && filled < TEXT_BYTES_MAX; i++) {
        if (data[i] != REPEAT || size - i < 3) {
            out[filled++] = data[i];
            continue;
        }
        size_t distance = data[i + 1] % 64 + 1u;
        size_t count = distance * data[i + 2] * 16u;
        count = count < TEXT_BYTES_MAX - filled ? count : TEXT_BYTES_MAX - filled;
        for (size_t k = 0; k < count && filled >= distance; k++, filled++) {
            out[filled] = out[filled - distance];
        }
        i += 2;
    }
    return filled;
}

/* The reader, and its answer, for pieces of these sizes in turn. Each piece ends where its memory ends. */
static struct itr_triage *read_pieces(const uint8_t *text, size_t count, const size_t *sizes, size_t size_count,
                                      const struct itr_crash **crash) {
    struct itr_error error = {0};
    requested = 0;
    struct itr_triage *triage = itr_triage_new(count_requests);
    FUZZ_CHECK(triage != NULL);
    for (size_t at = 0, turn = 0; at < count; turn++) {
        size_t size = sizes[turn % size_count];
        size = size < count - at ? size : count - at;
        uint8_t *piece = fuzz_copy(text + at, size);
        itr_triage_feed(triage, piece, size);
        free(piece);
        at += size;
    }
    FUZZ_CHECK(itr_triage_answer(triage, crash, &error) == ITR_OK);
    FUZZ_CHECK(requested <= FIXED_BYTES + BYTES_PER_BYTE * count && requested <= BYTES_MAX);
    return triage;
}

static void check_answer(const struct itr_crash *crash, size_t count) {
    FUZZ_CHECK(crash->bytes <= count && crash->hard_bytes <= crash->bytes);
    FUZZ_CHECK(crash->stack_count <= ITR_STACKS_MAX && crash->message_count <= ITR_MESSAGES_MAX &&
               crash->register_count <= ITR_REGISTERS_MAX);
    FUZZ_CHECK((crash->kind == ITR_CRASH_NONE) == (crash->signature[0] == '\0'));
    FUZZ_CHECK(crash->crashed == NULL || (crash->crashed >= crash->stacks && crash->crashed < crash->stacks + crash->stack_count));
    fuzz_check_clean(crash->signature, strlen(crash->signature), "\t");
    fuzz_check_clean(crash->detail, strlen(crash->detail), "\t");
    fuzz_check_clean(crash->printed, strlen(crash->printed), "\t");
    for (size_t i = 0; i < crash->stack_count; i++) {
        FUZZ_CHECK(crash->stacks[i].count > 0 && crash->stacks[i].frame_count <= ITR_FRAMES_MAX);
        FUZZ_CHECK(crash->stacks[i].wait_min <= crash->stacks[i].wait_max);
    }
}

static void check_reports(const struct itr_crash *crash) {
    struct itr_text text = {.ceiling = 4u << 20};
    itr_triage_text(&text, crash, NULL, false);
    fuzz_check_clean(itr_text_string(&text), text.length, "\n\t");
    itr_text_reset(&text);
    if (itr_triage_watchflakes(&text, crash)) {
        fuzz_check_clean(itr_text_string(&text), text.length, "\n\t");
        FUZZ_CHECK(text.length > 0 && text.data[text.length - 1] == '\n');
    }
    itr_text_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t whole[] = {TEXT_BYTES_MAX};
    const size_t pieces[] = {1, size % 61 + 2, 3, size % 4099 + 1};
    uint8_t *text = malloc(TEXT_BYTES_MAX);
    const struct itr_crash *one = NULL;
    const struct itr_crash *other = NULL;
    FUZZ_CHECK(text != NULL);
    size_t count = expand(data, size, text);
    struct itr_triage *at_once = read_pieces(text, count, whole, 1, &one);
    struct itr_triage *in_pieces = read_pieces(text, count, pieces, sizeof pieces / sizeof pieces[0], &other);
    json_t *first = itr_triage_json(one, NULL, true);
    json_t *second = itr_triage_json(other, NULL, true);
    FUZZ_CHECK(first != NULL && json_equal(first, second));
    FUZZ_CHECK(one->lines == other->lines);
    check_answer(one, count);
    check_reports(one);
    json_decref(first);
    json_decref(second);
    itr_triage_free(at_once);
    itr_triage_free(in_pieces);
    free(text);
    return 0;
}
