/*
 * tls_record: the records of TLS 1.3 (RFC 8446 section 5), closed and opened with keys that a handshake
 * has agreed on.  It knows neither sockets nor connections.
 *
 * The library's object of a connection takes 14 KB; what the records need once the handshake is over
 * takes a fiftieth of that.  The cipher contexts, which are large, belong to the process and are lent
 * to those connections that used them last.
 */
#ifndef NET_TLS_RECORD_H
#define NET_TLS_RECORD_H

#include <openssl/evp.h>

#include "base/str.h"

enum {
    RECORD_HEAD = 5,
    RECORD_TAG = 16,
    RECORD_TEXT_MAX = 16384,           /* bytes of the owner's in a record */
    RECORD_ADDED = RECORD_HEAD + 1 + RECORD_TAG,       /* what closing adds */
    RECORD_MAX = RECORD_HEAD + RECORD_TEXT_MAX + 256,  /* section 5.2 */
    RECORD_SECRET_MAX = 48,
    RECORD_KEY_MAX = 32,
    RECORD_NONCE = 12,
};

/* Section 5.1. */
enum record_type { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

/* Section 6. */
enum record_alert {
    ALERT_CLOSE_NOTIFY = 0, ALERT_UNEXPECTED_MESSAGE = 10, ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22, ALERT_ILLEGAL_PARAMETER = 47, ALERT_DECODE_ERROR = 50,
    ALERT_INTERNAL_ERROR = 80, ALERT_USER_CANCELED = 90,
};

struct record_suite;
struct record_cipher;

/* One direction of a connection. */
struct record_half {
    uint64_t sequence;                 /* of the next record */
    struct record_cipher *cipher;      /* lent; NULL: none is */
    unsigned char key[RECORD_KEY_MAX], nonce[RECORD_NONCE];
    unsigned char secret[RECORD_SECRET_MAX];
};

/* Of a number of RFC 8446 appendix B.4; NULL: a suite that is not spoken here. */
const struct record_suite *tls_record_suite_find(unsigned number);

/* Keys of h->secret, for records from the first on (section 7.3); and the next keys (section 7.2).
 * false: the library fails. */
bool tls_record_begin(struct record_half *h, const struct record_suite *suite);
bool tls_record_update(struct record_half *h, const struct record_suite *suite);
/* Gives back what was lent, and forgets the keys. */
void tls_record_end(struct record_half *h);

/* Closes `size` bytes, at most RECORD_TEXT_MAX, into `to`, which has room for RECORD_ADDED more: how many
 * bytes there are then; 0: the library fails. */
size_t tls_record_close(struct record_half *h, const struct record_suite *suite, enum record_type type,
                    const char *data, size_t size, char *to);

/* A whole record that was received. */
struct record {
    char *data;                        /* opened, in its place */
    size_t size;
    unsigned char type;                /* enum record_type, or anything else */
};

/* Bytes of the record that begins at `data`, its head included; 0: its head is not whole yet. */
size_t tls_record_size(const char *data, size_t size);
/* Whether a record may begin so, which is known before it is whole: 0, or the alert it deserves. */
int tls_record_check(const char *data, size_t size);
/* Opens the whole record at `data`, which is overwritten.  Otherwise the alert it deserves (more than
 * 0). */
int tls_record_open(struct record_half *h, const struct record_suite *suite, char *data,
                struct record *r);

#endif
