/*
 * response: starting and finishing what is sent: error pages, redirects, generated texts.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "base/out.h"
#include "http/request.h"

void response_init(struct response *res);

/*
 * What a status means for the request: an error_page of its location (an internal redirect or another
 * URL), or the built-in page.  Gives a step's result: STEP_AGAIN or STEP_RESPOND.
 */
int response_status(struct request *r, unsigned status);
/* A generated text as the body; gives STEP_RESPOND. */
int response_text(struct request *r, unsigned status, struct str type, struct str text);
/* A redirect to a path or URL (301, 302, 303, 307, 308); gives STEP_RESPOND. */
int response_redirect(struct request *r, unsigned status, struct str location);

/* The name of the server as server_tokens allows; empty: none is told. */
struct str response_server(struct request *r);

/* When what is sent was last modified, in seconds; -1: nobody knows. */
time_t response_modified(const struct request *r);
/* The value of Last-Modified, perhaps written into `space`; empty: none is sent. */
struct str response_modified_text(const struct response *res, char space[HTTP_DATE_LEN]);
/* The value of Location: a path is made absolute, a URL is sent as it is. */
void response_put_location(struct out *o, const struct request *r);

/* Adds a field to the response.  CR, LF and NUL in the value become spaces. */
struct header *response_header(struct request *r, struct str name, struct str value);
/* Fields of the response that describe the body no longer hold (a filter changes its bytes). */
void response_forget_length(struct request *r);
void response_weaken_etag(struct request *r);
void response_forget_validators(struct request *r);
/* All that for a body whose bytes change: `keep_last_modified` as the filter's directive has it. */
void response_body_changes(struct request *r, bool keep_last_modified);
/* The filters that change bytes take away prepared lines first: fields stand in the struct alone then. */
void response_unprepare(struct request *r);

#endif
