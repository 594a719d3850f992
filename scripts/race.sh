#!/bin/sh
# Runs the tests of the inner rings and of the wire under the race detector, which needs cgo
# and a C compiler. Where there is none it says so and leaves it.
set -eu

if ! command -v "$(go env CC)" >/dev/null 2>&1; then
	echo "no C compiler: the race detector was not run" >&2
	exit 0
fi
scripts/need-postgres.sh
CGO_ENABLED=1 go test -race -short -timeout 10m ./internal/... ./cmd/...
