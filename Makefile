# kvmnet: a network manager for virtual machines on Linux.
# Two commands do everything on a fresh Debian machine with Go: make demo, make test.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PREFIX  ?= /usr/local
PKGS    ?= ./...
# The race detector needs a C compiler; without one the tests run without it.
RACE    ?= $(shell command -v gcc >/dev/null 2>&1 && echo -race)

export CGO_ENABLED ?= 0
# Else each process of a test waits a second at its end for races still to come:
# those of a daemon that is stopped, too.
export GORACE ?= atexit_sleep_ms=0
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help build demo test storm virsh lint bench fuzz install clean

help: ## this list
	@awk -F': .*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/kvmnet, one static binary
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/kvmnet ./cmd/kvmnet

demo: build ## every mode with guests in private namespaces, proven by packets; leaves nothing
	@scripts/deps demo
	bin/kvmnet demo

# Lint has go vet look at everything.
test: ## all tests, with the race detector where there is a C compiler
	@scripts/deps test
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -vet=off -timeout 15m $(PKGS)

storm: ## what `make test` does in small: a kill at every op, a thousand networks
	@scripts/deps test
	$(GO) test -timeout 60m -run 'KilledAtEveryOp|ConversionEnds' ./internal/daemon ./internal/proof -every-op
	$(GO) test -timeout 30m -run 'KilledDaemonKeeps|ManyNetworks|SlipsInAnEditor|PortComesOrGoes' ./internal/daemon -every-op -storm-kills 1000 -networks 1000
	$(GO) test -timeout 30m -run RulesDoNotGrow ./internal/proof -forwards 10000
	$(GO) test -timeout 30m -run "GuestsComeInEveryWay|ScriptsAreReplaced" ./internal/proof -all-ways

virsh: ## the same commands through kvmnet and through virsh, compared word for word
	@scripts/deps test
	$(GO) test -count=1 -v -run 'SaysWhatVirshSays|UpdatesDisturbNobody' ./internal/proof

lint: ## gofmt, go vet, staticcheck, tidy go.mod
	@test -z "$$(gofmt -l cmd internal)" || { echo "not gofmt'ed:"; gofmt -l cmd internal; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

bench: ## ratios against the bare kernel calls, the shell and dnsmasq
	@scripts/deps bench
	$(GO) test -run '^$$' -bench 'Network|Pass|File' -benchtime 20x -timeout 20m ./internal/daemon
	$(GO) test -run '^$$' -bench 'PortAttachDetach|QemuIfup' -benchtime 50x -timeout 20m ./internal/daemon
	$(GO) test -run '^$$' -bench DHCPExchanges -benchtime 1x -timeout 20m ./internal/daemon
	$(GO) test -run '^$$' -bench 'FreshNamespace|ForwardAddDel' ./internal/nft
	$(GO) test -run '^$$' -bench 'Forward|Packets' -benchtime 10x -timeout 20m ./internal/proof
	$(GO) test -run '^$$' -bench 'Routers' -benchtime 1x -timeout 20m ./internal/proof
	$(GO) test -run '^$$' -bench 'PortBandwidth' -benchtime 1x -timeout 20m ./internal/proof
	$(GO) test -run '^$$' -bench AgainstDnsmasq -benchtime 3x -timeout 20m ./internal/dns

fuzz: ## each fuzzer for a minute
	@for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
			$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s $$pkg || exit 1; \
		done; \
	done

# What QEMU calls are links to the one binary, which looks at the name it is called by.
install: build ## into $(PREFIX)/sbin, and what QEMU calls into $(PREFIX)/libexec/kvmnet
	install -D -m 0755 bin/kvmnet $(DESTDIR)$(PREFIX)/sbin/kvmnet
	install -d -m 0755 $(DESTDIR)$(PREFIX)/libexec/kvmnet
	for name in qemu-bridge-helper qemu-ifup qemu-ifdown; do \
		ln -sfn ../../sbin/kvmnet $(DESTDIR)$(PREFIX)/libexec/kvmnet/$$name || exit 1; \
	done

clean: ## what the build made
	rm -rf bin
