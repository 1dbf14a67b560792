#!/bin/sh
# Compares src/base/regex with PCRE2 (Debian: libpcre2-dev), then shows the speed of both.
#
#     tests/regex/run.sh [check|speed|all]      BUILD=folder CC=compiler PATTERNS=count SEED=number
#
# "check" is the differential test alone, for make check; it ends with "N passed, M failed".
set -eu
cd "$(dirname "$0")/../.."

what=${1:-all}
build=${BUILD:-build}/regex
cc=${CC:-cc}
flags="-std=c11 -D_DEFAULT_SOURCE -D_XOPEN_SOURCE=700 -O2 -g -Isrc -Itests/regex"
sources="src/base/regex/*.c src/base/arena.c src/base/out.c src/base/str.c"
corpus="tests/regex/corpus.txt tests/regex/subjects.txt"

mkdir -p "$build"
if [ "$what" != speed ]; then
    # shellcheck disable=SC2086
    $cc $flags $sources tests/regex/differential.c tests/regex/generate.c -lpcre2-8 \
        -o "$build/differential"
    # shellcheck disable=SC2086
    "$build/differential" $corpus "${PATTERNS:-12000}" "${SEED:-20240901}" folding
fi
if [ "$what" != check ]; then
    # shellcheck disable=SC2086
    $cc $flags $sources tests/regex/speed.c -lpcre2-8 -o "$build/speed"
    # shellcheck disable=SC2086
    "$build/speed" $corpus
fi
