package resolved

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/resolved/resolvedtest"
)

var (
	labLink = Link{
		Index: 7, Name: "lab0", Servers: []netip.Addr{netip.MustParseAddr("192.168.100.1")},
		Domain: "lab.internal", Reverse: []string{"100.168.192.in-addr.arpa"},
	}
	redLink = Link{Index: 9, Name: "red0", Servers: []netip.Addr{netip.MustParseAddr("fd00::1")}, Domain: "red.internal"}
	redAll  = redManners + "SetLinkDomains(9, [{red.internal false}]); SetLinkDNS(9, [{10 [253 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]}]); FlushCaches()"
)

const labRegistered = labAll + "FlushCaches()"

// open makes a client, closed at the end of the test.
func open(t *testing.T, o Options) *Client {
	t.Helper()
	c := Open(o)
	t.Cleanup(c.Close)
	return c
}

// registered is a bus, a fake and a client that has registered lab0.
func registered(t *testing.T) (*resolvedtest.Bus, *fake, *Client) {
	t.Helper()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	c := open(t, Options{Address: bus.Address})
	c.Set([]Link{labLink})
	f.awaits(t, labRegistered)
	awaitState(t, c, Registered)
	return bus, f, c
}

func TestOnlyDifferencesAreSent(t *testing.T) {
	t.Parallel()
	_, f, c := registered(t)
	c.Set([]Link{labLink, redLink})
	f.awaits(t, labRegistered+"; "+redAll)
	c.Set([]Link{redLink, labLink}) // the same, in another order
	renamed := labLink
	renamed.Domain = "lab.test"
	c.Set([]Link{renamed, redLink})
	changed := labRegistered + "; " + redAll + "; SetLinkDomains(7, [{lab.test false} {100.168.192.in-addr.arpa true}]); FlushCaches()"
	f.awaits(t, changed)
	c.Set([]Link{redLink})
	f.awaits(t, changed+"; RevertLink(7); FlushCaches()")
	c.Set(nil)
	awaitState(t, c, Idle)
}

func TestRestartedResolvedIsToldEverythingAgain(t *testing.T) {
	t.Parallel()
	bus, f, c := registered(t)
	f.leave()
	awaitState(t, c, Absent)
	c.Set([]Link{labLink, redLink}) // wanted meanwhile
	f.join(t, bus)
	f.awaits(t, labAll+redAll)
	awaitState(t, c, Registered)
}

func TestLostBusIsFoundAgain(t *testing.T) {
	t.Parallel()
	bus, f, c := registered(t)
	bus.Stop(t)
	f.leave()
	awaitState(t, c, Absent)
	bus.Start(t)
	f.join(t, bus)
	f.awaits(t, labRegistered)
	awaitState(t, c, Registered)
}

func TestHostWithoutBusIsNoFailure(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	c := open(t, Options{Address: bus.Address})
	if got := c.State(); got != Idle {
		t.Errorf("state %q, want %q", got, Idle)
	}
	c.Set([]Link{labLink})
	awaitState(t, c, Absent)
	bus.Start(t)
	newFake(t, bus).awaits(t, labRegistered)
	awaitState(t, c, Registered)
}

func TestAddressComesFromTheEnvironment(t *testing.T) {
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	open(t, Options{}).Set([]Link{labLink})
	f.awaits(t, labRegistered)
}

// TestStoppedResolvedIsNotStarted: the bus would start it for whoever calls.
func TestStoppedResolvedIsNotStarted(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	trace := filepath.Join(t.TempDir(), "started")
	bus.Activate(t, resolveName, "/usr/bin/touch "+trace)
	bus.Start(t)
	c := open(t, Options{Address: bus.Address})
	c.Set([]Link{labLink})
	awaitState(t, c, Absent)
	if _, err := os.Stat(trace); err == nil {
		t.Error("the bus was made to start systemd-resolved")
	}
}

func TestOldResolvedLacksSettingsAndIsRegistered(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.old = true })
	c := open(t, Options{Address: bus.Address})
	c.Set([]Link{labLink})
	f.awaits(t, labRegistered)
	awaitState(t, c, Registered)
}

func TestChangeBySomebodyElseIsRepaired(t *testing.T) {
	t.Parallel()
	_, f, _ := registered(t)
	if err := f.change(7, func(r *registration) { *r = registration{} }, "RevertLink"); err != nil {
		t.Fatal(err)
	}
	f.awaits(t, labRegistered+"; RevertLink(7); "+labRegistered)
}

func TestRegistrationStaysWhenTheDaemonEnds(t *testing.T) {
	t.Parallel()
	bus, f, c := registered(t)
	c.Close()
	next := open(t, Options{Address: bus.Address})
	next.Set([]Link{labLink})
	awaitState(t, next, Registered)
	f.awaits(t, labRegistered+"; "+strings.TrimSuffix(labManners, "; "))
}

func TestDomainTakenAwayWhileTheDaemonWasDownGoes(t *testing.T) {
	t.Parallel()
	bus, f, c := registered(t)
	c.Close()
	plain := labLink
	plain.Domain, plain.Reverse = "", nil
	next := open(t, Options{Address: bus.Address})
	next.Set([]Link{plain})
	f.awaits(t, labRegistered+"; RevertLink(7); FlushCaches()")
	awaitState(t, next, Idle)
}
