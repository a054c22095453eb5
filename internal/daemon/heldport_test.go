package daemon_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/handover"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

const heldLab = `
networks:
  lab: {mode: isolated, subnets: [{address: 10.2.0.1/24}], guard: strict, access: [{user: '4242', ports: 5}]}
  later: {mode: isolated, subnets: [{address: 10.3.0.1/24}], bridge: {mtu: 9000}, onDemand: true, access: [{user: '4242'}]}
`

// held is a machine whose programs ask for ports.
type held struct {
	*machine
	before string // of the namespace, with the lab and no port
}

func newHeld(t *testing.T) *held {
	t.Helper()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs /dev/net/tun: %v", err)
	}
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(heldLab)
	m.Settled()
	h := &held{machine: m}
	h.before = h.dump()
	return h
}

// inherited is what a bridge has of the last port that left it (netif_inherit_tso_max).
var inherited = regexp.MustCompile(`tso_max_size \d+`)

func (h *held) dump() string {
	h.T.Helper()
	return inherited.ReplaceAllString(nstest.Dump(h.T, h.NS), "tso_max_size *")
}

// ends waits until nothing is left of any port.
func (h *held) ends() {
	h.T.Helper()
	h.has()
	h.Settled()
	nstest.Eventually(h.T, 10*time.Second, func() error {
		if now := h.dump(); now != h.before {
			return errors.New("something is left:\n" + nstest.Diff(h.before, now))
		}
		return nil
	})
}

// has waits until there are just ports of those names.
func (h *held) has(names ...string) {
	h.T.Helper()
	nstest.Eventually(h.T, 10*time.Second, func() error {
		ports, err := h.Client.Ports(h.T.Context())
		var got []string
		for _, p := range ports {
			got = append(got, p.Name)
		}
		if err != nil || !slices.Equal(got, names) {
			return fmt.Errorf("ports %v, want %v (%v)\n%s", got, names, err, h.Log)
		}
		return nil
	})
}

func (h *held) port(name string) api.Port {
	h.T.Helper()
	ports, err := h.Client.Ports(h.T.Context())
	i := slices.IndexFunc(ports, func(p api.Port) bool { return p.Name == name })
	if err != nil || i < 0 {
		h.T.Fatalf("no port %s: %v", name, err)
	}
	return ports[i]
}

func (h *held) dial() *handover.Client {
	h.T.Helper()
	c, err := handover.Dial(filepath.Join(h.Dir, "guests.sock"))
	if err != nil {
		h.T.Fatal(err)
	}
	h.T.Cleanup(func() { c.Close() })
	return c
}

// opens asks for a port, and returns its tap.
func (h *held) opens(r api.OpenPort) (api.Port, *tap) {
	h.T.Helper()
	c := h.dial()
	defer c.Close()
	r.Plain = true
	o, files, err := c.Open(h.T.Context(), r)
	if err != nil || len(files) != 1 || o.Taps != 1 {
		h.T.Fatalf("open: %d descriptors, %v\n%s", len(files), err, h.Log)
	}
	defer files[0].Close()
	return o.Port, newTap(h.T, files[0].Fd(), o.Port.Spec.MAC)
}

// tap is the end of a tap that a guest is on.
type tap struct {
	t testing.TB
	*os.File
	mac spec.MAC
}

// newTap has a descriptor of its own, which can be waited for.
func newTap(t testing.TB, fd uintptr, mac spec.MAC) *tap {
	t.Helper()
	own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(own, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(own), "tap")
	t.Cleanup(func() { f.Close() })
	return &tap{t, f, mac}
}

// reaches asks who has the address of a gateway, as a guest with another one, until
// somebody answers.
func (g *tap) reaches(gateway, own string) {
	g.t.Helper()
	to, from := netip.MustParseAddr(gateway).As4(), netip.MustParseAddr(own).As4()
	ask := slices.Concat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, g.mac[:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, g.mac[:], from[:], make([]byte, 6), to[:], make([]byte, 18))
	nstest.Eventually(g.t, 10*time.Second, func() error {
		if _, err := g.Write(ask); err != nil {
			return err
		}
		g.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		for b := make([]byte, 10000); ; {
			n, err := g.Read(b)
			switch {
			case err != nil:
				return fmt.Errorf("%s does not answer: %w", gateway, err)
			case n >= 42 && binary.BigEndian.Uint16(b[12:]) == 0x806 && b[21] == 2 && [4]byte(b[28:]) == to:
				return nil
			}
		}
	})
}

