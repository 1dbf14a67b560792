/*
 * explain: how a request would go, found by sending it through the real code without a connection and
 * writing down what the trace (http/trace.h) sees.  Nothing is sent, no zone is counted in, no server
 * behind is asked: steps that would do so are named, and the request goes on as if they had let it.
 */
#ifndef HTTP_EXPLAIN_H
#define HTTP_EXPLAIN_H

#include <stdio.h>

#include "config/resolve.h"
#include "net/address.h"

struct explain_query {
    struct str url;                    /* "http://host:port/path?args", or a path alone */
    struct str method;
    ARRAY(struct str) fields;          /* "Name: value" */
    struct peer peer;                  /* whom it comes from */
};

enum explain_mark {
    EXPLAIN_PLAIN,
    EXPLAIN_NO,            /* looked at and passed by */
    EXPLAIN_YES,
    EXPLAIN_CHOSEN,
    EXPLAIN_GOES,          /* to another path */
    EXPLAIN_REFUSED,
    EXPLAIN_ASSUMED,       /* not run: taken as passed */
};

/* A thing that happened. */
struct explain_line {
    const char *part;                  /* "location", "rewrite", or the name of a step */
    enum explain_mark mark;
    struct str what;
    struct str result;                 /* may be empty */
    struct str place;                  /* file:line; may be empty */
};

struct explain_directive {
    struct str text;                   /* "root /srv;" */
    struct str from;                   /* the block that it is inherited from; empty: the chosen one */
    struct str place;
};

struct explain {
    struct arena arena;
    const struct tree *tree;
    struct str error;                  /* why there is nothing to explain; empty: there is */
    struct str method, url;
    struct str listener, listener_why, listener_place;
    struct str server, server_why, server_place;
    ARRAY(struct explain_line) lines;
    unsigned status;                   /* 0: closed without an answer, or not known */
    struct str outcome;                /* "404 Not Found"; or what would answer */
    ARRAY(struct str) fields;          /* of the response: "Name: value" */
    struct str location, location_place;       /* where it ended */
    ARRAY(struct explain_directive) directives;

    /* while it runs */
    const char *part;
    struct str subject;                /* of the last regular expression */
    bool matched, assumed;             /* assumed: another server would answer */
    unsigned walks, walk_start;        /* looks for a location; the first line of the last */
    struct str uri;                    /* before a rewriting line */
};

/* Runs the query on a configuration that was resolved here and is not in use.  Free with explain_free(). */
struct explain *explain_run(struct generation *g, const struct tree *t,
                            const struct explain_query *q);
void explain_free(struct explain *e);

/* For people: places below `folder` are shown without it. */
void explain_print(const struct explain *e, struct str folder, FILE *f, bool colour);
/* For tools, RFC 8259. */
void explain_print_json(const struct explain *e, FILE *f);

/* ---- for explain*.c ---- */

struct location;
struct request;

void explain_trace(struct request *r, struct explain *e);
/* A line; `what` and `result` are copied. */
void explain_add(struct explain *e, const char *part, enum explain_mark mark, struct str what,
                 struct str result, struct str place);
/* What the line `pass` would do: the group, its servers in their order, the request line. */
void explain_upstream(struct explain *e, struct request *r, const struct node *pass);
/* The fields of the response as the wire sends them; its body is closed for that. */
void explain_head(struct explain *e, struct request *r);
/* The effective lines of a block. */
void explain_directives(struct explain *e, const struct block *b);
struct str explain_place(struct explain *e, const struct node *n);
/* The words of a line, as they may be written; `end` behind them. */
struct str explain_words(struct explain *e, const struct node *n, const char *end);
/* "~* \.(gif|png)$", "server", "@name", "if ($x)". */
struct str explain_location_name(struct explain *e, const struct location *l);

#endif
