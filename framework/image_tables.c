/* The tables of an image while it is read: room for what the formats find, within ceilings, and at the end their order,
 * with one symbol chosen for each address. It reads nothing of the file. */
#include "framework/image_parts.h"
#include "framework/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    RANGES_MAX = 256, /* each address is looked for in all of them */
};

/* ---- room ---- */

void itr_image_note(struct itr_image *image, const char *text) {
    if (image->damage[0] == '\0') {
        itr_escape_into(image->damage, sizeof image->damage, ITR_ESCAPE_TERMINAL, text,
                        strlen(text));
    }
}

static void *resize(struct itr_image *image, void *array, size_t bytes) {
    void *moved =
        image->reallocate != NULL ? image->reallocate(array, bytes) : realloc(array, bytes);

    if (moved == NULL) {
        image->no_memory = true;
    }
    return moved;
}

/* The array with room for `needed` entries of `each` bytes, or NULL. */
static void *grown(struct itr_image *image, void *array, size_t *room, size_t needed, size_t each) {
    size_t entries = *room < 16 ? 16 : *room;
    void *moved;

    if (needed <= *room) {
        return array;
    }
    while (entries < needed) {
        entries *= 2;
    }
    moved = resize(image, array, entries * each);
    if (moved != NULL) {
        *room = entries;
    }
    return moved;
}

bool itr_image_add_section(struct itr_image *image, const struct itr_section *section) {
    struct itr_section *sections;

    if (image->section_count >= ITR_IMAGE_SECTIONS_MAX) {
        itr_image_note(image, "more sections than are read");
        return true;
    }
    sections = grown(image, image->sections, &image->section_room, image->section_count + 1,
                     sizeof *sections);
    if (sections == NULL) {
        return false;
    }
    image->sections = sections;
    image->sections[image->section_count++] = *section;
    return true;
}

bool itr_image_add_range(struct itr_image *image, const struct itr_image_range *range) {
    struct itr_image_range *ranges;
    struct itr_image_range *added;
    /* Searches go through the bytes of every range: many ranges of the same bytes would make them endless. */
    uint64_t left = 2 * (uint64_t)image->count - image->ranges_file_bytes;

    if (image->range_count >= RANGES_MAX) {
        itr_image_note(image, "more segments than are read");
        return true;
    }
    ranges =
        grown(image, image->ranges, &image->range_room, image->range_count + 1, sizeof *ranges);
    if (ranges == NULL) {
        return false;
    }
    image->ranges = ranges;
    added = &image->ranges[image->range_count++];
    *added = *range;
    if (added->file_bytes > left) {
        itr_image_note(image, "segments of the same bytes, again and again");
        added->file_bytes = left;
    }
    image->ranges_file_bytes += added->file_bytes;
    return true;
}

bool itr_image_reserve_symbols(struct itr_image *image, uint64_t count) {
    uint64_t needed = image->symbol_count + count;
    struct itr_symbol *symbols;

    if (needed > ITR_IMAGE_SYMBOLS_MAX) {
        needed = ITR_IMAGE_SYMBOLS_MAX;
    }
    if (needed == 0) {
        return true;
    }
    symbols = grown(image, image->symbols, &image->symbol_room, (size_t)needed, sizeof *symbols);
    if (symbols == NULL) {
        return false;
    }
    image->symbols = symbols;
    return true;
}

bool itr_image_add_symbol(struct itr_image *image, const struct itr_symbol *symbol) {
    if (image->symbol_count >= ITR_IMAGE_SYMBOLS_MAX) {
        itr_image_note(image, "more symbols than are read");
        return true;
    }
    if (!itr_image_reserve_symbols(image, 1)) {
        return false;
    }
    image->symbols[image->symbol_count++] = *symbol;
    return true;
}

/* ---- order ---- */

static bool is_mark(const char *name) {
    return strcmp(name, "runtime.text") == 0 || strcmp(name, "runtime.etext") == 0;
}

