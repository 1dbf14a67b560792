/*
 * tree: see tree.h.  Reading goes on after every mistake, so that one reading finds them all.
 */
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/lexer.h"

/* Where lines go: into an open block.  An included file adds to the place of the include line. */
struct place {
    struct node *block;                /* NULL at the top */
    struct node **tail;
    unsigned depth;
};

/* What all files of one tree share. */
struct reading {
    struct tree *tree;
    struct diag *diag;
    struct str folder;                 /* that relative includes start from, with its slash */
    unsigned includes;
};

/* A text that is being read, and those that include it. */
struct reader {
    struct reading *all;
    struct reader *outer;              /* the file with the include line; NULL for the first */
    struct lexer lexer;
    struct place *place;
    struct arena scratch;
    ARRAY(struct word) words;          /* of the line being read */
    size_t line_size;                  /* bytes of those */
    bool broken;                       /* the line being read has a mistake, and is left out */
    unsigned file, depth;
    dev_t device;
    ino_t inode;
};

static void read_text(struct reader *r, unsigned file);

/* ---- mistakes ---- */

static void mistake(struct reader *r, struct word place, int error, struct str hint,
                    struct str message)
{
    struct node n = { .words = &place, .count = 1, .file = r->file };

    diag_at(r->all->diag, LOG_LEVEL_EMERG, r->all->tree, &n, 0, error, hint, message);
}

/* The character just read. */
static struct word here(const struct reader *r)
{
    return lexer_place(&r->lexer, r->lexer.at - 1);
}

static struct str put(struct reader *r, const char *format, struct str s)
{
    return arena_printf(&r->scratch, format, STR_ARG(s));
}

/* A line that something else interrupts. */
static struct str unfinished(struct reader *r)
{
    const struct word *w = &r->words.items[0];

    return arena_printf(&r->scratch, "\";\" is missing after \"%.*s\" in line %u",
                        STR_ARG(w[r->words.count - 1].text), w[r->words.count - 1].line);
}

/* ---- files ---- */

static bool read_whole(struct arena *a, int fd, size_t size, struct str *text)
{
    size_t used = 0, room = 0;
    char *bytes = NULL;

    for (;;) {
        if (used == room) {
            room = room ? room * 2 : size;
            char *more = room <= TREE_MAX_SIZE ? arena_try_alloc(a, room) : NULL;
            if (!more) {
                errno = room <= TREE_MAX_SIZE ? ENOMEM : EFBIG;
                return false;
            }
            bytes = used ? memcpy(more, bytes, used) : more;
        }
        ssize_t n = read(fd, bytes + used, room - used);
        if (n == 0) {
            *text = (struct str){ bytes, used };
            return true;
        }
        if (n < 0 && errno != EINTR)
            return false;
        used += n > 0 ? (size_t)n : 0;
    }
}

/* A file that was read before in this tree; files.count if there is none. */
static unsigned known_file(const struct tree *t, struct str path, uint32_t hash)
{
    unsigned i = 0;

    while (i < t->files.count &&
           !(t->files.items[i].hash == hash && str_eq(t->files.items[i].path, path)))
        i++;
    return i;
}

static unsigned add_file(struct tree *t, struct str path, struct str text)
{
    struct tree_file *f = ARRAY_PUSH(&t->files, &t->arena);

    *f = (struct tree_file){ arena_str(&t->arena, path), text, str_hash(path), false };
    return t->files.count - 1;
}

static void open_failed(struct reader *r, const char *call, struct str path, int error)
{
    struct str message = arena_printf(&r->scratch, "%s \"%.*s\" failed", call, STR_ARG(path));

    if (r->outer)
        mistake(r->outer, r->outer->words.items[1], error, STR(""), message);
    else
        diag_note(r->all->diag, LOG_LEVEL_EMERG, error, "%.*s", STR_ARG(message));
}

/* Includes that lead back to a file that is still being read: tells the chain. */
static bool is_loop(struct reader *r, struct str path)
{
    struct out chain = out_growing(&r->scratch, 65536);
    struct tree_file *files = r->all->tree->files.items;
    bool loop = false;

    for (struct reader *o = r->outer; o && !loop; o = o->outer) {
        loop = o->device == r->device && o->inode == r->inode;
        out_printf(&chain, "%s%.*s", chain.start ? ", included from " : "it is included from ",
                   STR_ARG(files[o->file].path));
    }
    if (loop)
        mistake(r->outer, r->outer->words.items[1], 0, out_str_of(&chain),
                put(r, "\"%.*s\" includes itself", path));
    return loop;
}

