package proof

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// natnet is a network of libvirt with fixed addresses for two guests, as people copy
// it from one host to the next.
const natnet = `<network>
  <name>natnet</name>
  <forward mode="nat">
    <nat>
      <port start="1024" end="65535"/>
    </nat>
  </forward>
  <bridge name="virbr44" stp="on" delay="0"/>
  <ip address="192.168.44.1" netmask="255.255.255.0">
    <dhcp>
      <range start="192.168.44.2" end="192.168.44.254"/>
      <host mac="52:54:00:44:00:11" name="node1" ip="192.168.44.11"/>
      <host mac="52:54:00:44:00:12" name="node2" ip="192.168.44.12"/>
    </dhcp>
  </ip>
</network>`

const node1, node2, gateway44 = "192.168.44.11", "192.168.44.12", "192.168.44.1"

func guestMAC(t *testing.T, s string) spec.MAC {
	t.Helper()
	mac, err := spec.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// defineXML defines a network of libvirt and starts it.
func (w *world) defineXML(text string) api.Defined {
	w.t.Helper()
	n, err := w.Client.Define(w.t.Context(), api.DefineRequest{File: api.File{Name: "natnet.xml", Text: text}})
	if err == nil {
		err = w.Client.Start(w.t.Context(), n.Name)
	}
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.Log)
	}
	w.Settled()
	return n
}

// clientOn is a host with a MAC on a bridge of the machine, and a DHCP client.
func (w *world) clientOn(name, bridge string, mac spec.MAC) (*testhost.Host, peers.Client) {
	w.t.Helper()
	h := nstest.Host(w.t, name)
	plug := testhost.Plug{MAC: mac, Outside: w.NS, OutsideName: nstest.PortName(name), Bridge: bridge}
	if err := h.Plug(plug); err != nil {
		w.t.Fatal(err)
	}
	return h, peers.Dhclient(w.t, h)
}

func TestGuestsOfACopiedNetworkStartWithTheAddressesItReserves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "networks: {quiet: {mode: isolated}}")
	if n := w.defineXML(natnet); len(n.Notes) > 0 {
		t.Errorf("it says something in vain: %+v", n.Notes)
	}
	h, client := w.clientOn("first", "virbr44", guestMAC(t, "52:54:00:44:00:11"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // a virtual machine boots in it
	defer cancel()
	l, err := client.Take(ctx)
	if err != nil {
		t.Fatalf("%v\n%s", err, w.Log)
	}
	if l.Address != netip.MustParsePrefix(node1+"/24") || l.Router != addr(gateway44) || !slices.Equal(l.DNS, []netip.Addr{addr(gateway44)}) || l.Host != "node1" {
		t.Errorf("the first guest got %+v", l)
	}
	nstest.Serve(t, h, 80)
	vm := w.natnetVM(t, ctx)

	list := append(everyProto(h, nstest.Outside4.String(), nstest.Machine4.String()), everyProto(h, node2, "yes")[0])
	for _, stranger := range []*testhost.Host{w.Outside, w.Neighbour} {
		nstest.Run(t, stranger.NS(), "ip", "route", "add", "192.168.44.0/24", "via", nstest.Machine4.String())
		list = append(append(list, everyProto(stranger, node1, "no")...), everyProto(stranger, node2, "no")[0])
	}
	ask(t, list)
	if vm == nil {
		return
	}
	if seen, err := vm.Seen(ctx, netip.AddrPortFrom(nstest.Outside4, testhost.EchoPort)); err != nil || seen.Addr() != nstest.Machine4 {
		t.Errorf("the second guest is seen outside as %v, %v", seen, err)
	}
	if err := vm.Ping(ctx, addr(node1)); err != nil {
		t.Error(err)
	}
}

// natnetVM boots the second guest, a virtual machine, and checks what it was given; nil
// where there are no files to boot it from, and then a host stands in for it.
func (w *world) natnetVM(t *testing.T, ctx context.Context) *qemuguest.Guest {
	t.Helper()
	mac := guestMAC(t, "52:54:00:44:00:12")
	assets, err := qemuguest.Prepare(ctx, nil)
	if err != nil {
		t.Logf("the second guest is no virtual machine: needs guest files: %v", err)
		_, client := w.clientOn("second", "virbr44", mac)
		if l, err := client.Take(ctx); err != nil || l.Address.Addr() != addr(node2) {
			t.Errorf("the second guest got %+v, %v", l, err)
		}
		return nil
	}
	port, err := w.Client.AddPort(ctx, api.AddPort{Name: "second", Port: &spec.Port{Network: "natnet", MAC: mac}, Transient: true})
	if err != nil {
		t.Fatal(err)
	}
	vm, err := qemuguest.Start(ctx, qemuguest.Config{Assets: assets, Name: "second", NS: w.NS, Tap: port.Spec.Interface, MAC: mac, DHCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vm.Close() })
	for command, want := range map[string]string{
		"until [ -s /tmp/udhcpc.bound ]; do usleep 10000; done; usleep 50000; ip -4 -o addr show eth0": " " + node2 + "/24 ",
		"ip route":                     "default via " + gateway44,
		"cat /etc/resolv.conf":         "nameserver " + gateway44,
		"nslookup node1 " + gateway44:  node1,
		"nslookup second " + gateway44: node2, // by the name of its port, too
	} {
		if out, _, err := vm.Run(ctx, command); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s\nwithout %q\n%s", command, err, out, want, w.Log)
		}
	}
	return vm
}
