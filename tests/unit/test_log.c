/*
 * test_log: lines of the error log, floods, files that can't be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"

static char folder[] = "/tmp/test_log.XXXXXX";
static char path[64];
static char content[1 << 20];

static struct log_file file;
static struct log_target target;
static struct log log_of_test;

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/error.log", folder);
    clock_update();
    file = (struct log_file){ .fd = -1, .path = str_of(path) };
    target = (struct log_target){ .level = LOG_LEVEL_INFO, .file = &file };
    log_of_test = (struct log){ .targets = &target, .count = 1, .level = LOG_LEVEL_INFO };
    log_after_fork();
    return log_file_open(&file) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    close(file.fd);
    unlink(path);
    return rmdir(folder);
}

/* What the log holds by now. */
static const char *lines(void)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, content, sizeof content - 1);

    close(fd);
    content[len < 0 ? 0 : len] = '\0';
    return content;
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* "time [level] pid#pid: " and what follows. */
static void assert_log(const char *level, const char *rest)
{
    char expected[4096];
    struct str time = clock_log_time();

    snprintf(expected, sizeof expected, "%.*s [%s] %ld#%ld: %s", STR_ARG(time), level,
             (long)getpid(), (long)getpid(), rest);
    assert_string_equal(lines(), expected);
}

static void describe(const void *object, struct out *o)
{
    out_str(o, STR(", client: "));
    out_str(o, str_of(object));
}

static void test_line(void **state)
{
    struct log_scope scope = { .number = 5, .object = "127.0.0.1", .describe = describe };

    (void)state;
    log_write(&log_of_test, LOG_LEVEL_ERROR, ENOENT, &scope, "open() \"%s\" failed", "/x");
    assert_log("error",
               "*5 open() \"/x\" failed (2: No such file or directory), client: 127.0.0.1\n");
}

static void test_plain_line(void **state)
{
    (void)state;
    log_write(&log_of_test, LOG_LEVEL_NOTICE, 0, NULL, "start");
    assert_log("notice", "start\n");
}

static void test_levels(void **state)
{
    struct log_target two[2] = { target, target };
    struct log_file second = { .fd = -1, .path = file.path };
    enum log_level level;

    (void)state;
    assert_true(log_file_open(&second));
    two[0].level = LOG_LEVEL_WARN;
    two[1].level = LOG_LEVEL_CRIT;
    two[1].file = &second;
    log_of_test = (struct log){ .targets = two, .count = 2, .level = LOG_LEVEL_WARN };
    log_write(&log_of_test, LOG_LEVEL_NOTICE, 0, NULL, "none");
    log_write(&log_of_test, LOG_LEVEL_WARN, 0, NULL, "one");
    log_write(&log_of_test, LOG_LEVEL_CRIT, 0, NULL, "both");
    assert_int_equal(count_of(lines(), "none"), 0);
    assert_int_equal(count_of(lines(), "one"), 1);
    assert_int_equal(count_of(lines(), "both"), 2);
    close(second.fd);

    for (unsigned i = LOG_LEVEL_EMERG; i <= LOG_LEVEL_DEBUG; i++) {
        assert_true(log_level_parse(str_of(log_level_name((enum log_level)i)), &level));
        assert_int_equal(level, i);
    }
    assert_false(log_level_parse(STR(""), &level));
    assert_false(log_level_parse(STR("err"), &level));
}

static void test_bare(void **state)
{
    (void)state;
    file.bare = true;
    log_write(&log_of_test, LOG_LEVEL_EMERG, EACCES, NULL, "bind() failed");
    log_write(&log_of_test, LOG_LEVEL_STDERR, 0, NULL, "plain words");
    assert_string_equal(lines(),
                        "weir: [emerg] bind() failed (13: Permission denied)\nweir: plain words\n");
}

/* One message is one line, whatever a client puts into it. */
static void test_escapes(void **state)
{
    struct log_scope scope = { .object = "a\r\nb\x1b[31m\t\x7f", .describe = describe };

    (void)state;
    log_write(&log_of_test, LOG_LEVEL_WARN, 0, &scope, "x\ny %s", "z\n2026/11/21 [emerg]");
    assert_log("warn", "x\\x0ay z\\x0a2026/11/21 [emerg], client: "
                       "a\\x0d\\x0ab\\x1b[31m\\x09\\x7f\n");
}

