/*
 * ssl_files: see ssl_files.h.
 */
#include "http/modules/ssl/ssl_files.h"

#include <errno.h>

#include "config/kept_files.h"
#include "http/http.h"

struct setting ssl_files_line(const struct setting *s, const char *name, unsigned index)
{
    struct setting place = *s;

    for (const struct block *b = s->block; b && b->node; b = b->parent) {
        const struct node *n = tree_find(b->node->children, str_of(name)), *next = n;
        for (; n && index > 0 && (next = tree_find(n->next, str_of(name))); index--)
            n = next;
        if (!n)
            continue;
        place.node = n;
        break;
    }
    return place;
}

/* What is wrong with a file is shown at its name, where there is a line with one. */
static unsigned word_of(const struct setting *place)
{
    return place->node->count > 1 && !place->node->block ? 1 : 0;
}

bool ssl_files_read(const struct setting *s, const char *name, unsigned index, struct str path,
                    struct tls_text *text)
{
    struct setting place = *s;

    if (!path.data)
        return true;
    text->name = path;
    if (kept_files_read(&place, path, &text->content))
        return true;
    int error = errno;
    place = ssl_files_line(s, name, index);
    return setting_errno(&place, word_of(&place), error, "cannot load \"%.*s\"", STR_ARG(path));
}

bool ssl_files_read_text(const struct setting *s, const char *name, unsigned index,
                         const struct template *t, struct tls_text *text)
{
    if (!str_starts(t->text, STR("data:")))
        return ssl_files_read(s, name, index, t->text, text);
    *text = (struct tls_text){ STR("data:..."), str_from(t->text, 5) };
    return true;
}

bool ssl_files_passwords(const struct setting *s, const char *name, struct str path,
                         struct tls_settings *to)
{
    struct arena *a = setting_arena(s);
    struct tls_text text = { 0 };
    ARRAY(struct str) all = { 0 };

    if (!ssl_files_read(s, name, 0, path, &text))
        return false;
    for (struct str rest = text.content; rest.data;) {
        struct str line = str_split(&rest, '\n');
        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len)
            *ARRAY_PUSH(&all, a) = arena_str(a, line);
    }
    to->passwords = all.items;
    to->password_count = all.count;
    return true;
}

/* NULL: it is in no file, or in one that is not watched. */
static const struct tls_text *text_about(const struct tls_settings *t, enum tls_subject about)
{
    switch (about) {
    case TLS_ABOUT_DHPARAM:
        return &t->dhparam;
    case TLS_ABOUT_CLIENT_CA:
        return &t->client_ca;
    case TLS_ABOUT_TRUSTED:
        return &t->trusted;
    case TLS_ABOUT_CRL:
        return &t->crl;
    default:
        return NULL;
    }
}

static void blame(const struct setting *s, const struct tls_text *text)
{
    if (text && text->name.data)
        kept_files_blame(s, text->name);
}

/* A certificate and its key are no good if one of them is. */
static void blame_files(const struct setting *s, const struct tls_settings *t,
                        const struct tls_error *e)
{
    bool of_pair = e->about == TLS_ABOUT_CERTIFICATE || e->about == TLS_ABOUT_KEY;

    if (of_pair && e->index < t->pair_count) {
        blame(s, &t->pairs[e->index].certificate);
        blame(s, &t->pairs[e->index].key);
    }
    blame(s, text_about(t, e->about));
}

bool ssl_files_tell(const struct setting *s, const char *const *names, const struct tls_settings *t,
                    const struct tls_error *e)
{
    struct setting place = ssl_files_line(s, names[e->about], e->index);

    blame_files(s, t, e);
    if (e->advice)
        return setting_error_hint(&place, word_of(&place), str_of(e->advice), "%s", e->text);
    return setting_error(&place, word_of(&place), "%s", e->text);
}

struct str ssl_files_name(struct request *r, const struct template *t)
{
    struct str value = template_value_nul(t, request_script(r));

    if (value.len == 0 || str_starts(value, STR("data:")) || str_starts(value, STR("/")))
        return value;
    return arena_concat(&r->arena, r->server->http->conf_prefix, value);
}
