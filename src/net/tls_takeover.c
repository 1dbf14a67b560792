/*
 * tls_takeover: a server's connections of TLS 1.3, without the library once the handshake is over: it
 * gives its 14 KB back, and what is left are the keys.  The handshake is the library's alone: the secrets
 * come from its key log (RFC 8446 section 7.1), and nothing of the peer's was read behind its last
 * message.
 *
 * To write secrets down costs the library a twentieth of a handshake (OpenSSL 3.0), which each request
 * then gives back bit by bit: it is not done while there are few connections and those do not live
 * long.
 *
 * The library also keeps those connections whose clients may be asked for certificates, those that began
 * with early data, those of the kernel, and all below TLS 1.3.
 */
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/digest/hex.h"
#include "net/tls_private.h"

enum {
    NEW_SESSION_TICKET = 4, KEY_UPDATE = 24,   /* RFC 8446 section 4 */
    KEY_RECORDS = 1 << 24,             /* closed with one key: section 5.5 */
    IDLE_MAX = 32,                     /* records in a row that bring nothing */
    FEW = 128,                         /* connections whose memory is no matter */
    LIVES_LONG = 32,                   /* times that data came */
    SCORE_MAX = 256,                   /* connections: how long it takes to change our mind */
};

/* ---- during the handshake ---- */

/* "SERVER_TRAFFIC_SECRET_0 <random> <secret>" */
static bool read_secret(struct str line, struct str label, struct record_half *h)
{
    ptrdiff_t space = str_rindex(line, ' ');
    struct str secret = str_from(line, (size_t)(space + 1));

    if (!str_starts(line, label) || secret.len > 2 * sizeof h->secret)
        return false;
    for (size_t i = 0; i < secret.len / 2; i++)
        h->secret[i] = (unsigned char)(char_hex(secret.data[2 * i]) << 4 |
                                       char_hex(secret.data[2 * i + 1]));
    return true;
}

static void on_key(const SSL *ssl, const char *text)
{
    struct tls *t = SSL_get_app_data(ssl);
    struct str line = str_of(text);

    if (t->context->key_log)
        tls_log_key(t->context, text);
    if (!str_starts(line, STR("CLIENT_TRAFFIC_SECRET_0 ")) &&
        !str_starts(line, STR("SERVER_TRAFFIC_SECRET_0 ")))
        return;
    if (!t->taken && !(t->taken = calloc(1, sizeof *t->taken)))
        return;
    t->taken->in_known |= read_secret(line, STR("CLIENT_TRAFFIC_SECRET_0 "), &t->taken->in);
    t->taken->out_known |= read_secret(line, STR("SERVER_TRAFFIC_SECRET_0 "), &t->taken->out);
}

/* Tickets are the only records that a handshake closes with the keys of what comes behind it. */
static void on_message(int sent, int version, int type, const void *data, size_t size, SSL *ssl,
                       void *unused)
{
    struct tls *t = SSL_get_app_data(ssl);

    (void)version;
    (void)unused;
    if (sent && type == SSL3_RT_HANDSHAKE && size > 0 && t->taken &&
        *(const unsigned char *)data == NEW_SESSION_TICKET)
        t->taken->tickets += (unsigned)((size + RECORD_TEXT_MAX - 1) / RECORD_TEXT_MAX);
}

void tls_takeover_set(SSL_CTX *ctx, bool tells_keys)
{
    SSL_CTX_set_msg_callback(ctx, on_message);
    SSL_CTX_set_keylog_callback(ctx, tells_keys ? on_key : NULL);
}

/* ---- whether it pays ---- */

static unsigned open_now;
static int score = SCORE_MAX;

void tls_takeover_opened(void)
{
    open_now++;
}

void tls_takeover_closed(unsigned received)
{
    open_now--;
    score += received / LIVES_LONG ? (int)(received / LIVES_LONG) : -1;
    if (score > SCORE_MAX)
        score = SCORE_MAX;
    if (score < -SCORE_MAX)
        score = -SCORE_MAX;
}

void tls_takeover_prepare(const struct tls_context *x)
{
    bool wanted = x->key_log || ((open_now > FEW || score > 0) && !x->keeps_library &&
                                 x->verify == TLS_VERIFY_OFF);
    bool tells_keys = SSL_CTX_get_keylog_callback(x->ctx) != NULL;

    if (tells_keys != wanted && !tls_offload_running())        /* a thread may read it */
        SSL_CTX_set_keylog_callback(x->ctx, wanted ? on_key : NULL);
}

/* ---- its end ---- */

static const struct record_suite *suite_of(const struct tls *t)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);

    return cipher ? tls_record_suite_find(SSL_CIPHER_get_protocol_id(cipher)) : NULL;
}

