/*
 * bench: our compressor and decompressor beside zlib's, level by level, on the files of a corpus
 * (corpus.py).  Each file is compressed as gzip on its own, as a server would, in one call; zlib
 * gets its memory from a pool, as in nginx, so that neither pays for malloc.  The last file is the
 * page whose time per request is given too.
 *
 *     cc -O2 -Isrc tests/bench/deflate/bench.c src/base/deflate/[a-z]*.c src/base/digest/[a-z]*.c \
 *        src/base/str.c src/base/out.c src/base/arena.c -lz -o /tmp/bench
 *     tests/bench/deflate/corpus.py /tmp/corpus
 *     /tmp/bench /tmp/corpus/[0-9]* /tmp/corpus/made* /tmp/corpus/page.html
 *
 *     bench [-l LEVELS, such as 169] [-n ROUNDS] FILE... PAGE
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/deflate/deflate.h"
#include "base/deflate/inflate.h"
#include "base/str.h"

enum { MAX_FILES = 1000, SPACE = 1 << 24 };

static struct str files[MAX_FILES];
static unsigned file_count;
static unsigned char *packed, *unpacked;
static char *pool;
static size_t pool_used;

struct result {
    size_t size;
    double seconds;
};

typedef size_t codec(struct str data, int level);

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void *take(size_t size)
{
    void *p = malloc(size);

    if (!p)
        fail("no memory");
    return p;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct str load(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f || fseek(f, 0, SEEK_END) != 0)
        fail(path);
    long size = ftell(f);
    rewind(f);
    if (size < 0 || size > SPACE / 2)
        fail(path);
    char *data = take((size_t)size + 1);
    if (fread(data, 1, (size_t)size, f) != (size_t)size)
        fail(path);
    fclose(f);
    return (struct str){ data, (size_t)size };
}

static void *pool_alloc(void *opaque, unsigned count, unsigned size)
{
    void *p = pool + pool_used;

    (void)opaque;
    pool_used += ((size_t)count * size + 63) & ~(size_t)63;
    return p;
}

static void pool_free(void *opaque, void *p)
{
    (void)opaque;
    (void)p;
}

static size_t zlib_pack(struct str data, int level)
{
    z_stream s = { .zalloc = pool_alloc, .zfree = pool_free };

    pool_used = 0;
    if (deflateInit2(&s, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        fail("deflateInit2");
    s.next_in = (const Bytef *)data.data;
    s.avail_in = (uInt)data.len;
    s.next_out = packed;
    s.avail_out = SPACE;
    if (deflate(&s, Z_FINISH) != Z_STREAM_END)
        fail("deflate");
    deflateEnd(&s);
    return SPACE - s.avail_out;
}

static size_t our_pack(struct str data, int level)
{
    struct deflate_params p = { DEFLATE_GZIP, (unsigned)level, 15, 8, data.len };
    struct deflate *d = deflate_init(pool, &p);
    struct deflate_io io = { (const unsigned char *)data.data, data.len, packed, SPACE };

    if (deflate_run(d, &io, DEFLATE_FINISH) != DEFLATE_END)
        fail("deflate_run");
    return SPACE - io.out_len;
}

static size_t zlib_unpack(struct str data, int level)
{
    z_stream s = { .zalloc = pool_alloc, .zfree = pool_free };

    (void)level;
    pool_used = 0;
    if (inflateInit2(&s, 15 + 16) != Z_OK)
        fail("inflateInit2");
    s.next_in = (const Bytef *)data.data;
    s.avail_in = (uInt)data.len;
    s.next_out = unpacked;
    s.avail_out = SPACE;
    if (inflate(&s, Z_NO_FLUSH) != Z_STREAM_END)
        fail("inflate");
    inflateEnd(&s);
    return SPACE - s.avail_out;
}

static size_t our_unpack(struct str data, int level)
{
    struct inflate_params p = { INFLATE_GZIP, 15 };
    struct inflate *i = inflate_init(pool, &p);
    struct inflate_io io = { (const unsigned char *)data.data, data.len, unpacked, SPACE };

    (void)level;
    if (inflate_run(i, &io) != INFLATE_END)
        fail("inflate_run");
    return SPACE - io.out_len;
}

static void check(struct str data, size_t size)
{
    struct str it = { (const char *)packed, size };
    size_t len = zlib_unpack(it, 0);

    if (!str_eq(data, (struct str){ (const char *)unpacked, len }))
        fail("zlib does not get our input back");
    len = our_unpack(it, 0);
    if (!str_eq(data, (struct str){ (const char *)unpacked, len }))
        fail("inflate does not get its input back");
}

/* The best of `rounds` over all files. */
static struct result measure(codec *run, const struct str *list, unsigned count, int level,
                             unsigned rounds)
{
    struct result best = { 0, 1e9 };

    for (unsigned r = 0; r < rounds; r++) {
        double start = now();
        best.size = 0;
        for (unsigned i = 0; i < count; i++)
            best.size += run(list[i], level);
        double took = now() - start;
        if (took < best.seconds)
            best.seconds = took;
    }
    return best;
}

