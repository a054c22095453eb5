package netfiles

import (
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

// TestManagersAreFoundByTheirEvidence holds what is detected, or the refusal, for small
// systems. Files are written as PATH: TEXT, what runs and what is only there by a word.
func TestManagersAreFoundByTheirEvidence(t *testing.T) {
	t.Parallel()
	const (
		enabled = "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
		network = "[Match]\nName=eth0\n"
		nm      = "/etc/NetworkManager/conf.d/a.conf"
		profile = "[connection]\ntype=ethernet\ninterface-name=eth0\n"
	)
	for name, c := range map[string]struct {
		files map[string]string
		has   []string
		runs  running
		want  string
	}{
		"nobody":                        {nil, nil, nil, "kvmnet"},
		"networkd runs":                 {map[string]string{"/run/systemd/network/a.network": network}, nil, running{"systemd-networkd"}, "systemd-networkd"},
		"networkd is enabled":           {map[string]string{"/etc/systemd/network/a.network": network}, []string{enabled}, nil, "systemd-networkd"},
		"networkd is neither":           {map[string]string{"/etc/systemd/network/a.network": network}, nil, nil, "kvmnet"},
		"networkd leaves it":            {map[string]string{"/etc/systemd/network/a.network": network + "[Link]\nUnmanaged=yes\n"}, nil, running{"systemd-networkd"}, "kvmnet"},
		"masked by an empty file":       {map[string]string{"/etc/systemd/network/a.network": "", "/usr/lib/systemd/network/a.network": network}, nil, running{"systemd-networkd"}, "kvmnet"},
		"match: not":                    {map[string]string{"/etc/systemd/network/a.network": "[Match]\nName=!eth0 lo\n"}, nil, running{"systemd-networkd"}, "kvmnet"},
		"match: MAC":                    {map[string]string{"/etc/systemd/network/a.network": "[Match]\nMACAddress=02:00:00:00:00:09 02:00:00:00:00:01\n"}, nil, running{"systemd-networkd"}, "systemd-networkd"},
		"match: driver and path":        {map[string]string{"/etc/systemd/network/a.network": "[Match]\nDriver=e1000*\nPath=pci-*\n"}, nil, running{"systemd-networkd"}, "systemd-networkd"},
		"match: another name":           {map[string]string{"/etc/systemd/network/a.network": "[Match]\nName=enp1s*\n"}, nil, running{"systemd-networkd"}, "systemd-networkd"},
		"match: nothing":                {map[string]string{"/etc/systemd/network/a.network": "[Network]\nDHCP=yes\n"}, nil, running{"systemd-networkd"}, "kvmnet"},
		"match: in a drop-in":           {map[string]string{"/etc/systemd/network/a.network": network, "/etc/systemd/network/a.network.d/x.conf": "[Match]\nDriver=virtio*\n"}, nil, running{"systemd-networkd"}, "kvmnet"},
		"NetworkManager":                {map[string]string{nmOwn + "/a.nmconnection": profile}, nil, running{"NetworkManager"}, "NetworkManager"},
		"NetworkManager, no profile":    {nil, nil, running{"NetworkManager"}, "NetworkManager"},
		"NetworkManager does not run":   {map[string]string{nmOwn + "/a.nmconnection": profile}, nil, nil, "kvmnet"},
		"unmanaged by name":             {map[string]string{nm: "[keyfile]\nunmanaged-devices=interface-name:eth*\n"}, nil, running{"NetworkManager"}, "kvmnet"},
		"unmanaged by MAC":              {map[string]string{nm: "[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:01\n"}, nil, running{"NetworkManager"}, "kvmnet"},
		"unmanaged, Ubuntu's":           {map[string]string{"/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf": "[keyfile]\nunmanaged-devices=*,except:type:wifi,except:type:gsm\n"}, nil, running{"NetworkManager"}, "kvmnet"},
		"managed after all":             {map[string]string{nm: "[keyfile]\nunmanaged-devices=*,except:interface-name:eth0\n"}, nil, running{"NetworkManager"}, "NetworkManager"},
		"unmanaged by a device section": {map[string]string{nm: "[device-x]\nmatch-device=driver:e1000e\nmanaged=0\n"}, nil, running{"NetworkManager"}, "kvmnet"},
		"unmanaged says it itself":      {map[string]string{"/run/NetworkManager/devices/2": "[device]\nmanaged=false\n"}, nil, running{"NetworkManager"}, "kvmnet"},
		"Debian with both":              {map[string]string{interfacesPath: "iface eth0 inet dhcp\n"}, []string{"/sbin/ifup"}, running{"NetworkManager"}, "ifupdown"},
		"ifupdown leaves it":            {map[string]string{interfacesPath: "auto eth0\niface eth0 inet manual\n"}, []string{"/sbin/ifup"}, nil, "kvmnet"},
		"ifupdown is not installed":     {map[string]string{interfacesPath: "iface eth0 inet dhcp\n"}, nil, nil, "kvmnet"},
		"ifupdown and its NetworkManager": {map[string]string{interfacesPath: "iface eth0 inet dhcp\n", nm: "[ifupdown]\nmanaged=true\n", nmOwn + "/a.nmconnection": profile}, []string{"/sbin/ifup"}, running{"NetworkManager"},
			"2 managers have it, and each would undo what the other does: take it from all but one:\n  ifupdown: /etc/network/interfaces:1\n  NetworkManager: /etc/NetworkManager/system-connections/a.nmconnection"},
		"netplan and what it wrote": {map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {eth0: {}}}", "/run/systemd/network/10-netplan-eth0.network": network}, nil, running{"systemd-networkd"}, "netplan"},
		"netplan for another NIC":   {map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {eth1: {}}}", "/etc/systemd/network/a.network": network}, nil, running{"systemd-networkd"}, "systemd-networkd"},
		"netplan by set-name":       {map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {x: {match: {macaddress: '02:00:00:00:00:01'}, set-name: eth0}}}"}, nil, nil, "netplan"},
		"RHEL's NetworkManager":     {map[string]string{ifcfgDir + "/ifcfg-eth0": "DEVICE=eth0\n"}, nil, running{"NetworkManager"}, "ifcfg"},
		"ifcfg nobody reads":        {map[string]string{ifcfgDir + "/ifcfg-eth0": "DEVICE=eth0\n"}, nil, nil, "kvmnet"},
		"own":                       {map[string]string{Tree{}.ownPath("eth0"): "name: eth0\n"}, nil, nil, "kvmnet"},
		"connman":                   {nil, nil, running{"connmand"}, "connman has it (connmand runs)"},
		"dhcpcd leaves it":          {map[string]string{"/etc/dhcpcd.conf": "denyinterfaces wlan0 eth*\n"}, nil, running{"dhcpcd"}, "kvmnet"},
		"dhcpcd has others":         {map[string]string{"/etc/dhcpcd.conf": "allowinterfaces wlan0\n"}, nil, running{"dhcpcd"}, "kvmnet"},
		"dhcpcd of ifupdown":        {map[string]string{interfacesPath: "iface eth0 inet dhcp\n"}, []string{"/sbin/ifup"}, running{"dhcpcd"}, "ifupdown"},
	} {
		tree := Tree{Files: map[string]*File{}, Present: map[string]bool{}, Links: map[string]Link{"eth0": {Index: 2, MAC: spec.MAC{2, 0, 0, 0, 0, 1}, Driver: "e1000e", Path: "pci-0000:00:1f.6", AltNames: []string{"enp1s0"}}}}
		for p, text := range c.files {
			tree.Files[p] = &File{Text: []byte(text)}
		}
		for _, p := range c.has {
			tree.Present[p] = true
		}
		got, err := Detect(tree, "eth0", c.runs)
		if err == nil && string(got) != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, c.want)
		}
	}
}

