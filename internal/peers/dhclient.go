package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"kvmnet/internal/testhost"
)

// Dhclient is ISC's client for IPv4. It renews every second, whatever times the
// server gives: that makes Renew and Rebind quick.
func Dhclient(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	Need(t, "dhclient", "isc-dhcp-client")
	s := newStation(t, h, "dhclient", 4)
	return &dhclient{s, hooks{s.dir}}
}

type dhclient struct {
	*station
	hooks hooks
}

// dhclientConf asks for all that a Lease holds, without pauses.
const dhclientConf = `send host-name "%s";
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, interface-mtu;
timeout 10; retry 1; initial-interval 1; backoff-cutoff 1; select-timeout 0; initial-delay 0; reboot 3;
supersede dhcp-renewal-time 1;
supersede dhcp-rebinding-time 2;
`

// dhclientAct configures what the distribution's script would, and leaves
// /etc/resolv.conf alone.
const dhclientAct = `case $reason in
BOUND | RENEW | REBIND | REBOOT)
	ip address replace "$new_ip_address/$new_subnet_mask" dev "$interface"
	[ -z "$new_routers" ] || ip route replace default via "${new_routers%% *}" dev "$interface" ;;
EXPIRE | FAIL | RELEASE | STOP) ip -4 address flush dev "$interface" ;;
BOUND6 | REBOOT6) ip address replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" nodad ;;
EXPIRE6 | DEPREF6 | RELEASE6 | STOP6) [ -z "$old_ip6_address" ] || ip address del "$old_ip6_address/$old_ip6_prefixlen" dev "$interface" ;;
esac`

func (c *dhclient) Take(ctx context.Context) (Lease, error) {
	n := len(c.hooks.seen())
	if err := c.launch("-4", fmt.Sprintf(dhclientConf, c.host.Name())); err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.lease(ctx, "take", n, "BOUND", "REBOOT")
}

// launch starts dhclient in the foreground. Its lease file stays, so it takes up
// where it was.
func (c *dhclient) launch(family, conf string) error {
	if c.proc != nil {
		return nil
	}
	script, err := c.hooks.write(dhclientAct)
	err = errors.Join(err, os.WriteFile(c.path("conf"), []byte(conf), 0o644))
	if err != nil {
		return err
	}
	return c.start(program{argv: append([]string{"dhclient", family, "-d", "-v"}, c.arguments(script)...)})
}

func (c *dhclient) arguments(script string) []string {
	return []string{"-cf", c.path("conf"), "-lf", c.path("leases"), "-pf", c.path("pid"), "-sf", script, device}
}

func (c *dhclient) lease(ctx context.Context, verb string, n int, events ...string) (Lease, error) {
	e, err := c.hooks.after(ctx, n, events...)
	return scriptLease(e.env), c.explain(verb, err)
}

func (c *dhclient) Renew(ctx context.Context) (Lease, error) {
	mark := c.trace.Mark()
	n := len(c.hooks.seen())
	if _, err := c.trace.Answered(ctx, mark, asksOneServer, "ACK"); err != nil {
		return Lease{}, c.explain("renew", err)
	}
	return c.lease(ctx, "renew", n, "RENEW")
}

func (c *dhclient) Rebind(ctx context.Context) (Lease, error) {
	undo, err := c.loseServer(ctx)
	if err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	defer undo()
	mark, n := c.trace.Mark(), len(c.hooks.seen())
	if _, err := c.trace.Answered(ctx, mark, asksAnyServer, "ACK"); err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	return c.lease(ctx, "rebind", n, "RENEW", "REBIND") // a rebinding is a renewal to its script, if it began as one
}

// Release runs `dhclient -r`, which ends the running one by its pid file.
func (c *dhclient) Release(ctx context.Context) error { return c.release(ctx, "-4", "RELEASE") }

func (c *dhclient) release(ctx context.Context, family, event string) error {
	n, mark := len(c.hooks.seen()), c.trace.Mark()
	_, err := run(ctx, c.host, append([]string{"dhclient", family, "-r", "-v"}, c.arguments(c.path("script"))...)...)
	if err == nil {
		_, err = c.trace.Sent(ctx, mark, is("RELEASE"))
	}
	if err == nil {
		_, err = c.hooks.after(ctx, n, event)
	}
	if err != nil {
		return c.explain("release", err)
	}
	c.proc.ended(ctx) // however it took the signal
	return c.Stop()
}
