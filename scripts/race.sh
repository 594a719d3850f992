#!/bin/sh
# Runs tests under the race detector, which needs cgo and a C compiler; where there is none it says so and leaves
# it. They are those of the packages that share something between goroutines themselves, on SQLite, and some on
# PostgreSQL: with the detector a test takes five times as long, and its engine too.
set -eu

if ! command -v "$(go env CC)" >/dev/null 2>&1; then
	echo "no C compiler: the race detector was not run" >&2
	exit 0
fi
scripts/need-postgres.sh
export CGO_ENABLED=1
packages=$(git grep -lE '"sync(/atomic)?"|internal/flight"' -- 'internal/*.go' 'cmd/*.go' ':!*_test.go' |
	xargs -n1 dirname | sort -u | sed 's|^|./|')
CASTELLAN_TEST_ENGINES=sqlite go test -race -short -timeout 10m $packages
CASTELLAN_TEST_ENGINES=postgres go test -race -short -timeout 10m ./internal/store/postgres ./internal/fresh
