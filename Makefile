# Makefile of Weir (GNU make).  "make" in a fresh clone configures first; ./configure --help tells
# what can be chosen.  Sources are found by folder; configure says which of them stay out.
#
#   make                 build/weir
#   make run             serve html/ on http://127.0.0.1:8080/ (PORT=8081: another port)
#   make check           every test
#   make install         to the prefix of configure (DESTDIR=/somewhere: below there)
#   make SANITIZE=1      with ASan and UBSan, in build-sanitize/

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# FUZZER is for "make fuzz" itself: sanitizers and libFuzzer's coverage, by clang.
ifdef FUZZER
BUILD ?= build-fuzz
else ifdef SANITIZE
BUILD ?= build-sanitize
else
BUILD ?= build
endif

PORT ?= 8080
FUZZ_SECONDS ?= 60
CFLAGS ?= -O2 -g

NO_CONFIG := clean lint check fuzz
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
-include $(BUILD)/config.mk
endif

# ---- configuring ---------------------------------------------------------------------------------

# A module's source that came or went changes what is in.
ifdef MODULE_SOURCES
files_of = $(if $(filter %/,$1),$(wildcard src/$1*.c) $(wildcard src/$1*/*.c),$(wildcard src/$1))
SEEN := $(foreach s,$(MODULE_SOURCES),$(if $(strip $(call files_of,$s)),$s))
ifneq ($(strip $(SEEN)),$(strip $(MODULE_SOURCES_SEEN)))
ifndef MAKE_RESTARTS
$(BUILD)/config.mk: FORCE
endif
endif
endif

# The options of the last time; for another folder those of build/, if a person configured that.
STATUS := $(firstword $(wildcard $(BUILD)/config.status build/config.status))
$(BUILD)/config.mk: configure
	@echo 'Configuring $(BUILD)'
	@mkdir -p $(BUILD)
	@sh $(or $(STATUS),configure) --builddir=$(BUILD) $(if $(filter command line,$(origin CC)),--with-cc='$(CC)') \
	    >$(BUILD)/configure.out 2>&1 || { cat $(BUILD)/configure.out; exit 1; }

$(BUILD)/config.h $(BUILD)/modules_enabled.h: $(BUILD)/config.mk ;

.PHONY: FORCE
FORCE:

# ---- compiling -----------------------------------------------------------------------------------

SOURCES := $(filter-out $(EXCLUDED),$(sort $(shell find src -name '*.c')))
OBJECTS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(SOURCES))
LIBRARY_OBJECTS := $(filter-out $(BUILD)/obj/main.o,$(OBJECTS))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

ifdef FUZZER
SANITIZERS := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
else ifdef SANITIZE
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
ifdef SANITIZERS
SANITIZERS += -fno-omit-frame-pointer
else
HARDEN := $(HARDEN_CFLAGS)
endif
ifneq ($(filter 1 true yes,$(WERROR) $(CI)),)
WARNINGS += -Werror
endif

COMPILE = $(CC) $(BASE_CFLAGS) $(CFLAGS) $(WARNINGS) $(HARDEN) $(SANITIZERS) -I$(BUILD) -Isrc $(CC_OPT)
LINK = $(CC) $(CFLAGS) $(SANITIZERS) $(if $(SANITIZERS),,$(HARDEN_LDFLAGS)) $(LDFLAGS)
LINK_LIBS = $(LD_OPT) $(LIBS)

# QUIET=: shows whole commands.
QUIET ?= @
say = @printf '  %-8s %s\n' '$(1)' '$(2)'

.PHONY: all
all: $(BUILD)/weir $(BUILD)/libweir.a docs

# What everything was compiled with; a change of options compiles all anew.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE))' >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv -f $@.new $@

# Which objects there are: one that is gone must leave the archive, too.
$(BUILD)/objects: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(OBJECTS) >$@.new
	@cmp -s $@.new $@ && rm -f $@.new || mv -f $@.new $@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags | $(BUILD)/config.h $(BUILD)/modules_enabled.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(QUIET)$(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/libweir.a: $(LIBRARY_OBJECTS) $(BUILD)/objects
	$(call say,AR,$@)
	@rm -f $@
	$(QUIET)ar rc $@ $(LIBRARY_OBJECTS)

# From the objects, not from the archive: a module that is loaded may call what weir itself does not.
$(BUILD)/weir: $(OBJECTS) $(BUILD)/objects
	$(call say,LINK,$@)
	$(QUIET)$(LINK) $(EXPORT_LDFLAGS) -o $@ $(OBJECTS) $(LINK_LIBS)

-include $(OBJECTS:.o=.d) $(UNIT:=.d) $(FUZZ:=.d)

# ---- the reference, from the program's own tables ------------------------------------------------

.PHONY: docs
docs: $(BUILD)/weir.conf.5 $(BUILD)/reference.html

$(BUILD)/weir.conf.5: $(BUILD)/weir
	$(QUIET)$(BUILD)/weir help --man >$@.new && mv -f $@.new $@

$(BUILD)/reference.html: $(BUILD)/weir
	$(QUIET)$(BUILD)/weir help --html >$@.new && mv -f $@.new $@

# ---- running and testing -------------------------------------------------------------------------

.PHONY: run check torture bench fuzz unit-programs fuzz-programs
run: $(BUILD)/weir
	@exec $(BUILD)/weir serve html -l 127.0.0.1:$(PORT)

check:
	@BUILD='$(BUILD)' SANITIZE='$(SANITIZE)' MAKE='$(MAKE)' sh tests/check

# A thousand reloads under load, where "make check" has thirty.
torture: $(BUILD)/weir
	@WEIR='$(abspath $(BUILD)/weir)' WEIR_RELOADS=1000 \
	    /usr/bin/python3 -m pytest -q -s -p no:cacheprovider tests/torture

# Speed, then the memory of idle connections, then reloads: each beside nginx.
BENCHES = run idle websockets reload
bench: $(BUILD)/weir
	@for bench in $(BENCHES); do echo; \
	    WEIR='$(abspath $(BUILD)/weir)' tests/bench/$$bench || exit; done

# Fuzzes each target for FUZZ_SECONDS; what it finds stays in build-fuzz/found/.
fuzz:
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' MAKE='$(MAKE)' sh tests/fuzz/run

unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)

# What one test has for itself, such as stand-ins of system headers, is in a folder of its name.
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libweir.a
	$(call say,UNIT,$<)
	@mkdir -p $(@D)
	$(QUIET)$(COMPILE) -I$(<:.c=) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libweir.a -lcmocka $(LINK_LIBS)

# With libFuzzer's main, or with one that replays files.
ifdef FUZZER
FUZZ_MAIN := -fsanitize=fuzzer
else
FUZZ_MAIN := tests/fuzz/replay.c
endif
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/libweir.a $(filter %.c,$(FUZZ_MAIN))
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(QUIET)$(COMPILE) -Wno-missing-prototypes -MMD -MP -MF $@.d -o $@ $< $(FUZZ_MAIN) $(BUILD)/libweir.a $(LINK_LIBS)

# ---- installing ----------------------------------------------------------------------------------

# Nothing that a person may have changed is overwritten: the configuration, mime.types and html/ are
# installed only where there is none; weir.conf.default beside it is always this version's.

D = $(DESTDIR)
MAN = $(D)$(MAN_PATH)
LOG_DIRS = $(sort $(patsubst %/,%,$(dir $(filter-out %/stderr,$(ERROR_LOG_PATH)) $(HTTP_LOG_PATH))))
TEMP_DIRS = $(CLIENT_BODY_TEMP_PATH) $(PROXY_TEMP_PATH) $(FASTCGI_TEMP_PATH) $(UWSGI_TEMP_PATH) \
    $(SCGI_TEMP_PATH)

# Paths of this configuration, put into a file's @NAME@s.
SUBSTITUTE = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SBIN@|$(SBIN_PATH)|g' \
    -e 's|@CONF@|$(CONF_PATH)|g' -e 's|@PID@|$(PID_PATH)|g' \
    -e 's|@LOG_DIRS@|$(LOG_DIRS)|g' -e 's|@LOGS@|$(LOG_DIRS:=/*.log)|g' \
    -e 's|@WRITABLE@|$(addprefix -,$(sort $(LOG_DIRS) $(patsubst %/,%,$(dir $(PID_PATH))) $(TEMP_DIRS)))|g' \
    -e 's|@USER@|$(WORKER_USER)|g' -e 's|@GROUP@|$(WORKER_GROUP)|g'

.PHONY: install uninstall
install: all
	install -d '$(D)$(dir $(SBIN_PATH))' '$(D)$(CONF_DIR)' '$(D)$(MODULES_PATH)' '$(D)$(dir $(PID_PATH))'
	for dir in $(LOG_DIRS); do install -d "$(D)$$dir"; done
	for dir in $(TEMP_DIRS); do install -d -m 700 "$(D)$$dir"; done
	install '$(BUILD)/weir' '$(D)$(SBIN_PATH).new'
	mv -f '$(D)$(SBIN_PATH).new' '$(D)$(SBIN_PATH)'
	ln -sf '$(notdir $(SBIN_PATH))' '$(D)$(dir $(SBIN_PATH))server'
	install -m 644 conf/weir.conf '$(D)$(CONF_PATH).default'
	[ -e '$(D)$(CONF_PATH)' ] || install -m 644 conf/weir.conf '$(D)$(CONF_PATH)'
	[ -e '$(D)$(CONF_DIR)/mime.types' ] || install -m 644 conf/mime.types '$(D)$(CONF_DIR)/mime.types'
	[ -e '$(D)$(PREFIX)/html' ] || { install -d '$(D)$(PREFIX)/html' && \
	    install -m 644 html/* '$(D)$(PREFIX)/html/'; }
	install -d '$(MAN)/man5' '$(MAN)/man8'
	$(SUBSTITUTE) man/weir.8 >'$(MAN)/man8/weir.8'
	install -m 644 $(BUILD)/weir.conf.5 '$(MAN)/man5/weir.conf.5'
	install -d '$(D)$(PREFIX)/share/doc/weir'
	install -m 644 $(BUILD)/reference.html README.md LICENSE '$(D)$(PREFIX)/share/doc/weir/'
ifneq ($(SYSTEMD_DIR),)
	install -d '$(D)$(SYSTEMD_DIR)'
	$(SUBSTITUTE) conf/weir.service >'$(D)$(SYSTEMD_DIR)/weir.service'
endif
ifneq ($(LOGROTATE_DIR),)
	install -d '$(D)$(LOGROTATE_DIR)'
	[ -e '$(D)$(LOGROTATE_DIR)/weir' ] || $(SUBSTITUTE) conf/weir.logrotate >'$(D)$(LOGROTATE_DIR)/weir'
endif

# What install put there, less what may hold a person's work: conf/, html/, logs and the folders.
uninstall:
	rm -f '$(D)$(SBIN_PATH)' '$(D)$(dir $(SBIN_PATH))server' '$(D)$(CONF_PATH).default' \
	    '$(MAN)/man5/weir.conf.5' '$(MAN)/man8/weir.8' $(if $(SYSTEMD_DIR),'$(D)$(SYSTEMD_DIR)/weir.service')
	rm -rf '$(D)$(PREFIX)/share/doc/weir'

# ---- keeping house -------------------------------------------------------------------------------

.PHONY: clean lint
clean:
	rm -rf build build-sanitize build-fuzz $(filter-out . .. /,$(BUILD))

lint:
	shellcheck configure .ci/run tests/check tests/run-tap tests/fuzz/run tests/*/*.sh
	mandoc -Tlint man/weir.8
