/*
 * status: the status codes of HTTP, their names, reason phrases and error pages' titles, as one list.
 * RFC 9110 section 15, and those that nginx adds for its own use (444, 494 to 499).
 */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "base/str.h"

/* STATUS(code, name, reason) */
#define STATUS_LIST(STATUS)                                                                        \
    STATUS(100, CONTINUE, "Continue")                                                              \
    STATUS(101, SWITCHING_PROTOCOLS, "Switching Protocols")                                        \
    STATUS(103, EARLY_HINTS, "Early Hints")                                                        \
    STATUS(200, OK, "OK")                                                                          \
    STATUS(201, CREATED, "Created")                                                                \
    STATUS(202, ACCEPTED, "Accepted")                                                              \
    STATUS(204, NO_CONTENT, "No Content")                                                          \
    STATUS(205, RESET_CONTENT, "Reset Content")                                                    \
    STATUS(206, PARTIAL_CONTENT, "Partial Content")                                                \
    STATUS(207, MULTI_STATUS, "Multi-Status")                                                      \
    STATUS(300, MULTIPLE_CHOICES, "Multiple Choices")                                              \
    STATUS(301, MOVED_PERMANENTLY, "Moved Permanently")                                            \
    STATUS(302, FOUND, "Moved Temporarily")                                                        \
    STATUS(303, SEE_OTHER, "See Other")                                                            \
    STATUS(304, NOT_MODIFIED, "Not Modified")                                                      \
    STATUS(307, TEMPORARY_REDIRECT, "Temporary Redirect")                                          \
    STATUS(308, PERMANENT_REDIRECT, "Permanent Redirect")                                          \
    STATUS(400, BAD_REQUEST, "Bad Request")                                                        \
    STATUS(401, UNAUTHORIZED, "Unauthorized")                                                      \
    STATUS(402, PAYMENT_REQUIRED, "Payment Required")                                              \
    STATUS(403, FORBIDDEN, "Forbidden")                                                            \
    STATUS(404, NOT_FOUND, "Not Found")                                                            \
    STATUS(405, NOT_ALLOWED, "Not Allowed")                                                        \
    STATUS(406, NOT_ACCEPTABLE, "Not Acceptable")                                                  \
    STATUS(407, PROXY_AUTHENTICATION_REQUIRED, "Proxy Authentication Required")                    \
    STATUS(408, REQUEST_TIMEOUT, "Request Time-out")                                               \
    STATUS(409, CONFLICT, "Conflict")                                                              \
    STATUS(410, GONE, "Gone")                                                                      \
    STATUS(411, LENGTH_REQUIRED, "Length Required")                                                \
    STATUS(412, PRECONDITION_FAILED, "Precondition Failed")                                        \
    STATUS(413, CONTENT_TOO_LARGE, "Request Entity Too Large")                                     \
    STATUS(414, URI_TOO_LONG, "Request-URI Too Large")                                             \
    STATUS(415, UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type")                                  \
    STATUS(416, RANGE_NOT_SATISFIABLE, "Requested Range Not Satisfiable")                          \
    STATUS(417, EXPECTATION_FAILED, "Expectation Failed")                                          \
    STATUS(421, MISDIRECTED_REQUEST, "Misdirected Request")                                        \
    STATUS(422, UNPROCESSABLE_CONTENT, "Unprocessable Content")                                    \
    STATUS(425, TOO_EARLY, "Too Early")                                                            \
    STATUS(426, UPGRADE_REQUIRED, "Upgrade Required")                                              \
    STATUS(428, PRECONDITION_REQUIRED, "Precondition Required")                                    \
    STATUS(429, TOO_MANY_REQUESTS, "Too Many Requests")                                            \
    STATUS(431, HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")                        \
    STATUS(451, UNAVAILABLE_FOR_LEGAL_REASONS, "Unavailable For Legal Reasons")                    \
    STATUS(500, INTERNAL_SERVER_ERROR, "Internal Server Error")                                    \
    STATUS(501, NOT_IMPLEMENTED, "Not Implemented")                                                \
    STATUS(502, BAD_GATEWAY, "Bad Gateway")                                                        \
    STATUS(503, SERVICE_UNAVAILABLE, "Service Temporarily Unavailable")                            \
    STATUS(504, GATEWAY_TIMEOUT, "Gateway Time-out")                                               \
    STATUS(505, VERSION_NOT_SUPPORTED, "HTTP Version Not Supported")                               \
    STATUS(507, INSUFFICIENT_STORAGE, "Insufficient Storage")

enum status {
#define STATUS(code, name, reason) STATUS_##name = code,
    STATUS_LIST(STATUS)
#undef STATUS
    /* nginx's own: never on the wire. */
    STATUS_CLOSE = 444,                /* close without an answer */
    STATUS_HEADER_TOO_LARGE = 494,     /* sent as 400 */
    STATUS_CERTIFICATE_ERROR = 495,    /* sent as 400 */
    STATUS_CERTIFICATE_REQUIRED = 496, /* sent as 400 */
    STATUS_TO_HTTPS = 497,             /* plain HTTP on a TLS port, sent as 400 */
    STATUS_CLIENT_CLOSED = 499,        /* in logs alone */
};

/* The reason phrase, empty for codes that are not in the list. */
struct str status_reason(unsigned code);
/* "HTTP/1.1 200 OK\r\n", empty for codes that are not in the list. */
struct str status_line(unsigned code);
/* What is sent for a code: 494 to 497 become 400. */
unsigned status_on_wire(unsigned code);
/* The title of the built-in error page: "404 Not Found"; empty where there is no page. */
struct str status_title(unsigned code);

#endif
