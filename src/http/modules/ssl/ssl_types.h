/*
 * ssl_types: how directives of TLS are read that stand for clients (ssl_*) and for peers (proxy_ssl_*).
 */
#ifndef HTTP_MODULES_SSL_SSL_TYPES_H
#define HTTP_MODULES_SSL_SSL_TYPES_H

#include <time.h>

#include "config/types.h"
#include "net/tls.h"
#include "script/template.h"

struct ssl_texts {
    ARRAY(struct template) all;
};

struct ssl_commands {
    ARRAY(struct tls_command) all;
};

struct ssl_certificate_cache {
    unsigned max;                      /* 0: off */
    time_t inactive, valid;            /* seconds */
};

/* The parser of a struct template: a file, or a text behind "data:"; variables in it are looked up in
 * each handshake. */
bool ssl_parse_certificate(struct setting *s, void *field);

extern const struct type type_ssl_certificate;         /* struct ssl_texts: one more with each line */
extern const struct type type_ssl_file;                /* struct str: a path, or data NULL */
extern const struct type type_ssl_certificate_cache;
extern const struct type type_ssl_command;             /* struct ssl_commands: the same */
extern const struct type type_ssl_key_log;             /* struct log_file * */
extern const struct name_value ssl_protocols[];

#endif
