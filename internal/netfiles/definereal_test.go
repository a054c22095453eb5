package netfiles

import (
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"kvmnet/internal/nstest"
)

// defined are a bridge of the NIC and a VLAN on it.
var defined = []string{`
name: br0
type: bridge
mac: "52:54:00:12:34:77"
mtu: 1400
ipv4:
  addresses: [192.0.2.10/24]
  routes:
    - {to: 0.0.0.0/0, via: 192.0.2.1}
    - {to: 198.51.100.0/24, via: 192.0.2.254, metric: 50}
ipv6:
  addresses: ["2001:db8::10/64"]
bridge:
  ports: [{name: eth0, type: ethernet, mtu: 1400}]
`, `
name: br0.10
type: vlan
ipv4: {addresses: [10.10.0.1/24]}
vlan: {tag: 10, on: br0}
`}

// vlans reports whether the kernel has VLANs.
func vlans(t *testing.T) bool {
	err := nstest.Host(t, "probe").Command(t.Context(), "ip", "link", "add", "link", "lo", "name", "probe", "type", "vlan", "id", "2").Run()
	if err != nil {
		t.Log("without the VLAN: this kernel has none (8021q)")
	}
	return err == nil
}

// TestRealManagersMakeWhatIsDefined boots a machine from definitions alone, and again
// without them.
func TestRealManagersMakeWhatIsDefined(t *testing.T) {
	t.Parallel()
	for m, start := range map[Manager]func(*boot){Networkd: startNetworkd, Netplan: startNetplan, Ifupdown: startIfupdown, NetworkManager: startNM} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			has, links, list := "br0 inet 192.0.2.10/24; br0 inet6 2001:db8::10/64; default via 192.0.2.1 dev br0; 198.51.100.0/24 via 192.0.2.254 dev br0", []string{` br0: .*UP.* mtu 1400 .* link/ether 52:54:00:12:34:77 .*stp_state 0`, ` eth0@\S+ .*UP.* mtu 1400 .*master br0 `}, defined[:1]
			if vlans(t) {
				has, links, list = has+"; br0.10 inet 10.10.0.1/24", append(links, ` br0.10@br0: .*vlan protocol 802.1Q id 10 `), defined
			}
			s := scene{archive: &txtar.Archive{Files: []txtar.File{{Name: interfacesPath, Data: []byte("auto lo\niface lo inet loopback\n")}}}, say: map[string]string{"nic": "eth0", "mac": "52:54:00:12:34:56", "has": has, "manager": string(m)}}
			machine := newMachine(t, s, start)
			for _, text := range list {
				tree, err := Read(machine.root, "")
				must(t, err)
				changes, err := Define(tree, m, parse(t, text))
				must(t, err)
				must(t, Write(machine.root, changes))
			}
			b := machine.boot()
			b.becomes(b.settled(), links...)
			b.off()
			for _, text := range slices.Backward(list) {
				tree, err := Read(machine.root, "")
				must(t, err)
				changes, err := Undefine(tree, m, parse(t, text).Name)
				must(t, err)
				must(t, Write(machine.root, changes))
			}
			b = machine.boot()
			if links := nstest.Run(t, b.host.NS(), "ip", "-o", "link", "show", "type", "bridge"); links != "" {
				t.Errorf("still there: %s", links)
			}
			b.off()
		})
	}
}