// A port lives as long as its tap is open, whatever becomes of the daemon meanwhile,
// and can be changed the while.
func TestOpenedPortLivesAsLongAsItIsUsed(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	addr := []netip.Addr{netip.MustParseAddr("10.2.0.9")}
	p, guest := h.opens(api.OpenPort{Network: "lab", Name: "vm1", Addresses: addr})
	if p.Status.State != "up" || p.Status.Bridge != "lab" || !p.Status.Open {
		t.Errorf("the port is %+v", p.Status)
	}
	guest.reaches("10.2.0.1", "10.2.0.9")
	h.Settled()
	index := nstest.Run(t, h.NS, "cat", "/proc/net/dev_mcast") // of all links, by their numbers
	t.Run("taken out by hand", func(t *testing.T) {
		nstest.Run(t, h.NS, "ip", "link", "set", "vm1", "nomaster")
		begin := time.Now()
		nstest.Eventually(t, 10*time.Second, func() error {
			if !strings.Contains(nstest.Run(t, h.NS, "ip", "link", "show", "vm1"), "master lab") {
				return errors.New("it is not back")
			}
			return nil
		})
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it was back after %s", took)
		}
		guest.reaches("10.2.0.1", "10.2.0.9")
	})
	t.Run("moved", func(t *testing.T) {
		for _, to := range []struct{ network, gateway, own string }{{"later", "10.3.0.1", "10.3.0.9"}, {"lab", "10.2.0.1", "10.2.0.9"}} {
			own := []netip.Addr{netip.MustParseAddr(to.own)}
			if _, err := h.Client.SetPort(t.Context(), "vm1", api.SetPort{Network: &to.network, Addresses: &own}); err != nil {
				t.Fatal(err)
			}
			guest.reaches(to.gateway, to.own)
		}
		h.Settled()
		if links := nstest.Run(t, h.NS, "ip", "link"); strings.Contains(links, "later") {
			t.Errorf("the network on demand is still there:\n%s", links)
		}
	})
	t.Run("unplugged", func(t *testing.T) {
		for _, out := range []bool{true, false} {
			p, err := h.Client.SetPort(t.Context(), "vm1", api.SetPort{Unplugged: &out})
			if err != nil || (p.Status.State == "up") == out {
				t.Errorf("unplugged %v: %+v, %v", out, p.Status, err)
			}
		}
		guest.reaches("10.2.0.1", "10.2.0.9")
	})
	for name, end := range map[string]func(){"restart": h.Stop, "kill": h.Kill} {
		t.Run(name, func(t *testing.T) {
			end()
			guest.reaches("10.2.0.1", "10.2.0.9") // nobody needs the daemon for that
			h.Start(0)
			h.has("vm1")
			h.Settled()
			guest.reaches("10.2.0.1", "10.2.0.9")
		})
	}
	if now := nstest.Run(t, h.NS, "cat", "/proc/net/dev_mcast"); now != index {
		t.Errorf("not the same links any more:\n%s\n%s", index, now)
	}
	guest.Close()
	h.ends()
}

// A tap that was closed while no daemon ran is forgotten when one does, and the network
// that ran for it stops.
func TestPortClosedWithoutADaemonIsForgotten(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	_, stays := h.opens(api.OpenPort{Network: "lab", Name: "stays"})
	_, guest := h.opens(api.OpenPort{Network: "later", Name: "goes"})
	guest.reaches("10.3.0.1", "10.3.0.9")
	h.Kill()
	guest.Close()
	h.Start(0)
	h.has("stays")
	stays.Close()
	h.ends()
}

// A port that is opened by its name goes when whoever asked for it goes and nobody has
// it open; otherwise it stays for its guest.
func TestPortOpenedByNameGoesWithWhoAsked(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	asker := h.dial()
	for _, name := range []string{"vm1", "vm2"} {
		if _, files, err := asker.Open(t.Context(), api.OpenPort{Network: "lab", Name: name, ByName: true, Queues: 2}); err != nil || len(files) > 0 {
			t.Fatalf("%d descriptors, %v", len(files), err)
		}
	}
	guest := h.attach("vm2", unix.IFF_MULTI_QUEUE)
	nstest.Eventually(t, 10*time.Second, func() error {
		if !h.port("vm2").Status.Open || h.port("vm1").Status.Open {
			return errors.New("just the one that is open is to be shown so")
		}
		return nil
	})
	asker.Close()
	h.has("vm2")
	guest.Close()
	gone, err := h.Client.Collect(t.Context()) // without the grace
	if err != nil || len(gone) != 1 || !strings.Contains(gone[0].Object, "link vm2 type tap") {
		t.Errorf("collected %v, %v", gone, err)
	}
	h.ends()
}

