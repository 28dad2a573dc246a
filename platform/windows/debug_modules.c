/* Which modules a debugged host has mapped, and which of them is the library. It reads headers only, and never asks
 * the system about the host's memory: under Wine 8 such a question is answered by the host itself, and one that dies
 * meanwhile may leave it unanswered. */
#include "platform/windows/debug_windows.h"
#include "platform/windows/runner_windows.h"

#include <stddef.h>
#include <stdlib.h>

/* ---- the library ---- */

/* The file the plan names, to be known again by what is the same for all names it has. */
void itrp_windows_identify_library(struct itrp_windows_debugger *debugger) {
    const char *path = debugger->plan->library;
    wchar_t *wide = path != NULL && path[0] != '\0' ? itrp_windows_wide(path) : NULL;
    if (wide == NULL) {
        return;
    }
    HANDLE file = CreateFileW(wide, FILE_READ_ATTRIBUTES,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    free(wide);
    if (file != INVALID_HANDLE_VALUE) {
        debugger->library_known = GetFileInformationByHandle(file, &debugger->library);
        CloseHandle(file);
    }
}

static bool is_library(const struct itrp_windows_debugger *debugger, HANDLE file) {
    const BY_HANDLE_FILE_INFORMATION *wanted = &debugger->library;
    BY_HANDLE_FILE_INFORMATION found;
    return debugger->library_known && file != NULL && GetFileInformationByHandle(file, &found) &&
           found.nFileIndexLow == wanted->nFileIndexLow &&
           found.nFileIndexHigh == wanted->nFileIndexHigh &&
           found.dwVolumeSerialNumber == wanted->dwVolumeSerialNumber &&
           found.nFileSizeLow == wanted->nFileSizeLow &&
           found.nFileSizeHigh == wanted->nFileSizeHigh &&
           CompareFileTime(&found.ftLastWriteTime, &wanted->ftLastWriteTime) == 0;
}

static bool read_header(const struct itrp_windows_debugger *debugger, uint64_t base,
                        IMAGE_NT_HEADERS64 *nt) {
    IMAGE_DOS_HEADER dos;
    return itrp_windows_peek(debugger, base, &dos, sizeof dos) &&
           itrp_windows_peek(debugger, base + (uint32_t)dos.e_lfanew, nt, sizeof *nt);
}

/* Addresses in the file are as if it lay at the base it asks for; where it was moved already, so was that base. */
static uint64_t first_callback(const struct itrp_windows_debugger *debugger,
                               const IMAGE_OPTIONAL_HEADER64 *header) {
    const IMAGE_DATA_DIRECTORY *entry = &header->DataDirectory[IMAGE_DIRECTORY_ENTRY_TLS];
    uint64_t base = debugger->report.library_base;
    uint64_t function = 0;
    IMAGE_TLS_DIRECTORY64 tls;
    if (entry->VirtualAddress == 0 ||
        !itrp_windows_peek(debugger, base + entry->VirtualAddress, &tls, sizeof tls) ||
        tls.AddressOfCallBacks == 0 ||
        !itrp_windows_peek(debugger, base + (tls.AddressOfCallBacks - header->ImageBase), &function,
                           sizeof function) ||
        function == 0) {
        return 0;
    }
    return base + (function - header->ImageBase);
}

/* What the header of the mapped library tells; false if it cannot be read. */
static bool look_at_library(struct itrp_windows_debugger *debugger) {
    uint64_t base = debugger->report.library_base;
    IMAGE_NT_HEADERS64 nt;
    if (!read_header(debugger, base, &nt)) {
        return false;
    }
    uint32_t entry = nt.OptionalHeader.AddressOfEntryPoint;
    debugger->library_bytes = nt.OptionalHeader.SizeOfImage;
    debugger->library_entry = entry != 0 ? base + entry : 0;
    debugger->library_callback = first_callback(debugger, &nt.OptionalHeader);
    return true;
}

static void on_library(struct itrp_windows_debugger *debugger, uint64_t base) {
    debugger->report.library_base = base;
    debugger->report.library_mapped = true;
    if (!look_at_library(debugger)) {
        itrp_windows_debug_fail(debugger, GetLastError(), "read the library's header");
        return;
    }
    itrp_windows_arm(debugger);
    itrp_windows_chaos_begin(debugger);
}

/* ---- all modules ---- */

void itrp_windows_module_mapped(struct itrp_windows_debugger *debugger, const void *base,
                                HANDLE file) {
    uint64_t address = (uint64_t)(uintptr_t)base;
    if (debugger->module_count < ITRP_WINDOWS_MODULES_MAX) {
        debugger->modules[debugger->module_count++] = address;
    }
    if (!debugger->report.library_mapped && is_library(debugger, file)) {
        on_library(debugger, address);
    }
    if (file != NULL) {
        CloseHandle(file);
    }
}

void itrp_windows_module_unmapped(struct itrp_windows_debugger *debugger, const void *base) {
    if (debugger->report.library_mapped &&
        debugger->report.library_base == (uint64_t)(uintptr_t)base) {
        itrp_windows_code_library_gone(debugger);
    }
    for (size_t i = 0; i < debugger->module_count; i++) {
        if (debugger->modules[i] == (uint64_t)(uintptr_t)base) {
            debugger->modules[i] = debugger->modules[--debugger->module_count];
            return;
        }
    }
}

uint64_t itrp_windows_module_of(const struct itrp_windows_debugger *debugger, uint64_t address) {
    uint64_t base = 0;
    IMAGE_NT_HEADERS64 nt;
    for (size_t i = 0; i < debugger->module_count; i++) {
        if (debugger->modules[i] <= address && debugger->modules[i] > base) {
            base = debugger->modules[i];
        }
    }
    return base != 0 && read_header(debugger, base, &nt) &&
                   address - base < nt.OptionalHeader.SizeOfImage
               ? base
               : 0;
}

bool itrp_windows_is_code(const struct itrp_windows_debugger *debugger, uint64_t address) {
    uint64_t base = itrp_windows_module_of(debugger, address);
    IMAGE_DOS_HEADER dos;
    IMAGE_NT_HEADERS64 nt;
    IMAGE_SECTION_HEADER section;
    if (base == 0 || !itrp_windows_peek(debugger, base, &dos, sizeof dos) ||
        !read_header(debugger, base, &nt)) {
        return false;
    }
    uint64_t at = base + (uint32_t)dos.e_lfanew + offsetof(IMAGE_NT_HEADERS64, OptionalHeader) +
                  nt.FileHeader.SizeOfOptionalHeader;
    for (uint32_t i = 0; i < nt.FileHeader.NumberOfSections; i++, at += sizeof section) {
        if (!itrp_windows_peek(debugger, at, &section, sizeof section)) {
            return false;
        }
        if (address - base - section.VirtualAddress < section.Misc.VirtualSize) {
            return (section.Characteristics & IMAGE_SCN_MEM_EXECUTE) != 0;
        }
    }
    return false;
}
