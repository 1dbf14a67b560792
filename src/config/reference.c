/*
 * reference: the forms for tools: the list, and completion in a shell.
 */
#include "config/reference.h"

#include "config/reference_rows.h"

static void print_out(FILE *f, const struct out *o)
{
    fwrite(o->start, 1, out_len(o), f);
}

/* A text in one field: tabs and line ends are spaces. */
static void put_field(struct out *o, const char *text)
{
    for (; text && *text; text++)
        out_char(o, *text == '\t' || *text == '\n' ? ' ' : *text);
}

static void put_row(struct out *o, const char *module, const struct directive *row)
{
    out_printf(o, "%s\t%s\t", module, row->name);
    reference_context_names(o, row->contexts, ",");
    out_char(o, '\t');
    put_field(o, reference_default(row));
    out_char(o, '\t');
    reference_syntax(o, row);
    out_char(o, '\n');
}

void reference_list(FILE *f)
{
    struct arena a;

    arena_init(&a);
    struct reference_groups groups = reference_groups(&a);
    struct out o = out_growing(&a, SIZE_MAX);
    for (unsigned i = 0; i < groups.list.count; i++) {
        const struct reference_group *g = &groups.list.items[i];
        for (unsigned j = 0; j < g->rows.count; j++)
            put_row(&o, g->name, g->rows.items[j]);
    }
    print_out(f, &o);
    arena_fini(&a);
}

/* ---- bash ---- */

static const char completion_start[] =
    "# Completion for weir in bash: source this file, or put it into\n"
    "# /usr/share/bash-completion/completions/weir\n"
    "_weir()\n"
    "{\n"
    "    local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "    COMPREPLY=()\n"
    "    case $before in\n"
    "    -s) COMPREPLY=($(compgen -W 'stop quit reopen reload' -- \"$word\")); return ;;\n"
    "    -c|-e) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
    "    -p|serve) compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n"
    "    -g) COMPREPLY=($(compgen -S ' ' -W \"$_weir_main\" -- \"$word\")); return ;;\n"
    "    -l) return ;;\n"
    "    esac\n"
    "    case ${COMP_WORDS[1]} in\n"
    "    help)\n"
    "        COMPREPLY=($(compgen -W \"--list --man --html --completion $_weir_names\" \\\n"
    "            -- \"$word\")) ;;\n"
    "    serve) COMPREPLY=($(compgen -W '-l --print' -- \"$word\")) ;;\n"
    "    dump) COMPREPLY=($(compgen -W '-c -e -g -p' -- \"$word\")) ;;\n"
    "    explain)\n"
    "        COMPREPLY=($(compgen -W '-c -e -g -p -H -X --from --json' -- \"$word\")) ;;\n"
    "    *)\n"
    "        COMPREPLY=($(compgen -W '-? -h -v -V -t -T -q -s -p -e -c -g' -- \"$word\"))\n"
    "        if [ \"$COMP_CWORD\" = 1 ]; then\n"
    "            COMPREPLY+=($(compgen -W 'serve help dump explain' -- \"$word\"))\n"
    "        fi ;;\n"
    "    esac\n"
    "}\n";

static bool is_before(const struct directive *x, const struct directive *y)
{
    return strcmp(x->name, y->name) < 0;
}

/* Names of the rows that may stand in `contexts`, sorted, each once, as a variable of the shell. */
static void put_names(struct out *o, struct arena *a, const char *variable, unsigned contexts)
{
    ARRAY(const struct directive *) rows = { 0 };

    for (unsigned i = 0; i < modules_count(); i++) {
        for (const struct directive *row = modules_at(i)->directives; row && row->name; row++) {
            if (!(row->contexts & contexts))
                continue;
            ARRAY_PUSH(&rows, a);
            unsigned at = rows.count - 1;
            for (; at > 0 && is_before(row, rows.items[at - 1]); at--)
                rows.items[at] = rows.items[at - 1];
            rows.items[at] = row;
        }
    }
    out_printf(o, "_weir_%s='", variable);
    for (unsigned i = 0; i < rows.count; i++) {
        if (i == 0 || strcmp(rows.items[i]->name, rows.items[i - 1]->name) != 0)
            out_printf(o, "%s\n", rows.items[i]->name);
    }
    OUT_LITERAL(o, "'\n");
}

void reference_completion(FILE *f)
{
    struct arena a;

    arena_init(&a);
    struct out o = out_growing(&a, SIZE_MAX);
    out_str(&o, str_of(completion_start));
    put_names(&o, &a, "names", ~0u);
    put_names(&o, &a, "main", IN_MAIN);
    OUT_LITERAL(&o, "complete -F _weir weir\n");
    print_out(f, &o);
    arena_fini(&a);
}
