package daemontest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// Uplinked makes a namespace with an uplink: both ends of a cable in one place
// will do where no packet flows.
func Uplinked(t testing.TB) *netns.NS {
	ns := nstest.NS(t)
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "eth0", "type", "veth", "peer", "name", "far0"},
		{"link", "set", "eth0", "addrgenmode", "none"}, // no link-local addresses that come later
		{"link", "set", "far0", "addrgenmode", "none"},
		{"link", "set", "far0", "up"},
		{"link", "set", "eth0", "up"},
		{"addr", "add", "192.0.2.2/24", "dev", "eth0"},
		{"addr", "add", "2001:db8:2::2/64", "dev", "eth0", "nodad"},
		{"route", "add", "default", "via", "192.0.2.1"},
		{"route", "add", "default", "via", "2001:db8:2::1"},
	} {
		nstest.Run(t, ns, "ip", args...)
	}
	nstest.Eventually(t, 10*time.Second, func() error { // both ends get their carrier and their routes a little later
		links := nstest.Run(t, ns, "ip", "link")
		routes := nstest.Run(t, ns, "ip", "-6", "route", "show", "table", "local")
		for _, want := range []string{"local 2001:db8:2::2", "ff00::/8 dev eth0", "ff00::/8 dev far0"} {
			if !strings.Contains(routes, want) || strings.Contains(links, "LOWERLAYERDOWN") {
				return errors.New("the uplink has no carrier")
			}
		}
		return nil
	})
	return ns
}
