/*
 * empty_gif: see empty_gif.h.  The picture is GIF89a with a table of two colours, of which the first is
 * transparent.
 */
#include "http/modules/empty_gif.h"

#include "http/http.h"
#include "http/request.h"
#include "http/response.h"

static const char picture[] = {
    'G', 'I', 'F', '8', '9', 'a',
    1, 0, 1, 0,                        /* width, height */
    '\x80', 0, 0,                      /* a table of two colours; background; no aspect ratio */
    '\xff', '\xff', '\xff', 0, 0, 0,
    0x21, '\xf9', 4, 1, 0, 0, 0, 0,    /* graphic control: colour 0 is transparent */
    0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0,   /* the image: place, size */
    2, 2, 0x44, 1, 0,                  /* codes of 3 bits: clear, colour 0, end */
    0x3b,
};

enum { LAST_MODIFIED = 23349600 };     /* never changes: a day in 1970 */

static int handler(struct request *r)
{
    if (r->method != METHOD_GET && r->method != METHOD_HEAD)
        return STATUS_NOT_ALLOWED;
    r->response.last_modified = LAST_MODIFIED;
    return response_text(r, STATUS_OK, STR("image/gif"),
                         (struct str){ picture, sizeof picture });
}

static bool parse(struct setting *s, void *field)
{
    struct location *l = s->block->object;

    (void)field;
    l->handler = handler;
    return true;
}

static const struct type type_empty_gif = { "", "no argument", parse, NULL };

static const struct directive rows[] = {
    { "empty_gif", IN_LOCATION, ARGS(0), &type_empty_gif, .syntax = "",
      .help = "Answer with a transparent picture of one pixel." },
    { 0 },
};

struct module http_empty_gif_module = { .name = "ngx_http_empty_gif_module", .directives = rows };
