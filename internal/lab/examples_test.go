package lab

import (
	"context"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"kvmnet/examples"
	"kvmnet/internal/api"
	"kvmnet/internal/testhost"
)

// tell answers a question in one word of the table.
func tell(t *testing.T, from *party, to netip.Addr, want string) {
	t.Helper()
	q := question{from: from, to: to, hope: want != no}
	if v := q.put(t.Context()); v.outcome != want {
		t.Errorf("%s → %s: got %q, want %q (%s)", from.name, to, v.outcome, want, v.detail)
	}
}

// holds proves everything that the modes promise.
func holds(t *testing.T, d *demo) {
	t.Helper()
	cells, err := d.proveAll(t.Context())
	must(t, err)
	for _, c := range cells {
		if !c.held() {
			t.Errorf("%s, %s, %s: promised %q, seen %q (%s)", c.column, c.row, c.family, c.promise, c.outcome, c.detail)
		}
	}
	if len(cells) < 5 {
		t.Errorf("only %d promises", len(cells))
	}
}

var (
	far     = farAddr.addr(v4)
	machine = machineAddr.addr(v4)
)

func TestExampleIsolated(t *testing.T) {
	t.Parallel()
	d := start(t, "01-isolated.yaml", io.Discard)
	vm1, vm2 := d.networks[0].guests[0], d.networks[0].guests[1]
	for _, f := range families {
		tell(t, vm1, vm2.addr.addr(f), kept)
	}
	tell(t, vm1, machine, no)
	tell(t, vm1, far, no)
	if got, err := d.world.machine.Addresses("isolated0"); err != nil || len(got) > 0 {
		t.Errorf("the bridge has addresses %v (%v)", got, err)
	}
	holds(t, d)
}

func TestExampleHostOnlyTurnsIntoNATWhileGuestsRun(t *testing.T) {
	t.Parallel()
	d := start(t, "02-host-only.yaml", io.Discard)
	n := d.networks[0]
	vm1, vm2, gateway := n.guests[0], n.guests[1], netip.MustParseAddr("172.16.0.1")
	tell(t, vm1, vm2.addr.addr(v4), kept)
	tell(t, vm1, gateway, kept)
	tell(t, vm1, far, no)
	tell(t, vm1, machine, no)

	stream, err := vm1.host.TCPStream(t.Context(), netip.AddrPortFrom(vm2.addr.addr(v4), testhost.EchoPort))
	must(t, err)
	toHost, err := vm1.host.TCPStream(t.Context(), netip.AddrPortFrom(gateway, testhost.EchoPort))
	must(t, err)
	pings, err := vm2.host.PingStream(t.Context(), gateway, 5*time.Millisecond)
	must(t, err)
	before := ports(t, d)

	turn(t, d, "02-host-only-nat.yaml")
	tell(t, vm1, far, rewritten)
	tell(t, d.stranger(d.world.outside, outsideAddr), vm1.addr.addr(v4), no)
	if after := ports(t, d); after != before {
		t.Errorf("ports were\n%s\nand are\n%s", before, after)
	}
	whole(t, stream)
	whole(t, toHost)
	if r := pings.Stop(); r.Lost > 0 || r.Received == 0 {
		t.Errorf("pings through the change: %+v", r)
	}
	holds(t, d)

	turn(t, d, "02-host-only.yaml")
	tell(t, vm1, far, no)
	tell(t, vm1, gateway, kept)
}

// turn applies an example over what runs.
func turn(t *testing.T, d *demo, example string) {
	t.Helper()
	must(t, d.apply(t.Context(), api.File{Name: example, Text: examples.Text(example)}))
	n, err := d.daemon.Network(t.Context(), d.networks[0].name)
	must(t, err)
	d.networks[0].spec = n.Spec
	d.forget()
}

// ports tells which devices the ports are: a device made anew has a new number.
func ports(t *testing.T, d *demo) string {
	t.Helper()
	links, err := d.world.machine.Netlink().LinkList()
	must(t, err)
	var text strings.Builder
	for _, l := range links {
		if a := l.Attrs(); a.Alias != "" {
			text.WriteString(strings.Join([]string{a.Name, a.Alias, a.HardwareAddr.String(), strconv.Itoa(a.Index), strconv.Itoa(a.MasterIndex)}, " ") + "\n")
		}
	}
	return text.String()
}

// whole checks that a connection outlived what happened since it began.
func whole(t *testing.T, s *testhost.TCPStream) {
	t.Helper()
	sofar := s.Report().Bytes
	deadline := time.Now().Add(5 * time.Second)
	for s.Report().Bytes <= sofar && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if r := s.Stop(); r.Broken != "" || r.Bytes <= sofar {
		t.Errorf("connection to %s: %+v, %d bytes since the change", s.Seen(), r, r.Bytes-sofar)
	}
}

func TestExampleNAT(t *testing.T) {
	t.Parallel()
	d := start(t, "03-nat.yaml", io.Discard)
	n := d.networks[0]
	for i, want := range []string{"192.168.100.20/24 52:54:00:a8:64:14", "192.168.100.30/24 52:54:00:a8:64:1e"} {
		mac, err := n.guests[i].host.MAC("eth0")
		must(t, err)
		if got := n.guests[i].addr[v4].String() + " " + mac.String(); got != want {
			t.Errorf("guest %d has %s, want %s", i+1, got, want)
		}
	}
	vm1 := n.guests[0]
	tell(t, vm1, netip.MustParseAddr("192.168.100.30"), kept)
	tell(t, vm1, netip.MustParseAddr("192.168.100.1"), kept)
	tell(t, vm1, far, rewritten)
	tell(t, d.stranger(d.world.outside, outsideAddr), vm1.addr.addr(v4), no)
	holds(t, d)
}

func TestExampleRouteNeedsTheWayBack(t *testing.T) {
	t.Parallel()
	d := begin(t, "04-route.yaml", io.Discard)
	must(t, d.plugAll(t.Context()))
	n := d.networks[0]
	vm1, outside := n.guests[0], d.stranger(d.world.outside, outsideAddr)
	// Packets go out, under the guest's own address, and no answer comes in.
	q := question{from: vm1, to: far, at: d.heard(d.world.outside)}
	if v := q.put(t.Context()); v.outcome != arrived {
		t.Errorf("without a route: got %q, want %q (%s)", v.outcome, arrived, v.detail)
	}
	tell(t, outside, vm1.addr.addr(v4), no)

	must(t, d.route()) // ip route add 10.10.101.0/24 via the machine
	d.forget()
	tell(t, vm1, far, kept)
	tell(t, outside, vm1.addr.addr(v4), kept)
	holds(t, d)
}

func TestExampleBridgePutsGuestsOnTheLAN(t *testing.T) {
	t.Parallel()
	d := start(t, "05-bridge.yaml", io.Discard)
	vm1 := d.networks[0].guests[0]
	neighbour := d.stranger(d.world.neighbour, lanNeighbour)
	for _, f := range families {
		tell(t, vm1, lanNeighbour.addr(f), kept)
		tell(t, neighbour, vm1.addr.addr(f), kept)
		tell(t, vm1, farAddr.addr(f), kept)
	}
	// A host of the LAN, not one behind a router: its own Ethernet address.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	seen, err := d.world.neighbour.Resolve(ctx, "eth1", vm1.addr.addr(v4))
	must(t, err)
	if own, err := vm1.host.MAC("eth0"); err != nil || seen != own {
		t.Errorf("the LAN sees %s, the guest has %s (%v)", seen, own, err)
	}
	holds(t, d)
}
