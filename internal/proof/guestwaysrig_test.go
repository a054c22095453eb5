package proof

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// guestNetworks are one of each mode that guests come to, and one that is somebody
// else's. User 20001 may have ports without being root. Real guests must not notice
// that they are guarded.
const guestNetworks = `
networks:
  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.1.0.1/24, dhcp: {}}], guard: strict, access: [{user: "20001"}]}
  red: {mode: isolated, bridge: {name: red0}, subnets: [{address: 10.2.0.1/24, dhcp: {}}], guard: strict, access: [{user: "20001"}]}
  lan: {mode: bridge, bridge: {name: br0}, access: [{user: "20001"}]}
  nic: {mode: bridge, direct: {mode: bridge, devices: [eth2]}}
  far: {mode: nat, bridge: {name: far0}, subnets: [{address: 10.9.0.1/24}]}
bridges: {br0: {ports: [eth1]}}
`

// stranger is a guest of far.
const stranger = "10.9.0.7"

// site is a network that guests come to, and what its mode promises them.
type site struct {
	mode, network, bridge string
	gateway               string // "" = none of ours
	outside               string // as whom the outside sees a guest: "", machine or guest
}

var modesOfGuests = []site{
	{"nat", "lab", "lab0", "10.1.0.1", "machine"},
	{"isolated", "red", "red0", "10.2.0.1", ""},
	{"bridge", "lan", "br0", "", "guest"},
}

// onNIC is the network of macvtaps.
var onNIC = site{"direct", "nic", "", "", "guest"}

// guestRig is a world that virtual machines come to.
type guestRig struct {
	*world
	bin    *program
	assets *qemuguest.Assets
	user   *syscall.Credential

	libvirt func() *peers.Libvirt
}

// visitor is one virtual machine.
type visitor struct {
	*qemuguest.Guest
	rig     *guestRig
	way     way
	number  int // of all guests; the two of a way differ in the last bit
	name    string
	mac     spec.MAC
	on      site
	iface   string // as which it is known on the host, where that is known
	adopted bool   // kvmnet did not plug it in
	addr    netip.Addr
	pid     func() (int, error) // of the virtual machine itself
}

// needGuests skips a test where virtual machines cannot be booted, and returns what
// they boot from, where every user may read it.
func needGuests(t *testing.T) *qemuguest.Assets {
	t.Helper()
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	nstest.Need(t)
	nstest.Users(t)
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs /dev/net/tun: %v: type: modprobe tun", err)
	}
	f.Close()
	found, err := qemuguest.Prepare(t.Context(), nil)
	if err != nil {
		t.Skipf("needs guest files: %v", err)
	}
	a := *found
	dir := openDir(t)
	for _, file := range []*string{&a.Kernel, &a.Initramfs} {
		text, err := os.ReadFile(*file)
		if err != nil {
			t.Fatal(err)
		}
		*file = filepath.Join(dir, filepath.Base(*file))
		if err := os.WriteFile(*file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &a
}

func newGuestRig(t *testing.T, assets *qemuguest.Assets) *guestRig {
	t.Helper()
	w := newWorld(t, "")
	w.fine(w.Lab.Machine.Plug(testhost.Plug{Inside: "eth2", Outside: w.LAN.NS(), OutsideName: "machine-eth2", Bridge: "lan0"}))
	w.put(guestNetworks)
	w.guest("stranger", "far0", stranger+"/24", "10.9.0.1")
	// The outside knows the way to all guests: what keeps it out is the machine.
	w.fine(w.Outside.AddRoute(netip.MustParsePrefix("10.0.0.0/8"), nstest.Machine4))
	peers.Dnsmasq(t, w.Outside, peers.DnsmasqConfig{Device: "eth0", From: addr("192.0.2.100"), To: addr("192.0.2.199"), Lease: 3600, Domain: "lan.internal", Quiet: true})
	// The kernel tells the carrier of a new bridge within a second.
	nstest.Eventually(t, patience, func() error {
		if out := nstest.Run(t, w.NS, "ip", "-6", "addr", "show", "dev", "br0", "scope", "link", "-tentative"); !strings.Contains(out, "fe80:") {
			return errors.New("br0 has no link-local address")
		}
		return nil
	})
	r := rigOf(w, assets)
	r.libvirt = sync.OnceValue(func() *peers.Libvirt { return peers.StartLibvirtOn(t, w.Lab.Machine) })
	r.bin.write("ifup", []byte("#!/bin/sh\nexec kvmnet qemu-ifup \"$@\"\n"))
	r.bin.write("ifdown", []byte("#!/bin/sh\nexec kvmnet qemu-ifdown \"$@\"\n"))
	r.bin.link("qemu-bridge-helper")
	for _, m := range modesOfGuests {
		r.bin.link("qemu-ifup.d/" + m.network)
		r.bin.link("qemu-ifdown.d/" + m.network)
	}
	return r
}

// rigOf is a world with what virtual machines need.
func rigOf(w *world, assets *qemuguest.Assets) *guestRig {
	w.t.Helper()
	w.fine(os.Chmod(w.Dir, 0o711)) // the socket for everybody is in there
	return &guestRig{world: w, bin: w.program(), assets: assets, user: &syscall.Credential{Uid: 20001, Gid: 20001}}
}

// openGuestTap opens a tap as QEMU does, with virtio's header before each frame.
func openGuestTap(r *guestRig, node, name string) (*os.File, error) {
	return openTap(r.NS, node, name, unix.IFF_VNET_HDR)
}

// start boots a guest that asks for a lease.
func (r *guestRig) start(g *visitor, w *qemuguest.Way) (*qemuguest.Guest, error) {
	guest, err := qemuguest.Start(r.t.Context(), qemuguest.Config{Assets: r.assets, Name: g.name, NS: r.NS, Way: w, DHCP: true})
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { guest.Close() })
	g.pid = func() (int, error) { return vmBelow(guest.PID()) }
	return guest, nil
}

// vmBelow finds QEMU: a process, or a child of it.
func vmBelow(pid int) (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range stats {
		text, _ := os.ReadFile(path) // it may have ended
		_, rest, _ := strings.Cut(string(text), ") ")
		number, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(rest)
		if len(fields) > 1 && strings.Contains(string(text), "(qemu-system") && (number == pid || fields[1] == strconv.Itoa(pid)) {
			return number, nil
		}
	}
	return 0, fmt.Errorf("no QEMU is process %d or a child of it", pid)
}

// bootAll boots two guests of each way, two at a time: an emulated processor takes
// one of ours.
func (r *guestRig) bootAll(round int) (guests []*visitor) {
	r.t.Helper()
	for i, w := range ways {
		if !w.tried() {
			continue
		}
		on := modesOfGuests[(i+round)%len(modesOfGuests)]
		if w.only == onNIC.mode {
			on = onNIC
		}
		for range 2 {
			name := fmt.Sprintf("%s%d", w.name, len(guests)%2)
			guests = append(guests, &visitor{rig: r, way: w, number: len(guests), name: name, mac: spec.GenerateMAC(name), on: on})
		}
	}
	var work sync.WaitGroup
	slots := make(chan struct{}, 2)
	for _, g := range guests {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			var err error
			if g.Guest, err = g.way.boot(r, g); err != nil {
				r.t.Errorf("%s, %s: %v", g.way.name, g.on.mode, err)
				return
			}
			r.t.Logf("%s booted on %s in %s", g.name, g.on.mode, g.Boot().Round(time.Millisecond))
		})
	}
	work.Wait()
	return guests
}
