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

// Options are what the servers need; all but Resolved and Log are required.
type Options struct {
	NS       *netns.NS
	Kernel   Kernel
	Book     *lease.Book
	DUID     []byte                      // of the DHCPv6 server, the same for ever
	Upstream *dns.Upstreams              // the host's resolvers
	Resolved *resolved.Client            // nil = the host is not told of our domains
	Warn     func(owner, message string) // told what people should know
	Log      *slog.Logger                // nil = none
}

// Servers are the servers of all networks. Its methods may be called from any
// goroutine.
type Servers struct {
	o        Options
	mu       sync.Mutex
	networks map[string]*network
	zones    zones
	own      atomic.Pointer[map[netip.Addr]bool] // addresses of the host
}

// New makes servers that serve nothing yet.
func New(o Options) *Servers {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Servers{o: o, networks: map[string]*network{}}
	s.own.Store(&map[netip.Addr]bool{})
	return s
}

// Farewell ends service on networks that want does not have, or has on another
// bridge, while their bridges are still there: guests are told that the router
// goes.
func (s *Servers) Farewell(want []plan.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stay := map[string]string{}
	for _, w := range want {
		stay[w.Network] = w.Bridge
	}
	s.end(func(n *network) bool { bridge, stays := stay[n.name]; return !stays || bridge != n.bridge })
}

// Set serves what is wanted and nothing else. It returns, by owner, what cannot
// be served at the moment; calling it again tries again. Of the host's state it
// needs the addresses: who asks from one of them is the host itself.
func (s *Servers) Set(want []plan.Service, host plan.State) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setOwn(want, host)
	s.zones.set(want)
	told := make([][]string, len(want))
	all := make([]*network, len(want))
	wanted := map[string]bool{}
	for i, w := range want {
		wanted[w.Network] = true
		if all[i] = s.networks[w.Network]; all[i] == nil {
			all[i] = newNetwork(&s.o, w, s.isOwn, &s.zones)
			s.networks[w.Network] = all[i]
		}
	}
	together(len(want), func(i int) { told[i] = all[i].set(want[i]) })
	s.end(func(n *network) bool { return !wanted[n.name] })
	problems := map[string][]string{}
	for i, w := range want {
		if len(told[i]) > 0 {
			problems[w.Owner()] = told[i]
		}
	}
	s.register()
	if err := s.o.Book.Err(); err != nil {
		problems["host"] = append(problems["host"], "leases cannot be written, so none are given: "+err.Error())
	}
	return problems
}

func (s *Servers) setOwn(want []plan.Service, host plan.State) {
	own := map[netip.Addr]bool{}
	for a := range plan.Of[plan.Addr](host) {
		own[a.Prefix.Addr()] = true
	}
	for _, w := range want { // made in this very pass
		for _, p := range w.Subnets {
			own[p.Addr()] = true
		}
	}
	s.own.Store(&own)
}

// isOwn reports whether an address is one of the host's.
func (s *Servers) isOwn(a netip.Addr) bool { return a.IsLoopback() || (*s.own.Load())[a] }

// register tells systemd-resolved which domain is served on which bridge.
func (s *Servers) register() {
	if s.o.Resolved == nil {
		return
	}
	var links []resolved.Link
	for _, n := range s.networks {
		links = append(links, n.registration())
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
	for name, n := range s.networks {
		if which(n) {
			gone = append(gone, n)
			delete(s.networks, name)
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
