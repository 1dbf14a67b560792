/*
 * tree: see tree.h.
 */
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/diag.h"

/* A file that is being read, and those that include it. */
struct reader {
    struct tree *tree;
    struct diag *diag;
    struct reader *outer;              /* the file with the include line; NULL for the first */
    struct str folder;                 /* that relative includes start from, with its slash */
    unsigned file;
    const char *at, *end, *line_start;
    uint32_t line;
    ARRAY(struct word) words;          /* of the line being read */
    struct node *block;                /* the innermost open block of this file */
    struct node ***tail;               /* where the next node is linked, by depth */
    unsigned depth;
};

enum lexeme { LEX_WORD, LEX_SEMICOLON, LEX_OPEN, LEX_CLOSE, LEX_END, LEX_BAD };

static void read_text(struct reader *r, struct str text);

/* ---- mistakes ---- */

static void mistake(struct reader *r, uint32_t line, const char *at, const char *hint,
                    struct str message)
{
    struct word w = { .line = line, .column = (uint16_t)(at ? at - r->line_start + 1 : 0),
                      .width = 1 };
    struct node n = { .words = &w, .count = 1, .file = r->file };

    diag_at(r->diag, LOG_LEVEL_EMERG, r->tree, &n, 0, 0, str_of(hint), message);
}

static struct str put(struct reader *r, const char *format, struct str s)
{
    return arena_printf(&r->tree->arena, format, STR_ARG(s));
}

/* ---- words ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end) {
        if (*r->at == '#') {
            const char *lf = memchr(r->at, '\n', (size_t)(r->end - r->at));
            r->at = lf ? lf : r->end;
        } else if (!is_space(*r->at))
            return;
        else if (*r->at++ == '\n') {
            r->line++;
            r->line_start = r->at;
        }
    }
}

/* What stands behind a backslash: control characters by letter, quotes and backslash themselves. */
static void put_escaped(struct out *o, char c)
{
    switch (c) {
    case 't':
        out_char(o, '\t');
        break;
    case 'r':
        out_char(o, '\r');
        break;
    case 'n':
        out_char(o, '\n');
        break;
    case '"':
    case '\'':
    case '\\':
        out_char(o, c);
        break;
    default:
        out_char(o, '\\');
        out_char(o, c);
        break;
    }
}

static void keep_word(struct reader *r, struct out *o, const char *from, const char *line_start,
                      uint32_t line)
{
    struct word *w = ARRAY_PUSH(&r->words, &r->tree->arena);
    size_t column = (size_t)(from - line_start) + 1, width = (size_t)(r->at - from);

    *w = (struct word){ .text = arena_str(&r->tree->arena, out_str_of(o)), .line = line };
    w->column = (uint16_t)(column < UINT16_MAX ? column : 0);
    w->width = (uint16_t)(width < UINT16_MAX ? width : 1);
}

/* Takes one character, or an escaped one, of a word. */
static void take_char(struct reader *r, struct out *o)
{
    if (*r->at == '\\' && r->at + 1 < r->end) {
        put_escaped(o, r->at[1]);
        r->at++;
    } else
        out_char(o, *r->at);
    if (*r->at++ == '\n') {
        r->line++;
        r->line_start = r->at;
    }
}

/* "..." or '...': false after a mistake. */
static bool quoted_word(struct reader *r)
{
    const char *from = r->at, *line_start = r->line_start;
    uint32_t line = r->line;
    char quote = *r->at++;
    struct arena scratch;
    bool closed = false;

    arena_init(&scratch);
    struct out o = out_growing(&scratch, TREE_MAX_LINE);
    while (r->at < r->end && !closed && !o.overflow) {
        closed = *r->at == quote;
        if (closed)
            r->at++;
        else
            take_char(r, &o);
    }
    if (!closed) {
        r->line_start = line_start;
        mistake(r, line, from, "the quote is opened here and never closed",
                o.overflow ? STR("too long parameter, probably missing terminating quote")
                           : STR("unexpected end of file, expecting a closing quote"));
    } else
        keep_word(r, &o, from, line_start, line);
    arena_fini(&scratch);
    if (!closed || r->at == r->end)
        return closed;
    char c = *r->at;
    if (is_space(c) || c == ';' || c == '{' || c == ')' || c == '}')
        return true;
    mistake(r, r->line, r->at, "a quoted word ends with a space, \";\", \"{\" or \")\"",
            put(r, "unexpected \"%.*s\"", (struct str){ r->at, 1 }));
    return false;
}

