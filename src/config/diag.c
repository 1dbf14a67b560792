/*
 * diag: see diag.h.
 */
#include "config/diag.h"

#include "config/tree.h"

void diag_init(struct diag *d)
{
    *d = (struct diag){ 0 };
    arena_init(&d->arena);
}

void diag_fini(struct diag *d)
{
    arena_fini(&d->arena);
    *d = (struct diag){ 0 };
}

static struct diag_item *add(struct diag *d, enum log_level level, int error)
{
    struct diag_item *item = ARRAY_PUSH(&d->items, &d->arena);

    item->level = level;
    item->error = error;
    if (level <= LOG_LEVEL_ERROR)
        d->errors++;
    else
        d->warnings++;
    return item;
}

void diag_note(struct diag *d, enum log_level level, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct str message = arena_vprintf(&d->arena, format, args);
    va_end(args);
    add(d, level, error)->message = message;
}

/* Line number `line` of a text, without its end. */
static struct str line_of(struct str text, uint32_t line)
{
    struct str current = { NULL, 0 };

    for (uint32_t i = 0; i < line && text.data; i++)
        current = str_split(&text, '\n');
    return str_ends(current, STR("\r")) ? str_first(current, current.len - 1) : current;
}

void diag_at(struct diag *d, enum log_level level, const struct tree *t, const struct node *n,
             unsigned word, int error, struct str hint, struct str message)
{
    struct diag_item *item = add(d, level, error);

    item->message = arena_str(&d->arena, message);
    item->hint = arena_str(&d->arena, hint);
    if (n->file >= t->files.count || word >= n->count)
        return;
    const struct word *w = &n->words[word];
    const struct tree_file *f = &t->files.items[n->file];
    item->path = arena_str(&d->arena, f->path);
    item->line_text = arena_str(&d->arena, line_of(f->text, w->line));
    item->line = w->line;
    item->column = w->column;
    item->width = w->width;
}

static const struct {
    const char *bold, *red, *yellow, *dim, *end;
} colours[2] = {
    { "", "", "", "", "" },
    { "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[2m", "\x1b[0m" },
};

static void put_message(const struct diag_item *item, struct out *o)
{
    out_str(o, item->message);
    if (item->error)
        out_printf(o, " (%d: %s)", item->error, strerror(item->error));
    if (item->path.len && item->line)
        out_printf(o, " in %.*s:%u", STR_ARG(item->path), item->line);
}

/* The line as it stands in the file, tabs as one space, and a caret under the word. */
static void print_line(const struct diag_item *item, FILE *f, bool colour)
{
    struct str text = item->line_text;
    size_t from = item->column > 60 ? item->column - 40u : 0;

    if (text.len == 0 || item->column == 0 || from >= text.len)
        return;
    text = str_from(text, from);
    if (text.len > 100)
        text.len = 100;
    fprintf(f, "%s%6u |%s ", colours[colour].dim, item->line, colours[colour].end);
    for (size_t i = 0; i < text.len; i++)
        fputc((unsigned char)text.data[i] < ' ' ? ' ' : text.data[i], f);
    fprintf(f, "\n       %s|%s %*s%s^", colours[colour].dim, colours[colour].end,
            (int)(item->column - 1 - from), "", colours[colour].red);
    for (unsigned i = 1; i < item->width && item->column - from + i <= text.len; i++)
        fputc('~', f);
    fprintf(f, "%s\n", colours[colour].end);
}

void diag_print(const struct diag *d, FILE *f, bool colour)
{
    for (unsigned i = 0; i < d->items.count; i++) {
        const struct diag_item *item = &d->items.items[i];
        bool warning = item->level > LOG_LEVEL_ERROR;
        char space[4096];
        struct out o = out_fixed(space, sizeof space);

        put_message(item, &o);
        fprintf(f, "weir: %s[%s]%s %s%.*s%s\n",
                warning ? colours[colour].yellow : colours[colour].red, log_level_name(item->level),
                colours[colour].end, colours[colour].bold, STR_ARG(out_str_of(&o)),
                colours[colour].end);
        print_line(item, f, colour);
        if (item->hint.len)
            fprintf(f, "       %s=%s %.*s\n", colours[colour].dim, colours[colour].end,
                    STR_ARG(item->hint));
    }
}

void diag_log(const struct diag *d, const struct log *log)
{
    for (unsigned i = 0; i < d->items.count; i++) {
        const struct diag_item *item = &d->items.items[i];
        char space[2048];
        struct out o = out_fixed(space, sizeof space);

        put_message(item, &o);
        log_write(log, item->level, 0, NULL, "%.*s", STR_ARG(out_str_of(&o)));
    }
}
