/*
 * inflate: see inflate.h.  The stream's life, its framing and the buffer.
 */
#include "base/deflate/inflate.h"

#include <string.h>

#include "base/deflate/inflate_block.h"
#include "base/digest/adler32.h"
#include "base/digest/crc32.h"

enum {
    GZIP_HEADER = 10,       /* bytes of its fixed part */
    GZIP_FLAGS_AT = 3,
    GZIP_HAS_CRC = 1 << 1,
    GZIP_HAS_EXTRA = 1 << 2,
    GZIP_HAS_NAME = 1 << 3,
    GZIP_HAS_COMMENT = 1 << 4,
    GZIP_RESERVED = 0xe0,
};

static uint32_t window_of(const struct inflate_params *p)
{
    return UINT32_C(1) << (p->window_bits < 8 ? 8 : p->window_bits > 15 ? 15 : p->window_bits);
}

size_t inflate_memory(const struct inflate_params *p)
{
    return sizeof(struct inflate) + 2 * (size_t)window_of(p) + BUFFER_SLACK;
}

static void begin(struct inflate *i)
{
    i->stage = i->format == INFLATE_RAW ? STAGE_BLOCK : STAGE_START;
    i->last = false;
    i->checksum = i->format == INFLATE_ZLIB ? 1 : 0;
    i->total = 0;
    i->header_crc = 0;
    i->header_at = 0;
    i->pos = i->drained = 0;
}

struct inflate *inflate_init(void *memory, const struct inflate_params *p)
{
    struct inflate *i = memory;

    i->format = p->format;
    i->error = NULL;
    i->bits = 0;
    i->bit_count = 0;
    i->fixed = false;
    i->buffer = (unsigned char *)memory + sizeof *i;
    i->window = window_of(p);
    i->capacity = 2 * i->window;
    begin(i);
    return i;
}

const char *inflate_error(const struct inflate *i)
{
    return i->error;
}

static bool header_byte(struct inflate *i, struct inflate_io *io, unsigned char *byte)
{
    if (!inflate_need(i, io, 8))
        return false;
    *byte = (unsigned char)inflate_take(i, 8);
    i->header_crc = crc32_add(i->header_crc, (struct str){ (const char *)byte, 1 });
    return true;
}

/* The part of a gzip header that follows this one, of those that are there (RFC 1952, 2.3). */
static void next_part(struct inflate *i, enum inflate_stage done)
{
    unsigned flags = i->header_flags;

    i->header_at = 0;
    if (done < STAGE_EXTRA_LEN && flags & GZIP_HAS_EXTRA)
        i->stage = STAGE_EXTRA_LEN;
    else if (done < STAGE_NAME && flags & GZIP_HAS_NAME)
        i->stage = STAGE_NAME;
    else if (done < STAGE_COMMENT && flags & GZIP_HAS_COMMENT)
        i->stage = STAGE_COMMENT;
    else if (done < STAGE_HEADER_CRC && flags & GZIP_HAS_CRC)
        i->stage = STAGE_HEADER_CRC;
    else
        i->stage = STAGE_BLOCK;
}

static bool read_gzip(struct inflate *i, struct inflate_io *io)
{
    static const unsigned char magic[GZIP_FLAGS_AT] = { 0x1f, 0x8b, 8 };
    unsigned char byte;

    for (; i->header_at < GZIP_HEADER; i->header_at++) {
        if (!header_byte(i, io, &byte))
            return false;
        if (i->header_at < GZIP_FLAGS_AT && byte != magic[i->header_at]) {
            inflate_fail(i, "not in gzip's format");
            return true;
        }
        if (i->header_at == GZIP_FLAGS_AT)
            i->header_flags = byte;
    }
    next_part(i, STAGE_GZIP);
    if (i->header_flags & GZIP_RESERVED)
        inflate_fail(i, "unknown flags in gzip's header");
    return true;
}

static bool read_extra_len(struct inflate *i, struct inflate_io *io)
{
    unsigned char low, high;

    if (!inflate_need(i, io, 16))
        return false;
    header_byte(i, io, &low);
    header_byte(i, io, &high);
    i->header_at = low | (unsigned)high << 8;
    i->stage = STAGE_EXTRA;
    return true;
}

static bool read_extra(struct inflate *i, struct inflate_io *io)
{
    unsigned char byte;

    for (; i->header_at > 0; i->header_at--) {
        if (!header_byte(i, io, &byte))
            return false;
    }
    next_part(i, STAGE_EXTRA);
    return true;
}

/* The name or the comment; both are skipped. */
static bool read_text(struct inflate *i, struct inflate_io *io)
{
    unsigned char byte;

    do {
        if (!header_byte(i, io, &byte))
            return false;
    } while (byte != 0);
    next_part(i, i->stage);
    return true;
}

