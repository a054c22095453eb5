package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/testhost"
)

// Networkd is systemd-networkd for IPv4.
func Networkd(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	return newNetworkd(t, h, "networkd", 4)
}

// Networkd6 is systemd-networkd for IPv6. It asks for what router advertisements
// tell it to.
func Networkd6(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	return newNetworkd(t, h, "networkd -6", 6, Domain, MTU)
}

type networkd struct{ *station }

// lateness6 is how late networkd may be with the timers of DHCPv6: it lets the
// event loop gather them within ten seconds (sd-dhcp6-client of systemd 252). With
// timers at a half and four fifths it renews leases of 34 s or more for sure, and
// rebinds those of 50 s or more.
const lateness6 = 10 * time.Second

// networkdPath is where Debian has the daemon, which is not for people to start.
const networkdPath = "/lib/systemd/systemd-networkd"

func newNetworkd(t testing.TB, h *testhost.Host, name string, family int, silent ...Field) Client {
	t.Helper()
	Need(t, networkdPath, "systemd")
	Need(t, "dbus-daemon", "dbus-daemon")
	needRoot(t, "systemd-networkd")
	c := &networkd{newStation(t, h, name, family, silent...)}
	if err := c.furnish(); err != nil {
		t.Fatal(err)
	}
	return c
}

// HostName is none over IPv6: networkd has it for machines that have no other.
func (c *networkd) HostName() string {
	if c.family == 6 {
		return ""
	}
	return c.host.Name()
}

func (c *networkd) Take(ctx context.Context) (Lease, error) {
	mark := c.trace.Mark()
	err := c.begin(ctx)
	if err == nil {
		_, err = c.trace.Answered(ctx, mark, func(Message) bool { return true }, "ACK", "REPLY")
	}
	if err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.lease(ctx, "take")
}

// lease waits until networkd has configured what it got.
func (c *networkd) lease(ctx context.Context, verb string) (l Lease, err error) {
	err = until(ctx, func() error {
		l, err = c.read(ctx)
		list, bad := c.Addresses(ctx)
		if err == nil && (len(list) != 1 || list[0] != l.Address) {
			err = errors.Join(&unlike{"address", list, l.Address}, bad)
		}
		return err
	})
	return l, c.explain(verb, err)
}

func (c *networkd) read(ctx context.Context) (Lease, error) {
	link, err := c.host.Netlink().LinkByName(device)
	if err != nil {
		return Lease{}, err
	}
	index := strconv.Itoa(link.Attrs().Index)
	if c.family == 4 {
		text, err := os.ReadFile(c.path("run", "systemd", "netif", "leases", index))
		return fileLease(assignments(string(text))), err
	}
	text, err := os.ReadFile(c.path("run", "systemd", "netif", "links", index))
	if err != nil {
		return Lease{}, err
	}
	state := assignments(string(text))
	if got := state["ADMIN_STATE"]; got != "configured" {
		return Lease{}, &unlike{"state of the link", got, "configured"}
	}
	return c.leaseOfKernel(ctx, link, state)
}

// leaseOfKernel is a lease of DHCPv6, of which networkd keeps no file: address
// and lifetime are on the interface, the rest is in the state of the link, mixed
// with what router advertisements said.
func (c *networkd) leaseOfKernel(ctx context.Context, link netlink.Link, state map[string]string) (Lease, error) {
	l := Lease{Router: c.route6(ctx), Search: names(state["DOMAINS"])}
	for _, a := range addresses(state["DNS"]) {
		if !a.IsLinkLocalUnicast() && !slices.Contains(l.DNS, a) {
			l.DNS = append(l.DNS, a)
		}
	}
	list, err := c.host.Netlink().AddrList(link, netlink.FAMILY_V6)
	for _, a := range list {
		if ones, _ := a.Mask.Size(); ones == 128 {
			l.Address = prefix(a.IP.String(), ones)
		}
	}
	last := c.trace.Last("REPLY")
	if err != nil || last == nil || last.V6.Options.OneIANA() == nil {
		return l, err
	}
	o := last.V6.Options
	if a := o.OneIANA().Options.OneAddress(); a != nil {
		l.Time = a.ValidLifetime
	}
	l.Server = duid(o.ServerID())
	// The state is written a little later than the address is configured.
	if len(o.DNS()) > 0 && len(l.DNS) == 0 || o.DomainSearchList() != nil && len(l.Search) == 0 {
		err = fmt.Errorf("the state of the link lacks what the reply has: %v", state)
	}
	return l, err
}

// Renew has IPv4 renewed by networkctl, which has no verb for IPv6: that is
// renewed when its time has come.
func (c *networkd) Renew(ctx context.Context) (Lease, error) {
	what, mark := asksOneServer, c.trace.Mark()
	var err error
	if c.family == 4 {
		err = c.control(ctx, "renew", device)
	} else {
		what, err = is("RENEW"), c.timer(ctx, "renew", true, lateness6)
	}
	if err == nil {
		_, err = c.trace.Answered(ctx, mark, what, "ACK", "REPLY")
	}
	if err != nil {
		return Lease{}, c.explain("renew", err)
	}
	return c.lease(ctx, "renew")
}

// Rebind takes the server away until networkd's time to rebind has come. On a
// machine that stood still until the lease was over nothing is shown, and it
// starts again.
func (c *networkd) Rebind(ctx context.Context) (Lease, error) {
	what, late, mark := asksAnyServer, time.Duration(0), c.trace.Mark()
	if c.family == 6 {
		what, late = is("REBIND"), lateness6
	}
	if err := c.timer(ctx, "rebind", false, late); err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	over := c.over()
	undo, err := c.loseServer(ctx)
	if err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	answer, err := c.trace.Answered(ctx, mark, what, "ACK", "REPLY")
	undo()
	if err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	if answer.At.After(over) {
		if _, err := c.again(ctx); err != nil {
			return Lease{}, err
		}
		return c.Rebind(ctx)
	}
	return c.lease(ctx, "rebind")
}

// over is when the kernel takes the address of the last lease away, at the
// earliest: it counts whole seconds.
func (c *networkd) over() time.Time {
	last := c.trace.answer(c.family)
	_, _, lease := last.timers()
	return last.At.Add(lease - time.Second)
}

// again starts with nothing.
func (c *networkd) again(ctx context.Context) (Lease, error) {
	if err := c.Stop(); err != nil {
		return Lease{}, err
	}
	return c.Take(ctx)
}

// Release ends networkd in good order: it gives its IPv4 address back, and as of
// systemd 252 forgets the one of IPv6 without a word.
func (c *networkd) Release(ctx context.Context) error {
	if c.family == 6 {
		return fmt.Errorf("%s: %w: systemd 252 sends no RELEASE of DHCPv6", c.name, ErrCannot)
	}
	mark := c.trace.Mark()
	err := c.proc.signal(syscall.SIGTERM)
	if err == nil {
		_, err = c.trace.Sent(ctx, mark, is("RELEASE"))
	}
	if err == nil {
		err = c.proc.ended(ctx)
	}
	err = c.explain("release", err)
	return errors.Join(err, c.Stop())
}