static bool may_take(const struct tls *t)
{
    const struct tls_taken *k = t->taken;
    const SSL_SESSION *session = SSL_get0_session(t->ssl);

    return k && k->in_known && k->out_known && !t->kernel && !t->early_size &&
           !t->context->keeps_library && SSL_get_verify_mode(t->ssl) == SSL_VERIFY_NONE &&
           SSL_version(t->ssl) == TLS1_3_VERSION && SSL_is_init_finished(t->ssl) &&
           !SSL_has_pending(t->ssl) && session &&
           SSL_SESSION_get_max_fragment_length(session) == TLSEXT_max_fragment_length_DISABLED;
}

static bool take(struct tls *t)
{
    struct tls_taken *k = t->taken;

    if (!may_take(t) || !(k->suite = suite_of(t)) || !tls_record_begin(&k->in, k->suite) ||
        !tls_record_begin(&k->out, k->suite) || !(t->facts = tls_facts_new(t->ssl)))
        return false;
    k->out.sequence = k->tickets;
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);   /* its session is good */
    SSL_free(t->ssl);
    t->ssl = NULL;
    return true;
}

void tls_takeover(struct tls *t)
{
    if (!take(t)) {
        tls_takeover_free(t);
        SSL_set_read_ahead(t->ssl, 1);
    }
    ERR_clear_error();                 /* of a group whose name it does not know, for one */
}

void tls_takeover_free(struct tls *t)
{
    if (t->taken) {
        tls_record_end(&t->taken->in);
        tls_record_end(&t->taken->out);
    }
    free(t->taken);
    free(t->facts);
    t->taken = NULL;
    t->facts = NULL;
}

/* ---- sending ---- */

static void alert(struct tls *t, int what)
{
    const char text[2] = { what == ALERT_CLOSE_NOTIFY ? 1 : 2, (char)what };
    char space[sizeof text + RECORD_ADDED];
    size_t n = tls_record_close(&t->taken->out, t->taken->suite, RECORD_ALERT, text, sizeof text,
                                space);

    if (n)
        tls_io_put(t, space, n);
}

/* New keys come right before data, when they are due: a peer that asks for them again and again gets one
 * answer (section 4.6.3). */
bool tls_takeover_record(struct tls *t, const char *data, size_t size)
{
    static const char update[5] = { KEY_UPDATE, 0, 0, 1, 0 };
    struct tls_taken *k = t->taken;
    char *to = tls_io_room(t, size + sizeof update + 2 * RECORD_ADDED);

    if (!to)
        return false;
    k->idle = 0;                       /* who receives may change keys meanwhile */
    if (k->asked || k->out.sequence >= KEY_RECORDS) {
        k->asked = false;
        size_t n = tls_record_close(&k->out, k->suite, RECORD_HANDSHAKE, update, sizeof update, to);
        if (n == 0 || !tls_record_update(&k->out, k->suite))
            return false;
        tls_io_add(n);
        to += n;
    }
    size_t n = tls_record_close(&k->out, k->suite, RECORD_DATA, data, size, to);
    tls_io_add(n);
    return n != 0;
}

void tls_takeover_goodbye(struct tls *t)
{
    alert(t, ALERT_CLOSE_NOTIFY);
}

/* ---- what is not data ---- */

/* Section 4.6.3: 0, or the alert it deserves. */
static int update_keys(struct tls *t, int wanted)
{
    struct tls_taken *k = t->taken;

    if (wanted != 0 && wanted != 1)
        return ALERT_ILLEGAL_PARAMETER;
    if (wanted)
        k->asked = true;
    return tls_record_update(&k->in, k->suite) ? 0 : ALERT_INTERNAL_ERROR;
}

/* New keys are all that a client may still speak of; the message ends with its record (section 5.1). */
static int on_handshake(struct tls *t, const struct record *r)
{
    struct tls_taken *k = t->taken;

    if (r->size == 0 || r->size > sizeof k->message - k->message_size)
        return ALERT_UNEXPECTED_MESSAGE;
    memcpy(k->message + k->message_size, r->data, r->size);
    k->message_size = (unsigned char)(k->message_size + r->size);
    if (k->message[0] != KEY_UPDATE)
        return ALERT_UNEXPECTED_MESSAGE;
    if (k->message_size < sizeof k->message)
        return 0;
    k->message_size = 0;
    if (k->message[1] || k->message[2] || k->message[3] != 1)
        return ALERT_DECODE_ERROR;
    return update_keys(t, k->message[4]);
}

/* What one record means: 0: go on (its data, if it has any, is r->data); more: the alert that it
 * deserves; -1: the connection is over. */
