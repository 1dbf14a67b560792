/*
 * clock: see clock.h.  The calendar is the proleptic Gregorian one, counted in days since 1970.
 */
#include "base/clock.h"

#include "base/cursor.h"

enum {
    DAY_SECONDS = 86400,
    ERA_YEARS = 400,
    ERA_DAYS = 146097,         /* in 400 years */
    ERA_TO_1970 = 719468,      /* days from 1 March of the year 0 to 1 January 1970 */
};

static const char day_names[7][3] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char month_names[12][3] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const struct str long_day_names[7] = {
    STR_INIT("Sunday"),   STR_INIT("Monday"), STR_INIT("Tuesday"),  STR_INIT("Wednesday"),
    STR_INIT("Thursday"), STR_INIT("Friday"), STR_INIT("Saturday"),
};

/* A time of the calendar; in `month` January is 1, in `week_day` Sunday is 0. */
struct civil {
    int year, month, day, hour, minute, second, week_day;
};

struct clock clock_cached;

/* The texts of one second; each has its fixed length. */
static struct {
    char http[29], log[19], local[26], iso8601[25], syslog[15];
} texts;

/* Years are counted from March, so that the day that leap years add is a year's last. */
static int64_t days_from_civil(int year, int month, int day)
{
    int from_march = (month + 9) % 12;
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - ERA_YEARS + 1) / ERA_YEARS;
    int64_t of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - ERA_TO_1970;
}

static int64_t civil_seconds(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * DAY_SECONDS + c->hour * 3600 +
           c->minute * 60 + c->second;
}

/* `when` is 0 or later. */
static struct civil civil_of(int64_t when)
{
    int64_t days = when / DAY_SECONDS + ERA_TO_1970;
    int left = (int)(when % DAY_SECONDS);
    int64_t era = days / ERA_DAYS;
    int day = (int)(days % ERA_DAYS);
    int year = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int day_of_year = day - (365 * year + year / 4 - year / 100);
    int from_march = (5 * day_of_year + 2) / 153;
    int month = from_march < 10 ? from_march + 3 : from_march - 9;

    return (struct civil){
        .year = (int)(era * ERA_YEARS) + year + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * from_march + 2) / 5 + 1,
        .hour = left / 3600,
        .minute = left / 60 % 60,
        .second = left % 60,
        .week_day = (int)((when / DAY_SECONDS + 4) % 7),
    };
}

static struct civil civil_of_tm(const struct tm *tm)
{
    return (struct civil){
        .year = tm->tm_year + 1900, .month = tm->tm_mon + 1, .day = tm->tm_mday,
        .hour = tm->tm_hour, .minute = tm->tm_min, .second = tm->tm_sec, .week_day = tm->tm_wday,
    };
}

static void put_number(struct out *o, int value, unsigned width, char after)
{
    out_padded(o, (uint64_t)value, width);
    if (after)
        out_char(o, after);
}

static void put_month(struct out *o, const struct civil *c, char after)
{
    out_bytes(o, month_names[c->month - 1], 3);
    out_char(o, after);
}

static void put_time(struct out *o, const struct civil *c)
{
    put_number(o, c->hour, 2, ':');
    put_number(o, c->minute, 2, ':');
    put_number(o, c->second, 2, '\0');
}

/* +hhmm, with `colon` +hh:mm. */
static void put_zone(struct out *o, int minutes_east, bool colon)
{
    int span = minutes_east < 0 ? -minutes_east : minutes_east;

    out_char(o, minutes_east < 0 ? '-' : '+');
    put_number(o, span / 60, 2, colon ? ':' : '\0');
    put_number(o, span % 60, 2, '\0');
}

void clock_put_http_date(struct out *o, time_t when)
{
    const int64_t last = INT64_C(253402300799);   /* 9999-12-31 23:59:59 */
    int64_t t = when < 0 ? 0 : (int64_t)when;
    struct civil c = civil_of(t > last ? last : t);

    out_bytes(o, day_names[c.week_day], 3);
    OUT_LITERAL(o, ", ");
    put_number(o, c.day, 2, ' ');
    put_month(o, &c, ' ');
    put_number(o, c.year, 4, ' ');
    put_time(o, &c);
    OUT_LITERAL(o, " GMT");
}

