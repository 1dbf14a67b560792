/*
 * v1_parse: see v1_parse.h.  Allocates nothing and knows no request.
 */
#include "http/v1/v1_parse.h"

/* Classes of bytes, as bits. */
enum {
    TOKEN = 1,             /* tchar of RFC 9110 section 5.6.2 */
    FIELD_NAME = 2,        /* what nginx takes in a name without remark: letters, digits, "-" */
    TARGET = 4,            /* in a request target: anything visible, and bytes above 127 */
    PLAIN_PATH = 8,        /* in a path that needs no look: not % / . ? # */
    VALUE = 16,            /* in a field's value: all but NUL, CR, LF */
};

#define L (TOKEN | FIELD_NAME | TARGET | PLAIN_PATH | VALUE)   /* letters, digits, "-" */
#define S (TOKEN | TARGET | PLAIN_PATH | VALUE)                /* signs that a token may have */
#define T (TOKEN | TARGET | VALUE)                             /* # % . */
#define Q (TARGET | VALUE)                                     /* / ? */
#define M (TARGET | PLAIN_PATH | VALUE)                        /* other marks, bytes above 127 */
#define C (VALUE)                                              /* control characters, space */

static const unsigned char classes[256] = {
    0, C, C, C, C, C, C, C, C, C, 0, C, C, 0, C, C,
    C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
    C, S, M, T, S, T, S, S, M, M, S, S, M, L, T, Q,
    L, L, L, L, L, L, L, L, L, L, M, M, M, M, M, Q,
    M, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, M, M, M, S, S,
    S, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, M, S, M, S, C,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
    M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
};

#undef L
#undef S
#undef T
#undef Q
#undef M
#undef C

/* How many bytes from the start of s are all of `class`. */
static size_t span_of(struct str s, unsigned class)
{
    size_t i = 0;

    while (i < s.len && (classes[(unsigned char)s.data[i]] & class))
        i++;
    return i;
}

/* Whether s may be a field's value.  Eight bytes at a time where none is a control character: those
 * below 0x20 borrow from the top bit. */
static bool is_value(struct str s)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (s.len >= 8) {
        uint64_t w = str_word(s.data);
        if (((w - ones * 0x20) & ~w & ones * 0x80) && span_of(str_first(s, 8), VALUE) != 8)
            return false;
        s = str_from(s, 8);
    }
    return span_of(s, VALUE) == s.len;
}

bool v1_is_token(struct str s)
{
    return s.len > 0 && span_of(s, TOKEN) == s.len;
}

bool v1_may_begin(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == '-' || byte == '\r' ||
           byte == '\n';
}

static bool is_method(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!v1_may_begin(s.data[i]) || s.data[i] < ' ')
            return false;
    }
    return s.len > 0;
}

/* "HTTP/" DIGIT "." DIGIT.  Only major 1 is served over this syntax. */
static enum v1_result parse_version(struct str s, unsigned *version)
{
    if (s.len != 8 || !str_starts(s, STR("HTTP/")) || !char_is_digit(s.data[5]) ||
        s.data[6] != '.' || !char_is_digit(s.data[7]) || s.data[5] == '0')
        return V1_BAD;
    if (s.data[5] != '1')
        return V1_BAD_VERSION;
    *version = 1000 + (unsigned)(s.data[7] - '0');
    return V1_OK;
}

/* RFC 3986 section 3.1. */
static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = char_lower(s.data[i]);
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && !(i > 0 && (char_is_digit(c) || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.len > 0;
}

/* scheme "://" authority path: leaves the path in *target, "/" where there is nothing. */
static bool split_absolute(struct v1_request_line *r)
{
    ptrdiff_t colon = str_find(r->target, STR("://"));

    if (colon < 0 || !is_scheme(str_first(r->target, (size_t)colon)))
        return false;
    r->scheme = str_first(r->target, (size_t)colon);
    struct str rest = str_from(r->target, (size_t)colon + 3);
    size_t end = 0;
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' &&
           rest.data[end] != '#')
        end++;
    r->authority = str_first(rest, end);
    r->no_path = end == rest.len;
    r->target = r->no_path ? STR("/") : str_from(rest, end);
    return end > 0;
}

/* Section 3.2: which form it is depends on the method. */
static bool parse_target(struct v1_request_line *r)
{
    struct str *t = &r->target;

    if (t->len == 0 || span_of(*t, TARGET) != t->len)
        return false;
    if (str_eq(r->method, STR("CONNECT"))) {       /* authority-form */
        r->authority = *t;
        *t = STR("/");
        return true;
    }
    if (t->data[0] == '/')
        return true;
    if (str_eq(*t, STR("*")))                      /* asterisk-form is for OPTIONS alone */
        return str_eq(r->method, STR("OPTIONS"));
    return split_absolute(r);
}

enum v1_result v1_parse_request_line(struct str line, struct v1_request_line *r)
{
    struct str rest = line;

