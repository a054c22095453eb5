package lab

import (
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

// uplinks are all things that a router can leave by but a bridge, which the examples
// have: links to the host, networks of it, and a NIC that it shares.
const uplinks = `
networks:
  shared: {mode: nat, subnets: [{address: 192.168.100.1/24}, {address: "fd00:20::1/64"}]}
  routed: {mode: route, subnets: [{address: 10.10.101.1/24}, {address: "2001:db8:30::1/64"}]}
  a: {mode: isolated}
  b: {mode: isolated}
  c: {mode: isolated}
  d: {mode: isolated, policy: outbound}
  e: {mode: isolated}
  f: {mode: isolated}
routers:
  r1:
    uplink: {host: nat, address: [10.255.0.2/30, "fd00:f0::2/64"], gateway: [10.255.0.1, "fd00:f0::1"]}
    interfaces:
      - {network: a, address: [10.3.0.1/24, "fd00:3::1/64"], egress: masquerade}
  r2:
    uplink: {host: route, address: [10.255.1.2/30, "2001:db8:f1::2/64"], gateway: [10.255.1.1, "2001:db8:f1::1"]}
    interfaces:
      - {network: b, address: [10.4.0.1/24, "2001:db8:4::1/64"], egress: route}
      - {network: c, address: [10.4.1.1/24, "fd00:4::1/64"], egress: masquerade}
  r3:
    uplink: {network: routed, address: [10.10.101.5/24, "2001:db8:30::5/64"], gateway: [10.10.101.1, "2001:db8:30::1"]}
    interfaces:
      - {network: d, address: [10.5.0.1/24, "2001:db8:5::1/64"], egress: route}
  r4:
    uplink: {nic: eth0, address: [192.0.2.50/24, "2001:db8:2::50/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - {network: e, address: [10.6.0.1/24, "2001:db8:6::1/64"], egress: route}
  r5:
    uplink: {network: shared, address: [192.168.100.5/24, "fd00:20::5/64"], gateway: [192.168.100.1, "fd00:20::1"]}
    interfaces:
      - {network: f, address: [10.7.0.1/24, "fd00:7::1/64"], egress: masquerade}
forwards:
  inner: {network: f, listen: 81, to: "vm:80"}
`

func TestEveryUplinkLeadsOut(t *testing.T) {
	t.Parallel()
	nstest.Need(t)
	var out strings.Builder
	err := Run(t.Context(), Options{File: &api.File{Name: "uplinks.yaml", Text: uplinks}, Out: &out})
	if err != nil || !allKept.MatchString(out.String()) {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"a          10.3.0.20 as 192.0.2.2, fd00:3::14 as 2001:db8:2::2\n",
		"b          10.4.0.20 as 10.4.0.20, 2001:db8:4::14 as 2001:db8:4::14\n",
		"c          10.4.1.20 as 10.255.1.2, fd00:4::14 as 2001:db8:f1::2\n",
		"d          10.5.0.20 as 10.5.0.20, 2001:db8:5::14 as 2001:db8:5::14\n",
		"e          10.6.0.20 as 10.6.0.20, 2001:db8:6::14 as 2001:db8:6::14\n",
		"f          10.7.0.20 as 192.0.2.2, fd00:7::14 as 2001:db8:2::2\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
