/*
 * names: see names.h.  An answer is kept as the content of a file is: for each address a byte for its
 * length and its bytes, or a 0 and the reason why there is none.
 */
#include "config/names.h"

#include <netdb.h>

#include "base/cursor.h"
#include "config/kept_files.h"
#include "config/resolve.h"

enum { ANSWER_MAX = 1 << 20, V4_BYTES = 4, V6_BYTES = 16 };

static void put_address(struct out *o, const struct addrinfo *i)
{
    struct address a = { .len = i->ai_addrlen };

    if (i->ai_addrlen > sizeof a.in6)
        return;
    memcpy(&a.any, i->ai_addr, i->ai_addrlen);
    struct peer p = peer_of(&a);
    unsigned len = p.family == AF_INET ? V4_BYTES : V6_BYTES;
    out_u8(o, (uint8_t)len);
    out_bytes(o, p.ip, len);
}

static struct str ask(struct arena *a, struct str host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    struct out o = out_growing(a, ANSWER_MAX);
    int error = getaddrinfo(arena_str(a, host).data, NULL, &hints, &found);

    for (const struct addrinfo *i = error ? NULL : found; i; i = i->ai_next) {
        if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
            put_address(&o, i);
    }
    if (!error)
        freeaddrinfo(found);
    if (out_len(&o) == 0) {
        out_u8(&o, 0);
        out_str(&o, error ? str_of(gai_strerror(error)) : STR("it has no address"));
    }
    return out_str_of(&o);
}

/* false: it is no address. */
static bool take_address(struct cursor *c, unsigned port, struct address *a)
{
    unsigned len = cursor_u8(c);
    struct peer p = { .family = len == V4_BYTES ? AF_INET : AF_INET6, .port = (uint16_t)port };
    struct str bytes = cursor_str(c, len);

    if (bytes.len != V4_BYTES && bytes.len != V6_BYTES)
        return false;
    memcpy(p.ip, bytes.data, bytes.len);
    peer_to_address(&p, a);
    return true;
}

bool names_find(struct setting *s, struct str host, unsigned port, struct names_found *found)
{
    struct arena *scratch = &s->config->scratch;
    ARRAY(struct address) list = { 0 };
    struct str answer;

    *found = (struct names_found){ .problem = STR("the name is empty") };
    if (host.len == 0)
        return false;
    kept_files_make(s, arena_concat(scratch, STR("name:"), host), ask, host, &answer);
    struct cursor c = cursor_of(answer.data, answer.len);
    while (cursor_left(&c) > 0) {
        struct address a;
        if (!take_address(&c, port, &a))
            break;
        *ARRAY_PUSH(&list, scratch) = a;
    }
    found->problem = cursor_str(&c, cursor_left(&c));
    found->items = list.items;
    found->count = list.count;
    return list.count > 0;
}

static bool find_one(void *who, struct str host, struct sockaddr_storage *address, socklen_t *len,
                     struct str *problem)
{
    struct names_found found;

    if (!names_find(who, host, 0, &found)) {
        *problem = found.problem;
        return false;
    }
    *len = found.items[0].len;
    memcpy(address, &found.items[0].any, *len);
    return true;
}

struct syslog_names names_for_syslog(struct setting *s)
{
    return (struct syslog_names){ find_one, s };
}
