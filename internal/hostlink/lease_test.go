package hostlink_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// to is a route as a lease brings it.
func to(dst, via string, onLink bool) spec.InterfaceRoute {
	r := spec.InterfaceRoute{To: netip.MustParsePrefix(dst), Metric: 1024, OnLink: onLink}
	if via != "" {
		r.Via = netip.MustParseAddr(via)
	}
	return r
}

func lease(address string, seconds int, routes ...spec.InterfaceRoute) hostlink.Lease {
	return hostlink.Lease{Address: netip.MustParsePrefix(address), Left: time.Duration(seconds) * time.Second, Forever: seconds == 0, Routes: routes}
}

// TestALeaseTakesThePlaceOfTheLast: only what differs is done, a second time nothing,
// and what others gave the interface stays.
func TestALeaseTakesThePlaceOfTheLast(t *testing.T) {
	t.Parallel()
	gateway := to("0.0.0.0/0", "192.0.2.1", false)
	for name, c := range map[string]struct {
		lines []string // besides the address of the last lease
		old   string
		want  hostlink.Lease
		ops   []string
		left  string // addresses and routes
	}{
		"the first": {
			want: lease("192.0.2.9/24", 600, gateway),
			ops: []string{
				"ip addr replace 192.0.2.9/24 brd 192.0.2.255 dev eth0 valid_lft 600 preferred_lft 600",
				"ip route append default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.9 metric 1024",
			},
			left: "192.0.2.9/24 600sec; default via 192.0.2.1 proto dhcp src 192.0.2.9 metric 1024",
		},
		"more time": {
			lines: []string{"ip addr add 192.0.2.9/24 brd + dev eth0 valid_lft 60 preferred_lft 60"},
			old:   "192.0.2.9/24", want: lease("192.0.2.9/24", 600),
			ops:  []string{"ip addr replace 192.0.2.9/24 brd 192.0.2.255 dev eth0 valid_lft 600 preferred_lft 600"},
			left: "192.0.2.9/24 600sec; ",
		},
		"no end": {
			lines: []string{"ip addr add 192.0.2.9/24 brd + dev eth0 valid_lft 60 preferred_lft 60"},
			old:   "192.0.2.9/24", want: lease("192.0.2.9/24", 0),
			ops:  []string{"ip addr replace 192.0.2.9/24 brd 192.0.2.255 dev eth0"},
			left: "192.0.2.9/24 forever; ",
		},
		"another address": {
			lines: []string{
				"ip addr add 192.0.2.9/24 dev eth0 valid_lft 60 preferred_lft 60", "ip addr add 192.0.2.7/24 dev eth0", "ip addr add 198.51.100.1/24 dev eth0",
				"ip route add default via 192.0.2.1 src 192.0.2.9 proto dhcp metric 1024", "ip route add default via 192.0.2.2 metric 7",
			},
			old: "192.0.2.9/24", want: lease("192.0.2.10/24", 600, gateway),
			ops: []string{
				"ip addr del 192.0.2.9/24 dev eth0",
				"ip addr replace 192.0.2.7/24 dev eth0",
				"ip addr replace 192.0.2.10/24 brd 192.0.2.255 dev eth0 valid_lft 600 preferred_lft 600",
				"ip route append default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.10 metric 1024",
				"ip route del default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.9 metric 1024",
			},
			left: "198.51.100.1/24 forever; 192.0.2.7/24 forever; 192.0.2.10/24 600sec; default via 192.0.2.2 metric 7, default via 192.0.2.1 proto dhcp src 192.0.2.10 metric 1024",
		},
		"another mask": {
			lines: []string{"ip addr add 192.0.2.9/24 dev eth0 valid_lft 600 preferred_lft 600", "ip route add default via 192.0.2.1 src 192.0.2.9 proto dhcp metric 1024"},
			old:   "192.0.2.9/24", want: lease("192.0.2.9/25", 600, gateway),
			ops: []string{
				"ip addr replace 192.0.2.9/25 brd 192.0.2.127 dev eth0 valid_lft 600 preferred_lft 600",
				"ip addr del 192.0.2.9/24 dev eth0",
			},
			left: "192.0.2.9/25 600sec; default via 192.0.2.1 proto dhcp src 192.0.2.9 metric 1024",
		},
		"other routes": {
			lines: []string{"ip addr add 192.0.2.9/32 dev eth0 valid_lft 600 preferred_lft 600", "ip route add default via 203.0.113.1 dev eth0 onlink src 192.0.2.9 proto dhcp metric 1024", "ip route add 10.7.0.0/16 dev eth0 proto static"},
			old:   "192.0.2.9/32", want: lease("192.0.2.9/32", 600, to("10.0.0.0/8", "203.0.113.2", true), to("203.0.113.2/32", "", false)),
			ops: []string{
				"ip route append 203.0.113.2/32 dev eth0 proto dhcp scope link src 192.0.2.9 metric 1024",
				"ip route append 10.0.0.0/8 via 203.0.113.2 dev eth0 proto dhcp src 192.0.2.9 metric 1024 onlink",
				"ip route del default via 203.0.113.1 dev eth0 proto dhcp src 192.0.2.9 metric 1024 onlink",
			},
			left: "192.0.2.9/32 600sec; 10.0.0.0/8 via 203.0.113.2 proto dhcp src 192.0.2.9 metric 1024 onlink, 10.7.0.0/16 proto static scope link, 203.0.113.2 proto dhcp scope link src 192.0.2.9 metric 1024",
		},
		"none any more": {
			lines: []string{"ip addr add 192.0.2.9/24 dev eth0 valid_lft 600 preferred_lft 600", "ip route add default via 192.0.2.1 src 192.0.2.9 proto dhcp metric 1024", "ip addr add 198.51.100.9/24 dev eth0 valid_lft 600 preferred_lft 600"},
			old:   "192.0.2.9/24",
			ops: []string{
				"ip addr del 192.0.2.9/24 dev eth0",
				"ip route del default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.9 metric 1024",
			},
			left: "198.51.100.9/24 600sec; ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := machine(t, c.lines...)
			var old netip.Prefix
			if c.old != "" {
				old = netip.MustParsePrefix(c.old)
			}
			ops := hostlink.SetLease(look(t, m.NS(), "eth0"), c.want, old)
			if diff := cmp.Diff(strings.Join(c.ops, "\n"), printed(ops)); diff != "" {
				t.Errorf("ops (-want +got):\n%s", diff)
			}
			apply(t, m.NS(), ops)
			if again := hostlink.SetLease(look(t, m.NS(), "eth0"), c.want, old); len(again) > 0 {
				t.Errorf("a second time:\n%s", text(again))
			}
			apply(t, m.NS(), ops)
			if got := leasedNow(t, m.NS()); got != c.left {
				t.Errorf("left %q\nwant %q", got, c.left)
			}
		})
	}
}