static void test_utf8_is_kept(void **state)
{
    (void)state;
    log_write(&log_of_test, LOG_LEVEL_WARN, 0, NULL, "h\xc3\xa9");
    assert_log("warn", "h\xc3\xa9\n");
}

static void test_long_lines(void **state)
{
    static char text[10000];
    struct log_scope scope = { .object = text, .describe = describe };

    (void)state;
    /* The message is cut, its error is not. */
    memset(text, 'm', sizeof text - 1);
    log_write(&log_of_test, LOG_LEVEL_WARN, ENOENT, NULL, "%s", text);
    size_t len = strlen(lines());
    assert_in_range(len, 1800, LOG_LINE_MAX);
    assert_non_null(strstr(content, "mmm (2: No such file or directory)\n"));

    /* Behind a short message the scope fills the line; nothing is cut within an escape. */
    memset(text, '\n', 8000);
    text[8000] = '\0';
    log_write(&log_of_test, LOG_LEVEL_WARN, 0, &scope, "short");
    size_t second = strlen(lines()) - len;
    assert_in_range(second, 1800, LOG_LINE_MAX);
    assert_string_equal(content + len + second - 5, "\\x0a\n");
    assert_int_equal(count_of(content, "\n"), 2);
}

/* Writes one line `times` times. */
static void flood(const char *text, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "open() %s failed", text);
}

static void test_flood(void **state)
{
    (void)state;
    flood("/a", 1000);
    assert_int_equal(count_of(lines(), "open() /a failed"), 100);
    assert_true(log_counting);

    /* Other lines come through, in the same second. */
    flood("/b", 3);
    log_settle();
    assert_int_equal(count_of(lines(), "repeated"), 0);
    assert_int_equal(count_of(content, "open() /b failed"), 3);

    /* The second is over: the loop notices. */
    clock_cached.seconds++;
    log_settle();
    assert_false(log_counting);
    assert_int_equal(count_of(lines(), "message repeated 900 times: [open() /a failed]\n"), 1);
    assert_int_equal(count_of(content, "repeated"), 1);

    /* A new second, a new count; another line in the next one settles it, too. */
    flood("/a", 150);
    assert_int_equal(count_of(lines(), "] open() /a failed"), 0);
    clock_cached.seconds++;
    flood("/c", 1);
    assert_int_equal(count_of(lines(), "message repeated 50 times: [open() /a failed]\n"), 1);
    assert_int_equal(count_of(content, ": open() /a failed"), 200);
}

static void test_flood_of_connections(void **state)
{
    (void)state;
    /* Number and client differ, the line is the same. */
    for (unsigned i = 1; i <= 300; i++) {
        struct log_scope scope = { .number = i, .object = i % 2 ? "a" : "b", .describe = describe };
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, &scope, "upstream is gone");
    }
    assert_int_equal(count_of(lines(), "upstream is gone, client"), 100);
    log_settle_all();
    assert_int_equal(count_of(lines(), "repeated 200 times"), 1);
}

/* A flood is seen among any number of other lines. */
static void test_flood_among_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "different %u", i);
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "the same");
    }
    assert_int_equal(count_of(lines(), "different"), 1000);
    assert_int_equal(count_of(content, "the same"), 100);
    log_settle_all();
    assert_int_equal(count_of(lines(), "message repeated 900 times: [the same]"), 1);
}

static void test_debug_is_not_thinned(void **state)
{
    (void)state;
    target.level = log_of_test.level = LOG_LEVEL_DEBUG;
    for (unsigned i = 0; i < 200; i++)
        log_write(&log_of_test, LOG_LEVEL_DEBUG, 0, NULL, "step");
    assert_int_equal(count_of(lines(), "step"), 200);
}

/* Runs `write_lines` with stderr going to a file; returns what went there. */
static const char *stderr_of(void (*write_lines)(void))
{
    static char text[65536];
    int saved = dup(STDERR_FILENO), catcher = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    dup2(catcher, STDERR_FILENO);
    write_lines();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t len = pread(catcher, text, sizeof text - 1, 0);
    close(catcher);
    text[len < 0 ? 0 : len] = '\0';
    return text;
}

