/* Symbols of a cell (its fire point, the variables it watches) as addresses in its library. It reads the
 * library's file only; whether an address is ever reached is for the trials to say. */
#include "framework/work.h"

#include "framework/instruction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void skip(struct itr_cell *cell, const char *format, const char *what, const char *library) {
    char clean[ITR_NAME_MAX];
    itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, what, strlen(what));
    snprintf(cell->skip, sizeof cell->skip, format, clean, library);
}

/* Sets rva; false, with cell->skip, where the library has no such place. */
static bool find_point(const struct itr_work *work, struct itr_cell *cell) {
    struct itr_point *point = &cell->aim.point;
    struct itr_symbol symbol = {0};
    if (point->symbol[0] != '\0' && !itr_image_lookup(work->library_image, point->symbol, &symbol)) {
        skip(cell, "no symbol %s in %s (points are also time, PHASE[+TIME] and CALL#N)", point->symbol,
             work->library_name);
        return false;
    }
    point->rva = symbol.rva + point->offset;
    const struct itr_section *section = itr_image_section_at(work->library_image, point->rva);
    if (section == NULL || !section->executable) {
        skip(cell, "%s is no code of %s", cell->at, work->library_name);
        return false;
    }
    /* An offset beyond a function's end would fire in another one. */
    if (symbol.bytes > 0 && point->offset >= symbol.bytes) {
        skip(cell, "%s lies behind the end of that function in %s", cell->at, work->library_name);
        return false;
    }
    return true;
}

/* ---- gates ---- */

static bool is_inside_gate(uint64_t rva, uint64_t gate) {
    return rva > gate && rva < gate + ITR_GATE_BYTES;
}

/* NULL, or why the function's code does not allow a gate: it is written over whole instructions, and no jump, branch or call
 * of the function leads to any byte of it but the first. A switch (an indirect jump) may lead anywhere but into the
 * function's own beginning. Other functions do not jump into the middle of this one. */
static const char *why_no_gate(const struct itr_image *image, const struct itr_symbol *function, uint64_t gate) {
    bool begins = false;
    for (uint64_t rva = function->rva; rva < function->rva + function->bytes;) {
        struct itr_instruction instruction;
        if (!itr_instruction_at(image, rva, &instruction)) {
            return "no gate at %s: its function in %s cannot be read as instructions; leave --gate out";
        }
        bool anywhere = instruction.kind == ITR_INSTRUCTION_JUMP && !instruction.direct && gate != function->rva;
        if (anywhere || (instruction.direct && is_inside_gate(instruction.target, gate))) {
            return "no gate at %s: its function in %s may jump into the midst of it; leave --gate out";
        }
        begins = begins || rva == gate;
        rva += instruction.length;
    }
    return begins ? NULL : "no gate at %s: no instruction of %s begins there; expected another OFFSET";
}

/* False, with cell->skip, where the code does not allow a gate. */
static bool check_gate(const struct itr_work *work, struct itr_cell *cell) {
    const struct itr_image *image = work->library_image;
    uint64_t rva = cell->aim.point.rva;
    const struct itr_symbol *function = itr_image_symbol(image, rva);
    if (function == NULL || function->bytes == 0 || rva + ITR_GATE_BYTES > function->rva + function->bytes) {
        skip(cell, "no gate at %s: its 5 bytes do not fit into one function of %s; leave --gate out", cell->at,
             work->library_name);
        return false;
    }
    if (rva % ITR_GATE_WORD_BYTES > ITR_GATE_WORD_BYTES - ITR_GATE_BYTES) {
        skip(cell, "no gate at %s: its 5 bytes lie across two aligned words of 16 in %s; leave --gate out", cell->at,
             work->library_name);
        return false;
    }
    const char *why = why_no_gate(image, function, rva);
    if (why != NULL) {
        skip(cell, why, cell->at, work->library_name);
    }
    return why == NULL;
}

/* ---- watches ---- */

/* The largest of 1, 2, 4, 8 that is not more than `bytes`; 8 where that is not known. */
static uint8_t watched_size(uint64_t bytes) {
    return bytes == 0 || bytes >= 8 ? 8 : bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1;
}

