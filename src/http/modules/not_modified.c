/*
 * not_modified: see not_modified.h.
 */
#include "http/modules/not_modified.h"

#include "http/core.h"
#include "http/request.h"
#include "http/response.h"

static struct str without_weakness(struct str etag)
{
    return str_starts(etag, STR("W/")) ? str_from(etag, 2) : etag;
}

/* The next entity tag of a list, with its quotes; false at the end, or where it is no list of tags. */
static bool next_etag(struct str *list, struct str *etag)
{
    while (list->len && strchr(" \t,", list->data[0]))
        *list = str_from(*list, 1);
    struct str rest = without_weakness(*list);
    if (rest.len == 0 || rest.data[0] != '"')
        return false;
    ptrdiff_t end = str_index(str_from(rest, 1), '"');
    if (end < 0)
        return false;
    size_t len = list->len - rest.len + (size_t)end + 2;
    *etag = str_first(*list, len);
    *list = str_from(*list, len);
    return true;
}

bool etag_list_matches(struct str list, struct str etag, bool weak)
{
    struct str tag;

    list = str_trim(list);
    if (str_eq(list, STR("*")))
        return true;
    if (etag.len == 0 || (!weak && str_starts(etag, STR("W/"))))
        return false;
    while (next_etag(&list, &tag)) {
        if (weak ? str_eq(without_weakness(tag), without_weakness(etag)) : str_eq(tag, etag))
            return true;
    }
    return false;
}

/* All fields of that name; the list may stand on several lines. */
static bool matches(const struct request *r, enum header_id id, bool weak)
{
    for (unsigned i = 0; i < r->headers.list.count; i++) {
        const struct header *h = &r->headers.list.items[i];
        if (h->id == id && etag_list_matches(h->value, r->response.etag, weak))
            return true;
    }
    return false;
}

/* Section 13.2.2, steps 1 and 2. */
static bool precondition_failed(const struct request *r)
{
    if (headers_known(&r->headers, HEADER_IF_MATCH))
        return !matches(r, HEADER_IF_MATCH, false);
    struct str since = headers_value(&r->headers, HEADER_IF_UNMODIFIED_SINCE);
    if (!since.data)
        return false;
    time_t when = clock_parse_http_date(since);
    return when >= 0 && response_modified(r) > when;
}

static bool unmodified_since(const struct request *r, struct str since)
{
    enum if_modified_since mode = core_conf(r->conf)->if_modified_since;
    time_t modified = response_modified(r);

    if (mode == IMS_OFF || modified < 0)
        return false;
    time_t when = clock_parse_http_date(since);
    return when == modified || (mode == IMS_BEFORE && when > modified);
}

/* Steps 3 and 4. */
static bool not_modified(const struct request *r)
{
    if (headers_known(&r->headers, HEADER_IF_NONE_MATCH))
        return matches(r, HEADER_IF_NONE_MATCH, true);
    struct str since = headers_value(&r->headers, HEADER_IF_MODIFIED_SINCE);
    return since.data && unmodified_since(r, since);
}

static int not_modified_apply(struct request *r)
{
    struct response *res = &r->response;

    if (res->status != STATUS_OK || res->foreign || r != r->main)
        return 0;
    if (precondition_failed(r))
        return STATUS_PRECONDITION_FAILED;
    if ((r->method != METHOD_GET && r->method != METHOD_HEAD) || !not_modified(r))
        return 0;
    response_forget_length(r);
    source_close(res->body);
    res->body = NULL;
    res->status = STATUS_NOT_MODIFIED;
    res->content_type = res->charset = res->content_encoding = (struct str){ NULL, 0 };
    return 0;
}

const struct http_filter not_modified_filter = {
    .name = "not_modified", .main_only = true, .apply = not_modified_apply,
};
