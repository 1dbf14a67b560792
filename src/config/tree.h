/*
 * tree: the text of a configuration as lines and blocks, with the place each word stands at.  The
 * grammar is nginx.conf's; `include` is expanded here, so nothing above ever sees it.  A tree knows no
 * directive.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/array.h"

struct diag;

struct word {
    struct str text;       /* unquoted, escapes resolved, ends in NUL */
    uint32_t line;         /* from 1 */
    uint16_t column;       /* from 1, in bytes; of the quote, where there is one */
    uint16_t width;        /* in the file, for the caret */
};

/* A line `name args ;` or a block `name args { ... }`. */
struct node {
    struct word *words;    /* words[0] is the name */
    unsigned count;        /* at least 1 */
    unsigned file;         /* index into tree.files */
    bool block;
    struct node *parent;   /* NULL at the top */
    struct node *children, *next;
    uint32_t end_line;     /* where a block's brace closes */
};

struct tree_file {
    struct str path;       /* as messages name it */
    struct str text;       /* as read; empty in a tree that came out of a bundle */
    uint32_t hash;         /* of the path */
    bool command_line;     /* not a file, but the text of -g */
};

struct tree {
    struct arena arena;    /* all of it, the struct too */
    ARRAY(struct tree_file) files;
    struct node *top;      /* the first line; globals given by -g stand first */
};

enum {
    TREE_MAX_LINE = 1 << 20,           /* bytes of a word, and of all words of a line */
    TREE_MAX_FILES = 10000,            /* different ones; each is kept once */
    TREE_MAX_INCLUDES = 1000000,
    TREE_MAX_SIZE = 256 << 20,         /* bytes of a file */
    TREE_MAX_DEPTH = 100,              /* of blocks, and of includes */
};

/*
 * Reads `path` and what it includes.  Relative includes are looked up in the folder of `path`.
 * `globals` is the text of -g, or empty.  Always gives a tree, as far as it could be read; mistakes
 * are in `diag`.  Free with tree_free().
 */
struct tree *tree_read(struct str path, struct str globals, struct diag *diag);
/* The same from memory: `name` stands for the file in messages. */
struct tree *tree_parse(struct str name, struct str text, struct diag *diag);
/* An empty one. */
struct tree *tree_new(void);
void tree_free(struct tree *t);

/* The next line on the same level whose name is `name`, from `n` on; NULL if there is none. */
const struct node *tree_find(const struct node *n, struct str name);

/* Words of a short text such as a default value: "name" is prepended as words[0].  For rows' initials. */
struct node *tree_line(struct arena *a, struct str name, struct str args);

#endif
