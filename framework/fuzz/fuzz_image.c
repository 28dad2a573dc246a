/* Fuzzes the reader of libraries, ELF and PE: sections, symbols, Go's table, build ids. Input: the file. */
#include "framework/fuzz/image_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    enum itr_status status = itr_image_open_bytes(&image, bytes, size, NULL, &err);
    FUZZ_CHECK(status == err.status && (status == ITR_OK) == (image != NULL));
    if (status == ITR_OK) {
        FUZZ_CHECK(itr_image_format(image) == (bytes[0] == 'M' ? ITR_IMAGE_PE : ITR_IMAGE_ELF));
        fuzz_check_image(image);
        itr_image_close(image);
    } else {
        FUZZ_CHECK(status == ITR_E_FORMAT || status == ITR_E_UNSUPPORTED);
        fuzz_check_clean(err.text, strlen(err.text), "");
    }
    free(bytes);
    return 0;
}