/* Opens the file and finds its text; false after a mistake was told. */
static bool get_file(struct reader *r, struct str path, unsigned *file)
{
    struct tree *t = r->all->tree;
    struct stat st = { 0 };
    struct str text = { "", 0 };
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        open_failed(r, "open()", path, errno);
        if (fd >= 0)
            close(fd);
        return false;
    }
    r->device = st.st_dev;
    r->inode = st.st_ino;
    *file = known_file(t, path, str_hash(path));
    bool good = !is_loop(r, path);
    if (good && *file == t->files.count) {
        size_t size = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
        good = read_whole(&t->arena, fd, size, &text);
        if (good)
            add_file(t, path, text);
        else
            open_failed(r, "read()", path, errno);
    }
    close(fd);
    return good;
}

static void read_file(struct reader *r, struct str path)
{
    unsigned file;

    arena_init(&r->scratch);
    if (get_file(r, path, &file))
        read_text(r, file);
    arena_fini(&r->scratch);
}

/* ---- include ---- */

static bool too_many(struct reader *r, const char *what)
{
    mistake(r, r->words.items[1], 0, STR(""), str_of(what));
    return false;
}

/* false: no more of them. */
static bool include_file(struct reader *outer, struct str path)
{
    struct reading *all = outer->all;
    struct reader r = { .all = all, .outer = outer, .place = outer->place,
                        .depth = outer->depth + 1 };

    if (r.depth > TREE_MAX_DEPTH)
        return too_many(outer, "more than 100 files include each other");
    if (all->tree->files.count >= TREE_MAX_FILES)
        return too_many(outer, "more than 10,000 files are included");
    if (all->includes++ >= TREE_MAX_INCLUDES)
        return too_many(outer, "more than 1,000,000 includes");
    read_file(&r, path);
    return true;
}

static void include(struct reader *r)
{
    struct str path = r->words.items[1].text;
    glob_t found = { 0 };

    if (path.len == 0 || path.data[0] != '/')
        path = arena_concat(&r->scratch, r->all->folder, path);
    if (!strpbrk(path.data, "*?[")) {
        include_file(r, path);
        return;
    }
    int result = glob(path.data, 0, NULL, &found);
    if (result == 0) {
        for (size_t i = 0; i < found.gl_pathc && include_file(r, str_of(found.gl_pathv[i])); i++)
            ;
    } else if (result != GLOB_NOMATCH)
        mistake(r, r->words.items[1], 0, STR(""), put(r, "glob() \"%.*s\" failed", path));
    globfree(&found);
}

/* ---- lines ---- */

static void start_line(struct reader *r)
{
    r->words.count = 0;
    r->line_size = 0;
    r->broken = false;
}

static void add_word(struct reader *r)
{
    r->line_size += r->lexer.word.text.len;
    if (r->line_size > TREE_MAX_LINE && !r->broken) {
        mistake(r, r->words.count ? r->words.items[0] : r->lexer.word, 0,
                STR("a line may have 1 MiB"), STR("too long line"));
        r->broken = true;
    }
    if (!r->broken)
        *ARRAY_PUSH(&r->words, &r->scratch) = r->lexer.word;
}

/* A node of the words that were read. */
static struct node *new_node(struct reader *r, bool block)
{
    struct arena *a = &r->all->tree->arena;
    struct node *n = ARENA_NEW(a, struct node);

    n->count = r->words.count;
    n->words = arena_alloc(a, n->count * sizeof(struct word));
    if (n->count)
        memcpy(n->words, r->words.items, n->count * sizeof(struct word));
    n->file = r->file;
    n->block = block;
    n->parent = r->place->block;
    return n;
}

static void link_node(struct place *p, struct node *n)
{
    *p->tail = n;
    p->tail = &n->next;
}

static void end_line(struct reader *r)
{
    if (r->broken)
        ;                                      /* told before */
    else if (r->words.count == 0)
        mistake(r, here(r), 0, STR("there is nothing before it"), STR("unexpected \";\""));
    else if (!str_eq(r->words.items[0].text, STR("include")))
        link_node(r->place, new_node(r, false));
    else if (r->words.count == 2)
        include(r);
    else
        mistake(r, r->words.items[0], 0, STR("syntax: include file | mask"),
                STR("invalid number of arguments in \"include\" directive"));
    start_line(r);
}

static void read_block(struct reader *r, struct node *opened);

/* The lines of a block without a usable name are read, too, but nobody sees them. */
static void open_block(struct reader *r)
{
    struct place *outer = r->place;
    bool nameless = r->words.count == 0 || r->broken;

    if (r->words.count == 0 && !r->broken)
        mistake(r, here(r), 0, STR("there is no name before it"), STR("unexpected \"{\""));
    if (outer->depth == TREE_MAX_DEPTH) {
        mistake(r, here(r), 0, STR("at most 100 blocks may be nested"),
                STR("too many nested blocks"));
        r->lexer.at = r->lexer.end;
        start_line(r);
        return;
    }
    struct node *n = new_node(r, true);
    struct place inner = { n, &n->children, outer->depth + 1 };
    if (!nameless)
        link_node(outer, n);
    start_line(r);
    r->place = &inner;
    read_block(r, n);
    r->place = outer;
}

