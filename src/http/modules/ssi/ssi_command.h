/*
 * ssi_command: the commands of server side includes that stand for something: echo, config, set, include,
 * block, endblock.
 */
#ifndef HTTP_MODULES_SSI_SSI_COMMAND_H
#define HTTP_MODULES_SSI_SSI_COMMAND_H

#include "http/modules/ssi/ssi_page.h"

/* What a command puts in its place. */
struct ssi_result {
    struct str text;                   /* empty: nothing */
    struct request *include;           /* or the response to that subrequest; NULL: none */
    struct ssi_block *stub;            /* in the place of a response that fails or is empty */
    struct str set;                    /* the variable that takes the response; data NULL: none */
    bool wait;                         /* nothing goes on before it is there */
};

/* false (logged): the text of an error takes its place. */
bool ssi_command_run(struct request *r, const struct ssi_command *c, struct ssi_result *result);

#endif
