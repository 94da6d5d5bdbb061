# Everything needs only Go and make; test-wasm needs Node as well, race a C
# compiler, test-docker a Docker engine, test-386 QEMU on some machines. Tools are
# built at pinned versions into bin/, which git ignores.

GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# Packages that also run as WebAssembly.
PORTABLE := ./core/... ./netsim/... ./checker/... ./internal/kvsim/...

FUZZTIME ?= 30s
BENCH ?= .
BENCHTIME ?= 1s
# A range A..B of seeds; empty means fresh ones.
SEEDS ?=
# The planted bugs of the scorecard; empty means all.
BUGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt lint vet archtest race test-386 test-wasm test-docker bench bench-durable bench-restart bench-reshard sweep planted scorecard fuzz cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## start a store on this machine, use it, print its real answers
	./scripts/demo

test: ## run all tests
	go test ./...

check: lint vet archtest test ## what to run before a commit: lint, vet, archtest, test

fmt: $(GOLANGCI) ## format all Go files
	$(GOLANGCI) fmt

lint: $(GOLANGCI) ## run golangci-lint (installs it at first)
	$(GOLANGCI) run

vet: ## run go vet for amd64, 386 and WebAssembly
	go vet ./...
	GOARCH=386 go vet ./...
	GOOS=js GOARCH=wasm go vet $(PORTABLE)
	GOOS=wasip1 GOARCH=wasm go vet $(PORTABLE)

archtest: ## check imports and purity of all packages
	go test ./internal/archtest

race: ## run all tests under the race detector, with fewer random runs
	go test -race -short ./...

test-386: ## run all tests on a 32-bit platform, with fewer random runs (needs QEMU 10 where the kernel runs no 32-bit programs)
	./scripts/test-386 $(PORTABLE) ./httpnode/... ./internal/apitest

test-wasm: bin/wazero ## run the portable tests natively, under wazero and in Node
	./scripts/test-wasm $(PORTABLE)

test-docker: ## build the image, test real containers (about three minutes)
	go test -tags docker -count=1 -timeout 10m -v ./internal/dockertest

bench: ## run benchmarks (BENCH=regexp BENCHTIME=1s), then compare a store with the ceiling
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...
	go run ./internal/loadtest

bench-durable: ## writes on disk beside etcd and Redis, where installed, and reads beside them (about a minute)
	go run ./internal/loadtest durable

bench-restart: ## how soon a node with a million keys serves again; its backup and restore (about a minute)
	go run ./internal/loadtest restart

bench-reshard: ## what clients notice of a reshard of a million keys (about three minutes)
	go run ./internal/loadtest reshard

sweep: ## simulate fresh seeds (or SEEDS=A..B)
	go run ./cmd/simulate $(if $(SEEDS),sweep --seeds $(SEEDS))

planted: ## plant every bug and replay what shows it; "test" takes one in five
	go test -count=1 -timeout 30m ./cmd/simulate/planted -all

scorecard: ## plant bugs and look for them, about ten minutes (BUGS=… for some; WRITE=1 stores the capsules)
	go run ./cmd/simulate/planted/scorecard $(if $(WRITE),-write) $(BUGS)

fuzz: ## run every fuzz target for FUZZTIME=30s
	./scripts/fuzz $(FUZZTIME)

cover: ## write cover.html: which lines the tests reach
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	go tool cover -func=cover.out | tail -n 1

clean: ## remove what these targets write
	rm -rf bin cover.out cover.html

$(GOLANGCI):
	GOBIN="$(CURDIR)/bin" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@

bin/wazero: go.mod
	go build -o $@ github.com/tetratelabs/wazero/cmd/wazero
	@touch $@
