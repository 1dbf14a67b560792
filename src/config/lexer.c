/*
 * lexer: see lexer.h.
 */
#include "config/lexer.h"

#include "base/out.h"

void lexer_init(struct lexer *l, struct arena *arena, struct str text)
{
    if (text.len == 0)
        text = STR("");
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from(text, 3);
    *l = (struct lexer){ .arena = arena, .at = text.data, .end = text.data + text.len, .line = 1 };
    l->line_start = l->at;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where a word stands whose file's text begins at `from`, in the line that is being read. */
static struct word place_of(const struct lexer *l, const char *from, size_t width)
{
    size_t column = (size_t)(from - l->line_start) + 1;

    return (struct word){
        .text = { "", 0 },
        .line = l->line,
        .column = (uint16_t)(column <= UINT16_MAX ? column : 0),
        .width = (uint16_t)(width <= UINT16_MAX ? width : UINT16_MAX),
    };
}

struct word lexer_place(const struct lexer *l, const char *at)
{
    return place_of(l, at, 1);
}

static void next_line(struct lexer *l, const char *start)
{
    l->line++;
    l->line_start = start;
}

static void skip_space(struct lexer *l)
{
    while (l->at < l->end) {
        if (*l->at == '#') {
            const char *lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
            l->at = lf ? lf : l->end;
        } else if (!is_space(*l->at))
            return;
        else if (*l->at++ == '\n')
            next_line(l, l->at);
    }
}

/* Puts what stands behind a backslash: control characters by letter, quotes and the backslash
 * themselves.  Before anything else a backslash is an ordinary character. */
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

static struct str unescape(struct arena *a, struct str s)
{
    char *space = arena_alloc(a, s.len + 1);
    struct out o = out_fixed(space, s.len + 1);

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\\' && i + 1 < s.len)
            put_escaped(&o, s.data[++i]);
        else
            out_char(&o, s.data[i]);
    }
    out_char(&o, '\0');
    return (struct str){ space, out_len(&o) - 1 };
}

static enum lexeme bad(struct lexer *l, struct word place, struct str problem, struct str hint)
{
    l->word = place;
    l->problem = problem;
    l->hint = hint;
    return LEX_BAD;
}

/* The word with that text in the file; `place` is where it begins. */
static enum lexeme take_word(struct lexer *l, struct word place, struct str text)
{
    if (text.len > TREE_MAX_LINE)
        return bad(l, place, STR("too long parameter"), STR("a word may have 1 MiB"));
    l->word = place;
    l->word.text = memchr(text.data, '\\', text.len) ? unescape(l->arena, text)
                                                     : arena_str(l->arena, text);
    return LEX_WORD;
}

/* ---- quoted words ---- */

/* A quote that is closed in the wrong place, or never, would turn the rest of the file inside out: what
 * follows is read as if it were closed in its own line.  That line's own end is kept. */
static void resume_after(struct lexer *l, const char *opened)
{
    const char *lf = memchr(opened, '\n', (size_t)(l->end - opened));

    l->at = lf ? lf : l->end;
    while (l->at - 1 > opened && is_space(l->at[-1]))
        l->at--;
    if (l->at - 1 > opened && (l->at[-1] == ';' || l->at[-1] == '{'))
        l->at--;
}

static enum lexeme unexpected(struct lexer *l, const struct lexer *before)
{
    struct word here = lexer_place(l, l->at);
    struct str message = arena_printf(l->arena, "unexpected \"%.1s\"", l->at);
    struct str hint = STR("a quoted word ends with a space, \";\", \"{\" or \")\"");

    if (l->line != before->line) {
        hint = arena_printf(l->arena, "the quoted word begins in line %u", before->line);
        l->line = before->line;
        l->line_start = before->line_start;
        resume_after(l, before->at);
    } else if (*l->at == '#')
        l->at++;                               /* not a comment */
    return bad(l, here, message, hint);
}

/* Moves over the text of a word that `quote` ends; false: nothing does. */
static bool skip_quoted(struct lexer *l, char quote)
{
    for (; l->at < l->end; l->at++) {
        if (*l->at == quote)
            return true;
        if (*l->at == '\\' && l->at + 1 < l->end)
            l->at++;
        if (*l->at == '\n')
            next_line(l, l->at + 1);
    }
    return false;
}

static enum lexeme quoted_word(struct lexer *l)
{
    const struct lexer before = *l;
    struct str text;

    l->at++;
    if (!skip_quoted(l, *before.at)) {
        l->line = before.line;
        l->line_start = before.line_start;
        resume_after(l, before.at);
        return bad(l, lexer_place(l, before.at),
                   STR("unexpected end of file, expecting \";\" or \"}\""),
                   STR("the quote that opens here is never closed"));
    }
    text = str_range(before.at + 1, l->at++);
    if (l->at < l->end && !is_space(*l->at) && !strchr(";{)", *l->at))
        return unexpected(l, &before);
    return take_word(l, place_of(&before, before.at, (size_t)(l->at - before.at)), text);
}

/* ---- plain words ---- */

/* Moves to the end of a word: a brace after "$" belongs to it. */
static void skip_plain(struct lexer *l)
{
    bool dollar = false;

    for (; l->at < l->end; l->at++) {
        char c = *l->at;
        if (c == '{' && dollar)
            continue;
        if (is_space(c) || c == ';' || c == '{')
            return;
        dollar = c == '$';
        if (c == '\\' && l->at + 1 < l->end && *++l->at == '\n')
            next_line(l, l->at + 1);
    }
}

static enum lexeme plain_word(struct lexer *l)
{
    const struct lexer before = *l;

    skip_plain(l);
    struct str text = str_range(before.at, l->at);
    return take_word(l, place_of(&before, text.data, text.len), text);
}

enum lexeme lexer_next(struct lexer *l)
{
    skip_space(l);
    if (l->at == l->end)
        return LEX_END;
    switch (*l->at) {
    case ';':
        l->at++;
        return LEX_SEMICOLON;
    case '{':
        l->at++;
        return LEX_OPEN;
    case '}':
        l->at++;
        return LEX_CLOSE;
    case '"':
    case '\'':
        return quoted_word(l);
    default:
        return plain_word(l);
    }
}
