/*
 * status: see status.h.
 */
#include "http/status.h"

enum { FIRST = 100, LAST = 507 };

static const struct str reasons[LAST - FIRST + 1] = {
#define STATUS(code, name, reason) [code - FIRST] = STR_INIT(reason),
    STATUS_LIST(STATUS)
#undef STATUS
};

static const struct str lines[LAST - FIRST + 1] = {
#define STATUS(code, name, reason) [code - FIRST] = STR_INIT("HTTP/1.1 " #code " " reason "\r\n"),
    STATUS_LIST(STATUS)
#undef STATUS
};

/* The built-in pages: every 4xx and 5xx, and the redirects. */
static const struct str titles[LAST - FIRST + 1] = {
#define STATUS(code, name, reason) [code - FIRST] = STR_INIT(#code " " reason),
    STATUS_LIST(STATUS)
#undef STATUS
};

struct str status_reason(unsigned code)
{
    return code >= FIRST && code <= LAST ? reasons[code - FIRST] : (struct str){ NULL, 0 };
}

struct str status_line(unsigned code)
{
    return code >= FIRST && code <= LAST ? lines[code - FIRST] : (struct str){ NULL, 0 };
}

unsigned status_on_wire(unsigned code)
{
    return code >= STATUS_HEADER_TOO_LARGE && code <= STATUS_TO_HTTPS ? STATUS_BAD_REQUEST : code;
}

struct str status_title(unsigned code)
{
    switch (code) {
    case STATUS_HEADER_TOO_LARGE:
        return STR("400 Request Header Or Cookie Too Large");
    case STATUS_CERTIFICATE_ERROR:
        return STR("400 The SSL certificate error");
    case STATUS_CERTIFICATE_REQUIRED:
        return STR("400 No required SSL certificate was sent");
    case STATUS_TO_HTTPS:
        return STR("400 The plain HTTP request was sent to HTTPS port");
    case STATUS_UNAUTHORIZED:
        return STR("401 Authorization Required");
    case STATUS_FOUND:
        return STR("302 Found");
    default:
        return code > STATUS_MULTIPLE_CHOICES && code <= LAST && code != STATUS_NOT_MODIFIED
                   ? titles[code - FIRST]
                   : (struct str){ NULL, 0 };
    }
}
