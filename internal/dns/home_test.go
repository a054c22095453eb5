package dns

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// inRouter is a server in a router's namespace whose host has those resolvers.
func inRouter(t *testing.T, resolvers ...string) func(*plan.DNS, *Options) {
	text := ""
	for _, r := range resolvers {
		text += "nameserver " + r + "\n"
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte(text), 0o644))
	isOwn := func(a netip.Addr) bool { return slices.Contains(addrs("192.0.2.2", "10.8.0.1"), a) }
	return func(c *plan.DNS, o *Options) {
		c.Forwarders, o.Upstream = nil, NewUpstreams(path)
		o.Home = &Home{Local: isOwn, Gateway: func(a netip.Addr) bool { return a == addr("10.8.0.1") }}
	}
}

// The host may have a resolver at an address that a router has, too: it is another
// machine there. Its own gateways are not asked, for their names are private.
func TestRouterAsksTheHostsResolversByTheHostsAddresses(t *testing.T) {
	t.Parallel()
	for resolver, asked := range map[string]int{
		"192.168.100.1": 1, // the router's gateway, but not at the host
		"192.0.2.2":     1, // the host's own resolver, on one of its addresses
		"127.0.0.53":    1,
		"10.8.0.1":      0, // the gateway of one of the host's networks
	} {
		inBubble(t, inRouter(t, resolver), map[string]script{resolver: good(resolver, 0)}, func(f *forwarder) {
			m := f.get("x.example.", "A")
			f.expect(resolver, asked)
			if (len(m.Answer) == 1) != (asked == 1) {
				t.Errorf("%s: %v", resolver, m)
			}
		})
	}
}

// sharing lets a zone be shared by another network whose gateway is at the same
// address as ours.
func sharing(list ...string) func(*plan.DNS, *Options) {
	return func(_ *plan.DNS, o *Options) {
		private := o.Private
		o.Private = func(zone string) bool { return private(zone) && !slices.Contains(list, zone) }
		o.Joined = func(zone string) (Neighbour, bool) {
			return Neighbour{NS: &netns.NS{}, Listen: addrs("192.168.100.1")}, slices.Contains(list, zone)
		}
	}
}

func TestNamesOfAJoinedNetworkAreAskedThere(t *testing.T) {
	t.Parallel()
	const there = "192.168.100.1"
	inBubble(t, sharing("red.internal.", "200.168.192.in-addr.arpa."), map[string]script{there: good(there, 0), up1: good(up1, 0), "10.1.1.2": good("10.1.1.2", 0)}, func(f *forwarder) {
		for i, name := range []string{"db.red.internal.", "red.internal.", "9.200.168.192.in-addr.arpa."} {
			if m := f.get(name, "A"); len(m.Answer) != 1 || m.Answer[0].Header().Name != name {
				t.Errorf("%s: %v", name, m)
			}
			f.expect(name, i+1)
		}
		f.get("x.sub.red.internal.", "A") // has servers of its own
		f.get("www.example.", "A")
		if want := []string{there, there, there, "10.1.1.2", up1}; !slices.Equal(f.n.asked, want) {
			t.Errorf("asked %q, want %q", f.n.asked, want)
		}
		if m := f.get("x.internal.", "A"); m.Rcode != dns.RcodeNameError {
			t.Errorf("another network's that is not joined: %v", m)
		}
	})
}
