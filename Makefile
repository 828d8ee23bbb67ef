.DEFAULT_GOAL := help
.PHONY: help test lint generate fuzz bench api ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## test all modules with the race detector
	go test -race work

lint: ## gofumpt, vet and golangci-lint on all modules
	.ci/run lint

generate: ## write the protobuf code anew
	cd tools && GOWORK=off go run ./protogen ../internal/otspb

fuzz: ## run each fuzz target, FUZZTIME (30s) long
	FUZZTIME=$${FUZZTIME:-30s} .ci/run fuzz

bench: ## measure beside the peers and write docs/performance.md
	.ci/bench

api: ## make today's exported API the one that later changes are compared with
	.ci/run api-base

ci: ## everything that has to pass before a change lands
	.ci/run
