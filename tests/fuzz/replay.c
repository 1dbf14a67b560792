/*
 * replay: gives every file of a corpus to a fuzz target once, for "make check", where there may be
 * no libFuzzer.  Arguments are files and folders.  It prints "> FILE" before each, and "ok" when all came
 * back; after a crash the last line tells the file, and the sanitizers the rest.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);   /* of the exact size, so that ASan sees every overrun */

    if (!f || !data || fread(data, 1, size, f) != size) {
        printf("not ok - can't read %s\n", path);
        return 1;
    }
    fclose(f);
    printf("> %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
    return 0;
}

static int replay_path(const char *path)
{
    char name[4096];
    struct stat st;
    int failed = 0;

    if (stat(path, &st) < 0)
        return 0;              /* a target without a corpus runs on the empty input alone */
    if (!S_ISDIR(st.st_mode))
        return replay_file(path, (size_t)st.st_size);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            failed |= replay_file(name, (size_t)st.st_size);
    }
    if (dir)
        closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        failed |= replay_path(argv[i]);
    if (!failed)
        printf("ok - %s, %u files\n", argv[0], replayed);
    return failed;
}
