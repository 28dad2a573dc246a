/* The host of most cases: installs its handlers, loads the library, calls it once, waits to hear the
 * events. What it loads and what is fired at it stands in the ledger; it decides nothing. */
#include "platform/host.h"

int main(int argc, char **argv) {
    struct itrh_host host = {0};
    const char *library = argc > 1 ? argv[1] : 0;
    const char *function = argc > 2 ? argv[2] : 0;

    if (!itrh_open(&host, library, function)) {
        return ITRH_EXIT_SETUP;
    }
    bool late = (host.ledger->request.flags & ITR_HOST_HANDLERS_AFTER_LOAD) != 0;
    if (!late && !itrh_install_handlers(&host)) {
        return ITRH_EXIT_SETUP;
    }
    if (!itrh_arm(&host) || !itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    if (late && !itrh_install_handlers(&host)) {
        return ITRH_EXIT_SETUP;
    }
    if (!itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(&host);
    return itrh_finish(&host);
}
