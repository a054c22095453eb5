package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// port adds a veth port of ours and moves its other end into a host.
func (w *world) port(name, network string) *testhost.Host {
	w.T.Helper()
	h := nstest.Host(w.T, name)
	w.Apply(fmt.Sprintf("ports:\n  %s: {network: %s, type: veth, peer: %s-p}\n", name, network, name))
	if err := h.Adopt(w.Lab.Machine.NS(), name+"-p", "eth0"); err != nil {
		w.T.Fatal(err)
	}
	return h
}

// leases lists the leases of a network as "address port".
func (w *world) leases(network string) (list []string) {
	w.T.Helper()
	all, err := w.Client.Leases(w.T.Context(), network)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, l := range all {
		list = append(list, l.Address.Addr().String()+" "+l.Port)
	}
	return list
}

func TestGuestsAreKnownByThePortTheyAreBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(strings.Replace(nat9, "dhcp: {}", "dhcp: {hosts: {vm2: {ip: 10.9.0.200}}}", 1))
	one, two := w.port("vm1", "lab"), w.port("vm2", "lab")
	waited := make(chan []api.Address, 1)
	go func() {
		list, err := w.Client.Addresses(t.Context(), api.AddressRequest{Guest: "vm1", Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		waited <- list
	}()
	first, err := peers.Strict(t, one).Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := <-waited; len(got) != 1 || got[0].Address != first.Address.Addr() || got[0].Source != "lease" || got[0].Port != "vm1" {
		t.Errorf("who waited got %v", got)
	}
	second, err := peers.Strict(t, two).Take(t.Context())
	if err != nil || second.Address.Addr() != netip.MustParseAddr("10.9.0.200") {
		t.Errorf("the port that has a reservation by its name got %+v, %v", second, err)
	}
	if got := w.leases("lab"); !slices.Equal(got, []string{first.Address.Addr().String() + " vm1", "10.9.0.200 vm2"}) {
		t.Errorf("leases are %q", got)
	}
	if got := w.ask(two, "10.9.0.1", "vm1.lab.internal", "A"); got != first.Address.Addr().String() {
		t.Errorf("vm1, which told no name, is found as %s", got)
	}
}

func TestLeasesOfADeletedPortAreDroppedWhenTheNetworkSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(nat9)
	c := peers.Strict(t, w.port("vm1", "lab"))
	if _, err := c.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Client.DeletePort(t.Context(), "vm1"); err != nil {
		t.Fatal(err)
	}
	if got := w.leases("lab"); len(got) != 1 {
		t.Errorf("the network did not say so; leases are %q", got)
	}
	w.Apply(strings.Replace(nat9, "    subnets:", "    dhcp: {dropWithPort: true}\n    subnets:", 1))
	if _, err := peers.Strict(t, w.port("vm2", "lab")).Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Client.DeletePort(t.Context(), "vm2"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		if got := w.leases("lab"); len(got) != 1 || !strings.HasSuffix(got[0], "vm1") {
			return fmt.Errorf("leases are %q", got)
		}
		return nil
	})
}

// TestAnotherDHCPServerIsNamedAndGuestsAreServed: one that holds the port on every
// interface, and need not serve this one.
func TestAnotherDHCPServerIsNamedAndGuestsAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var squatter net.PacketConn
	if err := w.Lab.Machine.NS().Do(func() (err error) { squatter, err = net.ListenPacket("udp4", ":67"); return err }); err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	w.Apply(nat9)
	told := strings.Join(w.problems("lab"), "\n")
	if !strings.Contains(told, "port 67 on lab0 is taken") || !strings.Contains(told, fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("problems are %q", told)
	}
	w.strict("guest", "lab0")
}

// TestClonesOfOneImageGetAddressesOfTheirOwn, though they send one client id.
func TestClonesOfOneImageGetAddressesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(strings.Replace(nat9, "dhcp: {}", "dhcp: {relays: [10.9.0.7]}", 1))
	relay := nstest.Host(t, "relay")
	nstest.Join(t, relay, w.Lab.Machine, "lab0", netip.MustParsePrefix("10.9.0.7/24"))
	ctx, cancel := context.WithCancel(t.Context())
	warned := make(chan string, 10)
	go func() {
		w.Client.Events(ctx, func(e api.Event) {
			if e.Type == "warning" {
				warned <- e.Message
			}
		})
	}()
	defer cancel()
	s := newStorm(t, relay, "10.9.0.7", "10.9.0.1")
	id := dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientIdentifier, []byte("\xff\x12\x34machine-id")))
	nstest.Eventually(t, 10*time.Second, func() error {
		if !s.takeAs(guestMAC(1), time.Second, id) || !s.takeAs(guestMAC(2), time.Second, id) {
			return errors.New("no lease")
		}
		return nil
	})
	if a, b := s.leased[guestMAC(1)], s.leased[guestMAC(2)]; a == b {
		t.Errorf("both have %s", a)
	}
	select {
	case text := <-warned:
		if !strings.Contains(text, guestMAC(1).String()) || !strings.Contains(text, guestMAC(2).String()) {
			t.Errorf("the warning is %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody was warned")
	}
}

// TestGuestsBehindARouterAreServedByItsRelayAgent: dnsmasq, which asks for them.
func TestGuestsBehindARouterAreServedByItsRelayAgent(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dnsmasq", "dnsmasq-base")
	w := newWorld(t)
	w.Apply(`
networks:
  lab:
    mode: route
    bridge: {name: lab0}
    dns: {domain: lab.internal, localOnly: true}
    subnets: [{address: 10.9.0.1/24, dhcp: {}}]
    routes:
      - {to: 10.20.0.0/24, via: 10.9.0.7, dhcp: {hosts: {far9: {mac: "52:54:00:00:00:99", ip: 10.20.0.9}}}}
`)
	router := nstest.Host(t, "router")
	nstest.Join(t, router, w.Lab.Machine, "lab0", netip.MustParsePrefix("10.9.0.7/24"))
	for _, err := range []error{router.Bridge("far0"), router.AddAddress("far0", netip.MustParsePrefix("10.20.0.1/24")), router.Forward(true)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	agent := router.Command(t.Context(), "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--group=root", "--pid-file=",
		"--dhcp-relay=10.20.0.1,10.9.0.1")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Close() })
	client := nstest.Host(t, "client")
	nstest.Join(t, client, router, "far0")
	c := peers.Udhcpc(t, client) // the agent leaves checksums to the card, which Strict refuses
	var l peers.Lease
	nstest.Eventually(t, 20*time.Second, func() (err error) { // the agent takes a moment to start
		l, err = c.Take(t.Context())
		return err
	})
	if !netip.MustParsePrefix("10.20.0.0/24").Contains(l.Address.Addr()) || l.Address.Addr() == netip.MustParseAddr("10.20.0.1") || l.Router != netip.MustParseAddr("10.20.0.1") {
		t.Errorf("got %+v", l)
	}
	if err := client.Gateways(l.Router); err != nil {
		t.Fatal(err)
	}
	if again, err := c.Renew(t.Context()); err != nil || again.Address != l.Address {
		t.Errorf("renewed %s as %s, %v", l.Address, again.Address, err)
	}
	if got := w.ask(client, "10.9.0.1", "far9.lab.internal", "A"); got != "10.20.0.9" {
		t.Errorf("a name, asked from there: %s", got)
	}
}
