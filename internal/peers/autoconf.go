package peers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/testhost"
)

// Autoconf is the Linux kernel that configures itself at boot (ip=dhcp), in a
// virtual machine on a bridge of the host. It asks once and keeps what it got
// (net/ipv4/ipconfig.c), so it does nothing but take.
func Autoconf(t testing.TB, h *testhost.Host, bridge string) Client {
	t.Helper()
	kernel, err := selfConfiguring(t.Context(), "off")
	if err != nil {
		t.Skipf("needs a kernel that configures itself, see FetchKernel: %v", err)
	}
	return &autoconf{plugGuest(t, h, bridge, "kernel", "vm-kernel", Time), kernel}
}

type autoconf struct {
	*guestNIC
	kernel string // path of the image
}

// HostName is none: the kernel sends one only if its command line has it.
func (c *autoconf) HostName() string { return "" }

func (c *autoconf) Take(ctx context.Context) (Lease, error) {
	if err := c.boot(ctx, c.kernel, "ip=dhcp"); err != nil {
		return Lease{}, fmt.Errorf("kernel: take: %w", err)
	}
	return c.lease(ctx)
}

// lease reads what the kernel made of the answer (Documentation/admin-guide/nfs/
// nfsroot.rst, "/proc/net/pnp").
func (c *autoconf) lease(ctx context.Context) (Lease, error) {
	var l Lease
	list, err := c.Addresses(ctx)
	if err != nil {
		return l, fmt.Errorf("kernel: take: %w", err)
	}
	if len(list) != 1 {
		return l, fmt.Errorf("kernel: take: the guest has addresses %v; its console:\n%s", list, c.guest.Console())
	}
	l.Address = list[0]
	out, err := c.sh(ctx, "cat /proc/net/pnp; ip route; cat /sys/class/net/eth0/mtu; hostname")
	l.MTU, l.Host = tail(strings.Fields(out))
	for line := range strings.Lines(out) {
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "domain":
			l.Domain = f[1]
		case len(f) == 2 && f[0] == "nameserver":
			l.DNS = append(l.DNS, addresses(f[1])...)
		case len(f) > 2 && f[0] == "default":
			l.Router = address(f[2])
		}
	}
	return l, err
}

// tail reads the last two words.
func tail(words []string) (mtu int, host string) {
	if len(words) < 2 {
		return 0, ""
	}
	return number(words[len(words)-2]), words[len(words)-1]
}

func (c *autoconf) never(verb string) error {
	return fmt.Errorf("kernel: %s: %w: it configures itself once, at boot", verb, ErrCannot)
}

func (c *autoconf) Renew(context.Context) (Lease, error)  { return Lease{}, c.never("renew") }
func (c *autoconf) Rebind(context.Context) (Lease, error) { return Lease{}, c.never("rebind") }
func (c *autoconf) Release(context.Context) error         { return c.never("release") }
