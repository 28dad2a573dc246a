/* Fuzzes the reader of Go's table of functions and lines, in an ELF file that is sound but for it. Input: the table,
 * without its first eight bytes; where its text begins is put into it. */
#include "framework/fuzz/image_checks.h"

enum { TABLE_AT = 0x400, TEXT_AT = 0x100, TEXT_FIELD = 24, INPUT_BYTES_MAX = 1 << 16, MEMORY_BYTES = 1 << 20 };

static void set(uint8_t *file, size_t at, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        file[at + i] = (uint8_t)(value >> 8 * i);
    }
}

/* One segment that holds the whole file, and room behind it for the text of any table. */
static uint8_t *make_file(const uint8_t *table, size_t count) {
    static const uint8_t magic[] = {0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8};
    size_t bytes = TABLE_AT + sizeof magic + count;
    uint8_t *file = calloc(1, bytes);
    FUZZ_CHECK(file != NULL);
    memcpy(file, "\x7f""ELF\x02\x01\x01", 7);
    set(file, 18, 2, 62);
    set(file, 32, 8, 64);
    set(file, 54, 2, 56);
    set(file, 56, 2, 1);
    set(file, 64, 4, 1);
    set(file, 68, 4, 7);
    set(file, 96, 8, bytes);
    set(file, 104, 8, MEMORY_BYTES);
    memcpy(file + TABLE_AT, magic, sizeof magic);
    if (count > 0) {
        memcpy(file + TABLE_AT + sizeof magic, table, count);
    }
    if (count >= TEXT_FIELD) {
        set(file, TABLE_AT + TEXT_FIELD, 8, TEXT_AT);
    }
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct itr_image *image = NULL;
    size = size < INPUT_BYTES_MAX ? size : (size_t)INPUT_BYTES_MAX;
    uint8_t *file = make_file(data, size);
    FUZZ_CHECK(itr_image_open_bytes(&image, file, TABLE_AT + 8 + size, NULL, NULL) == ITR_OK);
    fuzz_check_image(image);
    for (size_t i = 0; i < size && i < FUZZ_PLACES_MAX / 4; i++) {
        fuzz_check_place(image, TEXT_AT + data[i] * (uint64_t)(i + 1));
    }
    itr_image_close(image);
    free(file);
    return 0;
}
