/*
 * fuzz_bundle: bytes that claim to be a bundle.  What is taken can be packed again.
 */
#include <assert.h>
#include <stdint.h>
#include <unistd.h>

#include "base/os.h"
#include "config/bundle.h"

static bool unpack(int fd, struct bundle *b)
{
    bool good = bundle_unpack(fd, b);

    close(fd);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle b, again;
    int fd = os_memory_file("fuzz");

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    if (!unpack(fd, &b))
        return 0;
    fd = bundle_pack(&b);
    assert(fd >= 0);
    bool good = unpack(fd, &again);
    assert(good && again.files.count == b.files.count &&
           again.tree->files.count == b.tree->files.count);
    tree_free(again.tree);
    tree_free(b.tree);
    return 0;
}
