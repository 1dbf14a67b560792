/*
 * reference_man: weir.conf(5) in mdoc(7): the language, and every directive by module.
 */
#include "config.h"
#include "config/reference.h"
#include "config/reference_rows.h"

static const char introduction[] =
    ".\\\" weir.conf(5): written by \"weir help --man\" from the program's own tables.\n"
    ".Dd November 21, 2026\n"
    ".Dt WEIR.CONF 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm weir.conf\n"
    ".Nd configuration of weir\n"
    ".Sh DESCRIPTION\n"
    "The file\n"
    ".Nm\n"
    "says what\n"
    ".Xr weir 8\n"
    "serves, and how.\n"
    "It is written in nginx's configuration language.\n"
    ".Ss Lines and blocks\n"
    "A directive is a name, its arguments with spaces between them, and a\n"
    ".Ql \\&; .\n"
    "A block has, in place of that, further directives between\n"
    ".Ql {\n"
    "and\n"
    ".Ql } ;\n"
    "each directive says in which blocks it may stand, where\n"
    ".Em main\n"
    "is outside of all blocks.\n"
    "Line ends are like spaces.\n"
    "From a\n"
    ".Ql #\n"
    "that begins a word to the end of its line is a comment.\n"
    ".Pp\n"
    "An argument with spaces, or with one of the characters\n"
    ".Ql \\&; ,\n"
    ".Ql {\n"
    "and\n"
    ".Ql }\n"
    "in it, stands in single or double quotes.\n"
    "Behind a backslash, a quote or a backslash stands for itself, and\n"
    ".Ql t ,\n"
    ".Ql r\n"
    "and\n"
    ".Ql n\n"
    "for a tab, a carriage return and a line feed;\n"
    "before any other character a backslash is itself.\n"
    "Where a directive takes variables they are written\n"
    ".Ql $name\n"
    "or\n"
    ".Ql ${name} .\n"
    ".Bd -literal -offset indent\n"
    "http {\n"
    "    server {\n"
    "        listen 80;\n"
    "        server_name www.example.com;\n"
    "        root /srv/www;\n"
    "    }\n"
    "}\n"
    ".Ed\n"
    ".Ss Inheritance\n"
    "A block takes over the values of the block that it stands in, and changes\n"
    "what its own lines say.\n"
    "Of a directive that may be given several times, the lines of an inner block\n"
    "replace those of the outer one.\n"
    ".Ss Including files\n"
    "The line\n"
    ".Ql \"include file;\\&\"\n"
    "may stand everywhere, and is replaced by the lines of that file.\n"
    "The name may be a pattern with\n"
    ".Ql * ,\n"
    ".Ql \\&?\n"
    "and\n"
    ".Ql \\&[...] ;\n"
    "files are taken in alphabetical order then.\n"
    "A relative name starts from the folder of\n"
    ".Nm .\n"
    ".Ss Units\n"
    "A size is a number of bytes, or of kilobytes\n"
    ".Pq Ql k\n"
    "or megabytes\n"
    ".Pq Ql m ;\n"
    "offsets in files also take gigabytes\n"
    ".Pq Ql g .\n"
    "A time is a number of seconds, or of\n"
    ".Ql ms ,\n"
    ".Ql s ,\n"
    ".Ql m\n"
    "(minutes),\n"
    ".Ql h ,\n"
    ".Ql d ,\n"
    ".Ql w ,\n"
    ".Ql M\n"
    "(months of 30 days) and\n"
    ".Ql y\n"
    "(365 days);\n"
    "several of them are written from the largest to the smallest:\n"
    ".Ql 1h30m .\n"
    ".Sh DIRECTIVES\n"
    "By module.\n"
    ".Ql weir help NAME\n"
    "shows a single one.\n";

