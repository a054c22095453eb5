package hostnet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"kvmnet/internal/confirm"
	"kvmnet/internal/netns"
)

// Options tell where the host is.
type Options struct {
	NS       *netns.NS // network namespace of its interfaces
	Root     string    // of the tree of configuration files; "" = /
	OwnDir   string    // in that tree, has definitions of kvmnet's own; "" = netfiles.OwnDir
	StateDir string    // for the journal and the records, kept over boots
	Log      *slog.Logger

	// Claims tells what definitions of kvmnet say of an interface or a bridge: why it
	// must not be moved, and what is to be noted when it is; nil = nothing.
	Claims func(name string) (refusals, notes []string)
	// Borrowed are settings of the host that kvmnet has changed, by their paths, with the
	// values that are the host's own; nil = none.
	Borrowed func() (map[string]string, error)
	// Resolvers has those that are registered for links; nil = there are none.
	Resolvers Resolvers
	// Leases gets addresses by DHCP for interfaces that kvmnet itself defines; nil = nobody
	// does. LeaseDNS registers the resolvers that come with them for a link, by its number;
	// nil = nobody wants to know.
	Leases   Leases
	LeaseDNS func(ctx context.Context, index int, servers []netip.Addr, domains []string) error
	// Moved is called after an interface was moved into a bridge or back; nil = nothing.
	Moved func()
	// Kinds are changes of others that wait for a confirmation in the same way.
	Kinds map[string]confirm.Kind
	// Run runs a command of a network manager; nil = by its name.
	Run func(ctx context.Context, words []string) error

	// BeforeOp and BeforeWrite are called before each change in the kernel and on the
	// journal's disk, for tests that stop the daemon there; nil = nothing.
	BeforeOp, BeforeWrite func()
}

// Host has the host's own interfaces.
type Host struct {
	Options
	journal *confirm.Journal
	watches sync.WaitGroup // for confirmations by new connections

	kernel kernel
	leases leases

	turns sync.Mutex // who plans and arms a change
}

// Open reads what an earlier one left. Recover ends it.
func Open(o Options) (*Host, error) {
	o.Root, o.Log = cmp.Or(o.Root, "/"), cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Claims == nil {
		o.Claims = func(string) ([]string, []string) { return nil, nil }
	}
	if o.Borrowed == nil {
		o.Borrowed = func() (map[string]string, error) { return nil, nil }
	}
	if o.Moved == nil {
		o.Moved = func() {}
	}
	moved := o.Moved
	if o.Run == nil {
		o.Run = run
	}
	boot, err := bootName(o.NS)
	if err != nil {
		return nil, err
	}
	h := &Host{Options: o, leases: newLeases()}
	h.kernel = links{ns: o.NS, beforeOp: o.BeforeOp, log: o.Log, resolvers: o.Resolvers, borrowed: o.Borrowed}
	kinds := maps.Clone(o.Kinds)
	if kinds == nil {
		kinds = map[string]confirm.Kind{}
	}
	kinds[bridgeKind] = pausing{bridging{h}, h}
	kinds[interfacesKind] = pausing{opening{h}, h}
	kinds[definitionKind] = defining{h}
	h.Moved = func() { h.LookAtLeases(); moved() }
	h.journal, err = confirm.Open(confirm.Options{Dir: filepath.Join(o.StateDir, "changes"), Boot: boot, Kinds: kinds, Log: o.Log,
		Ended: func(confirm.Entry) { h.Moved() }, BeforeWrite: o.BeforeWrite})
	return h, err
}

// Close reverts what nobody confirmed: nobody watches the deadlines any more.
func (h *Host) Close(ctx context.Context) error {
	h.endLeases()
	err := h.journal.Close(ctx)
	h.watches.Wait()
	return err
}

// bootName names this boot and this network namespace: what was armed in another one
// is not there any more. A cookie of a namespace is not used again before the next
// boot, while its inode number may be.
func bootName(ns *netns.NS) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read which boot this is: %w", err)
	}
	var cookie uint64
	err = ns.Do(func() error {
		s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		cookie, err = unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	})
	if err != nil { // before Linux 5.14
		if cookie, err = ns.ID(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s/%d", strings.TrimSpace(string(boot)), cookie), nil
}
