/*
 * dns: see dns.h.
 */
#include "net/dns.h"

enum {
    CLASS_IN = 1,
    LABEL_MAX = 63,
    MAX_JUMPS = DNS_NAME_MAX / 2,      /* no name has more labels */
    MAX_PASSES = 8,                    /* over records whose aliases stand out of order */
    FLAG_REPLY = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION = 0x0100,
    MASK_OPCODE = 0x7800,
    MASK_CODE = 0x000f,
};

/* ---- names ---- */

static bool add_label(struct dns_name *n, const void *label, size_t len)
{
    const char *from = label;

    if (len > LABEL_MAX || n->len + len + 2 > DNS_NAME_MAX)
        return false;
    n->wire[n->len++] = (unsigned char)len;
    for (size_t i = 0; i < len; i++)
        n->wire[n->len++] = (unsigned char)char_lower(from[i]);
    return true;
}

static void end_name(struct dns_name *n)
{
    n->wire[n->len++] = 0;
}

bool dns_name_parse(struct dns_name *n, struct str text)
{
    n->len = 0;
    if (text.len && text.data[text.len - 1] == '.')
        text.len--;
    if (text.len == 0)
        return false;
    for (struct str rest = text; rest.data;) {
        struct str label = str_split(&rest, '.');
        if (label.len == 0 || !add_label(n, label.data, label.len))
            return false;
    }
    end_name(n);
    return true;
}

static void put_char(struct out *o, unsigned char c)
{
    if (c > ' ' && c < 0x7f && c != '.' && c != '\\') {
        out_char(o, (char)c);
        return;
    }
    out_char(o, '\\');
    out_padded(o, c, 3);
}