/* By address; at one address the most telling name first. */
static int by_place(const void *left, const void *right) {
    const struct itr_symbol *a = left;
    const struct itr_symbol *b = right;

    if (a->rva != b->rva) {
        return a->rva < b->rva ? -1 : 1;
    }
    if (is_mark(a->name) != is_mark(b->name)) {
        return is_mark(a->name) ? 1 : -1;
    }
    if (a->kind != b->kind) {
        return a->kind == ITR_SYMBOL_FUNCTION ? -1 : 1;
    }
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    if ((a->bytes == 0) != (b->bytes == 0)) {
        return a->bytes == 0 ? 1 : -1;
    }
    if (a->global != b->global) {
        return a->global ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static int by_rva(const void *left, const void *right) {
    const struct itr_section *a = left;
    const struct itr_section *b = right;

    return a->rva != b->rva ? (a->rva < b->rva ? -1 : 1) : strcmp(a->name, b->name);
}

/* Drops a name that another table has already given to the same address. */
static void drop_doubles(struct itr_image *image) {
    size_t kept = 0;

    for (size_t i = 0; i < image->symbol_count; i++) {
        bool twice = false;
        for (size_t j = kept; j > 0 && image->symbols[j - 1].rva == image->symbols[i].rva; j--) {
            twice = twice || strcmp(image->symbols[j - 1].name, image->symbols[i].name) == 0;
            if (kept - j >= 16) {
                break; /* thousands of names for one address are nobody's library */
            }
        }
        if (!twice) {
            image->symbols[kept++] = image->symbols[i];
        }
    }
    image->symbol_count = kept;
}

/* Chooses one symbol for each address and gives an end to those whose file gives none. A symbol
 * without a size inside one that has a size is a label in it and no place of its own. */
static bool choose_places(struct itr_image *image) {
    size_t count = image->symbol_count;
    uint64_t covered = 0;

    image->places = resize(image, NULL, (count + 1) * sizeof *image->places);
    if (image->places == NULL) {
        return false;
    }
    memset(image->places, 0, (count + 1) * sizeof *image->places);
    image->functions = resize(image, NULL, (count + 1) * sizeof *image->functions);
    if (image->functions == NULL) {
        return false;
    }
    for (size_t i = 0, next; i < count; i = next) {
        struct itr_symbol *first = &image->symbols[i];
        uint64_t bytes = 0;
        for (next = i; next < count && image->symbols[next].rva == first->rva; next++) {
            if (image->symbols[next].source != ITR_SYMBOL_PCLNTAB || bytes == 0) {
                bytes = image->symbols[next].bytes > bytes ? image->symbols[next].bytes : bytes;
            }
        }
        if (is_mark(first->name) || (bytes == 0 && first->rva < covered)) {
            continue;
        }
        first->bytes = bytes;
        if (bytes > 0 && first->rva + bytes > covered) {
            covered = first->rva + bytes;
        }
        image->places[image->place_count++] = (uint32_t)i;
        if (first->kind == ITR_SYMBOL_FUNCTION) {
            image->functions[image->function_count++] = (uint32_t)i;
        }
    }
    return true;
}

static void end_open_places(struct itr_image *image) {
    const struct itr_section *section = NULL;

    for (size_t i = 0; i < image->place_count; i++) {
        struct itr_symbol *symbol = &image->symbols[image->places[i]];
        uint64_t end = image->size;
        if (symbol->bytes > 0) {
            continue;
        }
        if (section == NULL || symbol->rva < section->rva ||
            symbol->rva - section->rva >= section->bytes) {
            section = itr_image_section_at(image, symbol->rva);
        }
        if (section != NULL) {
            end = section->rva + section->bytes;
        }
        if (i + 1 < image->place_count && image->symbols[image->places[i + 1]].rva < end) {
            end = image->symbols[image->places[i + 1]].rva;
        }
        symbol->bytes = end > symbol->rva ? end - symbol->rva : 0;
    }
}

void itr_image_order_sections(struct itr_image *image) {
    if (image->section_count > 0) {
        qsort(image->sections, image->section_count, sizeof *image->sections, by_rva);
    }
}

bool itr_image_order_symbols(struct itr_image *image) {
    if (image->symbol_count > 0) {
        qsort(image->symbols, image->symbol_count, sizeof *image->symbols, by_place);
        drop_doubles(image);
    }
    if (!choose_places(image)) {
        return false;
    }
    end_open_places(image);
    return true;
}
