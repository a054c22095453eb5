package proof

import (
	"strings"
	"testing"

	"kvmnet/internal/api"
)

// company is a lab that promises something of every kind.
const company = `
networks:
  red:   {mode: isolated, bridge: {name: red0}, dns: {domain: red.internal}}
  blue:  {mode: isolated, bridge: {name: blue0}}
  green: {mode: isolated, bridge: {name: green0}}
  cell:  {mode: isolated, bridge: {name: cell0}}
  twin:  {mode: isolated, bridge: {name: twin0}}
  lab:   {mode: nat, bridge: {name: lab0}, peers: [dev], subnets: [{address: 10.1.0.1/24, dhcp: {}}, {address: "fd00:1::1/64"}]}
  dev:   {mode: nat, bridge: {name: dev0}, policy: open, subnets: [{address: 10.2.0.1/24}]}
  dmz:   {mode: route, bridge: {name: dmz0}, policy: outbound, subnets: [{address: 10.6.0.1/24}]}
  shut:  {mode: nat, bridge: {name: shut0}, policy: isolated, subnets: [{address: 10.7.0.1/24}]}
bridges:
  br0: {ports: [eth1]}
routers:
  r1:
    uplink: {bridge: br0, address: [192.0.2.10/24, "2001:db8:2::10/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - {network: red, address: [10.3.0.1/24, "fd00:3::1/64"], dhcp: {}, egress: masquerade, killSwitch: true}
      - {network: blue, address: 10.4.0.1/24, egress: snat, snat: {address: 192.0.2.66}}
      - {network: green, address: 10.5.0.1/24, egress: route, allow: [{protocol: tcp, ports: [80, 443]}, {protocol: udp, ports: [53], to: 192.0.2.3}]}
      - {network: cell, address: 10.8.0.1/24}
  r2:
    uplink: {network: lab, address: 10.1.0.2/24, gateway: 10.1.0.1}
    interfaces:
      - {network: twin, address: 10.3.0.1/24, egress: masquerade}
policies:
  db:   {from: red, to: blue, allow: [{protocol: tcp, ports: [5432]}, {protocol: udp, ports: [53]}]}
  ping: {from: blue, to: red, allow: [{protocol: icmp}]}
  mail: {from: blue, to: outside, reject: [{protocol: tcp, ports: [25]}]}
  tight: {from: lab, to: dev, reject: [{protocol: tcp, ports: [23]}]}
  ssh:  {from: dmz, to: lab, allow: [{protocol: tcp, ports: [22]}]}
  gate: {from: dmz, to: dev/gateway, allow: [{protocol: icmp}]}
  none: {from: shut, to: any, priority: 10, allow: [{protocol: tcp, ports: [443]}]}
forwards:
  web:   {network: lab, listen: 8080, to: "10.1.0.20:80"}
  game:  {network: lab, protocol: udp, listen: 27000-27099, to: 10.1.0.20}
  shift: {network: red, listen: 2000-2009, to: "10.3.0.20:8000"}
  own:   {network: red, floating: 192.0.2.77, to: 10.3.0.20}
`

// TestVerifyFindsNothingBroken lets verify, which knows nothing of how rules are
// made, judge what the engine made of a lab.
func TestVerifyFindsNothingBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, company)
	w.guest("vm1", "lab0", "10.1.0.20/24", "10.1.0.1")
	w.guest("vm2", "red0", "10.3.0.20/24", "10.3.0.1")
	proved := 0
	err := w.Client.Verify(t.Context(), api.VerifyRequest{}, func(c api.Check) {
		switch {
		case !c.OK:
			t.Errorf("%s: %s: %s: %s", c.Network, c.Promise, c.Expected, c.Seen)
		case !strings.HasPrefix(c.Seen, "not checked:"):
			proved++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if proved < 250 {
		t.Errorf("%d promises are proved, want 250 at least", proved)
	}
	w.Settled()
}
