package peers

import (
	"context"
	"syscall"
	"testing"

	"kvmnet/internal/testhost"
)

// Udhcpc is busybox's client, as most small guests and installers have it.
func Udhcpc(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	Need(t, "busybox", "busybox-static")
	s := newStation(t, h, "udhcpc", 4)
	return &udhcpc{s, hooks{s.dir}}
}

type udhcpc struct {
	*station
	hooks hooks
}

// udhcpcAct is what its script has to do; udhcpc itself configures nothing.
const udhcpcAct = `case $1 in
deconfig) ip -4 address flush dev "$interface" ;;
bound | renew)
	ip address replace "$ip/$mask" dev "$interface"
	[ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface" ;;
esac`

func (c *udhcpc) Take(ctx context.Context) (Lease, error) {
	n := len(c.hooks.seen())
	err := c.begin()
	if err != nil {
		return Lease{}, c.explain("take", err)
	}
	return c.lease(ctx, "take", n, "bound")
}

func (c *udhcpc) begin() error {
	if c.proc != nil {
		return c.proc.signal(syscall.SIGUSR1)
	}
	script, err := c.hooks.write(udhcpcAct)
	if err != nil {
		return err
	}
	return c.start(program{argv: []string{"busybox", "udhcpc", "-f", "-i", device, "-s", script,
		"-t", "3", "-T", "1", "-A", "1", "-x", "hostname:" + c.host.Name(), "-O", "mtu", "-O", "search"}})
}

func (c *udhcpc) lease(ctx context.Context, verb string, n int, events ...string) (Lease, error) {
	e, err := c.hooks.after(ctx, n, events...)
	return udhcpcLease(e.env), c.explain(verb, err)
}

// Renew repeats itself: udhcpc opens a second, connected socket for the request
// and closes it at once, and an answer that is there before that is lost in it.
// It then asks all servers after its pause of a second (-T), keeping the address.
func (c *udhcpc) Renew(ctx context.Context) (Lease, error) {
	for {
		n, mark := len(c.hooks.seen()), c.trace.Mark()
		err := c.proc.signal(syscall.SIGUSR1)
		if err == nil {
			_, err = c.trace.Answered(ctx, mark, asksOneServer, "ACK")
		}
		if err != nil {
			return Lease{}, c.explain("renew", err)
		}
		l, err := c.lease(ctx, "renew", n, "renew")
		if err != nil || !c.trace.saw(mark, asksAnyServer) {
			return l, err
		}
	}
}

func (c *udhcpc) Rebind(ctx context.Context) (Lease, error) {
	undo, err := c.loseServer(ctx)
	if err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	defer undo()
	n, mark := len(c.hooks.seen()), c.trace.Mark()
	if err = c.proc.signal(syscall.SIGUSR1); err == nil {
		_, err = c.trace.Answered(ctx, mark, asksAnyServer, "ACK")
	}
	if err != nil {
		return Lease{}, c.explain("rebind", err)
	}
	return c.lease(ctx, "rebind", n, "renew")
}

func (c *udhcpc) Release(ctx context.Context) error {
	n, mark := len(c.hooks.seen()), c.trace.Mark()
	err := c.proc.signal(syscall.SIGUSR2)
	if err == nil {
		_, err = c.trace.Sent(ctx, mark, is("RELEASE"))
	}
	if err == nil {
		_, err = c.hooks.after(ctx, n, "deconfig")
	}
	return c.explain("release", err)
}
