package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// device is the interface of a host that clients configure.
const device = "eth0"

// station is what every client in a host's namespace has.
type station struct {
	t      testing.TB
	host   *testhost.Host
	name   string
	family int
	mac    spec.MAC // of eth0
	dir    string   // private
	trace  *Trace
	proc   *process // nil when nothing runs
	silent []Field
}

func newStation(t testing.TB, h *testhost.Host, name string, family int, silent ...Field) *station {
	t.Helper()
	mac, err := h.MAC(device)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, host: h, name: name, family: family, mac: mac, silent: silent, dir: ownDir(t), trace: NewTrace(t, h, device, family, mac)}
	// Programs that change to a user of their own must find what is theirs.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// ownDir makes a directory of a client's. What its hook is writing when the client is
// killed comes while it is removed, which t.TempDir does not bear.
func ownDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kvmnet-client-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nstest.Eventually(t, patience, func() error { return os.RemoveAll(dir) })
	})
	return dir
}

// Name is the name of the program.
func (s *station) Name() string { return s.name }

// Family is 4 or 6.
func (s *station) Family() int { return s.family }

// Silent lists what the client does not tell.
func (s *station) Silent() []Field { return s.silent }

// HostName is the host's name.
func (s *station) HostName() string { return s.host.Name() }

// Trace holds the client's messages.
func (s *station) Trace() *Trace { return s.trace }

// Stop kills the program, and takes the addresses away: no kernel remembers them
// over a power cut.
func (s *station) Stop() error {
	if s.proc != nil {
		s.proc.stop()
		s.proc = nil
	}
	list, err := s.Addresses(context.Background())
	for _, p := range list {
		err = errors.Join(err, s.host.DelAddress(device, p))
	}
	return err
}

// Addresses lists the addresses of eth0 in the client's family, without those of
// the link only.
func (s *station) Addresses(context.Context) ([]netip.Prefix, error) {
	all, err := s.host.Addresses(device)
	var own []netip.Prefix
	for _, p := range all {
		if p.Addr().Is4() == (s.family == 4) && !p.Addr().IsLinkLocalUnicast() {
			own = append(own, p)
		}
	}
	return own, err
}

// path is a file in the private directory.
func (s *station) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// start runs the client's program.
func (s *station) start(p program) (err error) {
	s.proc, err = start(s.t, s.host, s.path("log"), p)
	return err
}

// explain adds what the program said to an error.
func (s *station) explain(verb string, err error) error {
	if err == nil {
		return nil
	}
	said := ""
	var later *LaterError
	if s.proc != nil && !errors.As(err, &later) && !errors.Is(err, ErrCannot) {
		said = s.proc.said()
	}
	return fmt.Errorf("%s: %s: %w%s", s.name, verb, err, said)
}

// serverGone are rules that keep a client from the server that gave its lease:
// unicast requests of DHCPv4, and RENEW of DHCPv6 (message type 5, the first
// byte after the UDP header). The latter goes to the discard port, for networkd
// gives up when it cannot send.
const serverGone = `table inet peers { chain output { type filter hook output priority mangle
	udp dport 67 ip daddr != 255.255.255.255 drop
	udp dport 547 @th,64,8 5 udp dport set 9
}; }`

// loseServer lets the client rebind, as if the server were gone, until undo.
func (s *station) loseServer(ctx context.Context) (undo func(), err error) {
	if _, err := run(ctx, s.host, "nft", serverGone); err != nil {
		return nil, err
	}
	return func() {
		if _, err := run(context.WithoutCancel(ctx), s.host, "nft", "delete table inet peers"); err != nil {
			s.t.Error(err)
		}
	}, nil
}

// timer returns a LaterError if the client acts by itself, and after the context
// has ended only. renew says which timer of the last lease counts, slack how
// late the client may be; it cannot act when the next timer may come first.
func (s *station) timer(ctx context.Context, verb string, renew bool, slack time.Duration) error {
	last := s.trace.answer(s.family)
	if last == nil {
		return fmt.Errorf("%s has no lease", s.name)
	}
	t1, t2, end := last.timers()
	in, next := t2, end
	if renew {
		in, next = t1, t2
	}
	if in+slack > next {
		return fmt.Errorf("%w: its time to %s is after %s, up to %s late, and the next timer's is after %s", ErrCannot, verb, in, slack, next)
	}
	deadline, bounded := ctx.Deadline()
	if due := last.At.Add(in + slack); bounded && due.After(deadline) {
		return &LaterError{s.name, verb, time.Until(due).Round(time.Second)}
	}
	return nil
}

// route6 is the router of the default route that came by router advertisement.
// Leases do not wait for it, so it has a moment to come.
func (s *station) route6(ctx context.Context) (gateway netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	until(ctx, func() error {
		routes, err := s.host.Netlink().RouteList(nil, netlink.FAMILY_V6)
		for _, r := range routes {
			if gw, ok := netip.AddrFromSlice(r.Gw); ok && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
				gateway = gw
				return nil
			}
		}
		return errors.Join(err, errors.New("no default route"))
	})
	return gateway
}

// until polls until try is content or the context ends.
func until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
