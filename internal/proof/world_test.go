package proof

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/testhost"
)

// The tests run in a namespace without a way out, so what a virtual machine needs is
// fetched before. An error shows again when a test asks for it.
func TestMain(m *testing.M) {
	daemontest.Main(m, func() { qemuguest.Prepare(context.Background(), nil) })
}

// world is a machine with a running daemon, its LAN, and guests. A second NIC of
// the machine, eth1, is on the LAN, for bridges that carry routers' uplinks.
type world struct {
	*daemontest.Machine
	*nstest.Lab
	t *testing.T
}

// newWorld starts a daemon and applies a file, if there is any.
func newWorld(t *testing.T, text string) *world {
	t.Helper()
	l := nstest.NewLab(t)
	if err := l.Machine.Plug(testhost.Plug{Inside: "eth1", Outside: l.LAN.NS(), OutsideName: "machine-eth1", Bridge: "lan0"}); err != nil {
		t.Fatal(err)
	}
	// Both NICs are on one LAN: each answers for its own addresses only.
	if err := l.Machine.Sysctl("net/ipv4/conf/all/arp_ignore", "1"); err != nil {
		t.Fatal(err)
	}
	w := &world{daemontest.NewMachine(t, l.Machine.NS()), l, t}
	w.Start(0)
	if text != "" {
		w.put(text)
	}
	return w
}

// put applies a file and fails when something of it cannot be had.
func (w *world) put(text string) {
	w.t.Helper()
	if r := w.Apply(text); len(r.Problems) > 0 {
		w.t.Fatalf("problems: %v\n%s", r.Problems, w.Log)
	}
	w.Settled()
}

// guest plugs a host into a network's bridge and lets it answer.
func (w *world) guest(name, bridge string, addresses ...string) *testhost.Host {
	w.t.Helper()
	g := w.Lab.Guest(w.t, name, bridge, addresses...)
	nstest.Serve(w.t, g, testhost.EchoPort, 80, 443)
	return g
}

// router opens the namespace of a router.
func (w *world) router(name string) *netns.NS {
	w.t.Helper()
	ns, err := netns.Open(daemontest.Options(w.Dir).NetnsDir + "/" + name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { ns.Close() })
	return ns
}

// case of a table: a probe, and what must come of it.
type question struct {
	from *testhost.Host
	p    testhost.Probe
	want string // "no", "yes", or the source that the other side must see
}

// ask puts questions at the same time: most of them wait for packets that must not
// come.
func ask(t *testing.T, list []question) {
	t.Helper()
	var work sync.WaitGroup
	slots := make(chan struct{}, 24)
	for _, q := range list {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			q.put(t)
		})
	}
	work.Wait()
}

func (q question) put(t *testing.T) {
	t.Helper()
	p := q.p
	if p.Timeout == 0 {
		p.Timeout = 700 * time.Millisecond
		if q.want != "no" {
			p.Timeout = 3 * time.Second
		}
	}
	r := q.from.Probe(t.Context(), p)
	switch {
	case q.want == "no" && r.OK:
		t.Errorf("%s → %s: %s, must not be answered", q.from.Name(), p, r)
	case q.want != "no" && !r.OK:
		t.Errorf("%s → %s: %s, must be answered", q.from.Name(), p, r)
	case q.want != "no" && q.want != "yes" && p.Proto != testhost.ICMP && r.Seen != addr(q.want):
		t.Errorf("%s → %s: %s, must be seen as %s", q.from.Name(), p, r, q.want)
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// everyProto asks an address by every protocol.
func everyProto(from *testhost.Host, to, want string) (list []question) {
	for _, proto := range []testhost.Proto{testhost.ICMP, testhost.TCP, testhost.UDP} {
		list = append(list, question{from, testhost.Probe{Proto: proto, To: addr(to)}, want})
	}
	return list
}

// counter reads how many packets a router, or with "" the host, refused for a
// reason.
func (w *world) counter(router, name string) (packets int) {
	w.t.Helper()
	ns := w.NS
	if router != "" {
		ns = w.router(router)
	}
	family := "inet"
	if name == "claimed" {
		family = "bridge"
	}
	text := nstest.Run(w.t, ns, "nft", "list", "counter", family, "kvmnet", name)
	_, rest, _ := strings.Cut(text, "packets ")
	fmt.Sscan(rest, &packets)
	return packets
}