void dns_name_put(struct out *o, const struct dns_name *n)
{
    struct cursor c = cursor_of(n->wire, n->len);

    for (unsigned len = cursor_u8(&c); len; len = cursor_u8(&c)) {
        struct str label = cursor_str(&c, len);
        for (size_t i = 0; i < label.len; i++)
            put_char(o, (unsigned char)label.data[i]);
        if (cursor_left(&c) > 1)
            out_char(o, '.');
    }
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
    return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

void dns_name_reverse(struct dns_name *n, const unsigned char *ip, bool v6)
{
    char space[80];
    struct out o = out_fixed(space, sizeof space);

    for (unsigned i = v6 ? 16 : 4; i-- > 0;) {
        if (v6)
            out_printf(&o, "%x.%x.", ip[i] & 15u, ip[i] >> 4);
        else
            out_printf(&o, "%u.", ip[i]);
    }
    out_str(&o, v6 ? STR("ip6.arpa") : STR("in-addr.arpa"));
    dns_name_parse(n, out_str_of(&o));
}

/* ---- a question ---- */

void dns_put_query(struct out *o, uint16_t id, const struct dns_name *name, enum dns_type type)
{
    out_u16(o, id);
    out_u16(o, FLAG_RECURSION);
    out_u16(o, 1);                     /* one question, no records */
    out_u16(o, 0);
    out_u16(o, 0);
    out_u16(o, 0);
    out_bytes(o, name->wire, name->len);
    out_u16(o, (uint16_t)type);
    out_u16(o, CLASS_IN);
}

/* ---- a reply ---- */

/* A reply being read. */
struct reading {
    struct cursor at, message;
    struct arena *arena;
};

/*
 * RFC 1035 section 4.1.4.  A pointer leads to what stands before the name it is part of, so that there
 * is no loop; the bound on jumps is for names that are nothing but pointers.
 */
static bool read_name(struct reading *r, struct dns_name *n)
{
    struct cursor *c = &r->at, jumped;
    const unsigned char *before = c->at;

    n->len = 0;
    for (unsigned jumps = 0; jumps < MAX_JUMPS;) {
        unsigned len = cursor_u8(c);
        if (len == 0) {
            end_name(n);
            return !c->bad;
        }
        if (len <= LABEL_MAX) {
            struct str label = cursor_str(c, len);
            if (c->bad || !add_label(n, label.data, label.len))
                return false;
            continue;
        }
        size_t offset = (size_t)(len & LABEL_MAX) << 8 | cursor_u8(c);
        if (len < 0xc0 || c->bad || offset >= (size_t)(before - r->message.at))
            return false;
        jumped = r->message;
        jumped.at += offset;
        before = jumped.at;
        c = &jumped;
        jumps++;
    }
    return false;
}

struct record_head {
    struct dns_name owner;
    unsigned type, class;
    uint32_t ttl;
    const unsigned char *data_end;
};

static bool read_record_head(struct reading *r, struct record_head *h)
{
    if (!read_name(r, &h->owner))
        return false;
    h->type = cursor_u16(&r->at);
    h->class = cursor_u16(&r->at);
    h->ttl = cursor_u32(&r->at);
    unsigned len = cursor_u16(&r->at);
    if (r->at.bad || cursor_left(&r->at) < len)
        return false;
    h->data_end = r->at.at + len;
    if (h->ttl > INT32_MAX)
        h->ttl = 0;                    /* RFC 2181 section 8 */
    return true;
}

static const struct dns_name *read_target(struct reading *r)
{
    struct dns_name n;

    if (!read_name(r, &n))
        return NULL;
    size_t size = offsetof(struct dns_name, wire) + n.len;
    struct dns_name *kept = arena_try_alloc(r->arena, size);
    if (kept)
        memcpy(kept, &n, size);
    return kept;
}

static bool read_data(struct reading *r, const struct record_head *h, struct dns_record *record)
{
    size_t ip_len = h->type == DNS_A ? 4 : 16;

    *record = (struct dns_record){ .type = (enum dns_type)h->type };
    if (h->type == DNS_A || h->type == DNS_AAAA) {
        if ((size_t)(h->data_end - r->at.at) != ip_len)
            return false;
        memcpy(record->ip, cursor_take(&r->at, ip_len), ip_len);
        return true;
    }
    if (h->type == DNS_SRV) {
        record->priority = cursor_u16(&r->at);
        record->weight = cursor_u16(&r->at);
        record->port = cursor_u16(&r->at);
    }
    record->target = read_target(r);
    return record->target && r->at.at == h->data_end;
}

static void note_ttl(struct dns_reply *reply, uint32_t ttl)
{
    if (ttl < reply->ttl)
        reply->ttl = ttl;
}

/*
 * One pass over the records of the answer.  `tail` is the end of the chain of aliases so far: an alias of
 * it makes the chain longer, records of the wanted type count where they belong to it.  false: malformed.
 */
static bool walk(struct reading r, unsigned count, enum dns_type type, struct dns_name *tail,
                 struct dns_reply *reply)
{
    for (unsigned i = 0; i < count; i++) {
        struct record_head h;
        if (!read_record_head(&r, &h))
            return false;
        bool ours = h.class == CLASS_IN && dns_name_eq(&h.owner, tail);
        if (ours && h.type == DNS_CNAME) {
            if (!read_name(&r, tail) || r.at.at != h.data_end)
                return false;
            note_ttl(reply, h.ttl);
            reply->alias = *tail;
        } else if (ours && reply->records && h.type == (unsigned)type &&
                   reply->count < DNS_MAX_RECORDS) {
            if (!read_data(&r, &h, &reply->records[reply->count]))
                return false;
            reply->count++;
            note_ttl(reply, h.ttl);
        }
        r.at.at = h.data_end;
    }
    return true;
}

/* The aliases may stand in any order: until a pass finds no more.  Then the records. */
static enum dns_result read_answer(struct reading *r, unsigned count, const struct dns_name *name,
                                   enum dns_type type, struct dns_reply *reply)
{
    struct dns_name tail = *name, before;
    unsigned passes = 0;

    do {
        before = tail;
        if (!walk(*r, count, type, &tail, reply) || passes++ == MAX_PASSES)
            return DNS_MALFORMED;
    } while (!dns_name_eq(&before, &tail));
    reply->records = arena_try_alloc(r->arena, (count < DNS_MAX_RECORDS ? count : DNS_MAX_RECORDS) *
                                                   sizeof *reply->records);
    if (!reply->records || !walk(*r, count, type, &tail, reply))
        return DNS_MALFORMED;
    return DNS_REPLY;
}

static bool question_fits(struct reading *r, const struct dns_name *name, enum dns_type type)
{
    const unsigned char *p = cursor_take(&r->at, name->len);

    return p && memcmp(p, name->wire, name->len) == 0 && cursor_u16(&r->at) == type &&
           cursor_u16(&r->at) == CLASS_IN && !r->at.bad;
}

enum dns_result dns_read_reply(struct str message, uint16_t id, const struct dns_name *name,
                               enum dns_type type, struct arena *arena, struct dns_reply *reply)
{
    struct reading r = { .message = cursor_of(message.data, message.len), .arena = arena };

    *reply = (struct dns_reply){ .ttl = INT32_MAX };
    r.at = r.message;
    bool same = cursor_u16(&r.at) == id;
    unsigned flags = cursor_u16(&r.at), questions = cursor_u16(&r.at), answers = cursor_u16(&r.at);
    cursor_u32(&r.at);                 /* authority and additional records are not looked at */
    if (r.at.bad || !same || !(flags & FLAG_REPLY) || (flags & MASK_OPCODE))
        return DNS_FOREIGN;
    reply->code = flags & MASK_CODE;
    /* Some servers don't repeat a question that they refuse. */
    if (questions == 0 && reply->code != DNS_OK)
        return DNS_REPLY;
    if (questions != 1 || !question_fits(&r, name, type))
        return DNS_FOREIGN;
    reply->truncated = (flags & FLAG_TRUNCATED) != 0;
    if (reply->truncated || reply->code != DNS_OK || answers == 0)
        return DNS_REPLY;
    return read_answer(&r, answers, name, type, reply);
}

const char *dns_code_text(unsigned code)
{
    static const char *const texts[] = {
        "no error", "Format error", "Server failure", "Host not found", "Unimplemented",
        "Operation refused",
    };

    return code < sizeof texts / sizeof texts[0] ? texts[code] : "Unknown error";
}
