package serve

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"kvmnet/internal/dns"
	"kvmnet/internal/kernel"
	"kvmnet/internal/lease"
	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
	"kvmnet/internal/resolved"
	"kvmnet/internal/spec"
)

// Kernel is what the servers ask the kernel.
type Kernel interface {
	Index(link string) (int, error)
	LinkLocal(link string) (netip.Addr, error)
	PortOf(bridge int, mac spec.MAC) (string, error)
	Neighbours(ctx context.Context) ([]kernel.Neighbour, error)
	FDB(ctx context.Context) ([]kernel.FDBEntry, error)
}

// Options are what the servers need; all but Namespace, Resolved and Log are required.
type Options struct {
	NS     *netns.NS // the daemon's own
	Kernel Kernel    // of that namespace

	// Namespace finds the namespace of a router: another *netns.NS when it was made
	// anew, and false when it is gone. What it returns stays open as long as it is
	// returned, and during the Set after which it is not. nil = there are no routers.
	Namespace func(name string) (ns *netns.NS, k Kernel, ok bool)

	Book     *lease.Book
	DUID     []byte                      // of the DHCPv6 server, the same for ever
	Upstream *dns.Upstreams              // the host's resolvers
	Resolved *resolved.Client            // nil = the host is not told of our domains
	Warn     func(owner, message string) // told what people should know

	// Permit lets a guest use an address that it is about to have, on networks that are
	// guarded; nil = nothing is guarded.
	Permit func(network string, l plan.Leased)

	Log *slog.Logger // nil = none
}

// Servers are the servers of all networks. Its methods may be called from any
// goroutine.
type Servers struct {
	o        Options
	mu       sync.Mutex
	networks map[address]*network
	zones    zones
	own      own
}

// New makes servers that serve nothing yet.
func New(o Options) *Servers {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Servers{o: o, networks: map[address]*network{}}
}

// Farewell ends service on networks that want does not have, or has by another
// router, while their devices are still there: guests are told that the router
// goes. A bridge of the host that gets another name takes its guests along.
func (s *Servers) Farewell(want []plan.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stay, hosts := map[address]string{}, map[string]bool{}
	for _, w := range want {
		stay[addressOf(w)] = w.Bridge
		hosts[w.Network] = hosts[w.Network] || w.NS == ""
	}
	s.end(func(n *network) bool {
		bridge, stays := stay[n.at]
		return !(n.at.ns == "" && hosts[n.name]) && (!stays || bridge != n.bridge)
	})
}

// follow finds the networks of the host that are served on a bridge of another name
// now. Where that is the same bridge their sockets stay as they are.
func (s *Servers) follow(want []plan.Service) {
	served := map[string]*network{}
	for at, n := range s.networks {
		if at.ns == "" {
			served[n.name] = n
		}
	}
	for _, w := range want {
		at := addressOf(w)
		if n := served[w.Network]; n != nil && at.ns == "" && n.at != at {
			delete(s.networks, n.at)
			n.at = at
			s.networks[at] = n
		}
	}
}

// Set serves what is wanted and nothing else. It returns, by owner, what cannot
// be served at the moment; calling it again tries again. A router that is gone is
// nothing to tell of: it comes back with another call. Of the host's state Set
// needs the addresses, those inside routers included: who asks from one of them is
// the host itself, or the router.
func (s *Servers) Set(want []plan.Service, host plan.State) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own.set(want, host)
	s.zones.set(want)
	s.follow(want)
	told := make([][]string, len(want))
	all := make([]*network, len(want))
	wanted := map[address]bool{}
	for i, w := range want {
		at := addressOf(w)
		wanted[at] = true
		if all[i] = s.networks[at]; all[i] == nil {
			all[i] = newNetwork(s, w)
			s.networks[at] = all[i]
		}
	}
	together(len(want), func(i int) { told[i] = all[i].set(want[i]) })
	s.end(func(n *network) bool { return !wanted[n.at] })
	problems := map[string][]string{}
	for i, w := range want {
		if len(told[i]) > 0 {
			problems[w.Owner()] = append(problems[w.Owner()], told[i]...)
		}
	}
	s.register()
	if err := s.o.Book.Err(); err != nil {
		problems["host"] = append(problems["host"], "leases cannot be written, so none are given: "+err.Error())
	}
	return problems
}

// Update serves what is wanted on one network that is served already, and leaves the
// others as they are. It returns what cannot be served at the moment. It is for ports
// that come and go: the host's addresses, and the zones there are, are as they were.
func (s *Servers) Update(w plan.Service) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.networks[addressOf(w)]
	if n == nil {
		return []string{"the network is not served yet"}
	}
	return n.set(w)
}

// register tells systemd-resolved which domain is served on which bridge. Of the
// networks of routers it cannot reach the servers.
func (s *Servers) register() {
	if s.o.Resolved == nil {
		return
	}
	var links []resolved.Link
	for _, n := range s.networks {
		if n.at.ns == "" {
			links = append(links, n.registration())
		}
	}
	s.o.Resolved.Set(links)
}

// Close ends all service without a word to the guests: the daemon restarts, and
// their leases and routes stay as they are.
func (s *Servers) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Collect(maps.Values(s.networks))
	clear(s.networks)
	errs := make([]error, len(all))
	together(len(all), func(i int) { errs[i] = all[i].close() })
	return errors.Join(errs...)
}

// end says farewell on networks and ends their service.
func (s *Servers) end(which func(*network) bool) {
	var gone []*network
	for at, n := range s.networks {
		if which(n) {
			gone = append(gone, n)
			delete(s.networks, at)
		}
	}
	together(len(gone), func(i int) {
		gone[i].farewell()
		gone[i].close()
	})
}

// atOnce is how many networks are worked on at the same time. The kernel makes
// whoever closes a packet socket wait some milliseconds (synchronize_net), and many
// can wait at once.
const atOnce = 64

// together does something for 0 to n-1 and waits for it.
func together(n int, do func(int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}
