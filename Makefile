# What a developer needs to type. The longer recipes are shell scripts in .ci/.

GO ?= go

.PHONY: build test check mutants bench faults soak fuzz metamorphic tools clean

# The same source and version give the same program, byte for byte, wherever it
# is built with the same Go.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUILD_FLAGS = -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.release=$(VERSION)"

build: ## one static binary, bin/inspraak
	CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/inspraak ./cmd/inspraak

.PHONY: sbom vulncheck
sbom: build ## what the program is made of, CycloneDX 1.6: bin/inspraak.cdx.json
	bin/inspraak sbom >bin/inspraak.cdx.json

vulncheck: ## known vulnerabilities, where their database can be reached
	@.ci/vulncheck

test: ## installs what the tests need, checks, runs every test, prints the counts
	@.ci/test

check: ## gofmt, vet and staticcheck
	@.ci/check

mutants: ## takes one rule out at a time and demands a red test
	nice $(GO) run ./mutants

bench: ## what votes, deliveries and a million ballots cost; BALLOTS=100000 is shorter
	$(GO) test ./cmd/inspraak -run '^$$' -bench . -benchtime 1x -timeout 60m

faults: ## kills, stops, floods and starves the built program; one line per goal, R1 to R18
	$(GO) test ./faults -count=1 -v -timeout 3h -skip '^TestSoak$$' -args -large
	$(GO) test ./cmd/inspraak -run N27ManyAccounts -count=1 -v -args -new-voters 2000

SOAK ?= 1h
soak: ## an hour, or SOAK=10m, of mixed load, a third of it hostile; prints the slopes
	$(GO) test ./faults -count=1 -v -timeout 0 -run '^TestSoak$$' -args -large -soak $(SOAK)

fuzz: ## one minute per decoder that strangers reach; FUZZTIME=10m for more
	@.ci/fuzz

metamorphic: ## 12,000 random streams of activities, changed in ways that must not matter
	$(GO) test ./cmd/inspraak -run TestMetamorphic -rapid.checks=1000 -timeout 0 -v

.PHONY: style screenshots
style: ## makes web/static/style.css from web/style and NL Design System
	@.ci/style

SCREENSHOTS ?= $(CURDIR)/bin/screenshots
screenshots: ## pictures of every page: 320 px, 1280 px, dark, 400 % zoom, print; bin/screenshots/index.html
	$(GO) test ./cmd/inspraak -run '^TestPagesInBrowser$$' -count=1 -timeout 30m -args -screenshots $(SCREENSHOTS)

tools: ## only installs what the tests need
	@.ci/install

clean:
	rm -rf bin interop/node_modules