void clock_put_cookie_date(struct out *o, time_t when)
{
    char space[HTTP_DATE_LEN];
    struct out date = out_fixed(space, sizeof space);

    clock_put_http_date(&date, when);
    bool short_year = str_cmp((struct str){ space + 12, 4 }, STR("2037")) <= 0;
    out_bytes(o, space, 7);                    /* "Sun, 06" */
    out_char(o, '-');
    out_bytes(o, space + 8, 3);
    out_char(o, '-');
    out_bytes(o, space + (short_year ? 14 : 12), short_year ? 2 : 4);
    out_bytes(o, space + 16, HTTP_DATE_LEN - 16);
}

static void make_local(const struct civil *c, int minutes_east)
{
    struct out o = out_fixed(texts.local, sizeof texts.local);

    put_number(&o, c->day, 2, '/');
    put_month(&o, c, '/');
    put_number(&o, c->year, 4, ':');
    put_time(&o, c);
    out_char(&o, ' ');
    put_zone(&o, minutes_east, false);
}

static void make_iso8601(const struct civil *c, int minutes_east)
{
    struct out o = out_fixed(texts.iso8601, sizeof texts.iso8601);

    put_number(&o, c->year, 4, '-');
    put_number(&o, c->month, 2, '-');
    put_number(&o, c->day, 2, 'T');
    put_time(&o, c);
    put_zone(&o, minutes_east, true);
}

static void make_log_time(const struct civil *c)
{
    struct out o = out_fixed(texts.log, sizeof texts.log);

    put_number(&o, c->year, 4, '/');
    put_number(&o, c->month, 2, '/');
    put_number(&o, c->day, 2, ' ');
    put_time(&o, c);
}

static void make_syslog(const struct civil *c)
{
    struct out o = out_fixed(texts.syslog, sizeof texts.syslog);

    put_month(&o, c, ' ');
    if (c->day < 10)
        out_char(&o, ' ');
    put_number(&o, c->day, 1, ' ');
    put_time(&o, c);
}

static void make_texts(time_t now)
{
    struct out http = out_fixed(texts.http, sizeof texts.http);
    struct tm tm;

    clock_put_http_date(&http, now);
    if (!localtime_r(&now, &tm))
        return;
    struct civil c = civil_of_tm(&tm);
    int minutes_east = (int)((civil_seconds(&c) - (int64_t)now) / 60);
    make_log_time(&c);
    make_local(&c, minutes_east);
    make_iso8601(&c, minutes_east);
    make_syslog(&c);
}

static struct timespec read_clock(clockid_t id)
{
    struct timespec t = { 0 };

    clock_gettime(id, &t);
    return t;
}

