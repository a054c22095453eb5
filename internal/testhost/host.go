package testhost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Host is one machine: a network namespace, what is plugged into it and what it
// runs. Its methods may be called from any goroutine.
type Host struct {
	name string
	ns   *netns.NS
	nl   *netlink.Handle

	mu      sync.Mutex
	plugs   []string    // links to delete on Close, by their name inside
	running []io.Closer // servers, captures, streams and commands
	closed  bool
}

// New makes a host in a namespace without a name; it vanishes with Close or with
// the process. The name appears in errors only.
func New(name string) (*Host, error) {
	ns, err := netns.New()
	if err != nil {
		return nil, fmt.Errorf("create host %s: %w", name, err)
	}
	return setup(name, ns)
}

// NewNamed makes a host whose namespace is bound below /run/netns, so that
// `ip netns exec NAME …` works; Detach lets it outlive the process.
func NewNamed(name string) (*Host, error) {
	ns, err := netns.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create host %s: %w", name, err)
	}
	h, err := setup(name, ns)
	if err != nil {
		err = errors.Join(err, netns.Delete(name))
	}
	return h, err
}

func setup(name string, ns *netns.NS) (*Host, error) {
	h := &Host{name: name, ns: ns}
	err := h.prepare()
	if err != nil {
		if h.nl != nil {
			h.nl.Close()
		}
		ns.Close()
		return nil, fmt.Errorf("create host %s: %w", name, err)
	}
	return h, nil
}

// defaults make hosts the same on every machine and usable at once. IPv4
// settings of a new namespace are copied from the first one, where Docker, a
// distribution or an administrator may have changed them.
var defaults = []struct{ key, value string }{
	{"net/ipv4/ip_forward", "0"},
	{"net/ipv4/conf/all/rp_filter", "0"}, // a host must hear answers to what it spoofs
	{"net/ipv4/conf/default/rp_filter", "0"},
	{"net/ipv4/icmp_ratelimit", "0"}, // the seventh refusal in a row must not become a timeout
	{"net/ipv6/icmp/ratelimit", "0"},
	{"net/ipv6/conf/all/disable_ipv6", "0"},
	{"net/ipv6/conf/default/disable_ipv6", "0"},
	// Duplicate address detection (RFC 4862, section 5.4) keeps an address
	// unusable for a second or two.
	{"net/ipv6/conf/default/accept_dad", "0"},
	{"net/ipv6/conf/default/dad_transmits", "0"},
}

func (h *Host) prepare() error {
	handle := vnetns.NsHandle(h.ns.Fd())
	var err error
	h.nl, err = netlink.NewHandleWithOptions(netlink.HandleOptions{RetryInterrupted: true, NetNS: &handle}, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	for _, d := range defaults {
		// A kernel booted with ipv6.disable=1 has no such directory.
		if err := h.Sysctl(d.key, d.value); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return h.Up("lo")
}

// Name is the name given at creation.
func (h *Host) Name() string { return h.name }

// NS is the host's namespace, valid until Close.
func (h *Host) NS() *netns.NS { return h.ns }

// Netlink is a handle inside the namespace, for what Host has no verb for.
func (h *Host) Netlink() *netlink.Handle { return h.nl }

// Sysctl sets a kernel setting inside the namespace. Keys are written with
// slashes ("net/ipv4/ip_forward"), because interface names may contain dots.
func (h *Host) Sysctl(key, value string) error {
	err := h.ns.Do(func() error {
		return os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0)
	})
	if err != nil {
		return fmt.Errorf("set %s to %s on %s: %w", key, value, h.name, err)
	}
	return nil
}

// ReadSysctl returns a kernel setting without its final newline.
func (h *Host) ReadSysctl(key string) (string, error) {
	var text []byte
	err := h.ns.Do(func() (err error) {
		text, err = os.ReadFile(filepath.Join("/proc/sys", key))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read %s on %s: %w", key, h.name, err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// own remembers something to close with the host. On a host that is already
// closed it closes it at once.
func (h *Host) own(c io.Closer) error {
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.running = append(h.running, c)
	}
	h.mu.Unlock()
	if closed {
		return errors.Join(fmt.Errorf("use host %s: %w", h.name, os.ErrClosed), c.Close())
	}
	return nil
}

// disown forgets something that ended before the host does.
func (h *Host) disown(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, r := range h.running {
		if r == c {
			h.running = append(h.running[:i], h.running[i+1:]...)
			return
		}
	}
}

// Close ends what the host runs, pulls its plugs, and gives up its namespace,
// with its name if it has one. Closing twice is harmless.
func (h *Host) Close() error {
	return h.end(func() error {
		var errs []error
		for _, name := range h.plugs {
			errs = append(errs, h.Unplug(name))
		}
		if name := h.ns.Name(); name != "" {
			errs = append(errs, netns.Delete(name))
		}
		return errors.Join(errs...)
	})
}

// Detach ends what the host runs but leaves a named namespace, its links,
// addresses and routes in place for people to look at.
func (h *Host) Detach() error { return h.end(func() error { return nil }) }

// end stops what runs, newest first, without holding the lock: what stops may
// want to disown itself.
func (h *Host) end(last func() error) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	running := append([]io.Closer(nil), h.running...)
	h.mu.Unlock()
	var errs []error
	for i := len(running) - 1; i >= 0; i-- {
		errs = append(errs, running[i].Close())
	}
	errs = append(errs, last())
	h.nl.Close()
	errs = append(errs, h.ns.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close host %s: %w", h.name, err)
	}
	return nil
}
