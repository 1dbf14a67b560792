/*
 * zone: shared memory at one address.  The allocator hands out pages in spans, and cuts single
 * pages into slots of a class for what is small.  All its state is in the zone; what belongs to one
 * process (the reserved space, who sets a zone up) is kept apart, out of the reach of others.
 */
#include "base/zone.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

enum {
    PAGE = 4096,
    CLASSES = 14,
    NO_PAGE = 0,                       /* page 0 holds the header: never handed out */
};

enum page_state {
    PAGE_FREE,                         /* inside a free span, or its first or last page */
    PAGE_SPAN,                         /* first page of a span in use */
    PAGE_SLOTS,                        /* cut into slots */
};

struct page {
    uint32_t next, prev;               /* free spans; pages of a class with a free slot */
    uint32_t count;                    /* pages of the span, in its first and last page */
    uint16_t used, free;               /* slots in use; offset of the first free slot, 0: none */
    uint8_t state, class;
};

struct zone {
    pthread_mutex_t mutex;
    size_t size;
    void *root;
    _Atomic unsigned epoch;
    uint32_t page_count, first_page;   /* pages below first_page hold this header and the table */
    uint32_t free_pages;
    uint32_t spans;                    /* first free span */
    uint32_t partial[CLASSES];         /* first page with a free slot */
    struct page pages[];
};

/* Slots are a multiple of 16 bytes, and leave the first 16 of a page unused, so that offset 0 is
 * none. */
static const uint16_t class_size[CLASSES] = {
    16, 32, 48, 64, 96, 128, 192, 256, 336, 448, 576, 800, 1344, 2032,
};

/* ---- address space, in the master ---- */

struct range {
    struct range *next;                /* in order of address */
    char *at;
    size_t size;
};

static char *space;
static size_t space_size;
static struct range *ranges;

