package lab

import (
	"fmt"
	"slices"
	"testing"
)

const forwards = `
networks:
  lab:
    mode: nat
    subnets:
      - {address: 192.168.100.1/24, dhcp: {hosts: {db: {ip: 192.168.100.77}}}}
      - {address: "fd00:20::1/64"}
  red: {mode: isolated}
  far: {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: [192.168.1.100/24, "2001:db8:1::100/64"], gateway: [192.168.1.1, "2001:db8:1::1"]}
    interfaces:
      - {network: red, address: [133.133.1.254/24, "fd00:1::1/64"], egress: masquerade}
  r2:
    uplink: {network: lab, address: 192.168.100.20/24, gateway: 192.168.100.1}
    interfaces:
      - {network: far, address: 10.3.0.1/24, egress: masquerade}
forwards:
  web:    {network: lab, listen: 8080, to: "www:80"}
  db:     {network: lab, protocol: udp, listen: "192.0.2.2:2000-2009", to: "db:3000"}
  shell:  {network: red, listen: 22, to: vm}
  float:  {network: red, floating: 192.168.1.150, to: vm}
  nobody: {network: red, listen: 23, to: somebody}
  third:  {network: far, listen: 24, to: "10.3.0.9:25"}
  sctp:   {network: lab, protocol: sctp, listen: 24, to: www}
`

func TestForwardsLeadToGuests(t *testing.T) {
	t.Parallel()
	l := laid(t, forwards)
	var got []string
	for _, f := range families {
		for _, e := range l.entrances(f) {
			s := e.to.seats[e.seat]
			got = append(got, fmt.Sprintf("%s: %s %s %v → %s %s %d %v", e.name, e.box, e.addr, e.traffics(), s.name, s.addr.addr(f), e.lands(e.traffics()[0]), e.lan))
		}
	}
	want := []string{
		"db: host 192.0.2.2 [{udp 2000} {udp 2009}] → db 192.168.100.77 3000 true",
		"float: router/r1 192.168.1.150 [{icmp 0} {tcp 7777} {udp 7777}] → vm 133.133.1.20 0 true",
		"nobody: router/r1 192.168.1.100 [{tcp 23}] → somebody 133.133.1.30 23 true",
		"shell: router/r1 192.168.1.100 [{tcp 22}] → vm 133.133.1.20 22 true",
		"third: router/r2 192.168.100.20 [{tcp 24}] → far-1 10.3.0.9 25 false",
		"web: host 192.0.2.2 [{tcp 8080}] → www 192.168.100.30 80 true",
		"nobody: router/r1 2001:db8:1::100 [{tcp 23}] → somebody fd00:1::1e 23 true",
		"shell: router/r1 2001:db8:1::100 [{tcp 22}] → vm fd00:1::14 22 true",
		"web: host 2001:db8:2::2 [{tcp 8080}] → www fd00:20::1e 80 true",
	}
	if !slices.Equal(got, want) {
		for _, g := range got {
			t.Errorf("got %s", g)
		}
	}
	if got := l.ports(); !slices.Equal(got, []uint16{22, 23, 25, 80, 3000, 3009, 7777}) {
		t.Errorf("ports %v", got)
	}
}

// A guest with a floating address has it outside, too.
func TestFloatingAddressesAreSeenOutside(t *testing.T) {
	t.Parallel()
	l := laid(t, forwards)
	red := l.find("red")
	for i, want := range []string{as + "192.168.1.150", as + "192.168.1.100"} {
		if got := l.toOutside(red, red.seats[i], v4, anyTCP); got != want {
			t.Errorf("%s: got %q, want %q", red.seats[i].name, got, want)
		}
	}
	if got := l.toOutside(red, red.seats[0], v6, anyTCP); got != as+"2001:db8:1::100" {
		t.Errorf("over IPv6: got %q", got)
	}
}

func TestWhoArrivesAtAForward(t *testing.T) {
	t.Parallel()
	l := laid(t, forwards)
	for _, e := range l.entrances(v4) {
		var from []string
		for _, n := range l.networks {
			if n != e.to && l.arrives(n, e, v4) {
				from = append(from, n.name)
			}
		}
		want := map[string][]string{"db": {"far", "red"}, "web": {"far", "red"}, "shell": {"far", "lab"}, "float": {"far", "lab"}, "nobody": {"far", "lab"}}[e.name]
		if !slices.Equal(from, want) {
			t.Errorf("%s: got %v, want %v", e.name, from, want)
		}
	}
}