static int judge(struct tls *t, struct record *r)
{
    struct tls_taken *k = t->taken;

    if (r->type == RECORD_DATA && r->size > 0) {
        k->idle = 0;
        return k->message_size ? ALERT_UNEXPECTED_MESSAGE : 0;
    }
    if (++k->idle > IDLE_MAX || (k->message_size && r->type != RECORD_HANDSHAKE))
        return ALERT_UNEXPECTED_MESSAGE;
    switch (r->type) {
    case RECORD_DATA:
        return 0;
    case RECORD_HANDSHAKE:
        return on_handshake(t, r);
    case RECORD_ALERT:
        if (r->size != 2)
            return ALERT_DECODE_ERROR;
        k->ended = r->data[1] == ALERT_CLOSE_NOTIFY;
        return k->ended || r->data[1] == ALERT_USER_CANCELED ? 0 : -1;
    default:
        return ALERT_UNEXPECTED_MESSAGE;
    }
}

/* ---- receiving ---- */

/* Where bytes of the peer's are opened: shared by all connections, used within one call. */
struct input {
    char *at, *end;                    /* not yet used */
    char *to;                          /* the owner's */
    size_t room, given;
    int bad;                           /* an alert; -1: the peer's; 0: all is well */
    char space[2 * RECORD_MAX];
};

/* Gives the owner what it has room for; the rest is moved to where the next record begins. */
static void give(struct tls *t, struct input *in, const struct record *r, char *next)
{
    size_t n = r->size < in->room ? r->size : in->room, left = r->size - n;

    memcpy(in->to, r->data, n);
    in->to += n;
    in->room -= n;
    in->given += n;
    in->at = next - left;
    if (left)
        memmove(in->at, r->data + n, left);
    t->taken->plain = (uint16_t)left;
}

static bool is_whole(const char *data, size_t size)
{
    size_t whole = tls_record_size(data, size);

    return whole != 0 && whole <= size;
}

/* Opens the records that are whole, as long as there is room for what is in them. */
static void open_records(struct tls *t, struct input *in)
{
    struct tls_taken *k = t->taken;

    while (!k->plain && !k->ended && in->room > 0 && is_whole(in->at, (size_t)(in->end - in->at))) {
        char *next = in->at + tls_record_size(in->at, RECORD_HEAD);
        struct record r;
        in->bad = tls_record_open(&k->in, k->suite, in->at, &r);
        if (!in->bad)
            in->bad = judge(t, &r);
        if (in->bad)
            return;
        in->at = next;
        if (r.type == RECORD_DATA)
            give(t, in, &r, next);
    }
}

/* More than 0: something came; otherwise as tls_io_recv(). */
static ssize_t receive(struct tls *t, struct input *in)
{
    size_t left = (size_t)(in->end - in->at);

    in->bad = tls_record_check(in->at, left);
    if (in->bad)
        return IO_AGAIN;
    memmove(in->space, in->at, left);
    in->at = in->space;
    in->end = in->space + left;
    ssize_t n = tls_io_recv(t, in->end, RECORD_MAX);
    if (n > 0)
        in->end += n;
    return n;
}

/* Whether the owner should call again though nothing more may come from the socket. */
static bool has_more(const struct tls *t)
{
    return t->broken || t->taken->ended || t->taken->plain ||
           (t->held && is_whole(t->held + t->held_at, t->held_end - t->held_at));
}

static ssize_t take_plain(struct tls *t, char *buffer, size_t size)
{
    struct tls_taken *k = t->taken;
    size_t n = tls_io_take(t, buffer, size < k->plain ? size : k->plain);

    k->plain = (uint16_t)(k->plain - n);
    return (ssize_t)n;
}

/* The peer has said goodbye, or its socket is at its end. */
static ssize_t at_end(struct tls *t)
{
    struct watch *w = &t->connection->watch;

    t->eof |= (w->ready & READY_EOF) != 0;
    w->ready |= READY_EOF;
    t->broken |= !t->taken->ended;
    return 0;
}

static ssize_t recv_records(struct tls *t, char *buffer, size_t size)
{
    static struct input in;
    ssize_t n = 1;

    in.at = in.space;
    in.end = in.space + tls_io_take(t, in.space, sizeof in.space);
    in.to = buffer;
    in.room = size;
    in.given = 0;
    in.bad = 0;
    open_records(t, &in);
    while (in.room > 0 && !in.given && !in.bad && !t->taken->ended && (n = receive(t, &in)) > 0)
        open_records(t, &in);
    if (in.bad > 0) {
        alert(t, in.bad);
        ERR_clear_error();
    }
    t->broken |= in.bad || n == IO_ERROR ||
                 !tls_io_hold(t, in.at, (size_t)(in.end - in.at));
    if (in.given)
        return (ssize_t)in.given;
    if (t->broken)
        return IO_ERROR;
    return n == 0 || t->taken->ended ? at_end(t) : IO_AGAIN;
}

ssize_t tls_takeover_recv(struct tls *t, char *buffer, size_t size)
{
    ssize_t n;

    if (t->taken->ended)
        return at_end(t);
    n = t->taken->plain ? take_plain(t, buffer, size) : recv_records(t, buffer, size);
    if (n > 0 && has_more(t))
        t->connection->watch.ready |= READY_READ;
    return n;
}
