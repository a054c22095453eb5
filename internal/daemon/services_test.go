package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// world is a machine with a running daemon, and its LAN.
type world struct {
	*machine
	*nstest.Lab
	t *testing.T
}

// newWorld starts a daemon whose host has the resolvers of a resolv.conf, none by
// default.
func newWorld(t *testing.T, resolvers ...string) *world {
	t.Helper()
	l := nstest.NewLab(t)
	w := &world{newMachine(t, l.Machine.NS()), l, t}
	var text strings.Builder
	for _, r := range resolvers {
		fmt.Fprintln(&text, "nameserver", r)
	}
	if err := os.WriteFile(filepath.Join(w.Dir, "resolv.conf"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Start(0)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.Log)
		}
	})
	return w
}

// strict plugs a guest in and has it take an address.
func (w *world) strict(name, bridge string) (*testhost.Host, peers.Client, peers.Lease) {
	w.T.Helper()
	h := nstest.Host(w.T, name)
	nstest.Join(w.T, h, w.Lab.Machine, bridge)
	c := peers.Strict(w.T, h)
	l, err := c.Take(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return h, c, l
}

// ask returns the values of a name's records, or the status when there are none.
func (w *world) ask(h *testhost.Host, server, name, kind string, more ...string) string {
	w.T.Helper()
	a, err := peers.Dig(w.T.Context(), w.T, h, netip.MustParseAddr(server), append([]string{name, kind}, more...)...)
	if err != nil {
		return err.Error()
	}
	if values := a.Values(kind); len(values) > 0 {
		return strings.Join(values, " ")
	}
	return a.Status
}

func (w *world) problems(network string) []string {
	w.T.Helper()
	n, err := w.Client.Network(w.T.Context(), network)
	if err != nil {
		w.T.Fatal(err)
	}
	return n.Status.Problems
}

const nat9 = `
networks:
  lab:
    mode: nat
    bridge: {name: lab0}
    dns: {domain: lab.internal, localOnly: true}
    subnets: [{address: 10.9.0.1/24, dhcp: {}}]
`

func TestTakenPortIsNamedAndTheRestIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var squatter net.PacketConn
	if err := w.Lab.Machine.NS().Do(func() (err error) { squatter, err = net.ListenPacket("udp4", ":53"); return err }); err != nil {
		t.Fatal(err)
	}
	w.Apply(nat9)
	told := strings.Join(w.problems("lab"), "\n")
	if who := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(told, "port 53") || !strings.Contains(told, who) {
		t.Errorf("problems are %q, want the port and %s", told, who)
	}
	guest, _, _ := w.strict("guest", "lab0") // DHCP works
	if got := w.ask(guest, "10.9.0.1", "nobody.lab.internal", "A", "+tcp"); got != "NXDOMAIN" {
		t.Errorf("over TCP, which is free: %s", got)
	}
	squatter.Close()
	nstest.Eventually(t, 60*time.Second, func() error { // tried again after 1, 2, 4 … seconds
		if told := w.problems("lab"); len(told) > 0 {
			return errors.New(strings.Join(told, "\n"))
		}
		return nil
	})
	if got := w.ask(guest, "10.9.0.1", "nobody.lab.internal", "A"); got != "NXDOMAIN" {
		t.Errorf("after the port was free: %s", got)
	}
}

func TestBridgeMadeAnewIsServedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(nat9 + "ports:\n  vm1: {network: lab, type: veth, peer: vm1p}\n")
	guest := nstest.Host(t, "guest")
	if err := guest.Adopt(w.Lab.Machine.NS(), "vm1p", "eth0"); err != nil {
		t.Fatal(err)
	}
	c := peers.Strict(t, guest)
	first, err := c.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, w.Lab.Machine.NS(), "ip", "link", "del", "lab0")
	w.Settled()
	again, err := c.Renew(t.Context())
	if err != nil || again.Address != first.Address {
		t.Errorf("renewed %s as %s, %v", first.Address, again.Address, err)
	}
	if got := w.ask(guest, "10.9.0.1", "nobody.lab.internal", "A"); got != "NXDOMAIN" {
		t.Errorf("names are not served again: %s", got)
	}
}

