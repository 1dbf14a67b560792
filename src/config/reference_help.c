/*
 * reference_help: `weir help NAME`, for a terminal.
 */
#include <stdlib.h>
#include <unistd.h>

#include "config/reference.h"
#include "config/reference_rows.h"
#include "config/types.h"

enum { WIDTH = 80, MARGIN = 4, LABEL = 10, SUGGESTIONS = 5 };

struct page {
    FILE *f;
    struct arena arena;
    const char *bold, *dim, *end;
};

static struct page page_of(FILE *f)
{
    struct page p = { .f = f, .bold = "", .dim = "", .end = "" };
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    arena_init(&p.arena);
    if (isatty(fileno(f)) && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color)) {
        p.bold = "\x1b[1m";
        p.dim = "\x1b[2m";
        p.end = "\x1b[0m";
    }
    return p;
}

/* Prints a text from column `column` on, where the cursor stands, and breaks its lines to there. */
static void print_wrapped(struct page *p, struct str text, unsigned column)
{
    unsigned at = column;

    while (text.data) {
        struct str word = str_split(&text, ' ');
        if (at > column && at + 1 + word.len > WIDTH - 2) {
            fprintf(p->f, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', p->f);
            at++;
        }
        fwrite(word.data, 1, word.len, p->f);
        at += (unsigned)word.len;
    }
    fputc('\n', p->f);
}

static void print_field(struct page *p, const char *label, struct str text)
{
    if (text.len == 0)
        return;
    fprintf(p->f, "%*s%s%-*s%s", MARGIN, "", p->dim, LABEL, label, p->end);
    print_wrapped(p, text, MARGIN + LABEL);
}

static struct str syntax_line(struct page *p, const struct directive *row)
{
    struct out o = out_growing(&p->arena, SIZE_MAX);

    out_str(&o, str_of(row->name));
    size_t name = out_len(&o);
    out_char(&o, ' ');
    reference_syntax(&o, row);
    if (out_len(&o) == name + 1)
        o.at--;
    if (!row->open && !(row->flags & FREE_BLOCK))
        out_char(&o, ';');
    return out_str_of(&o);
}

static void print_row(struct page *p, const char *module, const struct directive *row)
{
    struct out contexts = out_growing(&p->arena, SIZE_MAX), remarks = out_growing(&p->arena, 1024);
    const char *initial = reference_default(row);
    const struct type *t = row->type;
    size_t used = strlen(row->name) + strlen(module);

    reference_contexts(&contexts, row->contexts);
    reference_remarks(&remarks, row);
    fprintf(p->f, "%s%s%s%*s%s%s%s\n\n", p->bold, row->name, p->end,
            used + 4 < WIDTH ? (int)(WIDTH - 2 - used) : 2, "", p->dim, module, p->end);
    print_field(p, "syntax", syntax_line(p, row));
    if (t && t != &type_flag && t != &type_enum && t != &type_accepted && t->expected)
        print_field(p, "value", str_of(t->expected));
    print_field(p, "default", initial ? str_of(*initial ? initial : "\"\"") : STR("none"));
    print_field(p, "context", out_str_of(&contexts));
    fprintf(p->f, "\n%*s", MARGIN, "");
    print_wrapped(p, str_of(row->help ? row->help : ""), MARGIN);
    if (out_len(&remarks)) {
        fprintf(p->f, "%*s", MARGIN, "");
        print_wrapped(p, out_str_of(&remarks), MARGIN);
    }
}

/* "http_autoindex" and "autoindex_module" will do for "ngx_http_autoindex_module". */
static bool names_module(struct str asked, struct str module)
{
    if (str_starts(asked, STR("ngx_")))
        asked = str_from(asked, 4);
    if (str_ends(asked, STR("_module")))
        asked.len -= 7;
    if (str_starts(module, STR("ngx_")))
        module = str_from(module, 4);
    if (str_ends(module, STR("_module")))
        module.len -= 7;
    return asked.len && str_eq(asked, module);
}

static bool help_of_directive(struct page *p, const struct reference_groups *groups,
                              struct str name)
{
    bool found = false;

    for (unsigned i = 0; i < groups->list.count; i++) {
        const struct reference_group *g = &groups->list.items[i];
        for (unsigned j = 0; j < g->rows.count; j++) {
            if (!str_eq(str_of(g->rows.items[j]->name), name))
                continue;
            if (found)
                fputs("\n\n", p->f);
            print_row(p, g->name, g->rows.items[j]);
            found = true;
        }
    }
    return found;
}

static bool help_of_module(struct page *p, const struct reference_groups *groups, struct str name)
{
    for (unsigned i = 0; i < groups->list.count; i++) {
        const struct reference_group *g = &groups->list.items[i];
        if (!names_module(name, str_of(g->name)))
            continue;
        fprintf(p->f, "%s%s%s\n", p->bold, g->name, p->end);
        for (unsigned j = 0; j < g->rows.count; j++) {
            struct str line = syntax_line(p, g->rows.items[j]);
            fprintf(p->f, "\n%*s", MARGIN, "");
            print_wrapped(p, line, 2 * MARGIN);
            fprintf(p->f, "%*s", 2 * MARGIN, "");
            print_wrapped(p, str_of(g->rows.items[j]->help ? g->rows.items[j]->help : ""),
                          2 * MARGIN);
        }
        return true;
    }
    return false;
}

/* ---- names that are not there ---- */

struct suggestion {
    const char *name;
    unsigned distance;
};

/* What differs by a slip of the keys is nearest; then, the shorter the nearer, what holds the
 * word. */
static unsigned distance_of(struct str asked, struct str name)
{
    unsigned distance = str_distance(asked, name), limit = (unsigned)(asked.len / 3) + 1;

    if (distance <= 2)
        return distance;

    if (asked.len >= 3 && str_find_nocase(name, asked) >= 0)
        return limit + (unsigned)(name.len - asked.len);
    return distance <= limit ? distance : ~0u;
}

static void suggest(struct suggestion *best, const char *name, unsigned distance)
{
    unsigned i = SUGGESTIONS;

    for (unsigned j = 0; j < SUGGESTIONS; j++) {
        if (best[j].name && strcmp(best[j].name, name) == 0)
            return;
    }
    while (i > 0 && (!best[i - 1].name || distance < best[i - 1].distance)) {
        if (i < SUGGESTIONS)
            best[i] = best[i - 1];
        i--;
    }
    if (i < SUGGESTIONS)
        best[i] = (struct suggestion){ name, distance };
}

static void no_help(struct page *p, const struct reference_groups *groups, struct str asked)
{
    struct suggestion best[SUGGESTIONS] = { { 0 } };

    for (unsigned i = 0; i < groups->list.count; i++) {
        const struct reference_group *g = &groups->list.items[i];
        for (unsigned j = 0; j < g->rows.count; j++) {
            unsigned distance = distance_of(asked, str_of(g->rows.items[j]->name));
            if (distance != ~0u)
                suggest(best, g->rows.items[j]->name, distance);
        }
    }
    fprintf(p->f, "There is no directive \"%.*s\".", STR_ARG(asked));
    for (unsigned i = 0; i < SUGGESTIONS && best[i].name; i++) {
        if (best[0].distance <= 2 && best[i].distance > 2)
            break;                                 /* one of the first is meant */
        fprintf(p->f, "%s%s%s%s", i ? ", " : " Did you mean: ", p->bold, best[i].name, p->end);
    }
    fputs(best[0].name ? "?\n" : " weir help --list shows them all.\n", p->f);
}

bool reference_help(FILE *f, struct str name)
{
    struct page p = page_of(f);
    struct reference_groups groups = reference_groups(&p.arena);
    bool found = help_of_directive(&p, &groups, name) || help_of_module(&p, &groups, name);

    if (!found)
        no_help(&p, &groups, name);
    arena_fini(&p.arena);
    return found;
}
