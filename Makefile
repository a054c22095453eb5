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

.PHONY: help build demo test storm package-test virsh lint bench fuzz install install-openrc uninstall pages deb clean

help: ## this list
	@awk -F': .*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	$(GO) test -timeout 10m ./internal/hostlink -every-op
	$(GO) test -timeout 30m -run 'KilledDaemonKeeps|ManyNetworks|SlipsInAnEditor|PortComesOrGoes' ./internal/daemon -every-op -storm-kills 1000 -networks 1000
	$(GO) test -timeout 30m -run RulesDoNotGrow ./internal/proof -forwards 10000
	$(GO) test -timeout 30m -run "GuestsComeInEveryWay|ScriptsAreReplaced" ./internal/proof -all-ways

package-test: ## the package on a Debian of its own, which is fetched, under systemd and OpenRC
	@scripts/deps package
	$(GO) test -count=1 -timeout 15m ./internal/packaged -systemd

virsh: ## the same commands through kvmnet and through virsh, compared word for word
	@scripts/deps test
	$(GO) test -count=1 -v -run 'SaysWhatVirshSays|UpdatesDisturbNobody' ./internal/proof

lint: ## gofmt, go vet, staticcheck, tidy go.mod
	@test -z "$$(gofmt -l cmd internal packaging)" || { echo "not gofmt'ed:"; gofmt -l cmd internal packaging; exit 1; }
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
# The binary is in sbin, where units and scripts look, with a link for everybody in bin.
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR  ?= $(DATADIR)/zsh/site-functions
put      = install -D -m 0644

install: build pages ## into $(PREFIX), with units, pages and completions; docs/install.md
	install -D -m 0755 bin/kvmnet $(DESTDIR)$(PREFIX)/sbin/kvmnet
	install -d -m 0755 $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/kvmnet $(DESTDIR)$(DATADIR)/man/man1
	ln -sfn ../sbin/kvmnet $(DESTDIR)$(PREFIX)/bin/kvmnet
	for name in qemu-bridge-helper qemu-ifup qemu-ifdown; do \
		ln -sfn ../../sbin/kvmnet $(DESTDIR)$(PREFIX)/libexec/kvmnet/$$name || exit 1; \
	done
	for unit in kvmnet.service kvmnet.socket kvmnet-guests.socket kvmnet-recover.service; do \
		$(put) packaging/systemd/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done
	sed -i 's|@SBINDIR@|$(PREFIX)/sbin|' $(DESTDIR)$(UNITDIR)/kvmnet.service $(DESTDIR)$(UNITDIR)/kvmnet-recover.service
	$(put) packaging/systemd/kvmnet.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/kvmnet.conf
	$(put) -t $(DESTDIR)$(DATADIR)/man/man1 bin/pages/man1/*
	$(put) -t $(DESTDIR)$(DATADIR)/man/man5 bin/pages/man5/*
	$(put) bin/pages/bash/kvmnet $(DESTDIR)$(DATADIR)/bash-completion/completions/kvmnet
	$(put) bin/pages/zsh/_kvmnet $(DESTDIR)$(ZSHDIR)/_kvmnet
	$(put) bin/pages/fish/kvmnet.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/kvmnet.fish
	$(put) -t $(DESTDIR)$(DATADIR)/doc/kvmnet/examples examples/*.yaml

install-openrc: ## the script for OpenRC, besides `make install`
	install -d -m 0755 $(DESTDIR)/etc/init.d
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' packaging/openrc/kvmnet >$(DESTDIR)/etc/init.d/kvmnet
	chmod 0755 $(DESTDIR)/etc/init.d/kvmnet
	$(put) packaging/openrc/kvmnet.confd $(DESTDIR)/etc/conf.d/kvmnet

uninstall: ## what `make install` installed; first stop the daemon and `kvmnet daemon --clean`
	rm -rf $(DESTDIR)$(PREFIX)/libexec/kvmnet $(DESTDIR)$(DATADIR)/doc/kvmnet
	rm -f $(DESTDIR)$(PREFIX)/sbin/kvmnet $(DESTDIR)$(PREFIX)/bin/kvmnet $(DESTDIR)$(PREFIX)/lib/sysusers.d/kvmnet.conf \
		$(DESTDIR)$(UNITDIR)/kvmnet.service $(DESTDIR)$(UNITDIR)/kvmnet.socket $(DESTDIR)$(UNITDIR)/kvmnet-guests.socket \
		$(DESTDIR)$(UNITDIR)/kvmnet-recover.service $(DESTDIR)$(DATADIR)/man/man1/kvmnet*.1 $(DESTDIR)$(DATADIR)/man/man5/kvmnet.yaml.5 \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/kvmnet $(DESTDIR)$(ZSHDIR)/_kvmnet $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/kvmnet.fish

# The generator runs here, whatever the binary is built for.
pages: ## manual pages and completions, into bin/pages
	rm -rf bin/pages
	GOOS= GOARCH= $(GO) run ./packaging/gen bin/pages $(VERSION) packaging/gen

deb: ## bin/kvmnet_VERSION_ARCH.deb, the same bytes from the same commit
	packaging/deb/build $(VERSION)

clean: ## what the build made
	rm -rf bin
