#!/bin/sh
#
# floors: an include points down or sideways, never up; http, stream and mail never meet.  OpenSSL is
# known to src/net/tls*.c alone.

cd "$(dirname "$0")/../.." || exit 1

find src -name '*.[ch]' -exec grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' /dev/null '{}' + |
    awk '
    BEGIN {
        # Floor of each folder below src; the same number does not mean that they know each other.
        floor["base"] = 1; floor["event"] = 2; floor["net"] = 3; floor["config"] = 4
        floor["script"] = 5; floor["upstream"] = 6
        floor["http"] = floor["stream"] = floor["mail"] = 7
        floor["process"] = 8
        floor["main.c"] = floor["weir_modules.c"] = floor["weir_modules.h"] = 9
        # Written by configure, for everybody.
        made["config.h"] = made["modules_enabled.h"] = 1
    }
    {
        split($0, part, ":")
        place = part[1] ":" part[2]
        split(part[1], from, "/")
        header = $0
        sub(/^[^"]*"/, "", header); sub(/".*/, "", header)
        if (header in made) next
        split(header, to, "/")
        count++
        if (!(from[2] in floor))
            complain(place ": src/" from[2] " is on no floor")
        else if (!(to[1] in floor))
            complain(place ": \"" header "\" is not written from src")
        else if (floor[to[1]] > floor[from[2]])
            complain(place ": " from[2] " (floor " floor[from[2]] ") includes " header \
                " of floor " floor[to[1]])
        else if (floor[to[1]] == floor[from[2]] && to[1] != from[2] && floor[to[1]] != 9)
            complain(place ": " from[2] " includes " header "; they never know each other")
        else if ((getline line < ("src/" header)) < 0)
            complain(place ": there is no src/" header)
        close("src/" header)
    }
    function complain(text) { print "not ok - " text; bad++ }
    END {
        if (!bad) print "ok - " count + 0 " includes point down or sideways"
        exit bad > 0
    }'
status=$?

outside=$(find src -name '*.[ch]' ! -path 'src/net/tls*' -exec grep -l 'include <openssl/' '{}' +)
for file in $outside; do
    echo "not ok - $file includes a header of OpenSSL"
    status=1
done
[ -n "$outside" ] || echo 'ok - OpenSSL is known to src/net/tls*.c alone'
exit $status
