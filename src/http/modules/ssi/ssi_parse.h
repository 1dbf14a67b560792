/*
 * ssi_parse: finds the commands of server side includes, <!--#name param="value" ... -->, in a text that
 * comes in pieces.  Pure logic: what it finds points into the text.
 */
#ifndef HTTP_MODULES_SSI_SSI_PARSE_H
#define HTTP_MODULES_SSI_SSI_PARSE_H

#include "base/str.h"

enum {
    SSI_PARAMS = 16,
    SSI_NAME_MAX = 31,                 /* bytes of a command's or a parameter's name */
};

struct ssi_param {
    struct str name, value;            /* the value still with its backslashes */
};

struct ssi_command {
    struct str name;
    struct ssi_param params[SSI_PARAMS];
    unsigned count;
};

enum ssi_found {
    SSI_NONE,                          /* no command begins in it */
    SSI_COMMAND,
    SSI_BAD,                           /* one that is malformed; it ends where a right one would */
    SSI_MORE,                          /* one may begin at *start: more bytes are needed */
};

/*
 * The first command in `text`: *start is where it begins, *end what follows it.  Of SSI_NONE both are
 * the text's end.  `last`: no more bytes follow; a command that is cut off there is bad.  `value_max`
 * bounds the length of values; *why says what is wrong with a bad one.
 */
enum ssi_found ssi_parse(struct str text, bool last, size_t value_max, struct ssi_command *c,
                         size_t *start, size_t *end, const char **why);

/* The value of a parameter; NULL: it is not there. */
const struct str *ssi_param(const struct ssi_command *c, const char *name);

/* The operator of an expression. */
enum ssi_operator { SSI_TRUE, SSI_EQUAL, SSI_NOT_EQUAL };

struct ssi_expression {
    struct str left, right;
    enum ssi_operator operator;
    bool regex;                        /* `right` stood between slashes */
};

/* "text", "text = text", "text != text", "text = /regex/".  false: malformed. */
bool ssi_parse_expression(struct str text, struct ssi_expression *e);

#endif
