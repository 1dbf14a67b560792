/*
 * resolve: a tree becomes structs.  A block's structs start as copies of its parent's resolved ones
 * (at the root each row's `initial` is parsed by the same type), rows marked NOT_INHERITED are reset,
 * the block's own lines are applied, the modules' finish() runs, and only then the nested blocks are
 * opened.  A block that sets nothing of a module shares its parent's struct.  There are no "unset"
 * values and no merge functions.
 */
#ifndef CONFIG_RESOLVE_H
#define CONFIG_RESOLVE_H

#include "config/diag.h"
#include "config/directive.h"
#include "config/generation.h"

/* A row that has been applied in a block, by its first line. */
struct applied {
    const struct directive *row;
    const struct module *module;
    const struct node *node;
};

/* A load under way. */
struct config {
    struct generation *generation;
    const struct tree *tree;
    struct diag *diag;
    struct str prefix;                 /* folder that relative paths start from, with its slash */
    struct str conf_prefix;            /* folder of the configuration file, with its slash */
    const struct bundle *packed;       /* what the tree came in, with files; NULL: from the disk */
    const struct bundle *held;         /* files whose contents stay, whatever the disk has; or NULL */
    struct arena scratch;              /* until the load ends */
    /* For resolve.c alone: */
    ARRAY(struct applied) applied;     /* in the blocks whose own lines are being applied */
    void **initial;                    /* by module: initial values, where some are NOT_INHERITED */
    struct block *last;                /* of the list of blocks */
    /* For kept_files.c alone: places of files + 1, by the hash of the path, and how many of them. */
    unsigned *file_slots, file_slot_count, files_slotted;
};

struct block {
    const struct block *parent;        /* NULL at the root */
    const struct node *node;           /* NULL at the root */
    const struct module *module;       /* whose row opened it; NULL at the root */
    enum context context;
    void **conf;                       /* by module index; may be the parent's own vector */
    void *object;                      /* what open() made of it: a server, a location */
    void *variables;                   /* the script floor's: config_set_variables() */
    struct block *next;                /* in the order in which they are opened, from the root on */
    struct opening *openings;          /* resolve.c's: blocks in it that are still to be opened */
};

/* One line being applied. */
struct setting {
    struct config *config;
    struct block *block;
    const struct node *node;           /* its words; for an initial value a line made from the row */
    const struct directive *row;       /* NULL in finish() */
    const struct module *module;
    void *conf;                        /* the module's struct for this block */
};

/* The modules of this program, the order of rows' blocks and of finish(); sets their indexes. */
void modules_init(struct module *const *list);     /* ended by NULL */
bool modules_add(struct module *m);                /* load_module; false: it is there, or too many */
unsigned modules_count(void);
struct module *modules_at(unsigned index);
/* The row of that name in a context, and its module (which may be NULL if nobody asks); NULL if there
 * is none.  In a block of IN_OTHER only rows of its own module count: modules_find_own(). */
const struct directive *modules_find(struct str name, unsigned contexts, struct module **module);
const struct directive *modules_find_own(const struct module *m, struct str name);
/* All contexts that a row of that name may stand in; 0: there is none. */
unsigned modules_contexts(struct str name);

/*
 * Resolves the whole tree into a new generation with one reference.  NULL if there were errors (all of
 * them are in diag then).
 */
struct generation *config_resolve(const struct tree *t, struct str prefix, struct str conf_prefix,
                                  struct diag *diag);
/* The same of what the master has read and packed. */
struct generation *config_resolve_packed(const struct bundle *b, struct diag *diag);
/* The same once more, with contents of files from the disk, but for those in `b`. */
struct generation *config_resolve_again(const struct bundle *b, struct diag *diag);

/*
 * For a row's open(): resolves the lines of s->node as a block of `context` under s->block.  The block
 * lives in the generation's arena; `object` is what nested rows find as s->block->object.  NULL only
 * if memory is short; mistakes are in diag and the block is as good as it can be.
 * config_open() stops before nested blocks are opened, config_close() opens them: for who must look at
 * the block's values in between.
 */
struct block *config_block(struct setting *s, enum context context, void *object);
struct block *config_open(struct setting *s, enum context context, void *object);
void config_close(struct setting *s, struct block *b);

/* The struct of a module in a block's vector. */
#define CONF(vector, module) ((vector)[(module).index])

static inline struct arena *setting_arena(const struct setting *s)
{
    return &s->config->generation->arena;
}

/* Argument i, from 1; i must be below s->node->count. */
static inline struct str setting_arg(const struct setting *s, unsigned i)
{
    return s->node->words[i].text;
}

/* A mistake at word `word` (0 the directive's name).  Gives false, so that a type can return it. */
bool setting_error(struct setting *s, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the text of `error`, an errno. */
bool setting_errno(struct setting *s, unsigned word, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A mistake with advice. */
bool setting_error_hint(struct setting *s, unsigned word, struct str hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void setting_warn(struct setting *s, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What is right, but bites: a warning that is given where a person tests the configuration. */
void setting_advise(struct setting *s, unsigned word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "x" directive invalid value (and what was expected): the common mistake of a type. */
bool setting_invalid(struct setting *s, unsigned word);

/* A path made absolute: against the prefix, or the folder of the configuration file.  NUL-terminated. */
struct str setting_path(struct setting *s, struct str path);
struct str setting_conf_path(struct setting *s, struct str path);

#endif
