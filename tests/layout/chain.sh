#!/bin/sh
#
# chain: the functions that a static and a proxied GET pass through stand in src/README.md, in a
# fenced block each:
#
#     static-get:
#     connection_on_event   src/event/connection.c   what it does
#
# Each must be defined where the page says; a static GET takes at most 6 files, a proxied one 9.

cd "$(dirname "$0")/../.." || exit 1
bad=0

# chain NAME: rows "function file".
chain() {
    awk -v name="$1:" '
        /^```/ { inside = 0; next }
        $1 == name { inside = 1; next }
        inside && $1 ~ /:$/ { inside = 0 }
        inside && NF >= 2 { sub(/\(\)$/, "", $1); print $1, $2 }' src/README.md
}

# check NAME MOST: the chain's functions exist, in at most that many files.
check() {
    rows=$(chain "$1")
    if [ -z "$rows" ]; then
        echo "not ok - src/README.md has no chain \"$1:\""
        bad=1
        return
    fi
    complaints=$(printf '%s\n' "$rows" | while read -r function file; do
        [ -f "$file" ] || file=src/$file
        if ! [ -f "$file" ]; then
            echo "$function: there is no file $file"
        elif ! ctags -x --languages=C --langmap=C:.c.h --kinds-C=f --_xformat='%N' "$file" |
            grep -Fx "$function" >/dev/null; then
            echo "$file has no function $function()"
        fi
    done)
    count=$(printf '%s\n' "$rows" | awk '{ print $2 }' | sort -u | wc -l)
    if [ "$count" -gt "$2" ]; then
        complaints="$complaints${complaints:+
}$((count)) files, of $2"
    fi
    if [ -n "$complaints" ]; then
        printf '%s\n' "$complaints" | sed "s/^/not ok - $1: /"
        bad=1
    else
        echo "ok - $1: $(printf '%s\n' "$rows" | wc -l) functions in $((count)) files"
    fi
}

if ! [ -f src/README.md ]; then
    echo 'not ok - there is no src/README.md'
    exit 1
fi
check static-get 6
[ ! -f src/http/proxy/exchange.c ] || check proxied-get 9
exit $bad
