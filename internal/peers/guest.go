package peers

import (
	"context"
	"fmt"
	"testing"

	"kvmnet/internal/testhost"
)

// Guest is udhcpc in a virtual machine with Debian's kernel, on a bridge of the
// host: virtio-net, its checksums and its offloads are real.
func Guest(t testing.TB, h *testhost.Host, bridge string) Client {
	t.Helper()
	return &guest{plugGuest(t, h, bridge, "guest", "vm-guest")}
}

type guest struct{ *guestNIC }

// guestUdhcpc starts udhcpc in the background; the guest's script leaves the
// environment of each event in /tmp/udhcpc.EVENT.
const guestUdhcpc = "udhcpc -i eth0 -s /etc/udhcpc.sh -p /tmp/pid -x hostname:$(hostname) -O mtu -O search -t 20 -T 1 -A 1 -b >/tmp/udhcpc.log 2>&1"

func (c *guest) Take(ctx context.Context) (Lease, error) {
	command := "rm -f /tmp/udhcpc.bound; kill -USR1 $(cat /tmp/pid)"
	if c.guest == nil {
		if err := c.boot(ctx, ""); err != nil {
			return Lease{}, fmt.Errorf("guest: take: %w", err)
		}
		command = guestUdhcpc
	}
	if _, err := c.sh(ctx, command); err != nil {
		return Lease{}, err
	}
	return c.event(ctx, "bound")
}

// event waits for the file of an event.
func (c *guest) event(ctx context.Context, name string) (Lease, error) {
	out, err := c.sh(ctx, "until [ -s /tmp/udhcpc."+name+" ]; do usleep 10000; done; usleep 10000; cat /tmp/udhcpc."+name)
	return udhcpcLease(assignments(out)), err
}

// Renew repeats itself, see udhcpc.Renew.
func (c *guest) Renew(ctx context.Context) (Lease, error) {
	for {
		mark := c.trace.Mark()
		l, err := c.extend(ctx, "kill -USR1 $(cat /tmp/pid)", asksOneServer)
		if err != nil || !c.trace.saw(mark, asksAnyServer) {
			return l, err
		}
	}
}

// Rebind gives the server an Ethernet address that nobody has.
func (c *guest) Rebind(ctx context.Context) (Lease, error) {
	ack := c.trace.Last("ACK")
	if ack == nil {
		return Lease{}, fmt.Errorf("guest: rebind: it has no lease")
	}
	server := ack.V4.ServerIdentifier().String()
	l, err := c.extend(ctx, "arp -s "+server+" 02:00:00:00:00:01; kill -USR1 $(cat /tmp/pid)", asksAnyServer)
	if err == nil {
		_, err = c.sh(ctx, "arp -d "+server+"; true") // it looks for a second, published entry, too
	}
	return l, err
}

func (c *guest) extend(ctx context.Context, command string, what func(Message) bool) (Lease, error) {
	mark := c.trace.Mark()
	_, err := c.sh(ctx, "rm -f /tmp/udhcpc.renew; "+command)
	if err == nil {
		_, err = c.trace.Answered(ctx, mark, what, "ACK")
	}
	if err != nil {
		return Lease{}, err
	}
	return c.event(ctx, "renew")
}

func (c *guest) Release(ctx context.Context) error {
	mark := c.trace.Mark()
	_, err := c.sh(ctx, "kill -USR2 $(cat /tmp/pid)")
	if err == nil {
		_, err = c.trace.Sent(ctx, mark, is("RELEASE"))
	}
	return err
}
