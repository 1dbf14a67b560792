/*
 * autoindex_page: see autoindex_page.h.  The html keeps the lines and columns that nginx's has, because
 * programs read them: a link, the date, the size.
 */
#include "http/modules/autoindex_page.h"

#include "base/clock.h"
#include "http/escape.h"

enum {
    NAME_WIDTH = 50,                   /* of the column of names, in characters */
    EXACT_WIDTH = 20, ROUND_WIDTH = 8, /* of the column of sizes */
};

/* ---- html ---- */

static const char html_style[] =
    "<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{margin:2em auto;max-width:60em;padding:0 1em;font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.4em;overflow-wrap:anywhere}\n"
    "hr{border:0;border-top:1px solid #8886}\n"
    "pre{overflow-x:auto;font:14px/1.7 ui-monospace,monospace}\n"
    "a{text-decoration:none}a:hover{text-decoration:underline}\n"
    "button{margin-right:.5em;font:inherit;font-size:.85em}\n"
    "</style>\n";

/* Sorts the lines where there is script; the page needs none. */
static const char html_script[] =
    "<script>\n"
    "(function(){\n"
    "var pre=document.querySelector('pre'),rows=pre.innerHTML.trim().split('\\n'),up=rows.shift(),\n"
    "bar=document.createElement('div'),unit={K:1024,M:1048576,G:1073741824},last,down;\n"
    "function key(row,by){var m=/(\\S+) (\\S+) +(\\S+)$/.exec(row);\n"
    "if(by=='date')return Date.parse(m[1].replace(/-/g,' ')+' '+m[2])||0;\n"
    "if(by=='size')return parseInt(m[3])*(unit[m[3].slice(-1)]||1)||0;\n"
    "return /href=\"([^\"]*)/.exec(row)[1].toLowerCase()}\n"
    "function folder(row){return /^<a href=\"[^\"]*\\/\"/.test(row)?0:1}\n"
    "['name','date','size'].forEach(function(by){var b=document.createElement('button');\n"
    "b.textContent=by;b.onclick=function(){down=last==by&&!down;last=by;\n"
    "rows.sort(function(x,y){var a=key(x,by),b=key(y,by);\n"
    "return folder(x)-folder(y)||(a<b?-1:a>b?1:0)*(down?-1:1)});\n"
    "pre.innerHTML=[up].concat(rows).join('\\n')+'\\n'};bar.appendChild(b)});\n"
    "pre.parentNode.insertBefore(bar,pre)})();\n"
    "</script>\n";

static void html_begin(struct out *o, const struct folder_page *page)
{
    OUT_LITERAL(o, "<!DOCTYPE html>\n<html>\n<head><title>Index of ");
    escape_html(o, page->uri);
    OUT_LITERAL(o, "</title>\n");
    if (page->charset.len == 0)
        OUT_LITERAL(o, "<meta charset=\"utf-8\">\n");
    OUT_LITERAL(o, "<meta name=\"viewport\" content=\"width=device-width\">\n");
    out_bytes(o, html_style, sizeof html_style - 1);
    OUT_LITERAL(o, "</head>\n<body>\n<h1>Index of ");
    escape_html(o, page->uri);
    OUT_LITERAL(o, "</h1><hr><pre><a href=\"../\">../</a>\r\n");
}

/* Where the first `count` characters end. */
static size_t characters(struct str s, size_t count, bool utf8)
{
    size_t at = 0;

    for (; at < s.len; at++) {
        bool starts = !utf8 || ((unsigned char)s.data[at] & 0xc0) != 0x80;
        if (starts && count-- == 0)
            break;
    }
    return at;
}

static size_t count_characters(struct str s, bool utf8)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += !utf8 || ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return count;
}

/* The visible name; a line break in it would break the table. */
static void put_text(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < 0x20)
            out_char(o, '?');
        else
            escape_html(o, (struct str){ s.data + i, 1 });
    }
}

static void put_name(struct out *o, const struct folder_page *page, const struct folder_entry *e)
{
    bool utf8 = page->charset.len == 0 || str_eq_nocase(page->charset, STR("utf-8"));
    size_t width = count_characters(e->name, utf8);

    if (width > NAME_WIDTH) {
        put_text(o, str_first(e->name, characters(e->name, NAME_WIDTH - 3, utf8)));
        OUT_LITERAL(o, "..&gt;</a>");
        return;
    }
    put_text(o, e->name);
    if (e->kind == ENTRY_FOLDER && width < NAME_WIDTH) {
        out_char(o, '/');
        width++;
    }
    OUT_LITERAL(o, "</a>");
    out_fill(o, ' ', NAME_WIDTH - width);
}

static void put_date(struct out *o, time_t when, bool local)
{
    static const char months[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    };
    struct tm tm = { 0 };

    if (local)
        localtime_r(&when, &tm);
    else
        gmtime_r(&when, &tm);
    out_padded(o, (unsigned)tm.tm_mday, 2);
    out_printf(o, "-%s-%d ", months[tm.tm_mon], tm.tm_year + 1900);
    out_padded(o, (unsigned)tm.tm_hour, 2);
    out_char(o, ':');
    out_padded(o, (unsigned)tm.tm_min, 2);
}

