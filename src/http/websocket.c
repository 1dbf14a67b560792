/*
 * websocket: see websocket.h.
 */
#include "http/websocket.h"

#include "base/digest/base64.h"
#include "base/digest/sha1.h"
#include "base/random.h"

enum {
    KEY_SIZE = 16,
    TEXT_SIZE = 32,                    /* of base64: enough for a key and for a digest */
};

static struct header *find(const struct headers *h, struct str name)
{
    for (unsigned i = 0; i < h->list.count; i++) {
        if (str_eq_nocase(h->list.items[i].name, name))
            return &h->list.items[i];
    }
    return NULL;
}

bool websocket_is_key(struct str name)
{
    return str_eq_nocase(name, STR("sec-websocket-key"));
}

static const struct header *key_of(const struct request *r)
{
    return find(&r->headers, STR("sec-websocket-key"));
}

bool websocket_has_key(const struct request *r)
{
    return key_of(r) != NULL;
}

static struct header *proof_of(const struct headers *answer)
{
    return find(answer, STR("sec-websocket-accept"));
}

void websocket_put_key(struct request *r)
{
    char bytes[KEY_SIZE], text[TEXT_SIZE];
    struct out o = out_fixed(text, sizeof text);

    if (key_of(r))
        return;
    random_bytes(bytes, sizeof bytes);
    base64_encode(&o, (struct str){ bytes, sizeof bytes });
    headers_add(&r->headers, &r->arena, STR("sec-websocket-key"), arena_str(&r->arena, out_str_of(&o)));
}

/* What proves that a key has been seen (section 4.2.2, step 5.4). */
static struct str proof_by(struct str key, char text[TEXT_SIZE])
{
    unsigned char digest[SHA1_SIZE];
    struct out o = out_fixed(text, TEXT_SIZE);
    struct sha1 h;

    sha1_init(&h);
    sha1_update(&h, key);
    sha1_update(&h, STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    sha1_final(&h, digest);
    base64_encode(&o, (struct str){ (const char *)digest, sizeof digest });
    return out_str_of(&o);
}

bool websocket_accepted(const struct request *r, const struct headers *answer)
{
    const struct header *proof = proof_of(answer), *key = key_of(r);
    char text[TEXT_SIZE];

    return headers_nominate(answer, STR("upgrade")) &&
           str_eq_nocase(headers_value(answer, HEADER_UPGRADE), STR("websocket")) && proof && key &&
           str_eq(str_trim(proof->value), proof_by(key->value, text));
}

void websocket_accept(struct request *r)
{
    char text[TEXT_SIZE];
    struct str proof = proof_by(key_of(r)->value, text);

    headers_add(&r->response.headers, &r->arena, STR("Upgrade"), STR("websocket"));
    headers_add(&r->response.headers, &r->arena, STR("Sec-WebSocket-Accept"), arena_str(&r->arena, proof));
}

void websocket_hide_proof(struct headers *answer)
{
    struct header *proof = proof_of(answer);

    if (proof)
        proof->hidden = true;
}
