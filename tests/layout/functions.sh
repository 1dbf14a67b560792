#!/bin/sh
#
# functions: how long they are.  None over 120 lines, but parsers that are listed here by name; the
# middle one at most 15 lines, nine in ten under 45.

cd "$(dirname "$0")/../.." || exit 1

# Parsers whose states read better in one piece: name and file.
exempt() {
    cat <<'END'
END
}

list=$(mktemp) || exit 1
trap 'rm -f "$list"' EXIT
find src -name '*.[ch]' -exec ctags -x --languages=C --langmap=C:.c.h --kinds-C=f \
    --_xformat='%N %F %n %{end}' '{}' + >"$list" || { echo 'not ok - ctags (universal-ctags) failed'; exit 1; }

awk -v exempt="$(exempt)" '
    BEGIN {
        n = split(exempt, row, "\n")
        for (i = 1; i <= n; i++) {
            split(row[i], word, " ")
            free[word[1] " " word[2]] = 1
        }
    }
    $4 == "" { next }
    {
        lines = $4 - $3 + 1
        print lines, $2 ":" $3, $1, (($1 " " $2) in free)
    }' "$list" | sort -n | awk '
    {
        length_of[NR] = $1
        if ($1 > 120 && !$4) {
            print "not ok - " $2 ": " $3 "() has " $1 " lines, of 120"
            bad++
        }
        last = $1 " lines in " $3 "() of " $2
    }
    END {
        if (!NR) { print "ok - no functions yet"; exit 0 }
        median = length_of[int((NR + 1) / 2)]
        ninth = length_of[int(NR * 0.9 + 0.5)]
        print "# " NR " functions: median " median " lines, nine in ten up to " ninth ", longest " last
        if (!bad) print "ok - no function over 120 lines"
        if (median > 15) { print "not ok - the median is " median " lines, of 15"; bad++ }
        else print "ok - median of " median " lines"
        if (ninth >= 45) { print "not ok - nine in ten have up to " ninth " lines, of 44"; bad++ }
        else print "ok - nine in ten have up to " ninth " lines"
        exit bad > 0
    }'
