/*
 * lexer: the words of nginx.conf's language: quotes, escapes, comments, `${`, and the three signs
 * ";", "{" and "}".  It knows nothing of lines, blocks and files.
 */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "config/tree.h"

enum lexeme { LEX_WORD, LEX_SEMICOLON, LEX_OPEN, LEX_CLOSE, LEX_END, LEX_BAD };

struct lexer {
    struct arena *arena;               /* where texts of words go */
    const char *at, *end, *line_start;
    uint32_t line;                     /* of `at` */
    struct word word;                  /* the last LEX_WORD, or the place of the last LEX_BAD */
    struct str problem, hint;          /* of the last LEX_BAD; hint may be empty */
};

/* The text holds no NUL. */
void lexer_init(struct lexer *l, struct arena *arena, struct str text);
/* After LEX_BAD reading goes on behind the bad word: the line that it belongs to can't be used, but its
 * ";" or "{" still comes. */
enum lexeme lexer_next(struct lexer *l);
/* The place of one character, for messages. */
struct word lexer_place(const struct lexer *l, const char *at);

#endif
