/*
 * forwarded: see forwarded.h.
 */
#include "script/forwarded.h"

static bool is_trusted(const struct forwarded *f, const struct peer *p)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (cidr_contains(&f->trusted[i], p))
            return true;
    }
    return false;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* Cuts the last address off *line; empty: there is none. */
static struct str take_last(struct str *line)
{
    size_t end = line->len;

    while (end > 0 && is_separator(line->data[end - 1]))
        end--;

    size_t start = end;

    while (start > 0 && !is_separator(line->data[start - 1]))
        start--;
    line->len = start;
    return (struct str){ line->data + start, end - start };
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". */
static bool read_peer(struct str s, struct peer *p)
{
    struct address a;
    ptrdiff_t colon = str_rindex(s, ':');
    unsigned port;

    if (address_parse_ip(s, 0, &a)) {
        *p = peer_of(&a);
        return true;
    }
    if (colon <= 0 || !str_to_uint(str_from(s, (size_t)colon + 1), 65535, &port))
        return false;
    s = str_first(s, (size_t)colon);
    if (s.data[s.len - 1] != ']' && str_index(s, ':') >= 0)
        return false;
    if (!address_parse_ip(s, port, &a))
        return false;
    *p = peer_of(&a);
    return true;
}

bool forwarded_follow(const struct forwarded *f, struct str line, struct peer *p)
{
    do {
        struct str text;

        if (!is_trusted(f, p))
            return false;
        text = take_last(&line);
        if (text.len == 0 || !read_peer(text, p))
            return false;
    } while (f->recursive && line.len > 0);
    return f->recursive;
}