static const char conclusion[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa " WEIR_CONF_PATH "\n"
    "Read where no other file is given by\n"
    ".Fl c ;\n"
    "relative to the prefix\n"
    ".Pa " WEIR_PREFIX " .\n"
    ".El\n"
    ".Sh SEE ALSO\n"
    ".Xr weir 8\n";

enum { WIDTH = 78 };

/* Text of a line of its own: nothing in it is a request or an escape. */
static void put_text(struct out *o, struct str text)
{
    if (text.len && (text.data[0] == '.' || text.data[0] == '\''))
        OUT_LITERAL(o, "\\&");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\')
            OUT_LITERAL(o, "\\e");
        else
            out_char(o, text.data[i]);
    }
}

static void put_sentence(struct out *o, struct str text)
{
    size_t width = 0;

    while (text.data) {
        struct str word = str_split(&text, ' ');
        if (width)
            out_char(o, width + 1 + word.len > WIDTH ? '\n' : ' ');
        width = width && width + 1 + word.len > WIDTH ? 0 : width + (width != 0);
        put_text(o, word);
        width += word.len;
    }
    out_char(o, '\n');
}

/* Sentences, each from a line of its own on, as the typesetter wants them. */
static void put_sentences(struct out *o, struct str text)
{
    while (text.len) {
        ptrdiff_t end = str_find(text, STR(". "));
        put_sentence(o, end < 0 ? text : str_first(text, (size_t)end + 1));
        text = end < 0 ? str_from(text, text.len) : str_trim(str_from(text, (size_t)end + 1));
    }
}

/* One quoted argument of a macro; a sign at its end is no punctuation of the sentence. */
static void put_argument(struct out *o, struct str text)
{
    out_char(o, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            OUT_LITERAL(o, "\"\"");
        else if (text.data[i] == '\\')
            OUT_LITERAL(o, "\\e");
        else
            out_char(o, text.data[i]);
    }
    OUT_LITERAL(o, "\\&\"");
}

static void put_default(struct out *o, const char *text)
{
    OUT_LITERAL(o, ".Pp\n.Em Default :\n");
    if (!text) {
        OUT_LITERAL(o, "none.\n");
        return;
    }
    OUT_LITERAL(o, ".Cm ");
    put_argument(o, str_of(*text ? text : "\"\""));
    OUT_LITERAL(o, " .\n");
}

static void put_row(struct out *o, struct arena *a, const struct directive *row)
{
    struct out syntax = out_growing(a, SIZE_MAX), contexts = out_growing(a, SIZE_MAX),
               remarks = out_growing(a, SIZE_MAX);

    reference_syntax(&syntax, row);
    reference_contexts(&contexts, row->contexts);
    reference_remarks(&remarks, row);
    out_printf(o, ".It Ic %s", row->name);
    if (out_len(&syntax)) {
        OUT_LITERAL(o, " Ar ");
        put_argument(o, out_str_of(&syntax));
    }
    out_char(o, '\n');
    put_sentences(o, str_of(row->help ? row->help : ""));
    put_sentences(o, out_str_of(&remarks));
    put_default(o, reference_default(row));
    OUT_LITERAL(o, ".Em Contexts :\n");
    put_text(o, out_str_of(&contexts));
    OUT_LITERAL(o, ".\n");
}

void reference_man(FILE *f)
{
    struct arena a;

    arena_init(&a);
    struct reference_groups groups = reference_groups(&a);
    struct out o = out_growing(&a, SIZE_MAX);
    out_str(&o, str_of(introduction));
    for (unsigned i = 0; i < groups.list.count; i++) {
        const struct reference_group *g = &groups.list.items[i];
        out_printf(&o, ".Ss %s\n.Bl -tag -width Ds\n", g->name);
        for (unsigned j = 0; j < g->rows.count; j++)
            put_row(&o, &a, g->rows.items[j]);
        OUT_LITERAL(&o, ".El\n");
    }
    out_str(&o, str_of(conclusion));
    fwrite(o.start, 1, out_len(&o), f);
    arena_fini(&a);
}
