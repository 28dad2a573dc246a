/* Fuzzes the recognition of runtimes' messages in captured bytes. Input: the bytes. */
#include "framework/fuzz/fuzz.h"

#include "framework/message.h"

static bool is_failure(enum itr_message_kind kind) {
    return kind != ITR_MESSAGE_NONE && kind != ITR_MESSAGE_NOISE;
}

/* The first line that is a message by itself is the one that is found. */
static void check_found(const uint8_t *bytes, size_t count) {
    struct itr_message message;
    bool found = itr_message_of(bytes, count, &message);
    size_t start = 0;
    while (start < count && !is_failure(itr_message_kind_of(bytes + start, count - start, NULL))) {
        const uint8_t *end = memchr(bytes + start, '\n', count - start);
        start = end != NULL ? (size_t)(end - bytes) + 1 : count;
    }
    FUZZ_CHECK(found == (start < count));
    if (!found) {
        FUZZ_CHECK(message.kind == ITR_MESSAGE_NONE);
        return;
    }
    FUZZ_CHECK(message.offset == start && message.line_bytes <= count - start);
    FUZZ_CHECK(message.kind == itr_message_kind_of(bytes + start, count - start, NULL));
    FUZZ_CHECK(memchr(bytes + start, '\n', message.line_bytes) == NULL || message.line_bytes == 0);
    FUZZ_CHECK(message.printed_by != NULL && message.printed_by[0] != '\0');
    fuzz_check_clean(message.text, strlen(message.text), "\t");
    FUZZ_CHECK(strcmp(itr_message_kind_name(message.kind), "unknown") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *bytes = fuzz_copy(data, size);
    for (size_t room = 1; room < 200; room += 37) {
        char line[256];
        itr_message_normalise(line, room, bytes, size);
        FUZZ_CHECK(strlen(line) < room);
        fuzz_check_clean(line, strlen(line), "\t");
    }
    check_found(bytes, size);
    free(bytes);
    return 0;
}
