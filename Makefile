# The one place for what is run by hand and by CI. Everything needs only Go, git and make, unless
# a target says otherwise.

# How everything is built, so that it is compiled once: the tests, what vet and lint read of packages, and the
# program. There is no cgo. The tag leaves out pages of gRPC's own tracing, which nothing serves: their templates
# would have the linker keep every exported method, a sixth of the program.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -tags=grpcnotrace

# ---- generated code -------------------------------------------------------------------------

.PHONY: gen gen-check

# Generates gen/ and the OpenAPI documents from proto/. The first run builds the tools, which
# takes a few minutes; later ones take seconds.
gen:
	tools/gen.sh .

# Fails when what is committed is not what `make gen` makes.
gen-check:
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	tools/gen.sh "$$fresh" && \
	for made in gen internal/api/openapi/documents; do \
		git diff --no-index --stat --exit-code $$made "$$fresh/$$made" || \
		{ echo "$$made is not what make gen makes" >&2; exit 1; }; \
	done

# ---- the program ----------------------------------------------------------------------------

# What `castellan version` shows; both also where there are no tags, and where there is no .git.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

.PHONY: build run

# Builds bin/castellan: one static binary.
build:
	go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)" \
		-o bin/castellan ./cmd/castellan

# Builds, and runs a server with a first instance at http://localhost:8080, with its data in
# castellan-data/.
run: build
	@exec ./bin/castellan dev

# ---- tests ----------------------------------------------------------------------------------

.PHONY: test test-clients

# Runs all tests, on both engines, and calls the program with the clients of others. Packages often wait for a disk
# or a database, so that more run at the same time than there may be processors. Vet is part of the lint.
test:
	@scripts/need-postgres.sh
	go test -p 4 -vet=off -timeout 10m ./...
	@$(MAKE) --no-print-directory test-clients

# Calls the program with curl, grpcurl, and libraries of others in Go and, with Node.js, JavaScript,
# as far as they are here. What bash and all of these do in tests/clients/tenant.sh is an example.
test-clients:
	@scripts/need-postgres.sh
	@for program in curl node npm; do \
		command -v $$program >/dev/null || echo "skipped for want of $$program: its part of tests/clients"; \
	done
	CASTELLAN_TEST_CLIENTS=1 go test -count=1 -timeout 5m ./tests/clients

# ---- checks ---------------------------------------------------------------------------------

.PHONY: verify

# Everything that is no test: formatting, lint with vet, races, generated code, vulnerabilities. The lint runs beside the
# race detector and speaks when that is done.
verify: gen-check
	@test -z "$$(gofmt -l $$(git ls-files '*.go' ':!gen'))" || { gofmt -l $$(git ls-files '*.go' ':!gen'); exit 1; }
	@said=$$(mktemp) && trap 'rm -f "$$said"' EXIT && \
	{ go tool -modfile=tools/go.mod golangci-lint run ./... >"$$said" 2>&1 & } && lint=$$! && \
	failed=0; scripts/race.sh || failed=1; wait $$lint || failed=1; cat "$$said"; exit $$failed
	scripts/vulnerabilities.sh

# ---- performance ----------------------------------------------------------------------------

.PHONY: bench

# Measures the program against its targets, in some minutes, and writes docs/performance.md.
# Needs Linux and a PostgreSQL server's programs. The machine should have nothing else to do.
bench: build
	go build -o bin/bench ./bench
	bin/bench -castellan bin/castellan -out docs/performance.md

# ---- help -----------------------------------------------------------------------------------

.DEFAULT_GOAL := help
.PHONY: help

# Lists the targets.
help:
	@awk '/^# [^-]/ { text = text substr($$0, 2); next } \
		/^[a-z][a-z-]*:/ { sub(/:.*/, ""); printf "  %-10s%s\n", $$0, text } \
		{ text = "" }' $(MAKEFILE_LIST)
