/*
 * v2_description: the fields of a response that describe its body.  Length, time and ETag of a file
 * leave no trace in HPACK's table, so that their bytes are the same on all connections: they are
 * encoded once, and remembered.
 */
#include "http/response.h"
#include "http/v2/v2.h"

enum {
    FILES = 64,                        /* remembered; a power of two */
    ETAG_MOST = 40,
    BLOCK_MOST = 112,                  /* of the three fields */
};

/* What was said of a file, and how it was encoded. */
struct said {
    int64_t length;
    time_t modified;
    char etag[ETAG_MOST];
    uint8_t etag_len, block_len;       /* block_len 0: nothing was said */
    char block[BLOCK_MOST];
};

static struct said files[FILES];

static bool tells_length(const struct response *res)
{
    return res->length >= 0 && res->status != STATUS_NO_CONTENT &&
           res->status != STATUS_NOT_MODIFIED;
}

static void put_fields(struct hpack_encoder *e, struct out *o, const struct response *res)
{
    char space[HTTP_DATE_LEN], digits[24];
    struct out length = out_fixed(digits, sizeof digits);
    struct str modified = response_modified_text(res, space);

    if (tells_length(res)) {
        out_uint(&length, (uint64_t)res->length);
        hpack_put_field(e, o, STR("content-length"), out_str_of(&length), HPACK_PLAIN);
    }
    if (modified.len)
        hpack_put_field(e, o, STR("last-modified"), modified, HPACK_PLAIN);
    if (res->etag.len)
        hpack_put_field(e, o, STR("etag"), res->etag, HPACK_PLAIN);
}

/* Whether the response says all three, as of a file. */
static bool is_of_file(const struct response *res)
{
    return tells_length(res) && res->last_modified >= 0 && res->modified_text.len == 0 &&
           res->etag.len > 0 && res->etag.len <= ETAG_MOST;
}

static bool same(const struct said *s, const struct response *res)
{
    return s->block_len && s->length == res->length && s->modified == res->last_modified &&
           str_eq((struct str){ s->etag, s->etag_len }, res->etag);
}

static const struct said *remember(struct hpack_encoder *e, const struct response *res)
{
    uint64_t mixed = (uint64_t)res->length ^ (uint64_t)res->last_modified << 20;
    struct said *s = &files[mixed * 0x9e3779b97f4a7c15U >> 32 & (FILES - 1)];

    if (same(s, res))
        return s;
    struct out o = out_fixed(s->block, sizeof s->block);
    put_fields(e, &o, res);
    s->length = res->length;
    s->modified = res->last_modified;
    s->etag_len = (uint8_t)res->etag.len;
    memcpy(s->etag, res->etag.data, res->etag.len);
    s->block_len = o.overflow ? 0 : (uint8_t)out_len(&o);
    return s->block_len ? s : NULL;
}

static void put_type(struct hpack_encoder *e, struct out *o, const struct response *res)
{
    char space[256];
    struct out value = out_fixed(space, sizeof space);

    if (res->charset.len == 0) {
        hpack_put_field(e, o, STR("content-type"), res->content_type, HPACK_REPEATED);
        return;
    }
    out_str(&value, res->content_type);
    OUT_LITERAL(&value, "; charset=");
    out_str(&value, res->charset);
    hpack_put_field(e, o, STR("content-type"), out_str_of(&value), HPACK_REPEATED);
}

void v2_put_description(struct v2 *v, struct out *o, const struct response *res)
{
    const struct said *s = is_of_file(res) ? remember(&v->encoder, res) : NULL;

    if (res->content_type.len)
        put_type(&v->encoder, o, res);
    if (s)
        out_bytes(o, s->block, s->block_len);
    else
        put_fields(&v->encoder, o, res);
    if (res->content_encoding.len)
        hpack_put_field(&v->encoder, o, STR("content-encoding"), res->content_encoding,
                        HPACK_REPEATED);
    if (res->allow_ranges)
        hpack_put_field(&v->encoder, o, STR("accept-ranges"), STR("bytes"), HPACK_REPEATED);
}
