/* A library without any runtime, for controls: the export of the Go libraries, and nothing that
 * starts when it is loaded. */

__attribute__((visibility("default"))) int InitraceProbe(void);

int InitraceProbe(void) {
    return 42;
}
