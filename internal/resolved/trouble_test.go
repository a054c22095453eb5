package resolved

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
)

func TestLinkOfNetworkdIsReportedAndTriedAgain(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.refuse[7] = linkBusy })
	log := &lines{}
	c := open(t, Options{Address: bus.Address, Log: slog.New(slog.NewTextHandler(log, nil))})
	c.Set([]Link{labLink, redLink})
	awaitState(t, c, "register lab0 with systemd-resolved: systemd-networkd manages the link")
	nstest.Eventually(t, patience, func() error {
		if n := strings.Count(f.said(), "SetLinkDefaultRoute(7, false)"); n < 4 {
			return fmt.Errorf("tried %d times", n)
		}
		return nil
	})
	if !strings.Contains(f.said(), "SetLinkDNS(9, ") {
		t.Errorf("red0 waits for lab0: %s", f.said())
	}
	f.with(func() { delete(f.refuse, 7) })
	awaitState(t, c, Registered)
	if n := log.count(); n != 2 {
		t.Errorf("%d lines of log, want one for the failure and one for its end:\n%s", n, log)
	}
}

func TestVanishedLinkIsForgotten(t *testing.T) {
	t.Parallel()
	_, f, c := registered(t)
	f.with(func() { f.refuse[7] = noSuchLink; f.shown = map[int]registration{} })
	c.Set([]Link{redLink})
	awaitState(t, c, Registered)
	f.awaits(t, labRegistered+"; RevertLink(7); "+redAll)
}

// TestOtherNetworkNamespaceIsLeftAlone: a daemon in a namespace of its own still
// finds the socket of the host's bus.
func TestOtherNetworkNamespaceIsLeftAlone(t *testing.T) {
	t.Parallel()
	// A process is in the namespace of its main thread. In a test that one may be any
	// goroutine's, and in ours for a moment; a program keeps it out of the game.
	const another = "serves another network namespace"
	nstest.Eventually(t, patience, func() error {
		bus := resolvedtest.NewBus(t)
		bus.Start(t)
		f := newFake(t, bus)
		c := open(t, Options{Address: bus.Address, NS: nstest.NS(t)})
		c.Set([]Link{labLink})
		nstest.Eventually(t, patience, func() error {
			if got := c.State(); got != Registered && !strings.Contains(got, another) {
				return fmt.Errorf("state %q", got)
			}
			return nil
		})
		if got := f.said(); got != "" || c.State() == Registered {
			return fmt.Errorf("state %q, and sent %s", c.State(), got)
		}
		return nil
	})
}

func TestHungResolvedHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	reached, end := make(chan struct{}, 1), make(chan struct{})
	defer close(end)
	f.with(func() {
		f.hang = func() {
			reached <- struct{}{}
			<-end
		}
	})
	c := open(t, Options{Address: bus.Address})
	c.Set([]Link{labLink})
	<-reached
	begin := time.Now()
	c.Set([]Link{labLink, redLink})
	c.State()
	c.Close()
	if took := time.Since(begin); took > callTimeout/2 {
		t.Errorf("took %s", took)
	}
}

// TestQuarrelDoesNotMakeUsBusy: each pass finds its work undone and waits longer
// for the next one.
func TestQuarrelDoesNotMakeUsBusy(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.deaf = true })
	begin := time.Now()
	open(t, Options{Address: bus.Address}).Set([]Link{labLink})
	nstest.Eventually(t, patience, func() error {
		if n := strings.Count(f.said(), "SetLinkDNS("); n < 4 {
			return fmt.Errorf("tried %d times", n)
		}
		return nil
	})
	if took, least := time.Since(begin), (2+4+8)*firstPause; took < least {
		t.Errorf("four attempts in %s, want at least %s", took, least)
	}
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	newFake(t, bus)
	running := goleak.IgnoreCurrent()
	c := Open(Options{Address: bus.Address})
	c.Set([]Link{labLink})
	awaitState(t, c, Registered)
	c.Close()
	goleak.VerifyNone(t, running)
}

func TestSilentBusIsGivenUp(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	silent, err := net.Listen("unix", socket)
	must(t, err)
	defer silent.Close()
	c := open(t, Options{Address: "unix:path=" + socket})
	c.Set([]Link{labLink})
	awaitState(t, c, "connect to D-Bus: no answer within 5s")
}

// lines counts what is logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) count() int { return strings.Count(l.String(), "\n") }
