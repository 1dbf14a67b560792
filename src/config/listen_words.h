/*
 * listen_words: the words of a `listen` directive, the same for http, stream and mail: an address,
 * a port or a range of them, and options of the socket.
 */
#ifndef CONFIG_LISTEN_WORDS_H
#define CONFIG_LISTEN_WORDS_H

#include "config/resolve.h"
#include "net/listen.h"

/* Words without a value that a protocol may allow. */
enum listen_flag {
    LISTEN_DEFAULT = 1,
    LISTEN_SSL = 2,
    LISTEN_HTTP2 = 4,
    LISTEN_QUIC = 8,
    LISTEN_PROXY_PROTOCOL = 16,
    LISTEN_UDP = 32,
};

struct listen_words {
    ARRAY(struct address) addresses;   /* more than one for a range of ports, or for a name */
    struct listen_options options;
    bool options_set;                  /* at least one of them was written */
    unsigned flags;                    /* enum listen_flag */
};

/*
 * Reads s->node.  `allowed` are the flags that the protocol knows, `default_port` counts where only
 * an address was written (0: a port is needed).  false after setting_error().
 */
bool listen_words_parse(struct setting *s, unsigned allowed, unsigned default_port,
                        struct listen_words *w);

/*
 * The spec of an address in this generation, made if it is not there yet (*fresh says so).  Options
 * of the words become the spec's; given twice for one address they are a mistake (NULL).
 */
struct listen_spec *listen_words_spec(struct setting *s, const struct listen_words *w,
                                      const struct address *a, const struct protocol *protocol,
                                      bool *fresh);

/* "file:line" of a setting's line, in the generation's arena. */
struct str setting_place(const struct setting *s);

#endif