static void write_some(void)
{
    for (unsigned second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 20; i++)
            log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "line %u.%u", second, i);
        clock_cached.seconds++;
    }
}

static void test_full_disk(void **state)
{
    int full = open("/dev/full", O_WRONLY);

    (void)state;
    if (full < 0)
        skip();
    int good = file.fd;
    file.fd = full;
    const char *said = stderr_of(write_some);
    assert_string_equal(strchr(said, '"') + 1 + strlen(path),
                        "\" can not be written, lines are lost (28: No space left on device)\n");
    assert_true(file.failing);

    /* There is room again: the next second's first line tries. */
    file.fd = good;
    log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "back");
    assert_int_equal(count_of(lines(), "back"), 1);
    assert_false(file.failing);
    close(full);
}

static void test_not_open(void **state)
{
    (void)state;
    close(file.fd);
    file.fd = -1;
    assert_int_equal(count_of(stderr_of(write_some), "can not be written"), 1);
    assert_true(log_file_open(&file));
    log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "open now");
    assert_int_equal(count_of(lines(), "open now"), 1);
    file.path = STR("/nonexistent/x");
    int before = file.fd;
    assert_false(log_file_open(&file));
    assert_int_equal(file.fd, before);
}

/* A reader that sleeps does not hold up the service. */
static void test_full_pipe(void **state)
{
    int good = file.fd, fds[2];

    (void)state;
    assert_true(os_pipe(fds));
    file.fd = fds[1];
    for (unsigned i = 0; i < 5000; i++)
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "line %u", i);
    assert_true(file.failing);
    close(fds[0]);
    close(fds[1]);

    /* stderr may be one that blocks. */
    struct log_file err = { .fd = -1 };
    assert_int_equal(pipe(fds), 0);
    err.fd = fds[1];
    target.file = &err;
    for (unsigned i = 0; i < 5000; i++)
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "line %u", i);
    assert_true(err.failing);
    file.fd = good;
    close(fds[0]);
    close(fds[1]);
}

static void test_reopen(void **state)
{
    char moved[80];
    struct stat status;

    (void)state;
    snprintf(moved, sizeof moved, "%s.1", path);
    log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "old");
    rename(path, moved);
    assert_true(log_file_open(&file));
    log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "new");
    assert_int_equal(count_of(lines(), "old"), 0);
    assert_int_equal(count_of(content, "new"), 1);
    assert_int_equal(stat(moved, &status), 0);
    assert_true(status.st_size > 0);
    unlink(moved);
}

static void test_fork(void **state)
{
    int status;

    (void)state;
    flood("/a", 200);
    pid_t child = fork();
    if (child == 0) {
        log_after_fork();
        log_settle_all();   /* the counts are the parent's */
        log_write(&log_of_test, LOG_LEVEL_ERROR, 0, NULL, "child");
        _exit(0);
    }
    waitpid(child, &status, 0);
    char expected[64];
    snprintf(expected, sizeof expected, " %ld#%ld: child\n", (long)child, (long)child);
    assert_non_null(strstr(lines(), expected));
    assert_int_equal(count_of(content, "repeated"), 0);
    log_settle_all();
}

/* Before anything is opened, log_process is stderr for a person. */
static void say_at_start(void)
{
    log_note(LOG_LEVEL_NOTICE, 0, "hello");
    log_note(LOG_LEVEL_INFO, 0, "too quiet");
}

static void test_start(void **state)
{
    (void)state;
    assert_string_equal(stderr_of(say_at_start), "weir: [notice] hello\n");
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_FILE(test_line),
        WITH_FILE(test_plain_line),
        WITH_FILE(test_levels),
        WITH_FILE(test_bare),
        WITH_FILE(test_escapes),
        WITH_FILE(test_utf8_is_kept),
        WITH_FILE(test_long_lines),
        WITH_FILE(test_flood),
        WITH_FILE(test_flood_of_connections),
        WITH_FILE(test_flood_among_others),
        WITH_FILE(test_debug_is_not_thinned),
        WITH_FILE(test_full_disk),
        WITH_FILE(test_not_open),
        WITH_FILE(test_full_pipe),
        WITH_FILE(test_reopen),
        WITH_FILE(test_fork),
        WITH_FILE(test_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
