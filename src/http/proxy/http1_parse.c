/*
 * http1_parse: see http1_parse.h.  Allocates nothing.
 */
#include "http/proxy/http1_parse.h"

#include "http/v1/v1_parse.h"

bool http1_next_line(struct str *in, struct str *line)
{
    const char *lf = in->len ? memchr(in->data, '\n', in->len) : NULL;

    if (!lf)
        return false;
    *line = str_range(in->data, lf);
    *in = str_from(*in, line->len + 1);
    if (line->len && line->data[line->len - 1] == '\r')
        line->len--;
    return true;
}

bool http1_parse_status(struct str line, struct http1_status_line *result)
{
    const size_t version = sizeof "HTTP/1.1" - 1, code = 3;
    struct str text;

    if (line.len < version + 1 + code || !str_starts(line, STR("HTTP/1.")) ||
        !char_is_digit(line.data[version - 1]) || line.data[version] != ' ')
        return false;
    result->version = line.data[version - 1] == '0' ? 1000 : 1001;
    text = str_from(line, version + 1);
    if (!str_to_uint(str_first(text, code), 999, &result->status) || result->status < 100 ||
        (text.len > code && text.data[code] != ' '))
        return false;
    for (size_t i = code; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 127)
            return false;
    }
    result->text = text;
    return true;
}

enum http1_field http1_parse_field(struct str line, struct str *name, struct str *value)
{
    if (line.len == 0)
        return HTTP1_LAST;
    switch (v1_parse_field(line, true, name, value)) {
    case V1_OK:
        return HTTP1_FIELD;
    case V1_SKIP:
        return v1_is_token(*name) ? HTTP1_FIELD : HTTP1_BAD;
    default:
        return HTTP1_BAD;
    }
}
