/* Fuzzes the search for symbols by name. Input: names, each on a line, of which a library is made; an empty line; the
 * pattern. */
#include "framework/fuzz/fuzz.h"

#include "framework/image_parts.h"

enum { NAMES_MAX = 24, NAME_BYTES_MAX = 64, FILE_BYTES = 0xa40, SYMBOLS_AT = 0x80, STRINGS_AT = 0x300, SECTIONS_AT = 0x980 };

static void set(uint8_t *file, size_t at, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        file[at + i] = (uint8_t)(value >> 8 * i);
    }
}

static void put_section(uint8_t *file, unsigned index, unsigned type, uint64_t at, uint64_t bytes, unsigned link,
                        unsigned each) {
    size_t header = SECTIONS_AT + (size_t)index * 64;
    set(file, header + 4, 4, type);
    set(file, header + 24, 8, at);
    set(file, header + 32, 8, bytes);
    set(file, header + 40, 4, link);
    set(file, header + 56, 8, each);
}

static void put_head(uint8_t *file) {
    memcpy(file, "\x7f""ELF\x02\x01\x01", 7);
    set(file, 18, 2, 62);
    set(file, 32, 8, 64);
    set(file, 40, 8, SECTIONS_AT);
    set(file, 54, 2, 56);
    set(file, 56, 2, 1);
    set(file, 58, 2, 64);
    set(file, 60, 2, 3);
    set(file, 64, 4, 1);
    set(file, 68, 4, 5);
    set(file, 96, 8, FILE_BYTES);
    set(file, 104, 8, FILE_BYTES);
}

/* Each name is a symbol: functions and data, global and not, of one address for two neighbours. */
static size_t put_names(uint8_t *file, struct fuzz_input *in) {
    size_t strings = 1;
    size_t count = 0;
    for (; count < NAMES_MAX; count++) {
        char *name = fuzz_string(in, '\n');
        size_t length = strlen(name) < NAME_BYTES_MAX ? strlen(name) : (size_t)NAME_BYTES_MAX;
        size_t at = SYMBOLS_AT + (count + 1) * 24;
        memcpy(file + STRINGS_AT + strings, name, length);
        free(name);
        if (length == 0) {
            break;
        }
        set(file, at, 4, strings);
        set(file, at + 4, 1, (count % 5 == 4 ? 1u : 2u) | (count % 3 == 2 ? 0u : 16u));
        set(file, at + 6, 2, 1);
        set(file, at + 8, 8, 0x100 + count / 2 * 16);
        set(file, at + 16, 8, count % 4 == 3 ? 0 : 8);
        strings += length + 1;
    }
    put_section(file, 1, 2, SYMBOLS_AT, (count + 1) * 24, 2, 24);
    put_section(file, 2, 3, STRINGS_AT, strings, 0, 0);
    return count;
}

struct found {
    size_t calls;
    size_t enough;
    bool has_exact;
    const char *pattern;
};

static bool note(void *context, const struct itr_symbol *symbol) {
    struct found *found = context;
    FUZZ_CHECK(found->calls < found->enough);
    found->calls++;
    found->has_exact = found->has_exact || strcmp(symbol->name, found->pattern) == 0;
    return found->calls < found->enough;
}

_Static_assert(SYMBOLS_AT + (NAMES_MAX + 1) * 24 <= STRINGS_AT, "room for the symbols");
_Static_assert(STRINGS_AT + 1 + NAMES_MAX * (NAME_BYTES_MAX + 1) <= SECTIONS_AT, "room for their names");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct itr_image *image = NULL;
    struct itr_symbol symbol = {0};
    uint8_t *file = calloc(1, FILE_BYTES);
    FUZZ_CHECK(file != NULL);
    put_head(file);
    put_names(file, &in);
    char *pattern = fuzz_string(&in, '\0');
    FUZZ_CHECK(itr_image_open_bytes(&image, file, FILE_BYTES, NULL, NULL) == ITR_OK);
    FUZZ_CHECK(itr_image_damage(image)[0] == '\0');
    struct found all = {.enough = SIZE_MAX, .pattern = pattern};
    struct found some = {.enough = 2, .pattern = pattern};
    FUZZ_CHECK(itr_image_lookup_all(image, pattern, note, &all) == all.calls);
    FUZZ_CHECK(itr_image_lookup_all(image, pattern, note, &some) == some.calls);
    FUZZ_CHECK(some.calls == (all.calls < 2 ? all.calls : 2));
    FUZZ_CHECK(itr_image_lookup(image, pattern, &symbol) == (all.calls > 0));
    FUZZ_CHECK(!all.has_exact || strchr(pattern, '|') != NULL || strcmp(symbol.name, pattern) == 0);
    for (size_t i = 0; i < image->symbol_count; i++) {
        const char *name = image->symbols[i].name;
        FUZZ_CHECK(strchr(name, '|') != NULL || itr_image_lookup(image, name, &symbol));
        FUZZ_CHECK(strcmp(name, pattern) != 0 || strchr(pattern, '|') != NULL || all.has_exact);
    }
    itr_image_close(image);
    free(pattern);
    free(file);
    return 0;
}
