/* The console control handler of libraries with a planted window. Those registered last are called first, so the
 * host's comes after it. */
#include "platform/tests/planted.h"

#include <windows.h>

static struct {
    const volatile uint8_t *flag;
    enum planted_misdeed misdeed;
    SRWLOCK lock;
} planted = {.lock = SRWLOCK_INIT};

static BOOL WINAPI on_control(DWORD control) {
    enum planted_misdeed misdeed = *planted.flag != 0 ? planted.misdeed : PLANTED_NOTHING;
    (void)control;
    switch (misdeed) {
    case PLANTED_NOTHING:
        return FALSE; /* the next handler's */
    case PLANTED_LOSS:
        return TRUE;
    case PLANTED_HANG:
        AcquireSRWLockExclusive(&planted.lock);
        AcquireSRWLockExclusive(&planted.lock);
        return TRUE;
    case PLANTED_CRASH:
        ((void (*)(void))(uintptr_t)PLANTED_NOWHERE)();
        return TRUE;
    }
    return FALSE;
}

void planted_listen(const volatile uint8_t *flag, enum planted_misdeed misdeed) {
    planted.flag = flag;
    planted.misdeed = misdeed;
    SetConsoleCtrlHandler(on_control, TRUE);
}