static bool plain_word(struct reader *r)
{
    const char *from = r->at, *line_start = r->line_start;
    uint32_t line = r->line;
    struct arena scratch;
    bool variable = false;

    arena_init(&scratch);
    struct out o = out_growing(&scratch, TREE_MAX_LINE);
    while (r->at < r->end && !o.overflow) {
        char c = *r->at;
        if (is_space(c) || c == ';' || (c == '{' && !variable))
            break;
        variable = c == '$';
        take_char(r, &o);
    }
    if (o.overflow)
        mistake(r, line, from, "a word may have 1 MiB", STR("too long parameter"));
    else
        keep_word(r, &o, from, line_start, line);
    arena_fini(&scratch);
    return !o.overflow;
}

static enum lexeme next_lexeme(struct reader *r)
{
    skip_space(r);
    if (r->at == r->end)
        return LEX_END;
    switch (*r->at) {
    case ';':
        r->at++;
        return LEX_SEMICOLON;
    case '{':
        r->at++;
        return LEX_OPEN;
    case '}':
        r->at++;
        return LEX_CLOSE;
    case '"':
    case '\'':
        return quoted_word(r) ? LEX_WORD : LEX_BAD;
    default:
        return plain_word(r) ? LEX_WORD : LEX_BAD;
    }
}

/* After a mistake: on to where a line begins again. */
static void skip_line(struct reader *r)
{
    while (r->at < r->end && *r->at != ';' && *r->at != '{' && *r->at != '}' && *r->at != '\n')
        r->at++;
    if (r->at < r->end && *r->at == ';')
        r->at++;
    r->words.count = 0;
}

/* ---- files ---- */

