/*
 * sub_match: see sub_match.h.
 */
#include "http/modules/sub_match.h"

static void mark_first(struct sub_texts *t)
{
    memset(t->first, 0, sizeof t->first);
    for (unsigned i = 0; i < t->count; i++) {
        const struct sub_text *s = &t->items[i];
        if (s->off || s->text.len == 0)
            continue;
        unsigned char c = (unsigned char)s->text.data[0];
        t->first[c] = 1;
        if (c >= 'a' && c <= 'z')
            t->first[c & 0xdf] = 1;
    }
}

void sub_texts_init(struct sub_texts *t, struct arena *a, const struct str *texts, unsigned count)
{
    *t = (struct sub_texts){ .items = ARENA_NEW_ARRAY(a, struct sub_text, count), .count = count };
    for (unsigned i = 0; i < count; i++) {
        char *lower = arena_alloc(a, texts[i].len + 1);
        for (size_t k = 0; k < texts[i].len; k++)
            lower[k] = char_lower(texts[i].data[k]);
        t->items[i].text = (struct str){ lower, texts[i].len };
        if (texts[i].len > t->longest)
            t->longest = texts[i].len;
    }
    mark_first(t);
}

void sub_texts_drop(struct sub_texts *t, unsigned i)
{
    t->items[i].off = true;
    mark_first(t);
}

bool sub_texts_left(const struct sub_texts *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (!t->items[i].off && t->items[i].text.len)
            return true;
    }
    return false;
}

/* How many bytes of `text` stand at the start of `s`. */
static size_t common(struct str s, struct str text)
{
    size_t n = s.len < text.len ? s.len : text.len, i = 0;

    while (i < n && char_lower(s.data[i]) == text.data[i])
        i++;
    return i;
}

static enum sub_found match_here(const struct sub_texts *t, struct str s, bool last,
                                 unsigned *which)
{
    for (unsigned i = 0; i < t->count; i++) {
        const struct sub_text *text = &t->items[i];
        if (text->off || text->text.len == 0)
            continue;
        size_t n = common(s, text->text);
        if (n == text->text.len) {
            *which = i;
            return SUB_FOUND;
        }
        if (n == s.len && !last)
            return SUB_MORE;
    }
    return SUB_NONE;
}

enum sub_found sub_match(const struct sub_texts *t, struct str subject, bool last, size_t *at,
                         unsigned *which)
{
    for (size_t i = 0; i < subject.len; i++) {
        if (!t->first[(unsigned char)subject.data[i]])
            continue;
        enum sub_found found = match_here(t, str_from(subject, i), last, which);
        if (found != SUB_NONE) {
            *at = i;
            return found;
        }
    }
    return SUB_NONE;
}
