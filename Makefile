# The one place for what is run by hand and by CI. Everything needs only Go, git and make, unless
# a target says otherwise.

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
