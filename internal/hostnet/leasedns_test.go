package hostnet

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
)

func TestResolversOfALeaseAreRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, want string }{
		"as told":      {"", "[10.0.0.53] [example.org]"},
		"with its own": {", dns: [192.0.2.53], search: [a.test]", "[192.0.2.53 10.0.0.53] [a.test example.org]"},
		"not wanted":   {", peerDNS: false", "[] []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, f := newLeasing(t, map[string]string{own0: "name: eth0\nipv4: {dhcp: true" + c.more + "}\n"})
			index, err := indexOf(m.ns, "eth0")
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			m.LeaseDNS = func(_ context.Context, of int, servers []netip.Addr, domains []string) error {
				told = append(told, fmt.Sprint(of == index, servers, domains))
				return nil
			}
			m.pass()
			l := leaseOf("10.0.0.5/24", "")
			l.DNS, l.Domain = []netip.Addr{netip.MustParseAddr("10.0.0.53")}, "example.org"
			f.gives(key0, l)
			m.pass()
			m.pass()
			if got := fmt.Sprint(told); got != "[true "+c.want+"]" {
				t.Errorf("told %v", got)
			}
			f.gives(key0, nil)
			m.pass()
			want := "true [] []" // nothing, or what is its own
			if name == "with its own" {
				want = "true [192.0.2.53] [a.test]"
			}
			if told[len(told)-1] != want {
				t.Errorf("at last told %v, want %s", told, want)
			}
		})
	}
}
