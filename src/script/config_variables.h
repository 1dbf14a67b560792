/*
 * config_variables: which names the directives of a block may use.  http and stream each have a
 * namespace; this finds the right one for a line, and turns names into variables with the mistakes
 * told where they stand.
 */
#ifndef SCRIPT_CONFIG_VARIABLES_H
#define SCRIPT_CONFIG_VARIABLES_H

#include "config/resolve.h"
#include "script/variable.h"

/* The namespace that a block's directives use, found through the outer blocks; NULL: none there. */
struct variables *config_variables(const struct setting *s);
/*
 * An engine's open() calls config_set_variables(s->block, names) before config_block(), and
 * config_end_variables(s) after it, which tells of every name that was used and never defined
 * (unknown "x" variable) and takes the namespace off the block.
 */
void config_set_variables(struct block *b, struct variables *names);
bool config_end_variables(struct setting *s);

/* The variable of that name (without "$") for a use at word `word`; a later line may define it.
 * NULL after setting_error(): there are no variables in this context. */
const struct variable *config_variable(struct setting *s, unsigned word, struct str name);
/* Word `word` is "$name" of a variable that this line defines: gives the name without "$"; false
 * after setting_error(). */
bool config_variable_name(struct setting *s, unsigned word, struct str *name);
/* Defines the variable that word `word` names; false after setting_error(): duplicate variable. */
bool config_define_variable(struct setting *s, unsigned word, struct variable *var);

#endif
