/*
 * reference_html: every directive in one page that needs no other file, by module, with a search
 * box. It is readable without its script, too.
 */
#include "config.h"
#include "config/reference.h"
#include "config/reference_page.h"
#include "config/reference_rows.h"

static void put_escaped(struct out *o, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '<':
            OUT_LITERAL(o, "&lt;");
            break;
        case '>':
            OUT_LITERAL(o, "&gt;");
            break;
        case '&':
            OUT_LITERAL(o, "&amp;");
            break;
        case '"':
            OUT_LITERAL(o, "&quot;");
            break;
        default:
            out_char(o, text.data[i]);
        }
    }
}

/* The name of the first one that bears it, so that links by name work; the others' with their
 * module. */
static void put_anchor(struct out *o, const struct reference_groups *groups, const char *module,
                       const struct directive *row)
{
    for (unsigned i = 0; i < groups->list.count; i++) {
        const struct reference_group *g = &groups->list.items[i];
        for (unsigned j = 0; j < g->rows.count; j++) {
            if (strcmp(g->rows.items[j]->name, row->name) != 0)
                continue;
            if (g->rows.items[j] != row)
                out_printf(o, "%s.", module);
            out_str(o, str_of(row->name));
            return;
        }
    }
}

static void put_syntax(struct out *o, struct arena *a, const struct directive *row)
{
    struct out syntax = out_growing(a, SIZE_MAX);

    reference_syntax(&syntax, row);
    OUT_LITERAL(o, "<pre><b>");
    put_escaped(o, str_of(row->name));
    OUT_LITERAL(o, "</b>");
    if (out_len(&syntax))
        out_char(o, ' ');
    put_escaped(o, out_str_of(&syntax));
    if (!row->open && !(row->flags & FREE_BLOCK))
        out_char(o, ';');
    OUT_LITERAL(o, "</pre>\n");
}

static void put_facts(struct out *o, struct arena *a, const struct directive *row)
{
    struct out contexts = out_growing(a, SIZE_MAX), remarks = out_growing(a, SIZE_MAX);
    const char *initial = reference_default(row);

    reference_contexts(&contexts, row->contexts);
    reference_remarks(&remarks, row);
    OUT_LITERAL(o, "<dl><div><dt>Default</dt><dd>");
    if (initial) {
        OUT_LITERAL(o, "<code>");
        put_escaped(o, str_of(*initial ? initial : "\"\""));
        OUT_LITERAL(o, "</code>");
    } else
        OUT_LITERAL(o, "none");
    OUT_LITERAL(o, "</dd></div><div><dt>Context</dt><dd>");
    put_escaped(o, out_str_of(&contexts));
    OUT_LITERAL(o, "</dd></div></dl>\n");
    if (out_len(&remarks)) {
        OUT_LITERAL(o, "<p class=remark>");
        put_escaped(o, out_str_of(&remarks));
        OUT_LITERAL(o, "</p>\n");
    }
}

static void put_row(struct out *o, struct arena *a, const struct reference_groups *groups,
                    const char *module, const struct directive *row)
{
    OUT_LITERAL(o, "<article id=\"");
    put_anchor(o, groups, module, row);
    OUT_LITERAL(o, "\">\n<h3><a href=\"#");
    put_anchor(o, groups, module, row);
    out_printf(o, "\">%s</a></h3>\n", row->name);
    put_syntax(o, a, row);
    OUT_LITERAL(o, "<p>");
    put_escaped(o, str_of(row->help ? row->help : ""));
    OUT_LITERAL(o, "</p>\n");
    put_facts(o, a, row);
    OUT_LITERAL(o, "</article>\n");
}

static void put_navigation(struct out *o, const struct reference_groups *groups)
{
    OUT_LITERAL(o, "<nav aria-label=Modules><ul>\n");
    for (unsigned i = 0; i < groups->list.count; i++) {
        const struct reference_group *g = &groups->list.items[i];
        out_printf(o, "<li><a href=\"#%s\">%s</a> <small>%u</small></li>\n", g->name, g->name,
                   g->rows.count);
    }
    OUT_LITERAL(o, "</ul></nav>\n");
}

static unsigned count_rows(const struct reference_groups *groups)
{
    unsigned count = 0;

    for (unsigned i = 0; i < groups->list.count; i++)
        count += groups->list.items[i].rows.count;
    return count;
}

void reference_html(FILE *f)
{
    struct arena a;

    arena_init(&a);
    struct reference_groups groups = reference_groups(&a);
    struct out o = out_growing(&a, SIZE_MAX);
    out_str(&o, str_of(reference_page_head));
    out_printf(&o, "<p class=lead>%u directives of Weir " WEIR_VERSION ", by module.</p>\n",
               count_rows(&groups));
    put_navigation(&o, &groups);
    OUT_LITERAL(&o, "<main>\n");
    for (unsigned i = 0; i < groups.list.count; i++) {
        const struct reference_group *g = &groups.list.items[i];
        out_printf(&o, "<section id=\"%s\">\n<h2>%s</h2>\n", g->name, g->name);
        for (unsigned j = 0; j < g->rows.count; j++)
            put_row(&o, &a, &groups, g->name, g->rows.items[j]);
        OUT_LITERAL(&o, "</section>\n");
    }
    out_str(&o, str_of(reference_page_foot));
    fwrite(o.start, 1, out_len(&o), f);
    arena_fini(&a);
}
