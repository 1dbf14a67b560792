/*
 * diag: see diag.h.
 */
#include "config/diag.h"

#include <limits.h>

#include "config/tree.h"

enum {
    SHOWN = 100, BEFORE = 40,          /* bytes of a long line that are shown, and before the caret */
    MAX_TEXT = 1000,                   /* bytes of a message or a hint */
};

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

/* Own lines of a block are applied before those of the blocks in it: mistakes don't come in order. */
static struct diag_item *add_at(struct diag *d, unsigned file, uint32_t line)
{
    struct diag_item *item = ARRAY_PUSH(&d->items, &d->arena);

    while (item > d->items.items &&
           (item[-1].file > file || (item[-1].file == file && item[-1].line > line))) {
        *item = item[-1];
        item--;
    }
    *item = (struct diag_item){ .file = file, .line = line };
    return item;
}

/* NULL: there are enough of them. */
static struct diag_item *add(struct diag *d, enum log_level level, int error, unsigned file,
                             uint32_t line)
{
    unsigned *count = level <= LOG_LEVEL_ERROR ? &d->errors : &d->warnings;

    if ((*count)++ >= DIAG_MAX)
        return NULL;
    struct diag_item *item = add_at(d, file, line);
    item->level = level;
    item->error = error;
    return item;
}

static struct str keep(struct diag *d, struct str s)
{
    if (s.len > MAX_TEXT)
        return arena_printf(&d->arena, "%.*s...", MAX_TEXT, s.data);
    return arena_str(&d->arena, s);
}

void diag_note(struct diag *d, enum log_level level, int error, const char *format, ...)
{
    struct diag_item *item = add(d, level, error, UINT_MAX, 0);
    va_list args;

    if (!item)
        return;
    va_start(args, format);
    item->message = keep(d, arena_vprintf(&d->arena, format, args));
    va_end(args);
}

/* Line number `line` of a text, without its end. */
static struct str line_of(struct diag *d, struct str text, uint32_t line)
{
    const char *end = text.data + text.len, *lf;

    if (text.len == 0)
        return text;
    if (d->seek_text != text.data || d->seek_line > line) {
        d->seek_text = d->seek_at = text.data;
        d->seek_line = 1;
        if (str_starts(text, STR("\xef\xbb\xbf")))
            d->seek_at += 3;                   /* columns don't count it */
    }
    while (d->seek_line < line &&
           (lf = memchr(d->seek_at, '\n', (size_t)(end - d->seek_at))) != NULL) {
        d->seek_at = lf + 1;
        d->seek_line++;
    }
    lf = memchr(d->seek_at, '\n', (size_t)(end - d->seek_at));
    if (!lf)
        lf = end;
    if (lf > d->seek_at && lf[-1] == '\r')
        lf--;
    return str_range(d->seek_at, lf);
}

void diag_at(struct diag *d, enum log_level level, const struct tree *t, const struct node *n,
             unsigned word, int error, struct str hint, struct str message)
{
    const struct tree_file *f = n->file < t->files.count ? &t->files.items[n->file] : NULL;
    const struct word *w = f && word < n->count ? &n->words[word] : NULL;
    struct diag_item *item = add(d, level, error, w ? n->file : UINT_MAX,
                                 w && !f->command_line ? w->line : 0);

    if (!item)
        return;
    item->message = keep(d, message);
    item->hint = keep(d, hint);
    if (!w)
        return;
    item->path = arena_str(&d->arena, f->path);
    item->line_text = arena_str(&d->arena, line_of(d, f->text, w->line));
    item->column = w->column;
    item->width = w->width;
}

/* ---- showing ---- */

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
    if (item->path.len)
        out_printf(o, " in %.*s", STR_ARG(item->path));
    if (item->path.len && item->line)
        out_printf(o, ":%u", item->line);
}

/* Nothing of a file may steer the terminal. */
static void print_text(struct str s, FILE *f)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        fputc(c == '\t' ? ' ' : c < ' ' || c == 0x7f ? '?' : c, f);
    }
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How many characters of UTF-8 there are. */
static unsigned width_of(struct str s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += !continues_character(s.data[i]);
    return n;
}

/* Where the character begins that byte `at` belongs to; in what is no UTF-8 it is any place near. */
static size_t character_at(struct str s, size_t at)
{
    for (unsigned i = 0; i < 3 && at > 0 && at < s.len && continues_character(s.data[at]); i++)
        at--;
    return at;
}

/* The part of a long line that is shown; *skipped bytes of it are not. */
static struct str window(struct str text, size_t column, size_t *skipped)
{
    size_t from = column > SHOWN / 2 ? column - BEFORE : 0;

    if (from + SHOWN > text.len)
        from = text.len > SHOWN ? text.len - SHOWN : 0;
    *skipped = character_at(text, from);
    text = str_from(text, *skipped);
    return str_first(text, text.len > SHOWN + 3 ? character_at(text, SHOWN + 3) : text.len);
}

/* The line as it stands in the file, tabs as one space, and a caret under the word. */
static void print_line(const struct diag_item *item, FILE *f, bool colour)
{
    size_t at = item->column - 1u, skipped;

    if (item->line_text.len == 0 || item->column == 0 || at > item->line_text.len)
        return;
    struct str text = window(item->line_text, at, &skipped);
    struct str before = str_first(text, at - skipped), marked = str_from(text, before.len);
    if (marked.len > item->width)
        marked.len = item->width;
    fprintf(f, "%s%6u |%s ", colours[colour].dim, item->line, colours[colour].end);
    print_text(text, f);
    fprintf(f, "\n%s%6s |%s %*s%s^", colours[colour].dim, "", colours[colour].end,
            (int)width_of(before), "", colours[colour].red);
    for (unsigned i = width_of(marked); i > 1; i--)
        fputc('~', f);
    fprintf(f, "%s\n", colours[colour].end);
}

static void print_item(const struct diag_item *item, FILE *f, bool colour)
{
    bool warning = item->level > LOG_LEVEL_ERROR;
    char space[8192];
    struct out o = out_fixed(space, sizeof space);

    put_message(item, &o);
    fprintf(f, "weir: %s[%s]%s %s", warning ? colours[colour].yellow : colours[colour].red,
            log_level_name(item->level), colours[colour].end, colours[colour].bold);
    print_text(out_str_of(&o), f);
    fprintf(f, "%s\n", colours[colour].end);
    print_line(item, f, colour);
    if (item->hint.len) {
        fprintf(f, "%s%6s =%s ", colours[colour].dim, "", colours[colour].end);
        print_text(item->hint, f);
        fputc('\n', f);
    }
}

void diag_print(const struct diag *d, FILE *f, bool colour)
{
    for (unsigned i = 0; i < d->items.count; i++)
        print_item(&d->items.items[i], f, colour);
    if (d->errors + d->warnings > d->items.count)
        fprintf(f, "weir: [emerg] %u more mistakes are not shown\n",
                d->errors + d->warnings - d->items.count);
}

void diag_log(const struct diag *d, const struct log *log)
{
    for (unsigned i = 0; i < d->items.count; i++) {
        const struct diag_item *item = &d->items.items[i];
        char space[LOG_LINE_MAX];
        struct out o = out_fixed(space, sizeof space);

        put_message(item, &o);
        log_write(log, item->level, 0, NULL, "%.*s", STR_ARG(out_str_of(&o)));
    }
}
