/*
 * load: for the tests of src/config/: reads texts, and shows trees and mistakes as short texts.
 */
#ifndef TEST_CONFIG_LOAD_H
#define TEST_CONFIG_LOAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/out.h"
#include "config/diag.h"
#include "config/resolve.h"
#include "config/tree.h"

/* A text that was read, and what was said about it. */
struct load {
    struct arena arena;
    struct diag diag;
    struct tree *tree;
    struct generation *generation;
};

static inline void load_init(struct load *l)
{
    *l = (struct load){ 0 };
    arena_init(&l->arena);
    diag_init(&l->diag);
}

static inline void load_parse(struct load *l, const char *text)
{
    load_init(l);
    l->tree = tree_parse(STR("f"), str_of(text), &l->diag);
}

static inline void load_fini(struct load *l)
{
    generation_unref(l->generation);
    tree_free(l->tree);
    diag_fini(&l->diag);
    arena_fini(&l->arena);
}

static inline void load_show_nodes(struct out *o, const struct node *n)
{
    for (; n; n = n->next) {
        for (unsigned i = 0; i < n->count; i++)
            out_printf(o, i ? " [%.*s]" : "[%.*s]", STR_ARG(n->words[i].text));
        if (!n->block) {
            out_char(o, ';');
            continue;
        }
        out_char(o, '{');
        load_show_nodes(o, n->children);
        out_char(o, '}');
    }
}

/* "[name] [argument];[block]{...}" */
static inline const char *load_show_tree(struct load *l)
{
    struct out o = out_growing(&l->arena, 1 << 20);

    load_show_nodes(&o, l->tree->top);
    out_char(&o, '\0');
    return o.start;
}

/* The mistakes as a person would see them. */
static inline const char *load_show_mistakes(struct load *l)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    diag_print(&l->diag, f, false);
    fclose(f);
    const char *kept = arena_str(&l->arena, (struct str){ text, size }).data;
    free(text);
    return kept;
}

/* First lines alone, without "weir: [emerg] ", each ended by a line feed. */
static inline const char *load_show_messages(struct load *l)
{
    struct str rest = str_of(load_show_mistakes(l));
    struct out o = out_growing(&l->arena, 1 << 20);

    while (rest.data) {
        struct str line = str_split(&rest, '\n');
        if (str_starts(line, STR("weir: [emerg] ")))
            out_printf(&o, "%.*s\n", STR_ARG(str_from(line, 14)));
        else if (str_starts(line, STR("weir: ")))
            out_printf(&o, "%.*s\n", STR_ARG(str_from(line, 6)));
    }
    out_char(&o, '\0');
    return o.start;
}

static inline void load_resolve(struct load *l, const char *text)
{
    load_parse(l, text);
    l->generation = config_resolve(l->tree, STR("/prefix/"), STR("/prefix/conf/"), &l->diag);
}

#endif
