/*
 * explain_print: an explanation as a text for people, and as JSON for tools.
 */
#include "http/escape.h"
#include "http/explain.h"

enum { PART = 14, WHAT = 44, DIRECTIVE = 56, OUT_MAX = 1 << 24 };

struct page {
    FILE *f;
    struct arena arena;
    bool colour;
    struct str folder;
};

/* ---- what can be shown ---- */

/* Second bytes that make a longer form of a short character, a surrogate, or more than U+10FFFF: RFC 3629
 * section 4. */
static bool is_misused(unsigned char first, unsigned char second)
{
    return (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
           (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
}

/* Bytes of the character of UTF-8 that `s` begins with; 0: it begins with none, or with one that would
 * steer a terminal. */
static size_t character(struct str s)
{
    unsigned char first = (unsigned char)s.data[0];
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3
                                                                    : first < 0xf5 ? 4 : 0;

    if (len > s.len || first < ' ' || first == 0x7f)
        return 0;
    if (len > 1 && is_misused(first, (unsigned char)s.data[1]))
        return 0;
    if (first == 0xc2 && (unsigned char)s.data[1] < 0xa0)      /* C1 controls */
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s.data[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

/* All else as "\x1b": a path may hold any byte. */
static struct str visible(struct arena *a, struct str s)
{
    struct out o = out_growing(a, OUT_MAX);

    while (s.len > 0) {
        size_t len = character(s);
        if (len > 0)
            out_bytes(&o, s.data, len);
        else {
            OUT_LITERAL(&o, "\\x");
            out_hex(&o, (unsigned char)s.data[0], 2);
        }
        s = str_from(s, len ? len : 1);
    }
    return out_str_of(&o);
}

/* ---- for people ---- */

#define BOLD "\33[1m"
#define DIM "\33[2m"
#define RED "\33[31m"
#define GREEN "\33[32m"
#define YELLOW "\33[33m"
#define CYAN "\33[36m"

static const struct {
    const char *sign, *colour, *name;
} marks[] = {
    [EXPLAIN_PLAIN] = { " ", "", "note" },
    [EXPLAIN_NO] = { "-", DIM, "no" },
    [EXPLAIN_YES] = { "+", GREEN, "yes" },
    [EXPLAIN_CHOSEN] = { ">", BOLD GREEN, "chosen" },
    [EXPLAIN_GOES] = { ">", CYAN, "goes" },
    [EXPLAIN_REFUSED] = { "!", RED, "refused" },
    [EXPLAIN_ASSUMED] = { "?", YELLOW, "assumed" },
};

static void put(struct page *p, const char *colour, struct str text)
{
    bool on = p->colour && *colour && text.len;

    text = visible(&p->arena, text);
    fprintf(p->f, "%s%.*s%s", on ? colour : "", STR_ARG(text), on ? "\33[0m" : "");
}

/* Characters, not bytes, of a UTF-8 text. */
static size_t width(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return n;
}

static void pad(struct page *p, struct str text, size_t to)
{
    size_t n = width(text);

    fprintf(p->f, "%*s", n + 2 < to ? (int)(to - n) : 2, "");
}

static void put_place(struct page *p, struct str place)
{
    if (p->folder.len && str_starts(place, p->folder))
        place = str_from(place, p->folder.len);
    put(p, DIM, place);
    fputc('\n', p->f);
}

/* "Server      example.com      why      file:line" */
static void put_head(struct page *p, const char *part, struct str what, struct str why,
                     struct str place)
{
    put(p, BOLD, str_of(part));
    pad(p, str_of(part), PART);
    put(p, BOLD, what);
    pad(p, what, WHAT);
    put(p, "", why);
    if (place.len) {
        fputs("  ", p->f);
        put_place(p, place);
    } else
        fputc('\n', p->f);
}

static void put_line(struct page *p, const struct explain_line *l, const char *before)
{
    bool again = before && strcmp(before, l->part) == 0;
    struct str part = again ? STR("") : str_of(l->part);

    put(p, BOLD, part);
    pad(p, part, PART);
    put(p, marks[l->mark].colour, str_of(marks[l->mark].sign));
    fputc(' ', p->f);
    put(p, marks[l->mark].colour, l->what);
    if (l->result.len || l->place.len)
        pad(p, l->what, WHAT - 2);
    put(p, l->mark == EXPLAIN_NO ? DIM : "", l->result);
    if (l->place.len) {
        fputs(l->result.len ? "  " : "", p->f);
        put_place(p, l->place);
    } else
        fputc('\n', p->f);
}

static void put_directives(struct page *p, const struct explain *e)
{
    fputc('\n', p->f);
    put_head(p, "directives", e->location, STR("what counts there"), e->location_place);
    for (unsigned i = 0; i < e->directives.count; i++) {
        const struct explain_directive *d = &e->directives.items[i];
        fprintf(p->f, "%*s", PART, "");
        put(p, d->from.len ? "" : BOLD, d->text);
        pad(p, d->text, DIRECTIVE);
        if (d->from.len) {
            put(p, DIM, STR("of "));
            put(p, DIM, d->from);
            fputs("  ", p->f);
        }
        put_place(p, d->place);
    }
}

static void put_field(struct page *p, struct str field)
{
    fprintf(p->f, "%*s", PART, "");
    put(p, "", field);
    fputc('\n', p->f);
}

void explain_print(const struct explain *e, struct str folder, FILE *f, bool colour)
{
    struct page p = { .f = f, .colour = colour, .folder = folder };
    const char *before = NULL;

    arena_init(&p.arena);
    put(&p, BOLD, e->method);
    fputc(' ', f);
    put(&p, BOLD, e->url);
    fputs("\n\n", f);
    put_head(&p, "listener", e->listener, e->listener_why, e->listener_place);
    if (e->server_why.len)
        put_head(&p, "server", e->server.len ? e->server : STR("\"\""), e->server_why,
                 e->server_place);
    for (unsigned i = 0; i < e->lines.count; i++) {
        if (!before || strcmp(before, e->lines.items[i].part) != 0)
            fputc('\n', f);
        put_line(&p, &e->lines.items[i], before);
        before = e->lines.items[i].part;
    }
    fputc('\n', f);
    put(&p, BOLD, STR("response"));
    pad(&p, STR("response"), PART);
    put(&p, e->status == 0 || e->status >= 400 ? BOLD RED : BOLD GREEN, e->outcome);
    fputc('\n', f);
    for (unsigned i = 0; i < e->fields.count; i++)
        put_field(&p, e->fields.items[i]);
    if (e->location.len)
        put_directives(&p, e);
    arena_fini(&p.arena);
}

/* ---- for tools ---- */

static void json_text(struct out *o, struct str text)
{
    out_char(o, '"');
    escape_json(o, visible(o->arena, text));
    out_char(o, '"');
}

static void json_member(struct out *o, const char *separator, const char *name, struct str text)
{
    out_printf(o, "%s\"%s\": ", separator, name);
    json_text(o, text);
}

static void json_line(struct out *o, const struct explain_line *l)
{
    json_member(o, "    {", "part", str_of(l->part));
    json_member(o, ", ", "mark", str_of(marks[l->mark].name));
    json_member(o, ", ", "what", l->what);
    json_member(o, ", ", "result", l->result);
    json_member(o, ", ", "place", l->place);
    out_char(o, '}');
}

static void json_directive(struct out *o, const struct explain_directive *d)
{
    json_member(o, "    {", "text", d->text);
    json_member(o, ", ", "from", d->from);
    json_member(o, ", ", "place", d->place);
    out_char(o, '}');
}

static void json_object(struct out *o, const char *name, struct str what, struct str why,
                        struct str place)
{
    out_printf(o, ",\n  \"%s\": ", name);
    json_member(o, "{", "name", what);
    json_member(o, ", ", "why", why);
    json_member(o, ", ", "place", place);
    out_char(o, '}');
}

static void json_response(struct out *o, const struct explain *e)
{
    out_printf(o, ",\n  \"response\": {\"status\": %u", e->status);
    json_member(o, ", ", "outcome", e->outcome);
    OUT_LITERAL(o, ", \"fields\": [");
    for (unsigned i = 0; i < e->fields.count; i++) {
        out_str(o, i ? STR(", ") : STR(""));
        json_text(o, e->fields.items[i]);
    }
    OUT_LITERAL(o, "]}");
}

void explain_print_json(const struct explain *e, FILE *f)
{
    struct arena arena;

    arena_init(&arena);
    struct out o = out_growing(&arena, OUT_MAX);
    json_member(&o, "{\n  ", "method", e->method);
    json_member(&o, ",\n  ", "url", e->url);
    json_object(&o, "listener", e->listener, e->listener_why, e->listener_place);
    json_object(&o, "server", e->server, e->server_why, e->server_place);
    OUT_LITERAL(&o, ",\n  \"steps\": [");
    for (unsigned i = 0; i < e->lines.count; i++) {
        out_str(&o, i ? STR(",\n") : STR("\n"));
        json_line(&o, &e->lines.items[i]);
    }
    OUT_LITERAL(&o, "]");
    json_response(&o, e);
    json_object(&o, "location", e->location, STR(""), e->location_place);
    OUT_LITERAL(&o, ",\n  \"directives\": [");
    for (unsigned i = 0; i < e->directives.count; i++) {
        out_str(&o, i ? STR(",\n") : STR("\n"));
        json_directive(&o, &e->directives.items[i]);
    }
    OUT_LITERAL(&o, "]\n}\n");
    fwrite(o.start, 1, out_len(&o), f);
    arena_fini(&arena);
}