// sockets lists the sockets a process has open.
func sockets(t *testing.T, pid int) []string {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range entries {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			found[target] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// TestLiveChangesLoseNothing asks for a name and renews a lease without a pause
// while reservations, ranges, records, forwarders and lease times change.
func TestLiveChangesLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab := func(dhcp, dns string) string {
		return "networks:\n  lab:\n    mode: nat\n    bridge: {name: lab0}\n    dns: {domain: lab.internal, rate: -1" + dns +
			"}\n    subnets: [{address: 10.9.0.1/24, dhcp: {" + dhcp + "}}]\n"
	}
	w.Apply(lab("ranges: [10.9.0.10-10.9.0.99]", ", hosts: {fixed: 10.9.0.5}"))
	guest, c, first := w.strict("guest", "lab0")
	before := sockets(t, w.Cmd.Process.Pid)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var asked, renewed int
	wg.Go(func() { asked = w.askOn(ctx, guest) })
	wg.Go(func() {
		for ctx.Err() == nil {
			l, err := c.Renew(t.Context())
			if err != nil || l.Address != first.Address {
				t.Errorf("renewed %s as %s, %v", first.Address, l.Address, err)
				return
			}
			renewed++
		}
	})
	for _, change := range []struct{ dhcp, dns string }{
		{`ranges: [10.9.0.10-10.9.0.99], hosts: {db: {mac: "52:54:00:00:00:0d", ip: 10.9.0.200}}`, ", hosts: {fixed: 10.9.0.5}"},
		{"ranges: [10.9.0.10-10.9.0.150]", ", hosts: {fixed: 10.9.0.5}"},
		{"ranges: [10.9.0.10-10.9.0.150], leaseTime: 2h", ", hosts: {fixed: 10.9.0.5}"},
		{"ranges: [10.9.0.10-10.9.0.150]", `, hosts: {fixed: 10.9.0.5, more: 10.9.0.6}, txt: {fixed: "words"}`},
		{"ranges: [10.9.0.10-10.9.0.150]", ", hosts: {fixed: 10.9.0.5}, forwarders: [192.0.2.1], domains: {corp.example: [192.0.2.3]}"},
	} {
		w.Apply(lab(change.dhcp, change.dns))
		w.Settled()
	}
	cancel()
	wg.Wait()
	if asked < 50 || renewed < 10 {
		t.Errorf("only %d questions and %d renewals", asked, renewed)
	}
	t.Logf("%d questions answered, %d times renewed", asked, renewed)
	for _, s := range before {
		if !slices.Contains(sockets(t, w.Cmd.Process.Pid), s) {
			t.Errorf("%s was closed", s)
		}
	}
	w.Apply(lab("ranges: [10.9.0.10-10.9.0.150], leaseTime: 2h", ", hosts: {fixed: 10.9.0.7}"))
	if l, err := c.Renew(t.Context()); err != nil || l.Time != 2*time.Hour {
		t.Errorf("the new lease time is not given: %v, %v", l.Time, err)
	}
	if got := w.ask(guest, "10.9.0.1", "fixed.lab.internal", "A"); got != "10.9.0.7" {
		t.Errorf("the changed record is %s", got)
	}
}

// askOn asks for a name again and again; every question must be answered at once.
func (w *world) askOn(ctx context.Context, h *testhost.Host) (n int) {
	var c net.Conn
	if err := h.NS().Do(func() (err error) { c, err = net.Dial("udp", "10.9.0.1:53"); return err }); err != nil {
		w.T.Error(err)
		return 0
	}
	defer c.Close()
	question := []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05fixed\x03lab\x08internal\x00\x00\x01\x00\x01")
	answer := make([]byte, 512)
	for ; ctx.Err() == nil; n++ {
		question[0], question[1] = byte(n>>8), byte(n)
		c.SetDeadline(time.Now().Add(5 * time.Second))
		_, err := c.Write(question)
		var got int
		if err == nil {
			got, err = c.Read(answer)
		}
		if err != nil || got < 12 || answer[7] != 1 || answer[0] != question[0] || answer[1] != question[1] {
			w.T.Errorf("question %d: %v, %x", n, err, answer[:got])
			return n
		}
	}
	return n
}

// TestNamesOfOtherNetworksStayPrivate: the host's resolver knows every network's
// domain when systemd-resolved splits them, so a question that is forwarded could
// come to another network's server by that way.
func TestNamesOfOtherNetworksStayPrivate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "10.8.0.1") // as if it asked blue for blue's names
	w.Apply(`
networks:
  red:
    mode: nat
    bridge: {name: red0}
    dns: {domain: red.internal}
    subnets: [{address: 10.9.0.1/24, dhcp: {}}]
  blue:
    mode: nat
    bridge: {name: blue0}
    dns: {domain: blue.internal, hosts: {secret: 10.8.0.9}}
    subnets: [{address: 10.8.0.1/24, dhcp: {}}]
`)
	red, _, _ := w.strict("red-guest", "red0")
	blue, _, _ := w.strict("blue-guest", "blue0")
	for _, c := range []struct {
		host               *testhost.Host
		server, name, kind string
		want               string
	}{
		{blue, "10.8.0.1", "secret.blue.internal", "A", "10.8.0.9"},
		{w.Lab.Machine, "10.8.0.1", "secret.blue.internal", "A", "10.8.0.9"},
		{red, "10.9.0.1", "secret.blue.internal", "A", "NXDOMAIN"},
		{red, "10.9.0.1", "9.0.8.10.in-addr.arpa", "PTR", "NXDOMAIN"},
		{w.Lab.Machine, "10.8.0.1", "9.0.8.10.in-addr.arpa", "PTR", "secret.blue.internal."},
	} {
		if got := w.ask(c.host, c.server, c.name, c.kind); got != c.want {
			t.Errorf("%s asks %s for %s: got %s, want %s", c.host.Name(), c.server, c.name, got, c.want)
		}
	}
	if _, err := peers.Dig(t.Context(), t, red, netip.MustParseAddr("10.8.0.1"), "secret.blue.internal", "+time=1"); err == nil {
		t.Error("a guest of red asks blue's own server, and is answered")
	}
	if _, err := peers.Dig(t.Context(), t, w.Neighbour, netip.MustParseAddr("10.8.0.1"), "secret.blue.internal", "+time=1"); err == nil {
		t.Error("a host of the LAN is answered")
	}
}

