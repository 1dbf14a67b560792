/*
 * hpack: header compression for HTTP/2 (RFC 7541), both ways and for both roles.  Fields in, bytes
 * out, and back; what a field means, and in which order pseudo-header fields may come, is not known
 * here.
 *
 * A decoder or encoder that has seen no field worth keeping holds no memory outside its struct.
 * Not for use by more than one thread.
 */
#ifndef HTTP_V2_HPACK_H
#define HTTP_V2_HPACK_H

#include "base/cursor.h"
#include "base/out.h"
#include "http/v2/hpack_table.h"

/* SETTINGS_HEADER_TABLE_SIZE unless told otherwise; the most that Weir uses. */
enum { HPACK_TABLE_SIZE = 4096 };

enum hpack_result {
    HPACK_FIELD,           /* a field was given */
    HPACK_END,             /* the block is at its end */
    HPACK_TOO_LARGE,       /* this field does not fit `space`; the table is right */
    HPACK_ERROR,           /* COMPRESSION_ERROR: the connection can't go on */
};

/* What is wrong with a field by RFC 9113 section 8.2.1; looked at once, also for indexed fields. */
enum hpack_flaw {
    HPACK_BAD_NAME = 1,    /* empty, or other bytes than a token's in lower case; a colon in front
                            * is no flaw */
    HPACK_BAD_VALUE = 2,   /* NUL, CR or LF in it, or a blank at an end */
};

/* ---- decoding -------------------------------------------------------------------------------- */

struct hpack_decoder {
    struct hpack_table table;
    uint16_t announced;    /* bound of the table in our SETTINGS */
    uint8_t updates;       /* size updates of this block so far */
    bool fields;           /* this block had a field: no size update may come any more */
};

/* `announced`: SETTINGS_HEADER_TABLE_SIZE as the peer knows it before its first block, at most
 * HPACK_TABLE_SIZE. */
void hpack_decoder_init(struct hpack_decoder *d, unsigned announced);
void hpack_decoder_fini(struct hpack_decoder *d);

/*
 * The next field of a block that is there as a whole, its frames joined.  Its strings point into
 * the block, into `space`, or at what lives for ever, and stay valid until block or space is used
 * anew, whatever else has happened to the table.
 *
 * `space` takes what had to be decoded.  Where it can't, and where it is NULL, the field is gone
 * through for the table's sake only: HPACK_TOO_LARGE, and of `field` nothing holds but the lengths of
 * name and value.  So a block that is refused (431) can be read to its end, and the connection lives
 * on.  After HPACK_END the decoder is ready for the next block.
 *
 * Sizes of lists are the caller's to bound: a field counts name.len + value.len + HPACK_FIELD_COST.
 */
enum hpack_result hpack_next(struct hpack_decoder *d, struct cursor *block, struct out *space,
                             struct hpack_field *field);

/* Whether a block may be good that begins so, and whose end has not come.  Its numbers alone are
 * looked at. */
bool hpack_may_be_good(struct cursor start);

/* ---- encoding -------------------------------------------------------------------------------- */

enum hpack_index {
    HPACK_PLAIN,           /* leaves no trace in the table */
    HPACK_REPEATED,        /* likely to come again on this connection, with the same value */
    HPACK_NEVER,           /* a secret that is easily guessed: never in a table, on no hop */
};

enum { HPACK_HINTS = 8 };

struct hpack_encoder {
    struct hpack_table table;
    uint16_t hints[HPACK_HINTS];   /* where fields stood last; by their names' rows */
    uint32_t least;        /* least bound that the peer set since the last block */
    bool resized;          /* a size update is due at the start of the next block */
};

/* The peer allows HPACK_TABLE_SIZE until its SETTINGS say otherwise. */
void hpack_encoder_init(struct hpack_encoder *e);
void hpack_encoder_fini(struct hpack_encoder *e);
/* The peer's SETTINGS_HEADER_TABLE_SIZE; of what it allows, HPACK_TABLE_SIZE at most is used. */
void hpack_encoder_resize(struct hpack_encoder *e, uint32_t size);

/*
 * Append fields of a block to `o`.  Begin each block with hpack_put_begin().  Names may be in any
 * case, and leave in lower case; values go as they are and must hold no CR, LF or NUL.
 *
 * Where `o` overflowed the block can't be sent, and then nor can any other: close the connection.
 */
void hpack_put_begin(struct hpack_encoder *e, struct out *o);
/* ":status"; 100 to 999. */
void hpack_put_status(struct hpack_encoder *e, struct out *o, unsigned status);
/* Any other; for a pseudo-header field with its colon. */
void hpack_put_field(struct hpack_encoder *e, struct out *o, struct str name, struct str value,
                     enum hpack_index index);

#endif
