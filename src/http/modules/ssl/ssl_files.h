/*
 * ssl_files: the files that directives of TLS name, those for clients (ssl_*) and those for peers
 * (proxy_ssl_*): they are read here, and mistakes in them are told where the directive stands.
 *
 * A setting that is handed in stands for a block (its node is the block's own): the line that is meant
 * is looked for in that block and in those around it.
 */
#ifndef HTTP_MODULES_SSL_SSL_FILES_H
#define HTTP_MODULES_SSL_SSL_FILES_H

#include "config/resolve.h"
#include "http/request.h"
#include "net/tls.h"
#include "script/template.h"

/* Line `index` of that name in the innermost block that has any; the block's own line where there is
 * none. */
struct setting ssl_files_line(const struct setting *s, const char *name, unsigned index);

/* The file that line names; where `path` is none, nothing.  false after a mistake was told, here and
 * below. */
bool ssl_files_read(const struct setting *s, const char *name, unsigned index, struct str path,
                    struct tls_text *text);
/* The same of a path, or a text behind "data:". */
bool ssl_files_read_text(const struct setting *s, const char *name, unsigned index,
                         const struct template *t, struct tls_text *text);
/* One password in a line; they live as long as the generation. */
bool ssl_files_passwords(const struct setting *s, const char *name, struct str path,
                         struct tls_settings *to);

/* Tells a mistake in settings at its directive, of names by enum tls_subject.  Gives false. */
bool ssl_files_tell(const struct setting *s, const char *const *names, const struct tls_settings *t,
                    const struct tls_error *e);

/* What a certificate or key with variables in its name is called for a request: a path of the
 * configuration's folder, a text behind "data:", or empty. */
struct str ssl_files_name(struct request *r, const struct template *t);

#endif
