package daemon_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// barePort makes with plain kernel calls what a port is in the kernel: a tap that
// stays, with its MAC, without IPv6 of its own, on a bridge, and up.
type barePort struct {
	handle *netlink.Handle
	ns     *netns.NS
	bridge *netlink.Bridge
}

func newBarePort(b *testing.B, ns *netns.NS) *barePort {
	b.Helper()
	h, err := netlink.NewHandleAt(vnetns.NsHandle(ns.Fd()))
	try(b, err)
	b.Cleanup(func() { h.Close() })
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "barebr0"}}
	try(b, h.LinkAdd(br))
	try(b, h.LinkSetUp(br))
	return &barePort{h, ns, br}
}

func (k *barePort) attach(b *testing.B, name string) {
	b.Helper()
	try(b, k.ns.Do(func() error { return persistentTap(name) }))
	l, err := k.handle.LinkByName(name)
	try(b, err)
	mac := spec.GenerateMAC(name)
	try(b, k.handle.LinkSetHardwareAddr(l, mac[:]))
	try(b, k.ns.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0) }))
	try(b, k.handle.LinkSetMaster(l, k.bridge))
	try(b, k.handle.LinkSetUp(l))
}

func (k *barePort) detach(b *testing.B, name string) {
	b.Helper()
	l, err := k.handle.LinkByName(name)
	try(b, err)
	try(b, k.handle.LinkDel(l))
}

func persistentTap(name string) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
}

// portLab is a NAT network with a number of ports.
func portLab(ports int) string {
	var s strings.Builder
	s.WriteString("networks:\n  lab: {mode: nat, dns: {domain: lab.internal}, subnets: [{address: 10.200.0.1/16, dhcp: {}}]}\n")
	if ports > 0 {
		s.WriteString("ports:\n")
	}
	for i := range ports {
		fmt.Fprintf(&s, "  vm%d: {network: lab, interface: vmtap%d}\n", i, i)
	}
	return s.String()
}

// BenchmarkPortAttachDetach attaches one more port to a network that has a number of
// them and takes it away again, by the socket, against the bare calls for the same.
func BenchmarkPortAttachDetach(b *testing.B) {
	for _, others := range []int{0, 1000} {
		for _, transient := range []bool{true, false} {
			b.Run(fmt.Sprintf("ports=%d/transient=%t", others+1, transient), func(b *testing.B) {
				m, k := benchMachine(b), newBarePort(b, nstest.NS(b))
				m.Apply(portLab(others))
				m.Settled()
				for i := range others { // the bare bridge carries as many
					k.attach(b, fmt.Sprintf("baretap%d", i))
				}
				var on, off, bareOn, bareOff []time.Duration
				for b.Loop() {
					bareOn = append(bareOn, daemontest.Clock(func() { k.attach(b, "guest") }))
					bareOff = append(bareOff, daemontest.Clock(func() { k.detach(b, "guest") }))
					on = append(on, daemontest.Clock(func() { m.attach(b, "guest", transient) }))
					off = append(off, daemontest.Clock(func() { try(b, m.Client.Delete(b.Context(), "port", "guest")) }))
				}
				report(b, "attach", on, bareOn)
				report(b, "detach", off, bareOff)
			})
		}
	}
}

func (m *machine) attach(b *testing.B, name string, transient bool) {
	b.Helper()
	p, err := m.Client.AddPort(b.Context(), api.AddPort{Name: name, Port: &spec.Port{Network: "lab"}, Transient: transient})
	try(b, err)
	if p.Status.State != "up" {
		b.Fatalf("the port is %s: %v", p.Status.State, p.Status.Problems)
	}
}

// report tells the medians of ours and of the bare calls, and how often the one goes
// into the other.
func report(b *testing.B, what string, ours, bare []time.Duration) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(daemontest.MS(daemontest.Median(ours)), "ms/"+what)
	b.ReportMetric(daemontest.MS(daemontest.Median(bare)), "ms/bare-"+what)
	b.ReportMetric(float64(daemontest.Median(ours))/float64(daemontest.Median(bare)), "x-bare-"+what)
}