// TestALeaseEndsWithoutAnybody: the kernel takes the address and the routes by itself.
func TestALeaseEndsWithoutAnybody(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, "ip addr add 198.51.100.9/24 dev eth0")
	want := lease("192.0.2.9/24", 2, to("0.0.0.0/0", "192.0.2.1", false), to("10.0.0.0/8", "203.0.113.2", true))
	apply(t, m.NS(), hostlink.SetLease(look(t, m.NS(), "eth0"), want, netip.Prefix{}))
	if got := hostlink.LeasedAddresses(look(t, m.NS(), "eth0")); len(got) != 1 || got[0] != want.Address {
		t.Errorf("leased: %v", got)
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		if got := leasedNow(t, m.NS()); got != "198.51.100.9/24 forever; " {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
}

// printed is a line for each op.
func printed(ops []hostlink.Op) string {
	var lines []string
	for _, op := range ops {
		lines = append(lines, op.String())
	}
	return strings.Join(lines, "\n")
}

// leasedNow is what eth0 has of IPv4, without what the kernel makes by itself; times are
// rounded up.
func leasedNow(t *testing.T, ns *netns.NS) string {
	t.Helper()
	var b strings.Builder
	lines := strings.Fields(nstest.Run(t, ns, "ip", "-4", "-o", "addr", "show", "dev", "eth0"))
	for i, word := range lines {
		switch word {
		case "inet":
			b.WriteString(lines[i+1] + " ")
		case "valid_lft":
			end := lines[i+1]
			if n, err := strconv.Atoi(strings.TrimSuffix(end, "sec")); err == nil {
				end = fmt.Sprintf("%dsec", (n+59)/60*60)
			}
			b.WriteString(end + "; ")
		}
	}
	var routes []string
	for line := range strings.Lines(nstest.Run(t, ns, "ip", "-4", "route", "show", "dev", "eth0")) {
		if !strings.Contains(line, "proto kernel") {
			routes = append(routes, strings.Join(strings.Fields(line), " "))
		}
	}
	return b.String() + strings.Join(routes, ", ")
}
