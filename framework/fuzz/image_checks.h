/* Questions that every image must answer without contradiction. For fuzz targets of images only. */
#ifndef INITRACE_FRAMEWORK_FUZZ_IMAGE_CHECKS_H
#define INITRACE_FRAMEWORK_FUZZ_IMAGE_CHECKS_H

#include "framework/fuzz/fuzz.h"
#include "framework/image.h"
#include "framework/instruction.h"

enum { FUZZ_PLACES_MAX = 256, FUZZ_NAMES_MAX = 12 };

/* All that can be asked of an address. */
FUZZ_UNUSED static void fuzz_check_place(const struct itr_image *image, uint64_t rva) {
    const struct itr_symbol *symbol = itr_image_symbol(image, rva);
    const char *name = NULL;
    const char *file = NULL;
    uint64_t offset = 0;
    uint32_t line = 0;
    struct itr_instruction one;
    char clause[96];
    FUZZ_CHECK(itr_image_symbol_at(image, rva, &name, &offset) == (symbol != NULL));
    FUZZ_CHECK(symbol == NULL || (name == symbol->name && symbol->rva + offset == rva && name[0] != '\0'));
    FUZZ_CHECK(!itr_image_line_at(image, rva, &file, &line) || (file != NULL && line >= 1));
    if (file != NULL) {
        FUZZ_CHECK(itr_image_has_go_lines(image) && strlen(file) < 65536);
    }
    bool is_code = itr_instruction_at(image, rva, &one);
    FUZZ_CHECK(!is_code || (one.length >= 1 && one.length <= ITR_INSTRUCTION_BYTES_MAX &&
                            itr_image_bytes_at(image, rva, one.length) != NULL));
    FUZZ_CHECK(itr_instruction_describe(image, rva, clause, sizeof clause) == is_code);
    FUZZ_CHECK((clause[0] != '\0') == is_code);
    fuzz_check_clean(clause, strlen(clause), "\t");
}

FUZZ_UNUSED static void fuzz_check_sections(const struct itr_image *image) {
    uint64_t before = 0;
    for (size_t i = 0; i < itr_image_section_count(image); i++) {
        const struct itr_section *section = itr_image_section(image, i);
        FUZZ_CHECK(section->rva >= before);
        FUZZ_CHECK(section->rva <= itr_image_bytes(image) && section->bytes <= itr_image_bytes(image) - section->rva);
        FUZZ_CHECK(memchr(section->name, '\0', sizeof section->name) != NULL);
        before = section->rva;
        if (i < FUZZ_PLACES_MAX) {
            fuzz_check_place(image, section->rva);
            fuzz_check_place(image, section->rva + section->bytes - 1);
        }
    }
    FUZZ_CHECK(itr_image_section(image, itr_image_section_count(image)) == NULL);
}

/* Every name that an address has can be looked up, and has that kind. */
FUZZ_UNUSED static void fuzz_check_name(const struct itr_image *image, const struct itr_symbol *function) {
    struct itr_symbol found = {0};
    char pattern[256];
    if (strlen(function->name) >= sizeof pattern - 16 || strchr(function->name, '|') != NULL) {
        return;
    }
    FUZZ_CHECK(itr_image_lookup(image, function->name, &found));
    FUZZ_CHECK(strcmp(found.name, function->name) == 0);
    snprintf(pattern, sizeof pattern, "no such|%.*s*", (int)(strlen(function->name) / 2), function->name);
    (void)itr_image_lookup(image, pattern, &found);
    FUZZ_CHECK(found.name != NULL);
}

FUZZ_UNUSED static void fuzz_check_functions(const struct itr_image *image) {
    uint64_t before = 0;
    size_t count = itr_image_function_count(image);
    size_t step = count / FUZZ_PLACES_MAX + 1;
    for (size_t i = 0; i < count; i++) {
        const struct itr_symbol *function = itr_image_function(image, i);
        FUZZ_CHECK(function->kind == ITR_SYMBOL_FUNCTION);
        FUZZ_CHECK(i == 0 || function->rva > before);
        before = function->rva;
        if (i % step == 0) {
            FUZZ_CHECK(function->bytes == 0 || itr_image_symbol(image, function->rva) == function);
            fuzz_check_place(image, function->rva);
            fuzz_check_place(image, function->rva + function->bytes / 2);
            fuzz_check_place(image, function->rva + function->bytes);
        }
        if (i < FUZZ_NAMES_MAX) {
            fuzz_check_name(image, function);
        }
    }
    FUZZ_CHECK(itr_image_function(image, count) == NULL);
}

FUZZ_UNUSED static void fuzz_check_image(const struct itr_image *image) {
    fuzz_check_clean(itr_image_damage(image), strlen(itr_image_damage(image)), "\t");
    fuzz_check_clean(itr_image_build_id(image), strlen(itr_image_build_id(image)), "");
    fuzz_check_clean(itr_image_go_version(image), strlen(itr_image_go_version(image)), "\t");
    fuzz_check_sections(image);
    fuzz_check_functions(image);
    fuzz_check_place(image, 0);
    fuzz_check_place(image, UINT64_MAX);
    fuzz_check_place(image, itr_image_bytes(image));
}

#endif
