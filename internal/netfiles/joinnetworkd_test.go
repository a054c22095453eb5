package netfiles

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// joinStarts start the managers of scenes, with another port of the bridge beside the NIC.
var joinStarts = map[Manager]func(*boot){Networkd: withPort(startNetworkd), Netplan: withPort(startNetplan)}

// withPort gives the machine a second NIC, whose cable leads to a guest.
func withPort(start func(*boot)) func(*boot) {
	return func(b *boot) {
		if port := b.scene.say["port"]; port != "" {
			guest := nstest.Host(b.t, "guest")
			must(b.t, b.host.Plug(testhost.Plug{Inside: port, Outside: guest.NS(), OutsideName: "eth0"}))
			if b.scene.say["serve"] != "" {
				must(b.t, guest.AddAddress("eth0", netip.MustParsePrefix("10.0.8.1/24")))
				cmd := guest.Command(b.t.Context(), "dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces", "--no-ping", "--pid-file=", "--user=root",
					"--dhcp-range=10.0.8.100,10.0.8.200,1h", "--dhcp-leasefile="+filepath.Join(b.root, "leases8"))
				must(b.t, cmd.Start())
			}
		}
		start(b)
	}
}

// realJoins are the scenes of managers that can be booted.
func realJoins(t *testing.T) []scene {
	t.Helper()
	var list []scene
	for _, kind := range []string{"networkd", "netplan"} {
		list = append(list, scenes(t, "testdata/join/"+kind+"-*.txtar")...)
	}
	return slices.DeleteFunc(list, func(s scene) bool { return s.say["has"] == "" })
}

// both is a state in which the bridge has what the NIC had, too.
func (m *machine) both(state string) string {
	return strings.Join(slices.Compact(strings.Split(m.bridged(state), "\n")), "\n")
}

// ports are patterns of ip -d -o link: the bridge with the NIC's MAC, and its ports.
func (s scene) ports() []string {
	list := []string{` br0: .*UP.* link/ether ` + s.say["mac"] + ` `, ` ` + s.say["nic"] + `@\S+ .*UP.*master br0 `}
	if mtu := s.say["mtu"]; mtu != "" {
		list = append(list, ` br0: .*mtu `+mtu+` `)
	}
	if port := s.say["port"]; port != "" {
		list = append(list, ` `+port+`@\S+ .*UP.*master br0 `)
	}
	return list
}

// TestBootsWithAJoinedBridgeHaveBothPortsAndAddresses boots each scene's machine as it
// is, then with the files of a joined NIC, and then with these undone.
func TestBootsWithAJoinedBridgeHaveBothPortsAndAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range realJoins(t) {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			manager := Manager(s.say["manager"])
			m := newMachine(t, s, joinStarts[manager])
			b := m.boot()
			before := b.settled()
			tree := m.tree()
			b.off()

			changes, err := Join(tree, manager, s.conversion())
			must(t, err)
			must(t, Write(m.root, changes))
			m.converted = true
			b = m.boot()
			b.becomes(m.both(before), s.ports()...)
			b.off()

			must(t, Write(m.root, Undo(changes)))
			m.converted = false
			b = m.boot()
			b.becomes(before, `link/ether `+regexp.QuoteMeta(s.say["mac"])+` `)
			b.off()
		})
	}
}

// TestShieldOfABridgeThatWasThere holds what a running systemd-networkd is told before a
// NIC joins a bridge of its own.
func TestShieldOfABridgeThatWasThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, nic, bridge, lease string
		want                     []string // files, and what is in them
		err                      string
	}{
		{name: "a fixed address", nic: "Name=eth0", bridge: "Address=10.0.0.1/24"},
		{name: "no address", nic: "Name=eth0", bridge: "LinkLocalAddressing=no"},
		{name: "the NIC's file knows it by its MAC", nic: "MACAddress=52:54:00:12:34:56", bridge: "Address=10.0.0.1/24\nIPv6AcceptRA=no", want: []string{
			"05-kvmnet-br0.network Name=br0 Address=10.0.0.1/24", "05-kvmnet-br0.network.d/kvmnet-shield-kvmnet-keep.conf KeepConfiguration=static", "20-br0.network.d/kvmnet-back-kvmnet-keep.conf KeepConfiguration=static"}},
		{name: "waits for a DHCP server", nic: "Name=eth0", bridge: "DHCP=ipv4", want: []string{
			"20-br0.network.d/kvmnet-back-kvmnet-keep.conf KeepConfiguration=dhcp", "20-br0.network.d/kvmnet-shield-kvmnet-keep.conf DHCP=no KeepConfiguration=dhcp"}},
		{name: "has a lease", nic: "Name=eth0", bridge: "DHCP=ipv4", lease: "ff00000000", err: "gives it up as soon as the bridge gets the MAC of eth0: give br0 a fixed address first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := "/etc/systemd/network/"
			tree := Tree{Links: map[string]Link{"eth0": {Type: "ether"}, "br0": {Type: "bridge", ClientID: c.lease}}, Files: map[string]*File{
				dir + "10-eth0.network": {Text: []byte("[Match]\n" + c.nic + "\n[Network]\nDHCP=yes\n")},
				dir + "20-br0.netdev":   {Text: []byte("[NetDev]\nName=br0\nKind=bridge\n")},
				dir + "20-br0.network":  {Text: []byte("[Match]\nName=br0\n[Network]\n" + c.bridge + "\n")},
			}}
			shield, err := Shield(tree, Networkd, Conversion{NIC: "eth0", Bridge: "br0", MAC: spec.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			must(t, err)
			if len(shield) != len(c.want) {
				t.Fatalf("%d files, want %d:\n%s", len(shield), len(c.want), Diff(shield))
			}
			for i, want := range c.want {
				words := strings.Fields(want)
				for _, w := range words[1:] {
					if shield[i].Path != runNetworkd+words[0] || !strings.Contains(string(shield[i].After), w+"\n") {
						t.Errorf("%s, want %s:\n%s", shield[i].Path, want, shield[i].After)
					}
				}
			}
			for _, left := range Unshield(shield) {
				if left.After != nil || strings.Contains(left.Path, "back") {
					t.Errorf("%s does not go, or what keeps the bridge's addresses does", left.Path)
				}
			}
		})
	}
}