    *r = (struct v1_request_line){ 0 };
    r->method = str_split(&rest, ' ');
    if (!rest.data || !is_method(r->method))
        return V1_BAD_METHOD;
    r->target = str_split(&rest, ' ');
    if (!rest.data) {                              /* HTTP/0.9: exactly "GET /path" */
        r->version = 9;
        return str_eq(r->method, STR("GET")) && str_starts(r->target, STR("/")) && parse_target(r)
                   ? V1_OK : V1_BAD;
    }
    return parse_target(r) ? parse_version(rest, &r->version) : V1_BAD;
}

enum v1_result v1_parse_field(struct str line, bool underscores, struct str *name,
                              struct str *value)
{
    size_t len = span_of(line, FIELD_NAME);
    bool odd = false;

    while (len < line.len && line.data[len] != ':') {
        unsigned char c = (unsigned char)line.data[len];
        if (c <= ' ' || c == 127)                  /* space before the colon, folding */
            return V1_BAD;
        if (!(underscores && c == '_') && !(classes[c] & FIELD_NAME))
            odd = true;
        len++;
    }
    if (len == line.len || len == 0)
        return V1_BAD;
    *name = str_first(line, len);
    *value = str_trim(str_from(line, len + 1));
    if (!is_value(*value))
        return V1_BAD;
    return odd ? V1_SKIP : V1_OK;
}

/* A byte of a chunk's size line.  false: malformed. */
static bool size_byte(struct v1_chunks *c, char byte)
{
    unsigned char class = classes[(unsigned char)byte];
    bool blank = byte == ' ' || byte == '\t';
    int digit = c->state <= CHUNK_SIZE_DIGITS ? char_hex(byte) : -1;

    if (++c->extra > V1_MAX_CHUNK_EXTRA)
        return false;
    if (digit >= 0) {
        c->state = CHUNK_SIZE_DIGITS;
        if (c->left >> 58)                         /* larger than any file */
            return false;
        c->left = c->left << 4 | (unsigned)digit;
        return true;
    }
    switch (c->state) {
    case CHUNK_SIZE_START:
        return false;
    case CHUNK_QUOTED:
        if (byte == '"' || byte == '\\')
            c->state = byte == '"' ? CHUNK_SPACE : CHUNK_ESCAPED;
        return class & VALUE;
    case CHUNK_ESCAPED:
        c->state = CHUNK_QUOTED;
        return class & VALUE;
    default:
        break;
    }
    if (byte == '\r')
        c->state = CHUNK_SIZE_LF;
    else if (byte == ';')
        c->state = CHUNK_EXTENSION;
    else if (c->state != CHUNK_EXTENSION) {
        c->state = CHUNK_SPACE;
        return blank;
    } else if (byte == '"')
        c->state = CHUNK_QUOTED;
    else
        return blank || byte == '=' || (class & TOKEN);
    return true;
}

/* The bytes of a chunk pay for the line before them: only lines that are long beside what they announce
 * add up, over all of a body. */
static void pay_for_line(struct v1_chunks *c)
{
    uint64_t paid = 16 + 2 * c->left;

    c->extra = c->extra > paid ? c->extra - (unsigned)paid : 0;
}

/* A byte of what follows the last chunk.  false: malformed. */
static bool trailer_byte(struct v1_chunks *c, char byte)
{
    unsigned char class = classes[(unsigned char)byte];

    if (++c->extra > V1_MAX_CHUNK_EXTRA)
        return false;
    switch (c->state) {
    case CHUNK_TRAILER_START:
        c->state = byte == '\r' ? CHUNK_END_LF : CHUNK_TRAILER_NAME;
        return byte == '\r' || (class & TOKEN);
    case CHUNK_TRAILER_NAME:
        if (byte == ':')
            c->state = CHUNK_TRAILER_VALUE;
        return byte == ':' || (class & TOKEN);
    default:
        if (byte == '\r')
            c->state = CHUNK_TRAILER_LF;
        return byte == '\r' || (class & VALUE);
    }
}

/* One byte of framing.  false: malformed. */
static bool chunk_byte(struct v1_chunks *c, char byte)
{
    switch (c->state) {
    case CHUNK_SIZE_START:
    case CHUNK_SIZE_DIGITS:
    case CHUNK_SPACE:
    case CHUNK_EXTENSION:
    case CHUNK_QUOTED:
    case CHUNK_ESCAPED:
        return size_byte(c, byte);
    case CHUNK_SIZE_LF:
        pay_for_line(c);
        c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER_START;
        return byte == '\n';
    case CHUNK_DATA_CR:
        c->state = CHUNK_DATA_LF;
        return byte == '\r';
    case CHUNK_DATA_LF:
        c->state = CHUNK_SIZE_START;
        return byte == '\n';
    case CHUNK_TRAILER_START:
    case CHUNK_TRAILER_NAME:
    case CHUNK_TRAILER_VALUE:
        return trailer_byte(c, byte);
    case CHUNK_TRAILER_LF:
        c->state = CHUNK_TRAILER_START;
        return byte == '\n';
    case CHUNK_END_LF:
        c->state = CHUNK_DONE;
        return byte == '\n';
    case CHUNK_DATA:
    case CHUNK_DONE:
        break;
    }
    return true;
}

