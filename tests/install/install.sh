#!/bin/sh
#
# install: configure, make install and make uninstall, as packagers and first users do.  Works in a
# copy of the build's choices below a scratch folder; nothing outside of that is touched.

# Functions are called through check().
# shellcheck disable=SC2317,SC2016
set -u
cd "$(dirname "$0")/../.." || exit 1
MAKE=${MAKE:-make}
bad=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# check WHAT COMMAND...: one line of result; what the command said only if it failed.
check() {
    what=$1
    shift
    if "$@" >"$scratch/said" 2>&1; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        sed 's/^/    /' "$scratch/said" | tail -n 10
        bad=1
    fi
}

# configure_with SHELL [OPTION...]: into $scratch/build.
configure_with() {
    shell=$1
    shift
    # "busybox sh" is two words.
    # shellcheck disable=SC2086
    $shell ./configure --builddir="$scratch/build" "$@"
}

# refuses TEXT OPTION...: configure fails, and says TEXT.
refuses() {
    text=$1
    shift
    ! configure_with sh "$@" >"$scratch/refused" 2>&1 && grep -F -e "$text" "$scratch/refused"
}

# macro NAME: its value in config.h, without quotes.
macro() {
    sed -n "s/^#define $1 \"\\(.*\\)\"\$/\\1/p" "$scratch/build/config.h"
}

is() {
    [ "$1" = "$2" ] || { echo "\"$1\", expected \"$2\""; return 1; }
}

mode_is() {
    is "$(find "$2" -prune -perm "$1" -print)" "$2"
}

# ---- configure -----------------------------------------------------------------------------------

for shell in sh dash 'busybox sh' bash; do
    if command -v "${shell%% *}" >/dev/null 2>&1; then
        check "configure runs under $shell" configure_with "$shell" --with-threads
        sed "/^STATUS/d" "$scratch/build/config.mk" >"$scratch/config.$(echo "$shell" | tr -d ' ')"
    fi
done
for other in "$scratch"/config.*; do
    check "${other##*.} chose what sh chose" cmp "$scratch/config.sh" "$other"
done

check 'a mistyped option is told the nearest' \
    refuses 'did you mean "--with-http_realip_module"' --with-http_relip_module
check 'a mistyped path option as well' refuses 'did you mean "--prefix="' --prefx=/x
check 'an unknown option is refused' refuses 'unknown option "--zzz"' --zzz
check 'http can not be left out' refuses 'http can not be left out' --without-http
check 'a module that is not there is refused when asked for' refuses '--with-http_perl_module' --with-http_perl_module
check 'a prefix must be absolute' refuses 'must begin with "/"' --prefix=x
check 'a folder without OpenSSL is refused' refuses 'no include/openssl/ssl.h' --with-openssl="$scratch"
check 'a compiler that is not there is told' refuses 'no C compiler "nocc"' --with-cc=nocc

check 'configure takes paths and OpenSSL=no' configure_with sh --prefix=/p/q --conf-path=/etc/w/w.conf \
    --error-log-path=stderr --user=www --build='the "best" one' --with-cc-opt='-O1 -g' \
    --with-openssl=no --without-http_autoindex_module
check 'the prefix ends in a slash' is "$(macro WEIR_PREFIX)" /p/q/
check 'an absolute path stays' is "$(macro WEIR_CONF_PATH)" /etc/w/w.conf
check 'a relative path stays' is "$(macro WEIR_PID_PATH)" logs/weir.pid
check 'the group follows the user' is "$(macro WEIR_GROUP)" www
check 'quotes are escaped' is "$(macro WEIR_BUILD)" 'the \"best\" one'
check '-V repeats options, with quotes around spaces' \
    is "$(macro WEIR_CONFIGURE_ARGUMENTS | tr ' ' '\n' | grep with-cc-opt)" "--with-cc-opt='-O1"
check '-V says that a module is out' grep '^#define WEIR_MODULES .*--without-http_autoindex_module' \
    "$scratch/build/config.h"
