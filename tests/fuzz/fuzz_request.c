/*
 * fuzz_request: a head's lines, its path, a host, and a chunked body.  What is accepted keeps what
 * the rest of the server relies on; a chunked body gives the same however it is cut.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "http/host.h"
#include "http/v1/v1_parse.h"

static bool has(struct str s, const char *bytes, size_t count)
{
    for (size_t i = 0; i < s.len; i++) {
        if (memchr(bytes, s.data[i], count))
            return true;
    }
    return false;
}

/* No "." and ".." segments, no NUL, from the root on; no double slash where they are merged. */
static void check_path(struct str path, bool merge)
{
    assert(path.len && path.data[0] == '/' && !has(path, "\0", 1));
    assert(str_find(path, STR("/../")) < 0 && str_find(path, STR("/./")) < 0);
    assert(!str_ends(path, STR("/..")) && !str_ends(path, STR("/.")));
    assert(!merge || str_find(path, STR("//")) < 0);
}

static void try_path(struct str target)
{
    char *space = malloc(target.len + 1);
    struct v1_path p;

    for (int merge = 0; space && merge <= 1; merge++) {
        if (!v1_parse_path(target, merge, space, &p))
            continue;
        assert(p.args.len <= target.len && p.path.len <= target.len + 1);
        if (target.data[0] == '/')
            check_path(p.path, merge);
    }
    free(space);
}

static void try_host(struct str value)
{
    struct arena a;
    struct str host, again;
    unsigned port;

    arena_init(&a);
    if (host_parse(&a, value, &host, &port)) {
        assert(host.len && host.len <= value.len && port <= 65535);
        assert(!has(host, " \t\r\n\0/?#@\\\"", 10));
        assert(host_parse(&a, host, &again, &port) && str_eq(host, again));
    }
    arena_fini(&a);
}

static void try_line(struct str line)
{
    struct v1_request_line r;
    struct str name, value;

    if (v1_parse_request_line(line, &r) == V1_OK) {
        assert(v1_is_token(r.method) && r.target.len && !has(r.target, " \t\r\n\0", 5));
        assert(v1_may_begin(line.data[0]));
        try_path(r.target);
        if (r.authority.data)
            try_host(r.authority);
    }
    enum v1_result result = v1_parse_field(line, true, &name, &value);
    if (result == V1_BAD)
        return;
    assert(name.len && !has(name, " \t\r\n\0:", 6) && !has(value, "\r\n\0", 3));
    assert(result == V1_SKIP || v1_is_token(name));
    try_host(value);
}

/* What comes of a chunked body: its state, how much of it was used, and a sum of its bytes. */
struct result {
    bool bad;
    enum v1_chunk_state state;
    size_t used, bytes;
    uint32_t sum;
};

/* Pieces are 1 to `step` bytes long, as `seed` says; 0: all at once. */
static struct result decode(struct str in, unsigned step, uint32_t seed)
{
    struct v1_chunks chunks = { 0 };
    struct result result = { .sum = 2166136261u };

    while (result.used < in.len && chunks.state != CHUNK_DONE) {
        struct str piece = str_from(in, result.used), body;
        size_t framing;
        seed = seed * 1664525 + 1013904223;
        if (step && piece.len > 1 + (seed >> 8) % step)
            piece.len = 1 + (seed >> 8) % step;
        if (!v1_chunks_next(&chunks, piece, &framing, &body)) {
            result.bad = true;
            break;
        }
        assert(framing + body.len <= piece.len && (framing + body.len || !piece.len));
        for (size_t i = 0; i < body.len; i++)
            result.sum = (result.sum ^ (unsigned char)body.data[i]) * 16777619u;
        result.bytes += body.len;
        result.used += framing + body.len;
    }
    result.state = chunks.state;
    return result;
}

static void try_chunks(struct str in)
{
    struct result whole = decode(in, 0, 0);

    for (uint32_t seed = 0; seed < 4; seed++) {
        struct result cut = decode(in, 1 + seed * 5, seed);
        assert(cut.bad == whole.bad && cut.bytes == whole.bytes && cut.sum == whole.sum);
        assert(whole.bad || (cut.state == whole.state && cut.used == whole.used));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };

    try_chunks(rest);
    while (rest.data) {
        struct str line = str_split(&rest, '\n');
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        try_line(line);
        if (line.len)
            try_path(line);
    }
    return 0;
}
