package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/testhost"
)

// Dhcpcd is dhcpcd for IPv4.
func Dhcpcd(t testing.TB, h *testhost.Host) Client { t.Helper(); return newDhcpcd(t, h, 4) }

// Dhcpcd6 is dhcpcd for IPv6. It asks for what router advertisements tell it to.
func Dhcpcd6(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	return newDhcpcd(t, h, 6, Domain, MTU)
}

type dhcpcd struct {
	*station
	hooks hooks
}

func newDhcpcd(t testing.TB, h *testhost.Host, family int, silent ...Field) Client {
	t.Helper()
	Need(t, "dhcpcd", "dhcpcd-base")
	needRoot(t, "dhcpcd")
	s := newStation(t, h, fmt.Sprintf("dhcpcd -%d", family), family, silent...)
	return &dhcpcd{s, hooks{s.dir}}
}

// dhcpcdConf asks for all that a Lease holds. Without noarp it looks for others
// with its address for five seconds before it uses it (RFC 5227).
const dhcpcdConf = `script %s
hostname %s
clientid
duid ll
noarp
nodelay
option domain_name_servers, domain_name, domain_search, interface_mtu, host_name
option dhcp6_name_servers, dhcp6_domain_search
`

// The events of a lease. What is a rebinding on the wire may be called a renewal
// or a reboot.
var (
	taken    = []string{"BOUND", "REBOOT", "BOUND6", "REBOOT6"}
	extended = append([]string{"RENEW", "REBIND", "RENEW6", "REBIND6"}, taken...)
)

// Take starts dhcpcd with /run and /var/lib of its own: its sockets, pid file,
// leases and DUID have fixed places.
func (c *dhcpcd) Take(ctx context.Context) (Lease, error) {
	n := len(c.hooks.seen())
	if err := c.begin(); err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.lease(ctx, "take", n, taken)
}

func (c *dhcpcd) begin() error {
	if c.proc != nil {
		return nil
	}
	script, err := c.hooks.write("")
	err = errors.Join(err, os.MkdirAll(c.path("run", "dhcpcd"), 0o755), os.MkdirAll(c.path("lib", "dhcpcd"), 0o755),
		os.WriteFile(c.path("conf"), fmt.Appendf(nil, dhcpcdConf, script, c.host.Name()), 0o644),
		os.RemoveAll(c.path("run", "dhcpcd", device+".pid"))) // of one that was killed
	if err != nil {
		return err
	}
	return c.start(program{
		argv:    []string{"dhcpcd", "-B", "-d", fmt.Sprintf("-%d", c.family), "-f", c.path("conf"), device},
		prepare: []string{bind(c.path("run"), "/run"), bind(c.path("lib"), "/var/lib")},
		alone:   true, // it forks helpers
	})
}

func (c *dhcpcd) lease(ctx context.Context, verb string, n int, events []string) (Lease, error) {
	e, err := c.hooks.after(ctx, n, events...)
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	if c.family == 4 {
		return scriptLease(e.env), nil
	}
	l := scriptLease6(e.env)
	l.Router = c.route6(ctx)
	return l, nil
}

// Renew is what `dhcpcd --renew` does: it sends SIGUSR1.
func (c *dhcpcd) Renew(ctx context.Context) (Lease, error) {
	return c.extend(ctx, "renew", syscall.SIGUSR1, asksOneServer, is("RENEW"))
}

// Rebind is what `dhcpcd --rebind` does: it sends SIGHUP. For IPv4 the request
// is that of INIT-REBOOT.
func (c *dhcpcd) Rebind(ctx context.Context) (Lease, error) {
	return c.extend(ctx, "rebind", syscall.SIGHUP, asksAnyServer, is("REBIND"))
}

func (c *dhcpcd) extend(ctx context.Context, verb string, s os.Signal, what4, what6 func(Message) bool) (Lease, error) {
	what, answer := what4, "ACK"
	if c.family == 6 {
		what, answer = what6, "REPLY"
	}
	n, mark := len(c.hooks.seen()), c.trace.Mark()
	_, err := c.sent(ctx, mark, s, what)
	if err == nil {
		_, err = c.trace.Answered(ctx, mark, what, answer)
	}
	if err != nil {
		return Lease{}, c.explain(verb, err)
	}
	return c.lease(ctx, verb, n, extended)
}

// sent signals until a message goes out: dhcpcd loses signals that arrive while
// its script runs.
func (c *dhcpcd) sent(ctx context.Context, mark time.Time, s os.Signal, what func(Message) bool) (Message, error) {
	for {
		if err := c.proc.signal(s); err != nil {
			return Message{}, err
		}
		try, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		m, err := c.trace.Sent(try, mark, what)
		cancel()
		if err == nil || ctx.Err() != nil {
			return m, err
		}
	}
}

// Release is what `dhcpcd --release` does: it sends SIGALRM, and dhcpcd ends.
func (c *dhcpcd) Release(ctx context.Context) error {
	_, err := c.sent(ctx, c.trace.Mark(), syscall.SIGALRM, is("RELEASE"))
	if err == nil {
		c.proc.ended(ctx) // its exit code says nothing
		err = ctx.Err()
	}
	err = c.explain("release", err)
	c.Stop()
	return err
}
