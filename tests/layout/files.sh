#!/bin/sh
#
# files: their length, names, opening comments and headers, and what stands at the top of the tree.

cd "$(dirname "$0")/../.." || exit 1
bad=0

# verdict WHAT COMPLAINTS: one line of result, after a line for each complaint.
verdict() {
    if [ -n "$2" ]; then
        printf '%s\n' "$2" | sed 's/^/not ok - /'
        bad=1
    else
        echo "ok - $1"
    fi
}

# Files that belong to the tree: known to git, or new and not ignored.  Without git, or where the tree
# is somebody else's and git won't look at it: all that .gitignore doesn't name.
tree() {
    git ls-files --cached --others --exclude-standard 2>/dev/null ||
        find . \( -name .git -o -name 'build' -o -name 'build-*' -o -name __pycache__ -o -name .pytest_cache \) \
            -prune -o -type f ! -name '*.o' ! -name '*.so' -print | sed 's:^\./::'
}
files=$(tree | sort -u | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)

verdict 'no file over 800 lines' "$(
    printf '%s\n' "$files" | grep '\.[ch]$\|\.py$\|\.sh$' | while read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -lt 800 ] || echo "$file has $lines lines, of 799"
    done)"

verdict 'nothing at the top but what belongs there' "$(
    printf '%s\n' "$files" | sed 's:/.*::' | sort -u | while read -r entry; do
        case $entry in
        Makefile | configure | src | conf | html | man | tests | README.md | LICENSE | .*) ;;
        *) echo "$entry does not belong at the top of the tree" ;;
        esac
    done)"

# A pair x.c and x.h shares a folder; no other two files share a name.
verdict 'base names are unique' "$(
    printf '%s\n' "$files" | grep '^src/.*\.[ch]$' | sed 's/\.[ch]$//' | sort -u |
        awk -F / '{
            if ($NF in seen) print $0 " and " seen[$NF] " share a name"
            seen[$NF] = $0
        }')"

verdict 'every file opens with a comment' "$(
    printf '%s\n' "$files" | grep '\.[ch]$\|\.py$\|\.sh$\|^configure$\|^Makefile$' | while read -r file; do
        awk -v file="$file" '
            NR == 1 && /^#!/ { next }
            {
                if (file ~ /\.[ch]$/) good = /^\/[*]/
                else if (file ~ /\.py$/) good = /^(r?"""|#)/
                else good = /^#/
                exit
            }
            END { if (!good && NR > 0) print file " does not open with a comment" }' "$file"
    done)"

verdict 'no typedef of a struct' "$(
    printf '%s\n' "$files" | grep '^src/.*\.[ch]$' | while read -r file; do
        grep -nE '^[[:space:]]*typedef[[:space:]]+(struct|union)' "$file" /dev/null
    done)"

# x.c includes x.h before all else of the project; one of several files behind one header (os_linux.c,
# os_bsd.c) has none of its own, but includes one from its folder.
verdict 'one header for each source' "$(
    printf '%s\n' "$files" | grep '^src/.*/.*\.c$' | while read -r file; do
        includes=$(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\(.*\)".*/src\/\1/p' "$file")
        if [ -f "${file%.c}.h" ]; then
            [ "$(printf '%s\n' "$includes" | head -n 1)" = "${file%.c}.h" ] ||
                echo "$file does not include its own header first"
        elif ! printf '%s\n' "$includes" | grep "^${file%/*}/[^/]*$" >/dev/null; then
            echo "$file has no header, of its own or of its folder"
        fi
    done)"

verdict 'no umbrella header' "$(
    printf '%s\n' "$files" | grep '^src/.*\.h$' | while read -r file; do
        # Without comments and the guard, something else than includes must be left.
        sed -e 's://.*::' -e ':a' -e 's:/\*[^*]*\*\**\([^/*][^*]*\*\**\)*/::g' -e '/\/\*/{N;ba' -e '}' "$file" |
            grep -v '^[[:space:]]*$\|^#\(ifndef\|endif\|include\|define [A-Z0-9_]*_H$\)' >/dev/null ||
            echo "$file only includes others"
    done)"

exit $bad
