package testhost_test

import (
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestAdoptMovesAnInterfaceWithItsAddressAndMTU(t *testing.T) {
	t.Parallel()
	machine, guest := nstest.Host(t, "machine"), nstest.Host(t, "guest")
	must(t, machine.Bridge("br0"))
	must(t, machine.AddAddress("br0", prefix("10.3.0.1/24")))
	mac := spec.MAC{0x52, 0x54, 0, 3, 0, 1}
	nstest.Run(t, machine.NS(), "ip", "link", "add", "port1", "mtu", "1400", "type", "veth", "peer", "name", "peer1", "address", mac.String(), "mtu", "1400")
	nstest.Run(t, machine.NS(), "ip", "link", "set", "port1", "master", "br0", "up")
	must(t, guest.Adopt(machine.NS(), "peer1", "eth0"))
	must(t, guest.AddAddress("eth0", prefix("10.3.0.2/24")))
	if got, err := guest.MAC("eth0"); got != mac || err != nil {
		t.Errorf("address %s, %v; want %s", got, err, mac)
	}
	if out := nstest.Run(t, guest.NS(), "ip", "-o", "link", "show", "eth0"); !strings.Contains(out, "mtu 1400") {
		t.Errorf("%q lacks mtu 1400", out)
	}
	expect(t, guest, testhost.Probe{Proto: testhost.ICMP, To: addr("10.3.0.1"), Timeout: patience("")}, "")
	if err := guest.Adopt(machine.NS(), "none0", "eth1"); err == nil || !strings.Contains(err.Error(), "none0") {
		t.Errorf("got %v, want an error that names the interface", err)
	}
}