static bool is_trailer(const struct v1_chunks *c, char byte)
{
    return c->state == CHUNK_TRAILER_NAME || c->state == CHUNK_TRAILER_VALUE ||
           c->state == CHUNK_TRAILER_LF || (c->state == CHUNK_TRAILER_START && byte != '\r');
}

bool v1_chunks_next(struct v1_chunks *c, struct str in, size_t *used, struct str *body)
{
    size_t i = 0;

    *body = (struct str){ NULL, 0 };
    while (i < in.len && c->state != CHUNK_DATA && c->state != CHUNK_DONE) {
        if (c->trailers && is_trailer(c, in.data[i]))
            out_char(c->trailers, in.data[i]);
        if (!chunk_byte(c, in.data[i++]))
            return false;
    }
    *used = i;
    if (c->state == CHUNK_DATA && i < in.len) {
        size_t n = in.len - i;
        if (n > c->left)
            n = (size_t)c->left;
        *body = (struct str){ in.data + i, n };
        c->left -= n;
        if (c->left == 0)
            c->state = CHUNK_DATA_CR;
    }
    return true;
}

/* Where the path of a target ends: at "?" or "#". */
static size_t path_end(struct str target, struct v1_path *p)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.data[i] == '?') {
            struct str args = str_from(target, i + 1);
            ptrdiff_t fragment = str_index(args, '#');
            p->args = fragment < 0 ? args : str_first(args, (size_t)fragment);
            p->has_args = true;
            return i;
        }
        if (target.data[i] == '#')
            return i;
    }
    return target.len;
}

/* Whether a path is already what it would be normalised to. */
static bool is_plain(struct str path, bool merge_slashes)
{
    for (size_t i = 0;;) {
        i += span_of(str_from(path, i), PLAIN_PATH);
        if (i == path.len)
            return true;
        char c = path.data[i], before = i ? path.data[i - 1] : '/';
        if (c != '.' && c != '/')
            return false;                          /* a percent sign */
        if (c == '.' && before == '/')
            return false;                          /* perhaps a dot segment */
        if (c == '/' && merge_slashes && i && before == '/')
            return false;
        i++;
    }
}

/* Decodes percent signs of path into space; the length, or -1. */
static ptrdiff_t decode(struct str path, char *space)
{
    char *to = space;

    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c == '%') {
            bool whole = path.len - i > 2;
            int high = whole ? char_hex(path.data[i + 1]) : -1;
            int low = whole ? char_hex(path.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return -1;
        *to++ = c;
    }
    return to - space;
}

/* Takes the last segment off what stands in space[0..len), which ends in "/"; -1 above the root. */
static ptrdiff_t drop_segment(const char *space, ptrdiff_t len)
{
    if (len <= 1)
        return -1;
    for (len--; len > 0 && space[len - 1] != '/'; len--)
        ;
    return len;
}

/* Merges slashes and resolves dot segments in place; the length, or -1. */
static ptrdiff_t resolve_dots(char *space, ptrdiff_t len, bool merge_slashes)
{
    ptrdiff_t to = 0;

    for (ptrdiff_t i = 0; i < len;) {
        ptrdiff_t end = i;
        while (end < len && space[end] != '/')
            end++;
        struct str segment = { space + i, (size_t)(end - i) };
        bool closed = end < len;
        if (to > 0 && str_eq(segment, STR(".."))) {
            to = drop_segment(space, to);
            if (to < 0)
                return -1;
        } else if (to > 0 && str_eq(segment, STR("."))) {
            /* stays where it is */
        } else if (segment.len == 0 && merge_slashes && to > 0) {
            /* a slash too many */
        } else {
            memmove(space + to, segment.data, segment.len);
            to += (ptrdiff_t)segment.len;
            if (closed)
                space[to++] = '/';
        }
        i = end + 1;
    }
    return to;
}

bool v1_parse_path(struct str target, bool merge_slashes, char *space, struct v1_path *p)
{
    *p = (struct v1_path){ 0 };
    struct str path = str_first(target, path_end(target, p));
    if (path.len == 0)                             /* of an absolute-form */
        path = STR("/");
    if (is_plain(path, merge_slashes)) {
        p->path = path;
        return true;
    }
    p->changed = true;
    ptrdiff_t len = decode(path, space);
    if (len > 0 && space[0] == '/')
        len = resolve_dots(space, len, merge_slashes);
    p->path = (struct str){ space, (size_t)len };
    return len > 0;
}
