/*
 * v1_parse: the syntax of an HTTP/1 message's head, line by line, as pure functions (RFC 9112).
 * Strict where ambiguity is an attack: nothing is guessed.
 */
#ifndef HTTP_V1_PARSE_H
#define HTTP_V1_PARSE_H

#include "base/out.h"
#include "base/str.h"

struct v1_request_line {
    struct str method;
    struct str target;             /* origin-form with arguments ("?..." alone too), or "*" */
    struct str scheme;             /* of absolute-form; empty otherwise */
    struct str authority;          /* of absolute-form or of CONNECT; empty otherwise */
    unsigned version;              /* major * 1000 + minor; 9 for a plain "GET /path" */
    bool no_path;                  /* of absolute-form: the target's "/" was not sent */
};

enum v1_result {
    V1_OK,
    V1_BAD,                        /* 400 */
    V1_BAD_METHOD,                 /* 400, and the log says so */
    V1_BAD_VERSION,                /* 505 */
    V1_SKIP,                       /* a field with an invalid name */
};

/* A request line without its line end (section 3): single spaces between its parts. */
enum v1_result v1_parse_request_line(struct str line, struct v1_request_line *result);
/* Whether a request line may begin with that byte: a TLS hello, for one, does not. */
bool v1_may_begin(char byte);

/*
 * A field line without its line end (section 5).  V1_BAD: a space before the colon, folding, no
 * colon, NUL or CR in the value.  V1_SKIP: a name with other characters than letters, digits and
 * "-" (and "_" where `underscores`): the caller ignores it or refuses, as ignore_invalid_headers
 * says.
 */
enum v1_result v1_parse_field(struct str line, bool underscores, struct str *name,
                              struct str *value);

/*
 * Chunked transfer coding (section 7.1), a byte stream in, body bytes out.  Lines end in CR LF and
 * in nothing else; extensions and trailers are checked, and extensions dropped.
 */
enum v1_chunk_state {
    CHUNK_SIZE_START,
    CHUNK_SIZE_DIGITS,
    CHUNK_SPACE,                   /* behind the size or a part of an extension: ";" or the end */
    CHUNK_EXTENSION,
    CHUNK_QUOTED,
    CHUNK_ESCAPED,                 /* behind a backslash in quotes */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_START,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
};

struct v1_chunks {
    enum v1_chunk_state state;
    uint64_t left;                 /* bytes of the chunk still to come */
    unsigned extra;                /* bytes of lines and trailers that no data has paid for: bounded */
    struct out *trailers;          /* where the lines of trailers go; NULL: nobody wants them */
};

enum { V1_MAX_CHUNK_EXTRA = 16384 };

/*
 * Takes framing off `in`, as far as the next run of body bytes: *used bytes of framing stand before
 * it, and *body of its bytes are in `in`.  Call again with what follows.  false: malformed.
 */
bool v1_chunks_next(struct v1_chunks *c, struct str in, size_t *used, struct str *body);

/* The path of a target: decoded and normalised. */
struct v1_path {
    struct str path;               /* NUL not ended */
    struct str args;               /* behind "?"; empty without */
    bool has_args;
    bool changed;                  /* decoded, dots or slashes merged: not the same as sent */
};

/*
 * Splits and normalises an origin-form target into `space` (at least target.len bytes; not used
 * where the path needs no change).  RFC 3986 sections 2.1, 5.2.4.  false: "%" without two digits,
 * %00, control characters, or ".." above the root.
 */
bool v1_parse_path(struct str target, bool merge_slashes, char *space, struct v1_path *result);

/* Whether every byte is a token character (RFC 9110 section 5.6.2). */
bool v1_is_token(struct str s);

#endif
