/*
 * cli_serve: a folder as a site, without a file of configuration: one is made in memory.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "config/resolve.h"
#include "net/address.h"
#include "process/cli.h"
#include "process/start.h"

struct wish {
    const char *folder, *listen;
    bool print;
};

static const char types[] =
    "    types {\n"
    "        text/html                 html htm shtml;\n"
    "        text/css                  css;\n"
    "        text/plain                txt md log;\n"
    "        text/xml                  xml rss;\n"
    "        text/csv                  csv;\n"
    "        text/javascript           js mjs;\n"
    "        application/json          json map;\n"
    "        application/wasm          wasm;\n"
    "        application/pdf           pdf;\n"
    "        application/zip           zip;\n"
    "        application/gzip          gz tgz;\n"
    "        image/png                 png;\n"
    "        image/jpeg                jpg jpeg;\n"
    "        image/gif                 gif;\n"
    "        image/svg+xml             svg;\n"
    "        image/webp                webp;\n"
    "        image/avif                avif;\n"
    "        image/x-icon              ico;\n"
    "        font/woff                 woff;\n"
    "        font/woff2                woff2;\n"
    "        font/ttf                  ttf;\n"
    "        audio/mpeg                mp3;\n"
    "        audio/ogg                 ogg;\n"
    "        video/mp4                 mp4;\n"
    "        video/webm                webm;\n"
    "    }\n";

static bool refuse(const char *format, const char *detail)
{
    fputs("weir serve: ", stderr);
    fprintf(stderr, format, detail);
    fputc('\n', stderr);
    return false;
}

static bool read_words(struct wish *wish, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            wish->print = true;
        else if (strcmp(argv[i], "-l") == 0 && i + 1 < argc)
            wish->listen = argv[++i];
        else if (strncmp(argv[i], "-l", 2) == 0 && argv[i][2])
            wish->listen = argv[i] + 2;
        else if (argv[i][0] == '-')
            return refuse("there is no option \"%s\": weir serve [DIRECTORY] [-l ADDRESS:PORT] "
                          "[--print]", argv[i]);
        else
            wish->folder = argv[i];
    }
    return true;
}

/* "8080", "127.0.0.1:8080", "[::1]:8080". */
static bool read_address(const char *text, struct address *a)
{
    struct str s = str_of(text), host = STR("127.0.0.1");
    ptrdiff_t colon = str_rindex(s, ':');
    unsigned port;

    if (colon >= 0) {
        host = str_first(s, (size_t)colon);
        s = str_from(s, (size_t)colon + 1);
    }
    if (str_eq(host, STR("*")))
        host = STR("0.0.0.0");
    else if (str_eq(host, STR("localhost")))
        host = STR("127.0.0.1");
    return (str_to_uint(s, 65535, &port) && port > 0 && address_parse_ip(host, port, a)) ||
           refuse("-l takes ADDRESS:PORT or PORT, not \"%s\"", text);
}

static bool is_free(const struct address *a, const char *text)
{
    int fd = os_socket(a->any.sa_family, SOCK_STREAM, 0), one = 1, error;

    if (fd < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    error = bind(fd, &a->any, a->len) == 0 && listen(fd, 1) == 0 ? 0 : errno;
    close(fd);
    if (error == EADDRINUSE)
        return refuse("%s is in use by another program: choose another port with -l, for example "
                      "-l 127.0.0.1:8081 (or make run PORT=8081)", text);
    if (error) {
        fprintf(stderr, "weir serve: cannot listen on %s: %s; choose another address with -l\n",
                text, strerror(error));
        return false;
    }
    return true;
}

static bool find_folder(const char *folder, char *path)
{
    struct stat st;

    if (!realpath(folder, path) || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "weir serve: there is no folder \"%s\"\n", folder);
        return false;
    }
    return !strchr(path, '$') || refuse("the folder's name may not contain \"$\": %s", path);
}

/* In quotes, as the grammar wants it. */
static void put_quoted(struct out *o, const char *text)
{
    out_char(o, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            out_char(o, '\\');
        out_char(o, *text);
    }
    out_char(o, '"');
}

static bool known(const char *directive)
{
    return modules_find(str_of(directive), IN_SERVER, NULL) != NULL;
}

static void put_server(struct out *o, const char *folder, const char *address)
{
    out_printf(o, "    server {\n        listen %s;\n        root ", address);
    put_quoted(o, folder);
    out_printf(o, ";\n        index index.html index.htm;\n%s    }\n",
               known("autoindex") ? "        autoindex on;\n" : "");
}

static void put_configuration(struct out *o, const char *folder, const char *address)
{
    out_printf(o, "# Made by \"weir serve\".  For a service of your own: daemon on,\n"
                  "# master_process on, logs in files, and `include mime.types;` in place of the\n"
                  "# types below.\n"
                  "daemon off;\n"
                  "master_process off;\n"
                  "error_log stderr warn;\n"
                  "events {\n    worker_connections 1024;\n}\n"
                  "http {\n");
    out_str(o, str_of(types));
    out_printf(o, "    default_type application/octet-stream;\n"
                  "    client_body_temp_path /tmp/weir-serve-%u;\n", (unsigned)getuid());
    if (known("access_log"))
        out_printf(o, "    log_format short '$status $request_method $request_uri "
                      "$body_bytes_sent bytes, $remote_addr';\n"
                      "    access_log /dev/stdout short;\n");
    put_server(o, folder, address);
    out_printf(o, "}\n");
}

int cli_serve(struct options *options, int argc, char **argv)
{
    struct wish wish = { .folder = ".", .listen = "127.0.0.1:8080" };
    struct out text = out_growing(&options->arena, 1 << 20);
    char folder[PATH_MAX], name[128];
    struct out shown = out_fixed(name, sizeof name - 1);
    struct address address;

    if (!read_words(&wish, argc, argv) || !read_address(wish.listen, &address) ||
        !find_folder(wish.folder, folder))
        return 1;
    address_put(&shown, &address);
    *shown.at = '\0';
    put_configuration(&text, folder, name);
    options->text = out_str_of(&text);
    if (wish.print) {
        fwrite(text.start, 1, out_len(&text), stdout);
        return 0;
    }
    if (!is_free(&address, name))
        return 1;
    printf("Serving %s on http://%s/\nStop it with Ctrl+C.\n", folder, name);
    fflush(stdout);
    return start_server(options);
}
