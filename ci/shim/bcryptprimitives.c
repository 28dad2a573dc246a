/*
 * bcryptprimitives.dll for a Wine that has none: ProcessPrng, the only function of it that the Go
 * runtime (1.22 and later) asks for. Part of the test set-up, never for real Windows; not a
 * general replacement of that DLL.
 */
#include <windows.h>

/* What advapi32 calls RtlGenRandom in its documentation. */
__declspec(dllimport) BOOLEAN WINAPI SystemFunction036(void *buffer, ULONG length_bytes);

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *buffer, SIZE_T length_bytes) {
    const ULONG piece_max = 1u << 30;

    while (length_bytes > 0) {
        ULONG piece = length_bytes < piece_max ? (ULONG)length_bytes : piece_max;
        if (!SystemFunction036(buffer, piece))
            return FALSE;
        buffer += piece;
        length_bytes -= piece;
    }
    return TRUE;
}

/* The entry that the linker looks for: linked without a C runtime, there is nothing to start. */
BOOL WINAPI DllMainCRTStartup(HINSTANCE module, DWORD reason, void *reserved) {
    (void)module;
    (void)reason;
    (void)reserved;
    return TRUE;
}
