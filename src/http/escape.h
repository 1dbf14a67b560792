/*
 * escape: texts made fit for a place: percent-encoding (RFC 3986 section 2.1), HTML and XML.
 */
#ifndef HTTP_ESCAPE_H
#define HTTP_ESCAPE_H

#include "base/out.h"

/* A path, with its slashes: "%", "?", "#" and what may not stand in a URI are encoded. */
void escape_path(struct out *o, struct str s);
/* A component of a path or query: all but letters, digits and "-._~" is encoded. */
void escape_component(struct out *o, struct str s);
/* What stands in the arguments of a URI: "&", "+" and ";" are encoded too, "/" and "=" are not. */
void escape_args(struct out *o, struct str s);
/* &lt; &gt; &amp; &quot; */
void escape_html(struct out *o, struct str s);
/* The inside of a string, RFC 8259 section 7; what is not UTF-8 goes through as it is. */
void escape_json(struct out *o, struct str s);

#endif