static void close_block(struct reader *r, struct node *opened)
{
    if (r->words.count && !r->broken)
        mistake(r, here(r), 0, unfinished(r), STR("unexpected \"}\""));
    else if (!opened)
        mistake(r, here(r), 0, STR("no block is open here"), STR("unexpected \"}\""));
    if (opened)
        opened->end_line = r->lexer.line;
    start_line(r);
}

static void end_of_file(struct reader *r, const struct node *opened)
{
    bool files = !r->all->tree->files.items[r->file].command_line;
    struct word end = { .line = r->lexer.line };
    struct str hint = STR("");

    if (r->lexer.line_start == r->lexer.end && end.line > 1)
        end.line--;                            /* the last line is the last one with a text */
    if (r->words.count && !r->broken)
        mistake(r, r->words.items[r->words.count - 1], 0, unfinished(r),
                files ? STR("unexpected end of file, expecting \";\" or \"}\"")
                      : STR("unexpected end of parameter, expecting \";\""));
    if (!opened)
        return;
    if (opened->count)
        hint = arena_printf(&r->scratch, "the block \"%.*s\" of line %u is not closed",
                            STR_ARG(opened->words[0].text), opened->words[0].line);
    mistake(r, end, 0, hint, STR("unexpected end of file, expecting \"}\""));
}

/* Reads lines until the block that was opened last, or the file, ends. */
static void read_block(struct reader *r, struct node *opened)
{
    for (;;) {
        switch (lexer_next(&r->lexer)) {
        case LEX_WORD:
            add_word(r);
            break;
        case LEX_SEMICOLON:
            end_line(r);
            break;
        case LEX_OPEN:
            open_block(r);
            break;
        case LEX_CLOSE:
            close_block(r, opened);
            if (opened)
                return;
            break;
        case LEX_BAD:
            if (!r->broken)
                mistake(r, r->lexer.word, 0, r->lexer.hint, r->lexer.problem);
            r->broken = true;
            break;
        case LEX_END:
            end_of_file(r, opened);
            return;
        }
    }
}

/* One mistake for a file that is not text, rather than one for each of its words. */
static bool is_text(struct reader *r, struct str text)
{
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    bool utf16 = str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff"));
    struct word place = { .line = 1 };

    if (!nul)
        return true;
    for (const char *at = text.data; at < nul; at++)
        place.line += *at == '\n';
    mistake(r, place, 0, utf16 ? STR("it looks like UTF-16: save it as UTF-8") : STR(""),
            STR("unexpected NUL byte, this is no text"));
    return false;
}

static void read_text(struct reader *r, unsigned file)
{
    struct tree *t = r->all->tree;
    struct str text = t->files.items[file].text;

    r->file = file;
    lexer_init(&r->lexer, &t->arena, text);
    if (is_text(r, text))
        read_block(r, NULL);
}

/* ---- trees ---- */

struct tree *tree_new(void)
{
    struct arena a;

    arena_init_blocks(&a);
    struct tree *t = ARENA_NEW(&a, struct tree);
    t->arena = a;
    return t;
}

static void add_text(struct reading *all, struct place *place, struct str name, struct str text,
                     bool command_line)
{
    struct tree *t = all->tree;
    struct reader r = { .all = all, .place = place };

    arena_init(&r.scratch);
    unsigned file = add_file(t, name, arena_str(&t->arena, text));
    t->files.items[file].command_line = command_line;
    read_text(&r, file);
    arena_fini(&r.scratch);
}

struct tree *tree_parse(struct str name, struct str text, struct diag *diag)
{
    struct tree *t = tree_new();
    struct reading all = { .tree = t, .diag = diag, .folder = STR("") };
    struct place top = { NULL, &t->top, 0 };

    add_text(&all, &top, name, text, false);
    return t;
}

struct tree *tree_read(struct str path, struct str globals, struct diag *diag)
{
    struct tree *t = tree_new();
    struct reading all = { .tree = t, .diag = diag };
    struct place top = { NULL, &t->top, 0 };
    struct reader r = { .all = &all, .place = &top };

    path = arena_str(&t->arena, path);
    all.folder = arena_str(&t->arena, str_first(path, (size_t)(str_rindex(path, '/') + 1)));
    if (globals.len)
        add_text(&all, &top, STR("command line"), globals, true);
    read_file(&r, path);
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
    while (n && !str_eq(n->words[0].text, name))
        n = n->next;
    return n;
}

struct node *tree_line(struct arena *a, struct str name, struct str args)
{
    struct node *n = ARENA_NEW(a, struct node);
    ARRAY(struct word) words = { 0 };
    struct lexer l;

    lexer_init(&l, a, args);
    ARRAY_PUSH(&words, a)->text = arena_str(a, name);
    while (lexer_next(&l) == LEX_WORD)
        *ARRAY_PUSH(&words, a) = (struct word){ .text = l.word.text };
    n->words = words.items;
    n->count = words.count;
    n->file = UINT_MAX;                        /* it stands in none */
    return n;
}