static uint64_t monotonic_ms(void)
{
    struct timespec t = read_clock(CLOCK_MONOTONIC);

    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

static void take_time(uint64_t ms)
{
    struct timespec calendar = read_clock(CLOCK_REALTIME);
    bool first = clock_cached.ms == 0;

    clock_cached.ms = ms;
    clock_cached.msec = (unsigned)(calendar.tv_nsec / 1000000);
    if (first)
        tzset();   /* localtime_r need not do it */
    if (first || clock_cached.seconds != calendar.tv_sec) {
        clock_cached.seconds = calendar.tv_sec;
        make_texts(calendar.tv_sec);
    }
}

/* In a busy loop most turns are within one millisecond: the calendar is not asked again for them. */
void clock_update(void)
{
    uint64_t now = monotonic_ms();

    if (now != clock_cached.ms)
        take_time(now);
}

void clock_update_every(unsigned ms)
{
    uint64_t now = monotonic_ms();

    if (clock_cached.ms == 0 || now - clock_cached.ms >= ms)
        take_time(now);
}

struct str clock_http_date(void)
{
    return (struct str){ texts.http, sizeof texts.http };
}

struct str clock_log_time(void)
{
    return (struct str){ texts.log, sizeof texts.log };
}

struct str clock_local(void)
{
    return (struct str){ texts.local, sizeof texts.local };
}

struct str clock_iso8601(void)
{
    return (struct str){ texts.iso8601, sizeof texts.iso8601 };
}

struct str clock_syslog(void)
{
    return (struct str){ texts.syslog, sizeof texts.syslog };
}

/* The parts of a date are read through a cursor, which goes bad at the first that does not fit. */
static void expect(struct cursor *c, struct str what)
{
    if (!str_eq(cursor_str(c, what.len), what))
        c->bad = true;
}

static int take_number(struct cursor *c, unsigned digits)
{
    struct str s = cursor_str(c, digits);
    unsigned value = 0;

    if (!str_to_uint(s, 9999, &value))
        c->bad = true;
    return (int)value;
}

static int take_name(struct cursor *c, const char names[][3], int count)
{
    struct str s = cursor_str(c, 3);

    for (int i = 0; s.len == 3 && i < count; i++) {
        if (memcmp(s.data, names[i], 3) == 0)
            return i + 1;
    }
    c->bad = true;
    return 1;
}

static void take_time_of_day(struct cursor *c, struct civil *t)
{
    t->hour = take_number(c, 2);
    expect(c, STR(":"));
    t->minute = take_number(c, 2);
    expect(c, STR(":"));
    t->second = take_number(c, 2);
}

/* Sun, 06 Nov 1994 08:49:37 GMT: from after the comma. */
static void take_imf_fixdate(struct cursor *c, struct civil *t)
{
    expect(c, STR(" "));
    t->day = take_number(c, 2);
    expect(c, STR(" "));
    t->month = take_name(c, month_names, 12);
    expect(c, STR(" "));
    t->year = take_number(c, 4);
    expect(c, STR(" "));
    take_time_of_day(c, t);
    expect(c, STR(" GMT"));
}

/* A year of two digits is of this century, unless that is more than 50 years ahead. */
static void widen_year(struct civil *t)
{
    struct civil now = civil_of(clock_cached.seconds < 0 ? 0 : clock_cached.seconds);

    t->year += now.year / 100 * 100;
    struct civil fifty_ago = *t;
    fifty_ago.year -= 50;
    if (civil_seconds(&fifty_ago) > (int64_t)clock_cached.seconds)
        t->year -= 100;
}

/* Sunday, 06-Nov-94 08:49:37 GMT: from after the comma. */
static void take_rfc850(struct cursor *c, struct civil *t)
{
    expect(c, STR(" "));
    t->day = take_number(c, 2);
    expect(c, STR("-"));
    t->month = take_name(c, month_names, 12);
    expect(c, STR("-"));
    t->year = take_number(c, 2);
    expect(c, STR(" "));
    take_time_of_day(c, t);
    expect(c, STR(" GMT"));
    if (!c->bad)
        widen_year(t);
}

/* Sun Nov  6 08:49:37 1994: from after the name of the day. */
static void take_asctime(struct cursor *c, struct civil *t)
{
    expect(c, STR(" "));
    t->month = take_name(c, month_names, 12);
    expect(c, STR(" "));
    if (cursor_left(c) > 0 && *c->at == ' ') {
        expect(c, STR(" "));
        t->day = take_number(c, 1);
    } else {
        t->day = take_number(c, 2);
    }
    expect(c, STR(" "));
    take_time_of_day(c, t);
    expect(c, STR(" "));
    t->year = take_number(c, 4);
}

static bool is_long_day_name(struct str s)
{
    for (unsigned i = 0; i < 7; i++) {
        if (str_eq(s, long_day_names[i]))
            return true;
    }
    return false;
}

/* The forms tell themselves apart by where the comma stands. */
static bool take_date(struct cursor *c, struct str s, struct civil *t)
{
    ptrdiff_t comma = str_index(s, ',');

    if (comma < 0 || comma == 3) {
        take_name(c, day_names, 7);
        if (comma < 0) {
            take_asctime(c, t);
        } else {
            expect(c, STR(","));
            take_imf_fixdate(c, t);
        }
    } else {
        if (!is_long_day_name(cursor_str(c, (size_t)comma)))
            return false;
        expect(c, STR(","));
        take_rfc850(c, t);
    }
    return !c->bad && cursor_left(c) == 0;
}

static int days_in_month(int year, int month)
{
    int next_year = month == 12 ? year + 1 : year, next_month = month == 12 ? 1 : month + 1;

    return (int)(days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1));
}

/* A second of 60 is a leap second. */
static bool is_possible(const struct civil *t)
{
    return t->day >= 1 && t->day <= days_in_month(t->year, t->month) && t->hour <= 23 &&
           t->minute <= 59 && t->second <= 60;
}

time_t clock_parse_http_date(struct str s)
{
    struct civil t = { 0 };

    if (s.len == 0)
        return -1;
    struct cursor c = cursor_of(s.data, s.len);
    if (!take_date(&c, s, &t) || !is_possible(&t))
        return -1;
    int64_t seconds = civil_seconds(&t);
    return seconds < 0 ? 0 : (time_t)seconds;
}
