/*
 * ssi_page: what the commands of a page with server side includes have said so far: variables, blocks,
 * conditions, texts of errors and times.  Variables and blocks belong to the main request, so that what
 * is included sees them.
 */
#ifndef HTTP_MODULES_SSI_SSI_PAGE_H
#define HTTP_MODULES_SSI_SSI_PAGE_H

#include "base/out.h"
#include "http/modules/ssi/ssi_parse.h"
#include "http/request.h"
#include "script/variable.h"

enum {
    SSI_NESTED_IFS = 64,
    SSI_CAPTURES = 10,
    SSI_BLOCK_MAX = 1 << 20,           /* bytes of a block's text */
};

struct ssi_variable {
    struct str name, value;
};

struct ssi_block {
    struct str name;
    struct out text;
};

/* Of the main request. */
struct ssi_shared {
    ARRAY(struct ssi_variable) variables;
    ARRAY(struct ssi_block *) blocks;
    struct str captures[SSI_CAPTURES]; /* of the last regular expression */
};

struct ssi_if {
    bool outer;                        /* what stands around it is shown */
    bool taken;                        /* one of its branches was */
    bool ended;                        /* its else has been */
};

/* Of a request. */
struct ssi_page {
    struct ssi_shared shared;          /* used of the main request's page alone */
    struct str timefmt, errmsg;
    bool shown;                        /* false: in a branch of an `if` that is not */
    struct ssi_block *block;           /* being filled; NULL: none */
    struct ssi_if ifs[SSI_NESTED_IFS];
    unsigned depth;
};

extern struct module http_ssi_module;

/* Of a request, made on first use. */
struct ssi_page *ssi_page_of(struct request *r);
struct ssi_shared *ssi_shared_of(struct request *r);

/* A variable's value for the page: data NULL if there is none. */
struct str ssi_variable(struct request *r, struct str name);
void ssi_set_variable(struct request *r, struct str name, struct str value);
/* The block of that name; NULL: none. */
struct ssi_block *ssi_find_block(struct request *r, struct str name);

/* A text of a command with its variables put in, in the request's arena; false (logged): malformed. */
bool ssi_expand(struct request *r, struct str text, struct str *value);
/* An expression of `if`; false (logged): malformed. */
bool ssi_evaluate(struct request *r, struct str text, bool *value);

/* if, elif, else, endif; false (logged): out of place, or malformed.  Other commands are not for here. */
bool ssi_condition(struct request *r, const struct ssi_command *c);
bool ssi_is_condition(struct str name);

/* The current time in the page's format. */
struct str ssi_time(struct request *r, bool gmt);

#endif
