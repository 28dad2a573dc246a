/* A library without a runtime whose DllMain takes its time, INITRACE_ATTACH_MS: so long the loader lock is held, and no
 * thread of the process begins. It loads and calls nothing. */
#include <windows.h>

#include <stdlib.h>

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved) {
    (void)module;
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) {
        const char *value = getenv("INITRACE_ATTACH_MS");
        Sleep(value != NULL ? (DWORD)strtoul(value, NULL, 10) : 0);
    }
    return TRUE;
}