/* Cuts ":8" from the end; 0: there is none. */
static uint8_t cut_size(char *text) {
    size_t length = strlen(text);
    if (length < 2 || text[length - 2] != ':' || strchr("1248", text[length - 1]) == NULL) {
        return 0;
    }
    text[length - 2] = '\0';
    return (uint8_t)(text[length - 1] - '0');
}

static bool read_address(const char *text, uint64_t *address) {
    char *end = NULL;
    if (strncmp(text, "0x", 2) != 0 || text[2] == '\0') {
        return false;
    }
    *address = strtoull(text, &end, 16);
    return *end == '\0';
}

/* `text` is SYMBOL[+OFFSET][:SIZE], +0xRVA[:SIZE] or 0xADDRESS[:SIZE]. */
static enum itr_status find_watch(struct itr_work *work, struct itr_cell *cell, const char *text,
                                  struct itrp_debug_watch *watch, char *name, struct itr_error *err) {
    struct itr_point place;
    struct itr_symbol symbol = {0};
    char copy[ITR_POINT_SYMBOL_ROOM];
    if (strlen(text) >= sizeof copy) {
        return itr_fail(err, ITR_E_USAGE, 0, "--watch %s: too long", text);
    }
    memcpy(copy, text, strlen(text) + 1);
    *watch = (struct itrp_debug_watch){.bytes = cut_size(copy)};
    memcpy(name, copy, strlen(copy) + 1);
    if (read_address(copy, &watch->address)) {
        watch->absolute = true;
    } else if (itr_point_parse(copy, &place, NULL) != ITR_OK || place.kind != ITR_POINT_SYMBOL) {
        return itr_fail(err, ITR_E_USAGE, 0, "--watch %s: expected SYMBOL[+OFFSET][:SIZE] or 0xADDRESS[:SIZE], SIZE 1, 2, 4 or 8",
                        text);
    } else if (place.symbol[0] != '\0' && !itr_image_lookup(work->library_image, place.symbol, &symbol)) {
        skip(cell, "no variable %s in %s", copy, work->library_name);
        return ITR_OK;
    } else {
        watch->address = symbol.rva + place.offset;
    }
    watch->bytes = watch->bytes != 0 ? watch->bytes : watched_size(symbol.bytes);
    if (watch->address % watch->bytes != 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--watch %s: its address is no multiple of %u: give another :SIZE", text,
                        (unsigned)watch->bytes);
    }
    return ITR_OK;
}

static enum itr_status find_watches(struct itr_work *work, struct itr_cell *cell, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    work->debug.watch_count = 0;
    for (const char *at = cell->watch; *at != '\0' && status == ITR_OK && cell->skip[0] == '\0';) {
        char text[ITR_WATCH_MAX];
        size_t length = strcspn(at, "\n");
        uint32_t index = work->debug.watch_count++;
        snprintf(text, sizeof text, "%.*s", (int)length, at);
        if (index >= ITRP_DEBUG_WATCHES_MAX) {
            return itr_fail(err, ITR_E_LIMIT, 0, "more than %d watched variables", (int)ITRP_DEBUG_WATCHES_MAX);
        }
        status = find_watch(work, cell, text, &work->debug.watches[index], work->watch_names[index], err);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    return status;
}

enum itr_status itr_work_resolve(struct itr_work *work, struct itr_cell *cell, struct itr_error *err) {
    bool symbol = cell->aim.point.kind == ITR_POINT_SYMBOL && cell->aim.event != ITR_EVENT_NONE;
    cell->skip[0] = '\0';
    if (!cell->debugged && !cell->aim.gate) {
        return ITR_OK;
    }
    if (work->library_image == NULL && (symbol || cell->watch[0] != '\0')) {
        skip(cell, "%s needs a library with symbols%s", cell->at, "");
        return ITR_OK;
    }
    if (symbol && (!find_point(work, cell) || (cell->aim.gate && !check_gate(work, cell)))) {
        return ITR_OK;
    }
    return find_watches(work, cell, err);
}
