/* A library without a runtime whose own console handler, which its first call installs, does a host wrong. INITRACE_FLAW
 * says how; without it there is none.
 *
 *   swallow     it takes each event but the first, so that older handlers do not hear of it
 *   end-thread  it ends the event's thread, whatever that one holds
 */
#include <windows.h>

#include <stdlib.h>
#include <string.h>

static LONG volatile heard;

static BOOL WINAPI swallow(DWORD control) {
    (void)control;
    return InterlockedIncrement(&heard) > 1;
}

static BOOL WINAPI end_thread(DWORD control) {
    (void)control;
    ExitThread(0);
}

__declspec(dllexport) int InitraceProbe(void);

int InitraceProbe(void) {
    const char *flaw = getenv("INITRACE_FLAW");
    if (flaw != NULL && strcmp(flaw, "swallow") == 0) {
        SetConsoleCtrlHandler(swallow, TRUE);
    } else if (flaw != NULL && strcmp(flaw, "end-thread") == 0) {
        SetConsoleCtrlHandler(end_thread, TRUE);
    }
    return 42;
}