/* Rounded to K, M or G. */
static void put_round_size(struct out *o, int64_t size)
{
    static const struct {
        int64_t above, unit;
        char letter;
    } scales[] = {
        { (1 << 30) - 1, 1 << 30, 'G' },
        { (1 << 20) - 1, 1 << 20, 'M' },
        { 9999, 1 << 10, 'K' },
    };

    for (unsigned i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        if (size > scales[i].above) {
            out_int(o, (size + scales[i].unit / 2) / scales[i].unit);
            out_char(o, scales[i].letter);
            return;
        }
    }
    out_int(o, size);
}

static void put_size(struct out *o, const struct folder_page *page, const struct folder_entry *e)
{
    char space[32];
    struct out text = out_fixed(space, sizeof space);
    size_t width = page->exact_size ? EXACT_WIDTH : ROUND_WIDTH;

    if (e->kind == ENTRY_FOLDER)
        out_char(&text, '-');
    else if (page->exact_size)
        out_int(&text, e->size);
    else
        put_round_size(&text, e->size);
    if (out_len(&text) < width)
        out_fill(o, ' ', width - out_len(&text));
    out_str(o, out_str_of(&text));
}

static void html_entry(struct out *o, const struct folder_page *page, const struct folder_entry *e,
                       bool first)
{
    (void)first;
    OUT_LITERAL(o, "<a href=\"");
    escape_component(o, e->name);
    if (e->kind == ENTRY_FOLDER)
        out_char(o, '/');
    OUT_LITERAL(o, "\">");
    put_name(o, page, e);
    out_char(o, ' ');
    put_date(o, e->modified, page->local_time);
    put_size(o, page, e);
    OUT_LITERAL(o, "\r\n");
}

static void html_end(struct out *o, const struct folder_page *page)
{
    (void)page;
    OUT_LITERAL(o, "</pre><hr>\n");
    out_bytes(o, html_script, sizeof html_script - 1);
    OUT_LITERAL(o, "</body>\n</html>\n");
}

const struct folder_format folder_html = {
    STR_INIT("text/html"), STR_INIT(""), html_begin, html_entry, html_end,
};

/* ---- json ---- */

static const char kind_names[][10] = { "directory", "file", "other" };

static void json_begin(struct out *o, const struct folder_page *page)
{
    (void)page;
    OUT_LITERAL(o, "[");
}

static void json_entry(struct out *o, const struct folder_page *page, const struct folder_entry *e,
                       bool first)
{
    (void)page;
    if (first)
        OUT_LITERAL(o, "\r\n{ \"name\":\"");
    else
        OUT_LITERAL(o, ",\r\n{ \"name\":\"");
    escape_json(o, e->name);
    out_printf(o, "\", \"type\":\"%s\", \"mtime\":\"", kind_names[e->kind]);
    clock_put_http_date(o, e->modified);
    out_char(o, '"');
    if (e->kind == ENTRY_FILE) {
        OUT_LITERAL(o, ", \"size\":");
        out_int(o, e->size);
    }
    OUT_LITERAL(o, " }");
}

static void json_end(struct out *o, const struct folder_page *page)
{
    (void)page;
    OUT_LITERAL(o, "\r\n]");
}

const struct folder_format folder_json = {
    STR_INIT("application/json"), STR_INIT(""), json_begin, json_entry, json_end,
};

static void jsonp_begin(struct out *o, const struct folder_page *page)
{
    OUT_LITERAL(o, "/* callback */\r\n");
    out_str(o, page->callback);
    OUT_LITERAL(o, "([");
}

static void jsonp_end(struct out *o, const struct folder_page *page)
{
    json_end(o, page);
    OUT_LITERAL(o, ");");
}

const struct folder_format folder_jsonp = {
    STR_INIT("application/javascript"), STR_INIT(""), jsonp_begin, json_entry, jsonp_end,
};

/* ---- xml ---- */

static void xml_begin(struct out *o, const struct folder_page *page)
{
    (void)page;
    OUT_LITERAL(o, "<?xml version=\"1.0\"?>\r\n<list>\r\n");
}

static void xml_entry(struct out *o, const struct folder_page *page, const struct folder_entry *e,
                      bool first)
{
    struct tm tm = { 0 };

    (void)page;
    (void)first;
    gmtime_r(&e->modified, &tm);
    out_printf(o, "<%s mtime=\"%04d-%02d-%02dT%02d:%02d:%02dZ\"", kind_names[e->kind],
               tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (e->kind == ENTRY_FILE) {
        OUT_LITERAL(o, " size=\"");
        out_int(o, e->size);
        out_char(o, '"');
    }
    out_char(o, '>');
    escape_html(o, e->name);
    out_printf(o, "</%s>\r\n", kind_names[e->kind]);
}

static void xml_end(struct out *o, const struct folder_page *page)
{
    (void)page;
    OUT_LITERAL(o, "</list>\r\n");
}

const struct folder_format folder_xml = {
    STR_INIT("text/xml"), STR_INIT("utf-8"), xml_begin, xml_entry, xml_end,
};
