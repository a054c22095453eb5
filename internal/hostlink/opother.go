package hostlink

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// setting writes a setting of an interface.
type setting struct{ dev, key, value string }

// path is the setting's place below /proc/sys: "ipv4/conf/rp_filter" of br0 is
// net/ipv4/conf/br0/rp_filter.
func (s setting) path() string {
	i := strings.LastIndex(s.key, "/")
	return "net/" + s.key[:i] + "/" + s.dev + s.key[i:]
}

// String keeps the slashes where a name with a dot would be taken for two.
func (s setting) String() string {
	key := s.path()
	if !strings.Contains(s.dev, ".") {
		key = strings.ReplaceAll(key, "/", ".")
	}
	return "sysctl -w " + key + "=" + s.value
}

func (s setting) do() error {
	err := os.WriteFile("/proc/sys/"+s.path(), []byte(s.value), 0)
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(s.key, "ipv6/") {
		if _, none := os.Stat("/proc/sys/net/ipv6"); none != nil {
			return nil // the kernel has no IPv6
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// listen adds a static multicast address of the link layer to a device.
type listen struct{ dev, address string }

func (l listen) String() string { return "ip maddr add " + l.address + " dev " + l.dev }

// do uses an ioctl: rtnetlink has no message for it.
func (l listen) do() error {
	mac, err := net.ParseMAC(l.address)
	if err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	if err := addMulticast(l.dev, mac); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", l, err)
	}
	return nil
}

// unlisten takes one again.
type unlisten struct{ dev, address string }

func (u unlisten) String() string { return "ip maddr del " + u.address + " dev " + u.dev }

func (u unlisten) do() error {
	mac, err := net.ParseMAC(u.address)
	if err != nil {
		return fmt.Errorf("%s: %w", u, err)
	}
	if err := deleteMulticast(u.dev, mac); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("%s: %w", u, err)
	}
	return nil
}

// notice waits until the kernel has noticed whether a device has a carrier, which it
// does once in a second (linkwatch_nextevent in net/core/link_watch.c).
type notice struct{ dev string }

func (n notice) String() string {
	return "# wait until the kernel notices whether " + n.dev + " has a carrier"
}

func (n notice) do(s *socket) error {
	return eventually(func() (bool, error) {
		d, err := s.device(n.dev)
		if err != nil {
			return false, fmt.Errorf("%s: %w", n, err)
		}
		return (d.attrs.number(unix.IFLA_CARRIER) != 0) == (d.flags&unix.IFF_RUNNING != 0), nil
	})
}

// await waits until a device carries packets.
type await struct{ dev string }

func (a await) String() string { return "# wait until " + a.dev + " carries packets" }

// patience with the kernel's work queues, which need less than a millisecond.
const patience = 2 * time.Second

func (a await) do(s *socket) error {
	return eventually(func() (bool, error) {
		d, err := s.device(a.dev)
		if err != nil {
			return false, fmt.Errorf("%s: %w", a, err)
		}
		return d.flags&unix.IFF_RUNNING != 0, nil
	})
}

// settle waits until a device takes packets to its new IPv6 addresses, which the kernel
// sees to in a work queue, too.
type settle struct {
	dev  string
	list []netip.Addr
}

func (a settle) String() string {
	return "# wait until " + a.dev + " takes packets to " + fmt.Sprint(a.list)
}

func (a settle) do(s *socket) error {
	d, err := s.device(a.dev)
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	return eventually(func() (bool, error) {
		routes, err := s.objects("routes", unix.RTM_GETROUTE, unix.SizeofRtMsg, unix.AF_INET6)
		taken := map[netip.Addr]bool{}
		for _, o := range routes {
			if r := (Route{Object: o}); r.kind() == unix.RTN_LOCAL && r.device() == d.index {
				taken[r.destination().Addr()] = true
			}
		}
		return !slices.ContainsFunc(a.list, func(ip netip.Addr) bool { return !taken[ip] }), err
	})
}

// eventually looks again and again. What takes too long is left: it may come, and what
// follows does not need it.
func eventually(done func() (bool, error)) error {
	for end, pause := time.Now().Add(patience), 50*time.Microsecond; time.Now().Before(end); pause = min(2*pause, 5*time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

// isErrno says whether an error is of a number of the kernel.
func isErrno(err error, errno unix.Errno) bool { return errors.Is(err, errno) }