// attach opens a tap by its name, as a VMM does; one that is not there is made.
func (h *held) attach(name string, flags uint16) *tap {
	h.T.Helper()
	fd := -1
	err := h.NS.Do(func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | flags)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	})
	if err != nil {
		h.T.Fatal(err)
	}
	defer unix.Close(fd)
	return newTap(h.T, uintptr(fd), spec.MAC{0x52, 0x54, 0, 1, 2, 3})
}

// A VMM that made its own tap runs its scripts, twice for good measure; another is
// killed and runs none.
func TestPluggedTapOfAVMM(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	for _, killed := range []bool{false, true} {
		guest := h.attach("vnet0.0", 0)
		for range 2 {
			p, err := h.Client.PlugPort(t.Context(), api.PlugPort{Interface: "vnet0.0", Network: "later"})
			if err != nil || p.Name != "vnet0.0" || p.Status.State != "up" || p.Status.MTU != 9000 {
				t.Fatalf("%+v, %v\n%s", p, err, h.Log)
			}
		}
		h.Settled()
		guest.reaches("10.3.0.1", "10.3.0.9")
		if !killed {
			for range 2 {
				if err := h.Client.UnplugPort(t.Context(), "vnet0.0"); err != nil {
					t.Fatal(err)
				}
			}
			if l := nstest.Run(t, h.NS, "ip", "link", "show", "vnet0.0"); strings.Contains(l, "master") || strings.Contains(l, ",UP") || !strings.Contains(l, "mtu 1500") {
				t.Errorf("given back it is\n%s", l)
			}
			h.has()
		}
		guest.Close()
		h.ends()
	}
}

// A guest sees that its cable went to another network.
func TestMovedGuestSeesItsCarrierGo(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	if _, err := h.Client.AddPort(t.Context(), api.AddPort{Name: "vm1", Transient: true, Port: &spec.Port{Network: "lab", Type: spec.Veth, Peer: "guest"}}); err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, h.NS, "ip", "link", "set", "guest", "up")
	before, later := h.carriers("guest"), "later"
	if _, err := h.Client.SetPort(t.Context(), "vm1", api.SetPort{Network: &later}); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, func() error { // the kernel tells a while later
		if now := h.carriers("guest"); now < before+2 {
			return fmt.Errorf("the carrier changed %d times, before %d", now, before)
		}
		return nil
	})
	if err := h.Client.Delete(t.Context(), "port", "vm1"); err != nil {
		t.Fatal(err)
	}
	h.ends()
}

// carriers counts how often the carrier of a link came or went.
func (h *held) carriers(link string) int {
	h.T.Helper()
	var list []struct {
		Stats struct {
			Tx struct {
				Changes int `json:"carrier_changes"`
			}
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(nstest.Run(h.T, h.NS, "ip", "-s", "-s", "-j", "link", "show", "dev", link)), &list); err != nil || len(list) != 1 {
		h.T.Fatal(err)
	}
	return list[0].Stats.Tx.Changes
}

// A user without privileges has as many ports as he may have at a time.
func TestSixthPortOfFive(t *testing.T) {
	t.Parallel()
	h := newHeld(t)
	if err := os.Chmod(h.Dir, 0o711); err != nil {
		t.Fatal(err)
	}
	c := h.dialAs(4242)
	var files []*os.File
	var names []string
	for i := range 5 {
		o, taps, err := c.Open(t.Context(), api.OpenPort{Network: "lab"})
		if err != nil {
			t.Fatalf("port %d: %v", i+1, err)
		}
		files, names = append(files, taps...), append(names, o.Port.Name)
	}
	refused := func(r api.OpenPort, says ...string) {
		t.Helper()
		_, taps, err := c.Open(t.Context(), r)
		if err == nil || len(taps) > 0 {
			t.Fatalf("opened %+v", r)
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
	}
	refused(api.OpenPort{Network: "lab"}, "network lab: user 4242 may have 5 ports at a time, and user 4242 has 5 (lab.yaml:")
	refused(api.OpenPort{Network: "later", Guard: "off", MAC: h.port(names[0]).Spec.MAC}, "is also used by port", names[0])
	files[2].Close()
	h.has(slices.Delete(slices.Clone(names), 2, 3)...)
	_, taps, err := c.Open(t.Context(), api.OpenPort{Network: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	refused(api.OpenPort{Network: "lab", Guard: "off"}, "may have 5 ports")
	for _, f := range append(files, taps...) {
		f.Close()
	}
	h.ends()
}

// dialAs connects as another user: the kernel tells the daemon who that thread was.
func (h *held) dialAs(uid int) *handover.Client {
	h.T.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become := func(uid int) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			h.T.Fatal(errno)
		}
	}
	become(uid)
	defer become(0)
	return h.dial()
}
