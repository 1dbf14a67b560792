/*
 * rewrite_program: what the rewriting lines of a block become: a row of steps, run in order.  The
 * lines of an `if` are a program of their own, which its step runs where the condition holds.
 */
#ifndef HTTP_MODULES_REWRITE_PROGRAM_H
#define HTTP_MODULES_REWRITE_PROGRAM_H

#include "http/location.h"
#include "http/modules/rewrite/rewrite.h"
#include "script/pattern.h"
#include "script/template.h"

/* OP(name): each has a function rewrite_op_name(). */
#define REWRITE_OPS(OP) OP(set) OP(rule) OP(break) OP(return) OP(if)

enum rewrite_op {
#define OP(name) REWRITE_OP_##name,
    REWRITE_OPS(OP)
#undef OP
};

struct rewrite_set {
    const struct variable *variable;
    struct template value;
};

/* rewrite regex replacement [flag] */
struct rewrite_rule {
    struct pattern *pattern;
    struct template uri;               /* of a redirect: the whole address */
    struct template args;              /* behind the first "?" of a path; counts if has_args */
    unsigned status;                   /* of a redirect; 0: the path is changed */
    bool has_args, keep_args;          /* keep_args: those of the request are put behind */
    bool last;                         /* the program ends after it */
    bool stay;                         /* "break": in this location */
};

struct rewrite_return {
    unsigned status;
    struct template text;              /* a body, or the address of a redirect */
    bool has_text;
};

enum rewrite_test_kind {
    TEST_TRUE,                         /* neither empty nor "0" */
    TEST_EQUAL,
    TEST_MATCH,
    TEST_FILE,
    TEST_FOLDER,
    TEST_THERE,
    TEST_EXECUTABLE,
};

struct rewrite_test {
    enum rewrite_test_kind kind;
    bool negative;
    const struct variable *variable;
    struct template value;             /* what it is compared with, or the path of a file */
    struct pattern *pattern;
};

struct rewrite_program;

struct rewrite_if {
    struct rewrite_test test;
    const struct location *location;   /* whose directives count from here on; NULL in a server */
    const struct rewrite_program *program;
    bool settings;                     /* it has lines of other modules */
};

struct rewrite_step {
    enum rewrite_op op;
    const struct node *node;
    union {
        struct rewrite_set set;
        struct rewrite_rule rule;
        struct rewrite_return answer;
        struct rewrite_if branch;
    };
};

struct rewrite_program {
    ARRAY(struct rewrite_step) steps;
    const struct node *seen;           /* while it is compiled: the `if`s up to this line have a step */
};

struct rewrite_conf {
    struct rewrite_program program;
    bool log, warn_uninitialized;
    bool inside_if;                    /* of a location: an `if` that waits goes on here */
};

/* A new step of this line, after those of the `if`s that stand before it. */
struct rewrite_step *rewrite_step_add(struct setting *s, enum rewrite_op op);
/* "http://", "https://" and "$scheme" at the start tell an address from a path. */
bool rewrite_is_url(struct str s);

/* The lines: false after setting_error(). */
bool rewrite_parse_rule(struct setting *s, void *field);
bool rewrite_open_if(struct setting *s);
/* The `if`s of the block up to line `end` (NULL: all) get their steps, to be filled when they open. */
void rewrite_place_ifs(struct setting *s, struct rewrite_program *p, const struct node *end);

/* ---- running ---- */

/* Results of an op, beside those of a step of the phases. */
enum { REWRITE_END = -100 };           /* the program is at its end */

enum { REWRITE_DEPTH = 2 };            /* a block's own program, and that of an `if` in it */

struct rewrite_run {
    struct request *r;
    struct {
        const struct rewrite_program *program;
        unsigned next;                 /* step */
    } frames[REWRITE_DEPTH];
    unsigned depth;                    /* of frames in use */
    bool log;                          /* rewrite_log */
    bool escape;                       /* for rewrite_value() */
};

/* STEP_NEXT: on to the next step of the program; REWRITE_END; or what the step of the phases gives. */
#define OP(name) int rewrite_op_##name(struct rewrite_run *run, const struct rewrite_step *step);
REWRITE_OPS(OP)
#undef OP

/* Matches as pattern_match(), and writes to the log what it gives where rewrite_log wants it.  After a
 * text that does not match there are no captures. */
enum pattern_result rewrite_match(struct rewrite_run *run, const struct pattern *p,
                                  struct str subject);
/* The value with captures percent-encoded, if the path was sent with anything encoded; ends in NUL. */
struct str rewrite_escaped_value(struct request *r, const struct template *t);
/* The value as conditions and `set` see it, which is escaped until a path has been rewritten. */
struct str rewrite_value(const struct rewrite_run *run, const struct template *t);

#endif