// TestWhatCannotBeConvertedIsRefused holds the refusals of each manager.
func TestWhatCannotBeConvertedIsRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		m     Manager
		files map[string]string
	}{
		"make bridge br0: /etc/systemd/network/b.netdev makes a device of that name":      {Networkd, map[string]string{"/etc/systemd/network/b.netdev": "[NetDev]\nName=br0\nKind=bridge\n"}},
		"/etc/systemd/network/a.network makes it a port of bond0":                         {Networkd, map[string]string{"/etc/systemd/network/a.network": "[Match]\nName=eth0\n[Network]\nBond=bond0\n"}},
		"/etc/systemd/network/!a.network sorts before any name that kvmnet gives its own": {Networkd, map[string]string{"/etc/systemd/network/!a.network": "[Match]\nName=eth0\n"}},
		"is a profile of that name":                                                                    {NetworkManager, map[string]string{nmOwn + "/b.nmconnection": "[connection]\ntype=bridge\ninterface-name=br0\n"}},
		"/a.nmconnection makes it a port of br9":                                                       {NetworkManager, map[string]string{nmOwn + "/a.nmconnection": "[connection]\ntype=ethernet\ninterface-name=eth0\nmaster=br9\n"}},
		"NetworkManager may take":                                                                      {NetworkManager, map[string]string{nmOwn + "/a": "[connection]\ntype=ethernet\n", nmOwn + "/b": "[connection]\ntype=ethernet\n"}},
		"/etc/netplan/a.yaml defines that name":                                                        {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {eth0: {}}, bridges: {br0: {}}}"}},
		"it is a port of br9 in /etc/netplan/a.yaml":                                                   {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {eth0: {}}, bridges: {br9: {interfaces: [eth0]}}}"}},
		"among wifis, which cannot be ports of a bridge":                                               {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: {wifis: {eth0: {}}}"}},
		"/run/netplan/a.yaml is made anew at each boot":                                                {Netplan, map[string]string{"/run/netplan/a.yaml": "network: {ethernets: {eth0: {}}}"}},
		"/etc/netplan/a.yaml:1:33: an anchor or alias cannot be moved":                                 {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: {ethernets: {eth0: {a: &x {}, dhcp4: true}}}"}},
		"is for several interfaces: write one for eth0 alone":                                          {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: {renderer: NetworkManager, ethernets: {all: {match: {name: e*}}}}"}},
		"read netplan's files: /etc/netplan/a.yaml: ":                                                  {Netplan, map[string]string{"/etc/netplan/a.yaml": "network: [\n"}},
		"/etc/network/interfaces:1: convert eth0: br0 is defined here":                                 {Ifupdown, map[string]string{interfacesPath: "iface br0 inet manual\niface eth0 inet dhcp\n"}},
		"/etc/network/interfaces:2: convert eth0: a mapping chooses what eth0 is":                      {Ifupdown, map[string]string{interfacesPath: "iface eth0 inet dhcp\nmapping eth0\n script x\n"}},
		"/etc/network/interfaces:3: convert eth0: it is a port of br9: convert that one":               {Ifupdown, map[string]string{interfacesPath: "iface eth0 inet manual\niface br9 inet dhcp\n bridge_ports eth1 eth0\n"}},
		"no stanza of it is in /etc/network/interfaces":                                                {Ifupdown, map[string]string{interfacesPath: "auto lo\n"}},
		"no ifcfg file in /etc/sysconfig/network-scripts is for it":                                    {Ifcfg, nil},
		"ifcfg-eth0 makes it a port of bond0":                                                          {Ifcfg, map[string]string{ifcfgDir + "/ifcfg-eth0": "MASTER=bond0\n"}},
		"ifcfg-br0 is a file of that name":                                                             {Ifcfg, map[string]string{ifcfgDir + "/ifcfg-eth0": "", ifcfgDir + "/ifcfg-br0": ""}},
		"make bridge br0: /etc/kvmnet/interfaces/br0.yaml defines it: choose another name with --name": {Own, map[string]string{Tree{}.ownPath("br0"): "name: br0\n"}},
		`/etc/kvmnet/interfaces/eth0.yaml:1:1: unknown key "nmae"`:                                     {Own, map[string]string{Tree{}.ownPath("eth0"): "nmae: eth0\n"}},
	} {
		tree := Tree{Files: map[string]*File{}}
		for p, text := range c.files {
			tree.Files[p] = &File{Text: []byte(text)}
		}
		changes, err := Bridge(tree, c.m, Conversion{NIC: "eth0", Bridge: "br0", MAC: spec.MAC{2, 0, 0, 0, 0, 1}})
		if err == nil || changes != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
