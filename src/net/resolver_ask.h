/*
 * resolver_ask: one name asked of name servers until there are replies.  Each asking has sockets of its
 * own, so that whoever forges a reply must guess the port, too.  Questions go to the servers in turn; where
 * none answers in time the next one is asked, and a late reply still counts.  Knows no cache and no aliases:
 * that is resolver.c.
 */
#ifndef NET_RESOLVER_ASK_H
#define NET_RESOLVER_ASK_H

#include "event/loop.h"
#include "event/timer.h"
#include "net/address.h"
#include "net/dns.h"

struct name_server {
    struct address address;
    uint64_t rests_until;              /* clock_ms(): it has not answered; others are asked first */
};

/* Held by those that ask: a list may be replaced meanwhile. */
struct name_servers {
    unsigned references;
    unsigned count, next;              /* next: whose turn it is */
    struct name_server list[];
};

/* NULL: no memory. */
struct name_servers *name_servers_new(const struct address *list, unsigned count);
static inline struct name_servers *name_servers_ref(struct name_servers *s)
{
    s->references++;
    return s;
}
void name_servers_unref(struct name_servers *s);

enum {
    ASK_QUESTIONS = 2,                 /* about a name, at once */
    ASK_LIMIT = 30000,                 /* ms: then it is given up */
};

enum question_state {
    QUESTION_OPEN,
    QUESTION_BY_TCP,                   /* the reply did not fit into a datagram */
    QUESTION_ANSWERED,
};

struct question {
    enum dns_type type;
    enum question_state state;
    uint16_t id;
    struct dns_reply reply;            /* once it is answered */
};

/* To one server. */
struct ask_socket {
    struct watch watch;                /* fd -1: not open */
    struct ask *ask;
};

struct ask {
    struct watch tcp;                  /* fd -1: not open */
    struct timer timer;                /* until the next try */
    struct arena arena;                /* of the replies */
    struct name_servers *servers;
    unsigned server;                   /* that is being asked */
    unsigned refused;                  /* servers that are not there, one after another */
    uint64_t start_ms;
    unsigned tries;
    bool abandoned;                    /* nobody waits for it: no further tries */
    struct dns_name name;
    struct question questions[ASK_QUESTIONS];
    unsigned count;
    struct ask_tcp *stream;            /* NULL: not needed */
    unsigned stream_server;            /* that it goes to */
    void (*done)(void *owner);         /* the last thing that is called: it may free the asking */
    void *owner;
    struct ask_socket sockets[];       /* one for each server */
};

/* Asks for `types` of a name.  `done` is called from the loop, never from here.  NULL: no memory. */
struct ask *ask_start(struct name_servers *servers, const struct dns_name *name,
                      const enum dns_type *types, unsigned count, void (*done)(void *owner),
                      void *owner);
/* Whether all were answered; otherwise it was given up. */
bool ask_answered(const struct ask *a);
void ask_free(struct ask *a);

/* ---- between resolver_ask.c and resolver_tcp.c ---- */

/* Asks that server by TCP what is QUESTION_BY_TCP. */
void ask_by_tcp(struct ask *a, unsigned server);
void ask_close_tcp(struct ask *a);
/* Reads a message of a server, which settles a question perhaps; true: the last one, `done` has been
 * called. */
bool ask_take_message(struct ask *a, unsigned server, struct str message, bool by_tcp);

#endif
