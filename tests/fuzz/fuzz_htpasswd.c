/*
 * fuzz_htpasswd: password files and their entries.  Input: user, NUL, password, NUL, the file.  Forms that
 * libc's crypt() reads are left to it: some take as long as their entry says.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/password.h"
#include "http/modules/password_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/fuzz-htpasswd-XXXXXX";
static int file = -1;

static void remove_file(void)
{
    password_file_forget_all();
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, entry;
    struct str user = str_split(&rest, '\0'), password = str_split(&rest, '\0');

    if (file < 0) {
        file = mkstemp(path);
        if (file < 0)
            abort();
        atexit(remove_file);
    }
    if (!rest.data)
        return 0;
    /* Just written, so it is read again each time. */
    if (ftruncate(file, 0) < 0 || pwrite(file, rest.data, rest.len, 0) != (ssize_t)rest.len)
        abort();
    if (!password_file_find(str_of(path), user, &entry))
        abort();
    if (!entry.data)
        return 0;
    if (user.len == 0 || str_index(entry, ':') >= 0 || str_index(entry, '\n') >= 0)
        abort();
    if (password_is_quick(entry) || str_starts(entry, STR("$apr1$"))) {
        enum password_result result = password_check(entry, password);
        if (str_starts(entry, STR("{PLAIN}")) &&
            (result == PASSWORD_RIGHT) != str_eq(str_from(entry, 7), password))
            abort();
    }
    return 0;
}