static size_t page_rounded(size_t size)
{
    return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* The size that a zone really has for one that was asked for. */
static size_t whole(size_t size)
{
    return page_rounded(size < ZONE_MIN_SIZE ? ZONE_MIN_SIZE : size);
}

static void *map_nothing(void *at, size_t size, int flags)
{
    return mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

size_t zone_reserve(void)
{
    size_t least = (size_t)64 << 20;
    void *at = MAP_FAILED;

    space_size = sizeof(void *) > 4 ? (size_t)64 << 15 << 15 : (size_t)1 << 30;
    for (; space_size >= least; space_size /= 2) {
        at = map_nothing(NULL, space_size, 0);
        if (at != MAP_FAILED) {
            space = at;
            return space_size;
        }
    }
    return space_size = 0;
}

/* First fit between the ranges in use; NULL: there is no gap of that size. */
static char *place(size_t size)
{
    struct range **link = &ranges, *r;
    char *at = space;

    while (*link && (size_t)((*link)->at - at) < size) {
        at = (*link)->at + (*link)->size;
        link = &(*link)->next;
    }
    if (!*link && (size_t)(space + space_size - at) < size)
        return NULL;
    r = malloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (struct range){ .next = *link, .at = at, .size = size };
    *link = r;
    return at;
}

static void unplace(const char *at)
{
    for (struct range **link = &ranges; *link; link = &(*link)->next) {
        struct range *r = *link;

        if (r->at == at) {
            *link = r->next;
            free(r);
            return;
        }
    }
}

/* ---- who sets a zone up, in each process ---- */

struct setup {
    struct setup *next;
    struct zone *zone;
    zone_init *init;
    void *data;
};

static struct setup *setups;

static struct setup **find_setup(const struct zone *z)
{
    struct setup **link = &setups;

    while (*link && (*link)->zone != z)
        link = &(*link)->next;
    return link;
}

void zone_set_init(struct zone *z, zone_init *init, void *data)
{
    struct setup **link = find_setup(z);

    if (!*link) {
        *link = calloc(1, sizeof **link);
        if (!*link)
            return;                    /* after a loss the zone then stays without a root */
        (*link)->zone = z;
    }
    (*link)->init = init;
    (*link)->data = data;
}

static void forget_setup(const struct zone *z)
{
    struct setup **link = find_setup(z), *s = *link;

    if (s) {
        *link = s->next;
        free(s);
    }
}

/* ---- pages ---- */

static struct page *page_at(struct zone *z, uint32_t i)
{
    return &z->pages[i];
}

static void unlink_page(struct zone *z, uint32_t *head, uint32_t i)
{
    struct page *p = page_at(z, i);

    if (p->prev != NO_PAGE)
        page_at(z, p->prev)->next = p->next;
    else
        *head = p->next;
    if (p->next != NO_PAGE)
        page_at(z, p->next)->prev = p->prev;
}

static void link_page(struct zone *z, uint32_t *head, uint32_t i)
{
    struct page *p = page_at(z, i);

    p->prev = NO_PAGE;
    p->next = *head;
    if (*head != NO_PAGE)
        page_at(z, *head)->prev = i;
    *head = i;
}

static void add_span(struct zone *z, uint32_t first, uint32_t pages)
{
    page_at(z, first)->state = page_at(z, first + pages - 1)->state = PAGE_FREE;
    page_at(z, first)->count = page_at(z, first + pages - 1)->count = pages;
    link_page(z, &z->spans, first);
}

/* First fit; what is left over stays where the span was. */
static uint32_t take_pages(struct zone *z, uint32_t pages)
{
    uint32_t i = z->spans, spare;

    while (i != NO_PAGE && page_at(z, i)->count < pages)
        i = page_at(z, i)->next;
    if (i == NO_PAGE)
        return NO_PAGE;
    spare = page_at(z, i)->count - pages;
    unlink_page(z, &z->spans, i);
    if (spare)
        add_span(z, i, spare);
    i += spare;
    page_at(z, i)->state = page_at(z, i + pages - 1)->state = PAGE_SPAN;
    page_at(z, i)->count = pages;
    z->free_pages -= pages;
    return i;
}

static void give_pages(struct zone *z, uint32_t first, uint32_t pages)
{
    uint32_t after = first + pages;

    z->free_pages += pages;
    if (after < z->page_count && page_at(z, after)->state == PAGE_FREE) {
        pages += page_at(z, after)->count;
        unlink_page(z, &z->spans, after);
    }
    if (first > z->first_page && page_at(z, first - 1)->state == PAGE_FREE) {
        uint32_t before = first - page_at(z, first - 1)->count;

        pages += page_at(z, before)->count;
        first = before;
        unlink_page(z, &z->spans, before);
    }
    add_span(z, first, pages);
}

/* An empty zone, its table being cleared: all pages one span.  The mutex and the epoch stay. */
static void empty(struct zone *z)
{
    size_t table = sizeof *z + (size_t)z->page_count * sizeof(struct page);

    memset(z->partial, 0, sizeof z->partial);
    z->root = NULL;
    z->spans = NO_PAGE;
    z->first_page = (uint32_t)(page_rounded(table) / PAGE);
    z->free_pages = z->page_count - z->first_page;
    for (uint32_t i = 0; i < z->first_page; i++)
        page_at(z, i)->state = PAGE_SPAN;
    add_span(z, z->first_page, z->free_pages);
}

/* ---- slots ---- */

static unsigned class_for(size_t size)
{
    unsigned c = 0;

    while (c < CLASSES && class_size[c] < size)
        c++;
    return c;
}

static char *page_bytes(struct zone *z, uint32_t i)
{
    return (char *)z + (size_t)i * PAGE;
}

/* A free slot begins with the offset of the next one. */
static uint16_t *slot_next(struct zone *z, uint32_t i, uint16_t offset)
{
    return (void *)(page_bytes(z, i) + offset);
}

static uint32_t cut_page(struct zone *z, unsigned class)
{
    uint32_t i = take_pages(z, 1);
    uint16_t size = class_size[class], offset = 16;
    struct page *p;

    if (i == NO_PAGE)
        return NO_PAGE;
    p = page_at(z, i);
    p->state = PAGE_SLOTS;
    p->class = (uint8_t)class;
    p->used = 0;
    p->free = offset;
    for (; offset + 2 * size <= PAGE; offset = (uint16_t)(offset + size))
        *slot_next(z, i, offset) = (uint16_t)(offset + size);
    *slot_next(z, i, offset) = 0;
    link_page(z, &z->partial[class], i);
    return i;
}

static void *take_slot(struct zone *z, unsigned class)
{
    uint32_t i = z->partial[class];
    struct page *p;
    uint16_t offset;

    if (i == NO_PAGE)
        i = cut_page(z, class);
    if (i == NO_PAGE)
        return NULL;
    p = page_at(z, i);
    offset = p->free;
    p->free = *slot_next(z, i, offset);
    p->used++;
    if (p->free == 0)
        unlink_page(z, &z->partial[class], i);
    return page_bytes(z, i) + offset;
}

static void give_slot(struct zone *z, uint32_t i, uint16_t offset)
{
    struct page *p = page_at(z, i);

    if (p->free == 0)
        link_page(z, &z->partial[p->class], i);
    *slot_next(z, i, offset) = p->free;
    p->free = offset;
    if (--p->used == 0) {
        unlink_page(z, &z->partial[p->class], i);
        give_pages(z, i, 1);
    }
}

void *zone_alloc(struct zone *z, size_t size)
{
    unsigned class = class_for(size);
    uint32_t i;

    if (class < CLASSES)
        return take_slot(z, class);
    if (size > z->size)
        return NULL;
    i = take_pages(z, (uint32_t)(page_rounded(size) / PAGE));
    return i == NO_PAGE ? NULL : page_bytes(z, i);
}

void zone_free(struct zone *z, void *p)
{
    size_t at = (size_t)((char *)p - (char *)z);
    uint32_t i = (uint32_t)(at / PAGE);

    if (page_at(z, i)->state == PAGE_SLOTS)
        give_slot(z, i, (uint16_t)(at % PAGE));
    else
        give_pages(z, i, page_at(z, i)->count);
}

size_t zone_free_bytes(const struct zone *z)
{
    return (size_t)z->free_pages * PAGE;
}

/* ---- the lock ---- */

static bool init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t kind;
    bool done;

    if (pthread_mutexattr_init(&kind) != 0)
        return false;
    done = pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) == 0 &&
           pthread_mutex_init(mutex, &kind) == 0;
    pthread_mutexattr_destroy(&kind);
    return done;
}

