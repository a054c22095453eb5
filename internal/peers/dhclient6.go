package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/testhost"
)

// Dhclient6 is ISC's client for IPv6.
func Dhclient6(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	Need(t, "dhclient", "isc-dhcp-client")
	s := newStation(t, h, "dhclient -6", 6, Domain, MTU)
	return &dhclient6{dhclient{s, hooks{s.dir}}}
}

type dhclient6 struct{ dhclient }

const dhclientConf6 = `request dhcp6.name-servers, dhcp6.domain-search;
`

// HostName is none: it sends no name.
func (c *dhclient6) HostName() string { return "" }

func (c *dhclient6) Take(ctx context.Context) (Lease, error) {
	n := len(c.hooks.seen())
	if err := c.launch6(ctx); err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.lease(ctx, "take", n, "BOUND6", "REBOOT6")
}

// launch6 starts dhclient when eth0 has an address that it can bind to: one that is
// tentative still is none to bind(2), and dhclient gives up.
func (c *dhclient6) launch6(ctx context.Context) error {
	if err := until(ctx, c.ready); err != nil {
		return err
	}
	return c.launch("-6", dhclientConf6)
}

func (c *dhclient6) ready() error {
	link, err := c.host.Netlink().LinkByName(device)
	if err != nil {
		return err
	}
	list, err := c.host.Netlink().AddrList(link, netlink.FAMILY_V6)
	for _, a := range list {
		if a.IP.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
			return nil
		}
	}
	return errors.Join(err, errors.New(device+" has no link-local address yet"))
}

func (c *dhclient6) lease(ctx context.Context, verb string, n int, events ...string) (Lease, error) {
	e, err := c.hooks.after(ctx, n, events...)
	l := scriptLease6(e.env)
	l.Router = c.route6(ctx)
	return l, c.explain(verb, err)
}

// Renew brings the time forward: see again.
func (c *dhclient6) Renew(ctx context.Context) (Lease, error) {
	return c.again(ctx, "renew", "renew 1; rebind 86400;", "RENEW", "RENEW6")
}

// Rebind brings the time forward: see again.
func (c *dhclient6) Rebind(ctx context.Context) (Lease, error) {
	return c.again(ctx, "rebind", "renew 1; rebind 2;", "REBIND", "REBIND6")
}

// timersInFile are T1 and T2 of a lease, in seconds after its start.
var timersInFile = regexp.MustCompile(`renew \d+;\s*rebind \d+;`)

// startsInFile is the start of a lease in the file, in seconds since 1970.
var startsInFile = regexp.MustCompile(`starts (\d+);`)

// again starts dhclient with the timers in its lease file changed, so that the
// one wanted is over. dhclient -6 has no signal and no setting for it.
func (c *dhclient6) again(ctx context.Context, verb, timers, message, event string) (Lease, error) {
	c.Stop()
	text, err := os.ReadFile(c.path("leases"))
	if err == nil {
		text = timersInFile.ReplaceAll(text, []byte(timers))
		text = startsInFile.ReplaceAllFunc(text, earlier)
		err = os.WriteFile(c.path("leases"), text, 0o644)
	}
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	n, mark := len(c.hooks.seen()), c.trace.Mark()
	if err = c.launch6(ctx); err == nil {
		_, err = c.trace.Answered(ctx, mark, is(message), "REPLY")
	}
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	return c.lease(ctx, verb, n, event)
}

// earlier moves a start three seconds into the past.
func earlier(starts []byte) []byte {
	n := 0
	for _, d := range startsInFile.FindSubmatch(starts)[1] {
		n = n*10 + int(d-'0')
	}
	return fmt.Appendf(nil, "starts %d;", n-3)
}

// Release runs `dhclient -6 -r`.
func (c *dhclient6) Release(ctx context.Context) error { return c.release(ctx, "-6", "RELEASE6") }
