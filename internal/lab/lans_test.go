package lab

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/api"
)

const router = `
networks: {a: {mode: isolated}}
routers:
  r1:
    uplink: {%s}
    interfaces: [{network: a, address: 10.1.0.1/24, egress: masquerade}]
`

func TestTheLANFollowsTheRouters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, uplink, want string }{
		{"a bridge that is there", "bridge: br0, address: 192.168.1.100/24, gateway: 192.168.1.1",
			"nics [lan1] found map[br0:lan1] legs lan1 192.168.1.1/24 192.168.1.3/24"},
		{"both families", `bridge: br0, address: [192.168.1.3/24, "2001:db8:1::100/64"], gateway: [192.168.1.1, "2001:db8:1::1"]`,
			"nics [lan1] found map[br0:lan1] legs lan1 192.168.1.1/24 192.168.1.4/24, lan1 2001:db8:1::1/64 2001:db8:1::3/64"},
		{"without a gateway", "bridge: br0, address: 192.168.1.1/24", "nics [lan1] found map[br0:lan1] legs lan1 192.168.1.2/24 192.168.1.3/24"},
		{"the LAN that is there", "bridge: br0, address: 203.0.113.100/24, gateway: 203.0.113.1", "nics [lan1] found map[br0:lan1] legs "},
		{"a NIC of its own", "nic: enp5s0, address: 192.168.1.100/24", "nics [enp5s0] found map[] legs lan1 192.168.1.1/24 192.168.1.3/24"},
		{"the machine's NIC", "nic: eth0, address: 192.0.2.100/24", "nics [] found map[] legs "},
		{"a network", "network: b, address: 10.2.0.2/24", "nics [] found map[] legs "},
		{"an address of the LAN's", "bridge: br0, dhcp: true",
			"read topology: router r1: its uplink wants an address of the LAN; the LAN of the demo gives none, write one"},
		{"no room", "bridge: br0, address: 192.168.1.1/30, gateway: 192.168.1.2", "read topology: router r1: there is no room for another host beside 192.168.1.1/30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			top, err := (&Options{File: &api.File{Name: "f.yaml", Text: fmt.Sprintf(router, c.uplink)}}).topology()
			got := fmt.Sprint(err)
			if err == nil {
				var legs []string
				for _, l := range top.segments {
					legs = append(legs, fmt.Sprint(l.lan, " ", l.outside, " ", l.neighbour))
				}
				slices.Sort(legs)
				got = fmt.Sprintf("nics %v found %v legs %s", top.nics, top.found, strings.Join(legs, ", "))
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