static void recover(struct zone *z)
{
    struct setup *s = *find_setup(z);

    pthread_mutex_consistent(&z->mutex);
    memset(z->pages, 0, (size_t)z->page_count * sizeof(struct page));
    empty(z);
    atomic_fetch_add(&z->epoch, 1);
    log_note(LOG_LEVEL_ALERT, 0,
             "a process died while it changed a shared zone: the zone is emptied");
    if (s && s->init && !s->init(z, s->data))
        log_note(LOG_LEVEL_ALERT, 0, "the emptied zone could not be set up again");
}

void zone_lock(struct zone *z)
{
    if (pthread_mutex_lock(&z->mutex) == EOWNERDEAD)
        recover(z);
}

void zone_unlock(struct zone *z)
{
    pthread_mutex_unlock(&z->mutex);
}

unsigned zone_epoch(const struct zone *z)
{
    return atomic_load(&z->epoch);
}

void *zone_root(const struct zone *z)
{
    return z->root;
}

void zone_set_root(struct zone *z, void *root)
{
    z->root = root;
}

size_t zone_size(const struct zone *z)
{
    return z->size;
}

/* ---- mapping ---- */

bool zone_map(struct zone *at, size_t wanted, int fd)
{
    size_t size = whole(wanted);
    char *from = (char *)at;

    if (from < space || size > space_size || from > space + space_size - size) {
        errno = EINVAL;
        return false;
    }
    return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
}

void zone_unmap(struct zone *z, size_t size)
{
    forget_setup(z);
    map_nothing(z, whole(size), MAP_FIXED);
}

void zone_destroy(struct zone *z, size_t size)
{
    zone_unmap(z, size);
    unplace((char *)z);
}

static bool set_up(struct zone *z, size_t size)
{
    z->size = size;
    z->page_count = (uint32_t)(size / PAGE);
    empty(z);
    return init_mutex(&z->mutex);
}

struct zone *zone_create(size_t wanted, int *fd)
{
    size_t size = whole(wanted);
    struct zone *z = (void *)place(size);

    if (!z) {
        errno = ENOMEM;
        return NULL;
    }
    *fd = os_memory_file("weir-zone");
    if (*fd >= 0 && ftruncate(*fd, (off_t)size) == 0 && zone_map(z, size, *fd) && set_up(z, size))
        return z;
    if (*fd >= 0)
        close(*fd);
    zone_destroy(z, size);
    return NULL;
}