check 'no TLS without OpenSSL' sh -c "! grep HAVE_TLS '$scratch/build/config.h' &&
    ! grep with-http_ssl '$scratch/build/config.h'"
check 'config.status repeats the choices' sh "$scratch/build/config.status" --builddir="$scratch/again"
check 'and they are the same' cmp "$scratch/build/config.h" "$scratch/again/config.h"

# ---- make install --------------------------------------------------------------------------------

# The objects are those of the build under test: only the paths differ, and what they are compiled
# into is small, but a whole build is a minute.  So: a build of its own, without optimisation.
run_make() {
    $MAKE --no-print-directory -j"${JOBS:-2}" BUILD="$scratch/build" CFLAGS=-O0 DESTDIR="$scratch/root" "$@"
}
here=$scratch/root/opt/weir
check 'configure for /opt/weir' configure_with sh --prefix=/opt/weir --with-openssl=auto
check 'make install' run_make install
[ $bad = 0 ] || exit 1

for file in conf/weir.conf conf/weir.conf.default conf/mime.types html/index.html html/50x.html \
    share/man/man8/weir.8 share/man/man5/weir.conf.5 share/doc/weir/reference.html; do
    check "$file is there" test -s "$here/$file"
done
check 'sbin/weir runs' "$here/sbin/weir" -v
# What -V calls built in must have its directives; those of balancers are ngx_http_upstream_module's.
"$here/sbin/weir" help --list >"$scratch/list"
check 'each module that is in has directives' awk -F '\t' '
    FILENAME ~ /list$/ { has[$1] = 1; next }
    $2 == "in" && $1 ~ /_module$/ && $1 !~ /_upstream_/ && !("ngx_" $1 in has) { print $1; bad = 1 }
    END { exit bad }' "$scratch/list" "$scratch/build/modules"
check 'sbin/server is the same program' cmp "$here/sbin/weir" "$here/sbin/server"
check 'the folder of logs is there' test -d "$here/logs"
check 'temporary folders are private' mode_is 700 "$here/client_body_temp"
check 'no @NAME@ is left in what was installed' \
    sh -c "! grep -r '@[A-Z]*@' '$here/share/man/man8' '$scratch/root/lib' '$scratch/root/etc'"
check 'the unit starts the program' \
    grep '^ExecStart=/opt/weir/sbin/weir ' "$scratch/root/lib/systemd/system/weir.service"
check 'logrotate knows the logs' grep '^/opt/weir/logs/\*\.log {' "$scratch/root/etc/logrotate.d/weir"
for page in "$here/share/man/man8/weir.8" "$here/share/man/man5/weir.conf.5"; do
    check "mandoc finds nothing wrong in ${page##*/}" mandoc -Tlint -Wwarning "$page"
done
check 'the installed configuration is right' "$here/sbin/weir" -t -p "$here/" -c conf/weir.conf

# A second time, over what a person has changed.
echo '# mine' >>"$here/conf/weir.conf"
echo '# mine' >>"$here/conf/mime.types"
echo mine >"$here/html/index.html"
echo old >"$here/conf/weir.conf.default"
check 'make install again' run_make install
check 'weir.conf is still mine' grep '^# mine' "$here/conf/weir.conf"
check 'mime.types is still mine' grep '^# mine' "$here/conf/mime.types"
check 'html is still mine' grep '^mine' "$here/html/index.html"
check 'weir.conf.default is new' cmp conf/weir.conf "$here/conf/weir.conf.default"

check 'make uninstall' run_make uninstall
check 'the program is gone' test ! -e "$here/sbin/weir"
check 'my configuration is not' test -f "$here/conf/weir.conf"

# ---- rebuilding ----------------------------------------------------------------------------------

compiled() {
    run_make QUIET=@ all | grep -c '^  CC'
}
run_make all >/dev/null 2>&1
check 'nothing is compiled twice' is "$(compiled)" 0
touch "$scratch/build/modules_enabled.h" "$scratch/build/config.h"
check 'a new config.h compiles what includes it' sh -c "[ $(compiled) -gt 0 ]"

exit $bad