static void bench_level(int level, double total, unsigned rounds)
{
    struct str page = files[file_count - 1];

    for (unsigned i = 0; i < file_count; i++)
        check(files[i], our_pack(files[i], level));
    struct result we = measure(our_pack, files, file_count, level, rounds);
    struct result it = measure(zlib_pack, files, file_count, level, rounds);
    struct result we_page = measure(our_pack, &page, 1, level, 200 * rounds);
    struct result it_page = measure(zlib_pack, &page, 1, level, 200 * rounds);
    printf("%5d %9zu %9zu %6.3f %8.1f %8.1f %6.2f   %6zu %6zu %7.1f %7.1f\n", level, we.size,
           it.size, (double)we.size / (double)it.size, total / we.seconds / 1e6,
           total / it.seconds / 1e6, we.seconds / it.seconds, we_page.size, it_page.size,
           we_page.seconds * 1e6, it_page.seconds * 1e6);
}

static void bench_inflate(unsigned rounds)
{
    static struct str zipped[MAX_FILES];
    double total = 0;

    for (unsigned i = 0; i < file_count; i++) {
        size_t size = zlib_pack(files[i], 6);
        char *copy = take(size);
        memcpy(copy, packed, size);
        zipped[i] = (struct str){ copy, size };
        total += (double)files[i].len;
    }
    struct result we = measure(our_unpack, zipped, file_count, 0, rounds);
    struct result it = measure(zlib_unpack, zipped, file_count, 0, rounds);
    printf("inflate: %.1f MB/s, zlib %.1f MB/s, CPU %.2f\n", total / we.seconds / 1e6,
           total / it.seconds / 1e6, we.seconds / it.seconds);
}

int main(int argc, char **argv)
{
    const char *levels = "123456789";
    unsigned rounds = 5;
    double total = 0;
    int option;

    while ((option = getopt(argc, argv, "l:n:")) != -1) {
        if (option == 'l')
            levels = optarg;
        else if (option != 'n' || !str_to_uint(str_of(optarg), 1000, &rounds))
            return 2;
    }
    pool = take(SPACE);
    packed = take(SPACE);
    unpacked = take(SPACE);
    for (; optind < argc && file_count < MAX_FILES; optind++) {
        files[file_count] = load(argv[optind]);
        total += (double)files[file_count++].len;
    }
    if (file_count == 0)
        fail("no files");
    printf("%u files, %.0f bytes\n", file_count, total);
    puts("level      ours      zlib  ratio our MB/s     zlib    CPU"
         "     page   zlib  our us    zlib");
    for (; *levels; levels++)
        bench_level(*levels - '0', total, rounds);
    bench_inflate(rounds);
    return 0;
}