static char *read_whole(struct arena *a, int fd, size_t *len)
{
    struct stat st;
    size_t size = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 4096, used = 0;
    char *text = arena_alloc(a, size + 1);

    for (;;) {
        if (used == size) {
            char *more = arena_alloc(a, size * 2 + 1);
            memcpy(more, text, used);
            text = more;
            size *= 2;
        }
        ssize_t n = read(fd, text + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return NULL;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    *len = used;
    return text;
}

static struct str folder_of(struct str path)
{
    ptrdiff_t slash = str_rindex(path, '/');

    return slash < 0 ? STR("") : str_first(path, (size_t)slash + 1);
}

static bool open_file(struct reader *r, struct str path, struct str *text)
{
    struct tree *t = r->tree;
    size_t len = 0;
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    char *bytes = fd < 0 ? NULL : read_whole(&t->arena, fd, &len);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (bytes) {
        *text = (struct str){ bytes, len };
        return true;
    }
    struct str message = arena_printf(&t->arena, "%s \"%.*s\" failed", fd < 0 ? "open()" : "read()",
                                      STR_ARG(path));
    if (r->outer) {
        struct node n = { .words = r->outer->words.items, .count = r->outer->words.count,
                          .file = r->outer->file };
        diag_at(r->diag, LOG_LEVEL_EMERG, t, &n, 1, error, STR(""), message);
    } else
        diag_note(r->diag, LOG_LEVEL_EMERG, error, "%.*s", STR_ARG(message));
    return false;
}

static void read_file(struct reader *r, struct str path)
{
    struct str text;

    if (!open_file(r, path, &text))
        return;
    r->file = r->tree->files.count;
    *ARRAY_PUSH(&r->tree->files, &r->tree->arena) =
        (struct tree_file){ arena_str(&r->tree->arena, path), text };
    read_text(r, text);
}

/* An include line that would lead to a file that is being read: tells the chain. */
static bool is_loop(struct reader *r, struct str path)
{
    struct out chain = out_growing(&r->tree->arena, 65536);
    bool loop = false;

    for (struct reader *o = r; o; o = o->outer) {
        struct str name = r->tree->files.items[o->file].path;
        out_printf(&chain, "%s%.*s", chain.start ? ", included from " : "", STR_ARG(name));
        loop = loop || str_eq(name, path);
    }
    if (loop) {
        struct node n = { .words = r->words.items, .count = r->words.count, .file = r->file };
        diag_at(r->diag, LOG_LEVEL_EMERG, r->tree, &n, 1, 0, out_str_of(&chain),
                put(r, "\"%.*s\" includes itself", path));
    }
    return loop;
}

static void include_file(struct reader *outer, struct str path)
{
    struct reader r = {
        .tree = outer->tree, .diag = outer->diag, .outer = outer, .folder = outer->folder,
        .block = outer->block, .tail = outer->tail, .depth = outer->depth,
    };

    if (is_loop(outer, path))
        return;
    if (outer->tree->files.count >= TREE_MAX_FILES) {
        mistake(outer, outer->line, NULL, "at most 10,000 files may be included",
                put(outer, "too many files: \"%.*s\" is not read", path));
        return;
    }
    read_file(&r, path);
    *outer->tail = *r.tail;
}

static void include(struct reader *r)
{
    struct str path = r->words.items[1].text;
    glob_t found = { 0 };

    if (path.len && path.data[0] != '/')
        path = arena_concat(&r->tree->arena, r->folder, path);
    if (!strpbrk(path.data, "*?[")) {
        include_file(r, path);
        return;
    }
    int result = glob(path.data, 0, NULL, &found);
    if (result == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            include_file(r, str_of(found.gl_pathv[i]));
    } else if (result != GLOB_NOMATCH)
        mistake(r, r->line, NULL, "", put(r, "glob() \"%.*s\" failed", path));
    globfree(&found);
}

/* ---- lines ---- */

static struct node *add_node(struct reader *r, bool block)
{
    struct node *n = ARENA_NEW(&r->tree->arena, struct node);

    n->words = r->words.items;
    n->count = r->words.count;
    n->file = r->file;
    n->block = block;
    n->parent = r->block;
    **r->tail = n;
    *r->tail = &n->next;
    r->words.items = NULL;                     /* they are the node's now */
    r->words.count = r->words.room = 0;
    return n;
}

static void end_line(struct reader *r)
{
    if (r->words.count == 0)
        mistake(r, r->line, r->at - 1, "there is nothing before it", STR("unexpected \";\""));
    else if (str_eq(r->words.items[0].text, STR("include"))) {
        if (r->words.count == 2)
            include(r);
        else
            mistake(r, r->words.items[0].line, NULL, "one file, or one pattern of files",
                    STR("invalid number of arguments in \"include\" directive"));
        r->words.count = 0;
    } else
        add_node(r, false);
}

/* Reads lines until the block that was opened last, or the file, ends. */
static void read_block(struct reader *r, const struct node *opened);

static void open_block(struct reader *r)
{
    struct node *outer = r->block, **inner;
    struct node ***outer_tail = r->tail;

    if (r->words.count == 0)
        mistake(r, r->line, r->at - 1, "a block has a name", STR("unexpected \"{\""));
    struct node *n = add_node(r, true);
    inner = &n->children;
    r->block = n;
    r->tail = &inner;
    if (++r->depth > TREE_MAX_DEPTH) {
        mistake(r, r->line, r->at - 1, "at most 100 blocks may be nested",
                STR("too many nested blocks"));
        r->at = r->end;
    } else
        read_block(r, n);
    r->depth--;
    r->block = outer;
    r->tail = outer_tail;
}

static void unfinished_line(struct reader *r, const char *expected)
{
    struct node n = { .words = r->words.items, .count = r->words.count, .file = r->file };

    diag_at(r->diag, LOG_LEVEL_EMERG, r->tree, &n, 0, 0, STR("a line ends with \";\""),
            arena_printf(&r->tree->arena, "%s", expected));
    r->words.count = 0;
}

static void end_of_file(struct reader *r, const struct node *opened)
{
    if (r->words.count)
        unfinished_line(r, opened ? "unexpected end of file, expecting \";\" or \"}\""
                                  : "unexpected end of file, expecting \";\"");
    else if (opened) {
        struct str hint = opened->count
            ? arena_printf(&r->tree->arena, "the block \"%.*s\" that begins in line %u is not closed",
                           STR_ARG(opened->words[0].text), opened->words[0].line)
            : STR("");
        mistake(r, r->line, NULL, hint.data ? hint.data : "",
                STR("unexpected end of file, expecting \"}\""));
    }
}

static void read_block(struct reader *r, const struct node *opened)
{
    for (;;) {
        switch (next_lexeme(r)) {
        case LEX_WORD:
            break;
        case LEX_SEMICOLON:
            end_line(r);
            break;
        case LEX_OPEN:
            open_block(r);
            break;
        case LEX_CLOSE:
            if (r->words.count)
                unfinished_line(r, "unexpected \"}\"");
            if (opened) {
                ((struct node *)(uintptr_t)opened)->end_line = r->line;
                return;
            }
            mistake(r, r->line, r->at - 1, "no block is open here", STR("unexpected \"}\""));
            break;
        case LEX_BAD:
            skip_line(r);
            break;
        case LEX_END:
            end_of_file(r, opened);
            return;
        }
    }
}

static void read_text(struct reader *r, struct str text)
{
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from(text, 3);
    r->at = r->line_start = text.data;
    r->end = text.data + text.len;
    r->line = 1;
    read_block(r, NULL);
}

/* ---- trees ---- */

struct tree *tree_new(void)
{
    struct arena a;

    arena_init(&a);
    struct tree *t = ARENA_NEW(&a, struct tree);
    t->arena = a;
    return t;
}

static void add_text(struct tree *t, struct diag *diag, struct node ***tail, struct str name,
                     struct str text)
{
    struct reader r = { .tree = t, .diag = diag, .tail = tail, .file = t->files.count };

    *ARRAY_PUSH(&t->files, &t->arena) =
        (struct tree_file){ arena_str(&t->arena, name), arena_str(&t->arena, text) };
    read_text(&r, t->files.items[r.file].text);
}

struct tree *tree_parse(struct str name, struct str text, struct diag *diag)
{
    struct tree *t = tree_new();
    struct node **tail = &t->top;

    add_text(t, diag, &tail, name, text);
    return t;
}

struct tree *tree_read(struct str path, struct str globals, struct diag *diag)
{
    struct tree *t = tree_new();
    struct node **tail = &t->top;

    if (globals.len)
        add_text(t, diag, &tail, STR("command line"), globals);
    struct reader r = { .tree = t, .diag = diag, .tail = &tail };
    r.folder = arena_str(&t->arena, folder_of(path));
    read_file(&r, arena_str(&t->arena, path));
    return t;
}

void tree_free(struct tree *t)
{
    if (t) {
        struct arena a = t->arena;
        arena_fini(&a);
    }
}

const struct node *tree_find(const struct node *n, struct str name)
{
    while (n && !(n->count && str_eq(n->words[0].text, name)))
        n = n->next;
    return n;
}

struct node *tree_line(struct arena *a, struct str name, struct str args)
{
    struct node *n = ARENA_NEW(a, struct node);
    ARRAY(struct word) words = { 0 };

    ARRAY_PUSH(&words, a)->text = arena_str(a, name);
    while (args.data && args.len) {
        struct str word = str_split(&args, ' ');
        if (word.len)
            ARRAY_PUSH(&words, a)->text = arena_str(a, word);
    }
    n->words = words.items;
    n->count = words.count;
    return n;
}