// TestOneGuestCannotEmptyThePool has a guest ask in the name of a new Ethernet
// address each time.
func TestOneGuestCannotEmptyThePool(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(strings.Replace(nat9, "dhcp: {}", "dhcp: {ranges: [10.9.0.10-10.9.0.79]}", 1))
	h := nstest.Host(t, "greedy")
	nstest.Join(t, h, w.Lab.Machine, "lab0")
	const most = 32
	got := 0
	for n := range 80 {
		mac := guestMAC(n)
		nstest.Run(t, h.NS(), "ip", "link", "set", "eth0", "address", mac.String())
		patience := 20 * time.Second
		if got == most { // silence is what is expected
			patience = 400 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := peers.Strict(t, h).Take(ctx)
		cancel()
		if err != nil {
			break // the limit
		}
		got++
		nstest.Run(t, h.NS(), "ip", "address", "flush", "dev", "eth0")
	}
	if got != most {
		t.Errorf("one port got %d addresses, want %d", got, most)
	}
	w.strict("honest", "lab0")
	nstest.Eventually(t, 10*time.Second, func() error {
		list, err := w.Client.Leases(t.Context(), "lab")
		if err == nil && len(list) != most+1 {
			err = fmt.Errorf("%d leases", len(list))
		}
		return err
	})
}

// TestRouterSaysFarewellWhenItsNetworkStops, and not when the daemon does.
func TestRouterSaysFarewellWhenItsNetworkStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply("networks:\n  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: \"fd09::1/64\"}]}\nports:\n  vm1: {network: lab, type: veth, peer: vm1p}\n")
	guest := nstest.Host(t, "guest")
	if err := guest.Adopt(w.Lab.Machine.NS(), "vm1p", "eth0"); err != nil {
		t.Fatal(err)
	}
	router := func(want bool) func() error {
		return func() error {
			routes := nstest.Run(t, guest.NS(), "ip", "-6", "route", "show", "default")
			addrs := nstest.Run(t, guest.NS(), "ip", "-6", "address", "show", "dev", "eth0")
			if strings.Contains(routes, "proto ra") != want || want && !strings.Contains(addrs, "fd09::") {
				return fmt.Errorf("a router: want %v, routes %q, addresses %q", want, routes, addrs)
			}
			return nil
		}
	}
	nstest.Eventually(t, 20*time.Second, router(true))
	w.Stop()
	w.Start(0)
	w.Settled()
	if err := router(true)(); err != nil {
		t.Error("the restart took it away:", err)
	}
	if err := w.Client.Stop(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, router(false))
}

func TestAddressesOfStaticAndBridgedGuestsAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Apply(nat9 + "  lan: {mode: bridge, bridge: {name: br0}}\nbridges:\n  br0: {mac: \"52:54:00:00:00:01\"}\n")
	static := nstest.Host(t, "static")
	nstest.Join(t, static, w.Lab.Machine, "lab0", netip.MustParsePrefix("10.9.0.77/24"))
	bridged, other := nstest.Host(t, "bridged"), nstest.Host(t, "other")
	nstest.Join(t, bridged, w.Lab.Machine, "br0", netip.MustParsePrefix("203.0.113.7/24"))
	nstest.Join(t, other, w.Lab.Machine, "br0", netip.MustParsePrefix("203.0.113.8/24"))
	ask := func(guest string, wait time.Duration) (list []string) {
		got, err := w.Client.Addresses(t.Context(), api.AddressRequest{Guest: guest, Wait: wait})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range got {
			if a.Address.Is4() {
				list = append(list, a.Network+" "+a.Address.String()+" "+a.Source+" "+a.Port)
			}
		}
		return list
	}
	static.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: netip.MustParseAddr("10.9.0.1")})
	bridged.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: netip.MustParseAddr("203.0.113.8")})
	mac := func(h *testhost.Host) string {
		m, err := h.MAC("eth0")
		if err != nil {
			t.Fatal(err)
		}
		return m.String()
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		if got := ask(mac(static), 0); !slices.Equal(got, []string{"lab 10.9.0.77 neighbour v-static"}) {
			return fmt.Errorf("the static guest is %q", got)
		}
		if got := ask(mac(bridged), time.Second); !slices.Equal(got, []string{"lan 203.0.113.7 wire v-bridged"}) {
			return fmt.Errorf("the bridged guest is %q", got)
		}
		return nil
	})
}