static bool read_header_crc(struct inflate *i, struct inflate_io *io)
{
    if (!inflate_need(i, io, 16))
        return false;
    next_part(i, STAGE_HEADER_CRC);
    if (inflate_take(i, 16) != (i->header_crc & 0xffff))
        inflate_fail(i, "checksum of gzip's header is wrong");
    return true;
}

static bool read_zlib(struct inflate *i, struct inflate_io *io)
{
    if (!inflate_need(i, io, 16))
        return false;
    unsigned method = inflate_take(i, 8), flags = inflate_take(i, 8);
    i->stage = STAGE_BLOCK;
    if ((method << 8 | flags) % 31 != 0 || (method & 15) != 8)
        inflate_fail(i, "not in zlib's format");
    else if (UINT32_C(256) << (method >> 4) > i->window)
        inflate_fail(i, "window is too large");
    else if (flags & 0x20)
        inflate_fail(i, "a dictionary is needed");
    return true;
}

static bool read_start(struct inflate *i, struct inflate_io *io)
{
    if (i->format == INFLATE_ZLIB)
        return read_zlib(i, io);
    i->stage = STAGE_GZIP;
    return true;
}

static bool read_trailer(struct inflate *i, struct inflate_io *io)
{
    inflate_take(i, i->bit_count & 7);
    if (i->format == INFLATE_RAW) {
        i->stage = STAGE_END;
        return true;
    }
    if (!inflate_need(i, io, 32))
        return false;
    uint32_t sum = inflate_take(i, 32);
    if (i->format == INFLATE_ZLIB)
        sum = sum >> 24 | (sum >> 8 & 0xff00) | (sum & 0xff00) << 8 | sum << 24;
    i->stage = i->format == INFLATE_GZIP ? STAGE_SIZE : STAGE_END;
    if (sum != i->checksum)
        inflate_fail(i, "checksum is wrong");
    return true;
}

static bool read_size(struct inflate *i, struct inflate_io *io)
{
    if (!inflate_need(i, io, 32))
        return false;
    i->stage = STAGE_END;
    if (inflate_take(i, 32) != i->total)
        inflate_fail(i, "length is wrong");
    return true;
}

/* Hands decoded bytes on; false if some are left.  When all are gone and the buffer is full, keeps
 * the end of it as history. */
static bool drain(struct inflate *i, struct inflate_io *io)
{
    size_t len = i->pos - i->drained;

    if (len > io->out_len)
        len = io->out_len;
    if (len > 0) {
        struct str data = { (const char *)i->buffer + i->drained, len };
        if (i->format == INFLATE_GZIP)
            i->checksum = crc32_add(i->checksum, data);
        else if (i->format == INFLATE_ZLIB)
            i->checksum = adler32_add(i->checksum, data);
        memcpy(io->out, data.data, len);
        io->out += len;
        io->out_len -= len;
        i->total += (uint32_t)len;
        i->drained += (uint32_t)len;
    }
    if (i->drained < i->pos)
        return false;
    if (i->pos >= i->capacity) {
        memmove(i->buffer, i->buffer + i->pos - i->window, i->window);
        i->pos = i->drained = i->window;
    }
    return true;
}

/* Goes on with the present stage; false if that needs more input. */
static bool advance(struct inflate *i, struct inflate_io *io)
{
    switch (i->stage) {
    case STAGE_START:
        return read_start(i, io);
    case STAGE_GZIP:
        return read_gzip(i, io);
    case STAGE_EXTRA_LEN:
        return read_extra_len(i, io);
    case STAGE_EXTRA:
        return read_extra(i, io);
    case STAGE_NAME:
    case STAGE_COMMENT:
        return read_text(i, io);
    case STAGE_HEADER_CRC:
        return read_header_crc(i, io);
    case STAGE_TRAILER:
        return read_trailer(i, io);
    case STAGE_SIZE:
        return read_size(i, io);
    default:
        return inflate_block(i, io);
    }
}

enum inflate_status inflate_run(struct inflate *i, struct inflate_io *io)
{
    bool more = true;

    if (i->stage == STAGE_END && i->format == INFLATE_GZIP && i->drained == i->pos &&
        io->in_len > 0)
        begin(i);
    for (;;) {
        if ((i->pos >= i->capacity || i->stage >= STAGE_TRAILER || !more) && !drain(i, io))
            return INFLATE_NEED_OUTPUT;
        if (!more)
            return INFLATE_NEED_INPUT;
        if (i->stage == STAGE_END)
            return INFLATE_END;
        if (i->stage == STAGE_BAD)
            return INFLATE_BAD;
        more = advance(i, io);
    }
}
