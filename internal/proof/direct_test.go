package proof

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// openTap opens a device of taps in a namespace, with more flags. Without them a
// guest's frames begin with no header: the kernel fills in checksums and cuts segments.
func openTap(ns *netns.NS, node, name string, flags ...uint16) (f *os.File, err error) {
	err = ns.Do(func() error {
		fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		ifr, err := unix.NewIfreq(name)
		if err == nil {
			all := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
			for _, f := range flags {
				all |= f
			}
			ifr.SetUint16(all)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
			if err == nil && all&unix.IFF_VNET_HDR != 0 {
				err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6)
			}
		}
		f = os.NewFile(uintptr(fd), node)
		return err
	})
	return f, err
}

// macvtap is a host whose eth0 is what a program made of a macvtap, as QEMU does it: it
// opens the device and carries frames.
func (w *world) macvtap(name string, addresses ...string) *testhost.Host {
	w.t.Helper()
	mac, err := w.Lab.Machine.MAC(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.carried(name, "/dev/tap"+indexOf(w.t, w, name), 0, mac.String(), addresses...)
}

// tap is the same of a tap of ours, whose guest has the MAC ending in 01 and virtio's
// header before its frames, with segments that are put together.
func (w *world) tap(name string, addresses ...string) *testhost.Host {
	w.t.Helper()
	return w.carried(name, "/dev/net/tun", unix.IFF_VNET_HDR, "52:54:00:00:00:01", addresses...)
}

func (w *world) carried(name, node string, flags uint16, mac string, addresses ...string) *testhost.Host {
	w.t.Helper()
	h := nstest.Host(w.t, name)
	outer, err := openTap(w.NS, node, name, flags)
	if err != nil {
		w.t.Fatal(err)
	}
	inner, err := openTap(h.NS(), "/dev/net/tun", "eth0", flags)
	if err != nil {
		w.t.Fatal(err)
	}
	carry := func(from, to *os.File) {
		frame := make([]byte, 1<<17)
		for {
			n, err := from.Read(frame)
			if err != nil {
				return
			}
			to.Write(frame[:n]) // a full queue loses frames, as a NIC does
		}
	}
	go carry(outer, inner)
	go carry(inner, outer)
	w.t.Cleanup(func() { outer.Close(); inner.Close() })
	nstest.Run(w.t, h.NS(), "ip", "link", "set", "eth0", "address", mac, "up")
	addressed(w.t, h, addresses...)
	nstest.Serve(w.t, h, testhost.EchoPort, 80)
	return h
}

// addressed gives a host addresses as "10.9.0.5/24" and gateways as "10.9.0.1".
func addressed(t testing.TB, h *testhost.Host, addresses ...string) {
	t.Helper()
	var gateways []netip.Addr
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			gateways = append(gateways, addr(a))
		} else if err := h.AddAddress("eth0", p); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Gateways(gateways...); err != nil {
		t.Fatal(err)
	}
}

func onNICs(mode, ports string) string {
	return fmt.Sprintf(`networks: {lan: {mode: bridge, direct: {mode: %s, devices: [eth1]}}}
ports: {%s}`, mode, ports)
}

const twoPorts = `vm1: {network: lan, interface: mv1, mac: "52:54:00:00:00:01", owner: daemon}, vm2: {network: lan, interface: mv2, mac: "52:54:00:00:00:02"}`

// TestMacvtapGuestsAreHostsOfTheLAN, who hear each other where the mode says so; the mode
// changes while connections go on.
func TestMacvtapGuestsAreHostsOfTheLAN(t *testing.T) {
	t.Parallel()
	nstest.Macvtaps(t)
	w := newWorld(t, "")
	before := nstest.Dump(t, w.NS)
	w.put(onNICs("bridge", twoPorts))
	if again := w.Apply(onNICs("bridge", twoPorts)); len(again.Ops) > 0 {
		t.Errorf("the second apply did\n%s", strings.Join(again.Ops, "\n"))
	}
	var st unix.Stat_t
	if err := unix.Stat("/dev/tap"+indexOf(t, w, "mv1"), &st); err != nil || st.Uid != 1 {
		t.Errorf("the device of vm1 belongs to user %d (%v)", st.Uid, err)
	}
	one, two := w.macvtap("mv1", "192.0.2.51/24"), w.macvtap("mv2", "192.0.2.52/24")
	s := steady(t, one, nstest.Outside4)
	for _, c := range []struct{ mode, neighbours string }{{"bridge", "yes"}, {"private", "no"}, {"vepa", "no"}, {"bridge", "yes"}} {
		w.put(onNICs(c.mode, twoPorts))
		ask(t, append(everyProto(one, "192.0.2.52", c.neighbours),
			question{two, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}, "192.0.2.52"},
			question{w.Outside, testhost.Probe{Proto: testhost.TCP, To: addr("192.0.2.51")}, nstest.Outside4.String()},
			question{one, testhost.Probe{Proto: testhost.ICMP, To: nstest.Neighbour4}, "yes"}))
	}
	if err := w.Client.Stop(t.Context(), "lan"); err != nil {
		t.Fatal(err)
	}
	w.Settled()
	ask(t, []question{{w.Outside, testhost.Probe{Proto: testhost.ICMP, To: addr("192.0.2.52")}, "no"}})
	w.put(onNICs("bridge", twoPorts))
	ask(t, []question{{w.Outside, testhost.Probe{Proto: testhost.ICMP, To: addr("192.0.2.52")}, "yes"}})
	if r := s.tcp.Stop(); r.Broken != "" {
		t.Errorf("the connection: %+v", r)
	}
	for _, port := range []string{"vm1", "vm2"} {
		if err := w.Client.Delete(t.Context(), "port", port); err != nil {
			t.Fatal(err)
		}
	}
	w.Settled()
	nstest.Same(t, before, nstest.Dump(t, w.NS))
}

// TestMacvtapWaitsForItsNIC, and has it for itself in mode passthrough.
func TestMacvtapWaitsForItsNIC(t *testing.T) {
	t.Parallel()
	nstest.Macvtaps(t)
	w := newWorld(t, "")
	nstest.Run(t, w.NS, "ip", "link", "set", "eth1", "down", "name", "away")
	w.put(onNICs("passthrough", twoPorts))
	ports, err := w.Client.Ports(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, p := range ports {
		text += fmt.Sprintln(p.Name, p.Status.Problems)
	}
	for _, want := range []string{"vm1", "vm2", "none is there that is free"} {
		if !strings.Contains(text, want) {
			t.Errorf("problems do not say %q: %s", want, text)
		}
	}
	nstest.Run(t, w.NS, "ip", "link", "set", "away", "name", "eth1", "up")
	nstest.Eventually(t, patience, func() error {
		_, err := w.Lab.Machine.MAC("mv1")
		return err
	})
	w.Settled()
	if _, err := w.Lab.Machine.MAC("mv2"); err == nil {
		t.Error("two ports share a NIC that is one's alone")
	}
	one := w.macvtap("mv1", "192.0.2.51/24")
	ask(t, everyProto(one, nstest.Outside4.String(), "192.0.2.51"))
}
