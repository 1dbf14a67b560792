/*
 * autoindex_page: how the list of a folder is written; one format is one set of three functions.
 */
#ifndef HTTP_MODULES_AUTOINDEX_PAGE_H
#define HTTP_MODULES_AUTOINDEX_PAGE_H

#include <time.h>

#include "base/out.h"

enum entry_kind { ENTRY_FOLDER, ENTRY_FILE, ENTRY_OTHER };

struct folder_entry {
    struct str name;
    enum entry_kind kind;
    int64_t size;                      /* bytes */
    time_t modified;
};

struct folder_page {
    struct str uri;                    /* of the folder, with its slash */
    struct str charset;                /* of the response; empty: UTF-8 is taken for granted */
    struct str callback;               /* of jsonp */
    bool exact_size, local_time;
};

enum { FOLDER_ENTRY_MAX = 4096 };      /* bytes that an entry takes in any format, at most */

struct folder_format {
    struct str type, charset;          /* of the response */
    void (*begin)(struct out *o, const struct folder_page *page);
    void (*entry)(struct out *o, const struct folder_page *page, const struct folder_entry *e,
                  bool first);
    void (*end)(struct out *o, const struct folder_page *page);
};

extern const struct folder_format folder_html, folder_json, folder_jsonp, folder_xml;

#endif
