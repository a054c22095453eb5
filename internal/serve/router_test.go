package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestTwoRoutersServeTheSameSubnet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	guests := map[string]*testhost.Host{}
	for _, network := range []string{"red", "blue"} {
		h, l := w.guest(network)
		guests[network] = h
		if l.Address != netip.MustParsePrefix("10.9.0.10/24") || l.Server != gateway4.String() {
			t.Errorf("%s: leased %+v, want the first address", network, l)
		}
		held, ok := w.o.Book.Table(network).At(l.Address.Addr())
		if !ok || held.Port != "vm1" || held.MAC != spec.GenerateMAC(h.Name()) {
			t.Errorf("%s: lease %+v", network, held)
		}
		if n := w.Counters(network)["dhcp4 discovers"]; n != 1 {
			t.Errorf("%s: %d discovers counted: %v", network, n, w.Counters(network))
		}
	}
	for network, other := range map[string]string{"red": "blue", "blue": "red"} {
		h := guests[network]
		for what, c := range map[string]struct{ got, want string }{
			"fixed name":      {w.ask(h, "nas."+network+".internal", "A"), "10.9.0.200"},
			"guest":           {w.ask(h, "vm1."+network+".internal", "A", "+tcp"), "10.9.0.10"},
			"reverse":         {w.ask(h, "10.0.9.10.in-addr.arpa", "PTR"), "vm1." + network + ".internal."},
			"other network's": {w.ask(h, "nas."+other+".internal", "A"), "NXDOMAIN"},
		} {
			if c.got != c.want {
				t.Errorf("%s of %s: %q, want %q", what, network, c.got, c.want)
			}
		}
	}
	if problems := w.Set(w.want, plan.State{}); len(problems) != 0 {
		t.Error(problems)
	}
}

func TestRouterAdvertisesItselfFromItsNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mac, err := w.router("r1").host.MAC("eth0")
	must(t, err)
	w.want[0].MAC, w.want[1].MAC = mac, mac
	guest := nstest.Host(t, "red-vm")
	nstest.Join(t, guest, w.machine, "red0")
	seen, err := guest.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return p.Proto == testhost.ICMP && p.Type == 134 })
	must(t, err)
	w.settle()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := seen.Wait(ctx, func(testhost.Packet) bool { return true })
	must(t, err)
	own, err := w.router("r1").kernel.LinkLocal("eth0")
	must(t, err)
	if p.Src != own || p.SrcMAC != mac {
		t.Errorf("%s, want it from %s at %s", p, own, mac)
	}
	seen.Forget()
	w.Farewell(nil)
	if _, err := seen.Wait(ctx, func(testhost.Packet) bool { return true }); err != nil {
		t.Errorf("no farewell: %v", err)
	}
}

// The daemon serves again when a namespace was made anew, and has nothing to
// complain of while it is gone.
func TestNamespaceMadeAnewIsServedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	guest, first := w.guest("red")
	_, other := w.guest("blue")
	gone := w.router("r1").host
	w.routers.Delete("r1")
	w.pass()
	if n := w.networks[address{"red", "r1", "eth0"}]; n.link != nil || n.dns != nil || len(n.holds) > 0 {
		t.Error("sockets are open in a namespace that is gone")
	}
	must(t, gone.Close())
	if _, err := w.Seen(t.Context()); err != nil {
		t.Error(err)
	}
	w.route("r1", "red")
	w.settle()
	if again := w.lease(guest); again.Address != first.Address {
		t.Errorf("leased %s, had %s", again.Address, first.Address)
	}
	if got := w.ask(guest, "nas.red.internal", "A"); got != "10.9.0.200" {
		t.Errorf("names are not served again: %s", got)
	}
	if held, _ := w.o.Book.Table("blue").At(other.Address.Addr()); held.State != lease.Bound {
		t.Errorf("the other network's lease is %+v", held)
	}
}

// The bridge can be made anew while the router's device stays.
func TestBridgeMadeAnewUnderARouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	nstest.Run(t, w.machine.NS(), "ip", "link", "del", "red0")
	if problems := w.Set(w.want, plan.State{}); len(problems["network/red"]) != 1 || len(problems) != 1 {
		t.Errorf("problems %v", problems)
	}
	must(t, w.machine.Bridge("red0"))
	nstest.Run(t, w.machine.NS(), "ip", "link", "set", nstest.PortName("r1"), "master", "red0")
	w.settle()
	_, l := w.guest("red")
	if held, _ := w.o.Book.Table("red").At(l.Address.Addr()); held.Port != "vm1" {
		t.Errorf("behind port %q, want vm1", held.Port)
	}
}

func TestGuestsOfRoutersAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settle()
	guest, l := w.guest("red")
	want := Sighting{"red", spec.GenerateMAC(guest.Name()), l.Address.Addr(), "vm1", "neighbour"}
	nstest.Eventually(t, patience, func() error {
		w.ask(guest, "nas.red.internal", "A") // the router has to know whom to answer
		list, err := w.Seen(t.Context())
		if err != nil || !slices.Contains(list, want) {
			return fmt.Errorf("seen %v, %v, want %v", list, err, want)
		}
		return nil
	})
}

// A network that goes from the host's gateway to a router's keeps its leases.
func TestGatewayMovesIntoARouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	router := w.want
	must(t, w.machine.AddAddress("red0", subnets...))
	i := slices.IndexFunc(w.want, func(s plan.Service) bool { return s.Network == "red" })
	host := w.want[i]
	host.NS, host.Device = "", "red0"
	w.want = []plan.Service{host}
	w.settle()
	guest, first := w.guest("red")
	w.Farewell(router)
	must(t, w.machine.DelAddress("red0", subnets[0]))
	must(t, w.machine.DelAddress("red0", subnets[1]))
	w.want = router
	w.settle()
	if again := w.lease(guest); again.Address != first.Address {
		t.Errorf("leased %s, had %s", again.Address, first.Address)
	}
	if got := w.ask(guest, "vm1.red.internal", "A"); got != first.Address.Addr().String() {
		t.Errorf("its name is %s", got)
	}
}

func TestTFTPIsServedByARouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/boot", []byte("kernel"), 0o644))
	for i := range w.want {
		w.want[i].TFTP = []plan.TFTP{{Listen: gateway4, Dir: dir}}
	}
	w.settle()
	guest, _ := w.guest("blue")
	var c net.PacketConn
	must(t, guest.NS().Do(func() (err error) { c, err = net.ListenPacket("udp4", ":0"); return err }))
	defer c.Close()
	_, err := c.WriteTo([]byte("\x00\x01boot\x00octet\x00"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(gateway4, 69)))
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 512)
	n, _, err := c.ReadFrom(b)
	if got := string(b[:n]); err != nil || got != "\x00\x03\x00\x01kernel" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestProblemsOfTwoGatewaysAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	squat := func(name string) net.PacketConn {
		var c net.PacketConn
		must(t, w.router(name).host.NS().Do(func() (err error) { c, err = net.ListenPacket("udp4", ":53"); return err }))
		return c
	}
	c := squat("r1")
	problems := w.Set(w.want, plan.State{})
	if len(problems["network/red"]) == 0 || len(problems["network/blue"]) > 0 {
		t.Errorf("problems %v", problems)
	}
	must(t, c.Close())
	nstest.Eventually(t, patience, func() error {
		if problems := w.Set(w.want, plan.State{}); len(problems) > 0 {
			return errors.New(fmt.Sprint(problems))
		}
		return nil
	})
}
