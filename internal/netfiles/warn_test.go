package netfiles

import (
	"strings"
	"testing"
)

func TestWhatWillBeOtherIsWarnedOf(t *testing.T) {
	t.Parallel()
	nm := func(text string) Tree {
		return Tree{Files: map[string]*File{nmOwn + "/a.nmconnection": {Text: []byte("[connection]\ntype=ethernet\ninterface-name=eth0\n[ipv6]\n" + text)}}}
	}
	plan := Tree{Files: map[string]*File{"/etc/netplan/a.yaml": {Text: []byte("network: {renderer: NetworkManager, ethernets: {eth0: {dhcp4: true}}}")}}}
	for name, c := range map[string]struct {
		m    Manager
		t    Tree
		want string
	}{
		"no bridge-utils":    {Ifupdown, Tree{}, "ifupdown cannot make br0 at the next boot"},
		"bridge-utils":       {Ifupdown, Tree{Present: map[string]bool{"/lib/bridge-utils/ifupdown.sh": true}}, ""},
		"ifupdown2":          {Ifupdown, Tree{Present: map[string]bool{"/usr/share/ifupdown2": true}}, ""},
		"stable addresses":   {NetworkManager, nm("method=auto\naddr-gen-mode=stable-privacy\n"), "other automatic IPv6 addresses"},
		"automatic profile":  {NetworkManager, Tree{}, "other automatic IPv6 addresses"},
		"no mode":            {NetworkManager, nm("method=auto\n"), ""},
		"EUI-64":             {NetworkManager, nm("method=auto\naddr-gen-mode=eui64\n"), ""},
		"static":             {NetworkManager, nm("method=manual\n"), ""},
		"netplan's metric":   {Netplan, plan, "metric 425"},
		"nobody reads ifcfg": {Ifcfg, Tree{}, "no program that reads /etc/sysconfig/network-scripts"},
		"network scripts":    {Ifcfg, Tree{Present: map[string]bool{"/etc/init.d/network": true}}, ""},
		"networkd":           {Networkd, Tree{}, ""},
	} {
		got := strings.Join(Warnings(c.t, c.m, Conversion{NIC: "eth0", Bridge: "br0"}), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
