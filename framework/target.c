/* Reads of a stopped process's memory and look-ups in its list of modules. It knows nothing of stacks. */
#include "framework/target.h"

#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STRING_STEP = 64 };

static const char *const register_names[] = {
#define ITR_REGISTER_NAME(id, name) name,
    ITR_REGISTER_MAP(ITR_REGISTER_NAME)
#undef ITR_REGISTER_NAME
};

const char *itr_register_name(unsigned number) {
    return number < ITR_REGISTER_COUNT ? register_names[number] : "unknown";
}

/* ---- memory ---- */

static size_t read_some(const struct itr_target_process *process, uint64_t address, void *into,
                        size_t bytes) {
    if (process->read == NULL) {
        return 0;
    }
    if (address != 0 && bytes > UINT64_MAX - address) {
        bytes = (size_t)(UINT64_MAX - address); /* never around the end of the address space */
    }
    size_t got = process->read(process->context, address, into, bytes);
    return got <= bytes ? got : 0;
}

bool itr_target_read(const struct itr_target_process *process, uint64_t address, void *into,
                     size_t bytes) {
    return read_some(process, address, into, bytes) == bytes;
}

bool itr_target_read_u8(const struct itr_target_process *process, uint64_t address,
                        uint8_t *value) {
    uint8_t byte;
    if (!itr_target_read(process, address, &byte, 1)) {
        return false;
    }
    *value = byte;
    return true;
}

bool itr_target_read_u32(const struct itr_target_process *process, uint64_t address,
                         uint32_t *value) {
    uint8_t p[4];
    if (!itr_target_read(process, address, p, sizeof p)) {
        return false;
    }
    *value = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return true;
}

bool itr_target_read_u64(const struct itr_target_process *process, uint64_t address,
                         uint64_t *value) {
    uint8_t p[8];
    if (!itr_target_read(process, address, p, sizeof p)) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < 8; i++) {
        *value |= (uint64_t)p[i] << (8 * i);
    }
    return true;
}

bool itr_target_read_string(const struct itr_target_process *process, uint64_t address, char *out,
                            size_t room) {
    size_t used = 0;
    if (room == 0) {
        return false;
    }
    while (used < room) {
        size_t wanted = room - used < STRING_STEP ? room - used : STRING_STEP;
        size_t got = read_some(process, address + used, out + used, wanted);
        if (memchr(out + used, '\0', got) != NULL) {
            return true;
        }
        used += got;
        if (got < wanted) {
            break;
        }
    }
    out[used < room ? used : room - 1] = '\0';
    return false;
}

/* ---- modules ---- */

const struct itr_target_module *itr_target_module_at(const struct itr_target_process *process,
                                                     uint64_t address) {
    size_t low = 0;
    size_t high = process->module_count;
    while (
        low <
        high) { /* all before `low` begin at or before the address, all from `high` on behind it */
        size_t middle = low + (high - low) / 2;
        if (process->modules[middle].base <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || address - process->modules[low - 1].base >= process->modules[low - 1].bytes) {
        return NULL;
    }
    return &process->modules[low - 1];
}

bool itr_target_is_code(const struct itr_target_process *process, uint64_t address) {
    const struct itr_target_module *module = itr_target_module_at(process, address);
    if (module == NULL) {
        return false;
    }
    for (size_t i = 0; i < module->range_count; i++) {
        const struct itr_target_range *range = &module->ranges[i];
        if (address >= range->begin && address < range->end) {
            return range->executable;
        }
    }
    if (module->range_count > 0 || module->image == NULL) {
        return false;
    }
    const struct itr_section *section = itr_image_section_at(module->image, address - module->base);
    return section != NULL && section->executable;
}

const char *itr_target_module_name(const struct itr_target_module *module) {
    const char *name = module->path;
    for (const char *p = module->path; *p != '\0'; p++) {
        if (*p == '/' || *p == '\\') {
            name = p + 1;
        }
    }
    return name;
}

void itr_target_describe(const struct itr_target_process *process, uint64_t address,
                         uint64_t symbol_of, char *out, size_t room) {
    const struct itr_target_module *module = itr_target_module_at(process, symbol_of);
    struct itr_text text = {.ceiling = room > 1 ? room - 1 : 1}; /* cut between characters */
    const char *symbol = NULL;
    uint64_t offset = 0;
    if (module == NULL) {
        itr_text_printf(&text, "0x%" PRIx64, address);
    } else {
        const char *name = itr_target_module_name(module);
        itr_text_escape(&text, ITR_ESCAPE_TERMINAL, name, strlen(name));
        if (module->image != NULL &&
            itr_image_symbol_at(module->image, symbol_of - module->base, &symbol, &offset)) {
            itr_text_add(&text, "!");
            itr_text_escape(&text, ITR_ESCAPE_TERMINAL, symbol, strlen(symbol));
            offset += address - symbol_of;
        } else {
            offset = address - module->base;
        }
        if (symbol == NULL || offset != 0) {
            itr_text_printf(&text, "+0x%" PRIx64, offset);
        }
    }
    if (room > 0) {
        snprintf(out, room, "%s", room > 1 ? itr_text_string(&text) : "");
    }
    itr_text_release(&text);
}
