package hostnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// leasePass looks once: it starts what waited for its hardware, tells which interfaces
// want a lease, and gives them what servers gave. Who calls it has the turn.
func (h *Host) leasePass(ctx context.Context) {
	l := &h.leases
	l.busy.Lock()
	defer l.busy.Unlock()
	if l.isPaused() || !h.hasOwn() && len(l.wanted) == 0 && len(l.sitesNow(h.journal.Boot)) == 0 {
		return
	}
	s, err := h.look()
	if err == nil && h.startLate(ctx, s) {
		s, err = h.look()
	}
	if err != nil {
		h.Log.Warn("look for interfaces that want a lease", "error", err)
		return
	}
	h.ask(h.lessees(s))
	h.putAll(ctx)
}

// hasOwn reports whether kvmnet has any definition of its own.
func (h *Host) hasOwn() bool {
	list, _ := os.ReadDir(filepath.Join(h.Root, cmp.Or(h.OwnDir, netfiles.OwnDir)))
	return len(list) > 0
}

// ask tells who wants a lease.
func (h *Host) ask(list []lessee) {
	asked := map[string]bool{}
	for _, l := range h.leases.wanted {
		asked[l.Key] = true
	}
	h.leases.wanted = list
	var wants []Lessee
	for _, l := range list {
		if !asked[l.Key] {
			l.Wish = h.leasedBefore(l.Link)
		}
		wants = append(wants, l.Lessee)
	}
	h.Leases.Want(wants)
}

// leasedBefore is the address that some DHCP client got for a link, zero = none.
func (h *Host) leasedBefore(link string) netip.Addr {
	s, err := hostlink.Look(h.NS, link)
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range hostlink.LeasedAddresses(s) {
		return a.Addr()
	}
	return netip.Addr{}
}

// putAll gives the kernel what servers gave, and takes away what is nobody's any more.
func (h *Host) putAll(ctx context.Context) {
	got, problems := h.Leases.Got(), h.Leases.Problems()
	kept := map[string]bool{}
	for _, l := range h.leases.wanted {
		kept[l.Key] = true
		var lease *Lease
		if g, has := got[l.Key]; has {
			lease = &g
		}
		err := errors.Join(h.place(ctx, l, lease), h.giveLeasedDNS(ctx, l, lease))
		h.complain(l, err, problems[l.Key])
	}
	h.leases.mu.Lock()
	all := maps.Clone(h.leases.sites)
	h.leases.mu.Unlock()
	for key, p := range all {
		if !kept[key] {
			h.takeBack(ctx, key, p)
		}
	}
}

// complain logs what keeps an interface from its lease, once.
func (h *Host) complain(l lessee, err error, problem string) {
	if err != nil {
		problem = err.Error()
	}
	if problem != "" && h.leases.trouble[l.Key] != problem {
		h.Log.Warn("DHCP of an interface", "interface", l.Link, "problem", problem)
	}
	h.leases.trouble[l.Key] = problem
}

// takeBack takes away what a lease put on a link that nobody wants any more. Of another
// boot there is nothing left.
func (h *Host) takeBack(ctx context.Context, key string, p site) {
	var err error
	if p.Boot == h.journal.Boot {
		err = h.displace(ctx, p)
	}
	delete(h.leases.told, key)
	if err = errors.Join(err, h.note(key, nil)); err != nil {
		h.Log.Warn("take the lease of an interface away", "interface", p.Link, "error", err)
	}
}

// startLate starts interfaces whose hardware was missing when they should have come up,
// and is there now. What somebody has stopped stays down.
func (h *Host) startLate(ctx context.Context, s sight) (started bool) {
	was := h.leases.lacking
	h.leases.lacking = map[string]bool{}
	for _, i := range s.ownOnBoot() {
		switch err := h.hardware(i); {
		case s.isPort(i.Name):
		case err != nil:
			h.leases.lacking[i.Name] = true
		case was[i.Name] && h.journal.Held(i.Names()...) == nil:
			started = true
			h.startOne(ctx, i)
		}
	}
	return started
}

func (h *Host) startOne(ctx context.Context, i spec.HostInterface) {
	if err := h.startLink(ctx, i); err != nil {
		h.Log.Warn("start an interface whose hardware has appeared", "error", err)
		return
	}
	h.Log.Info("started an interface whose hardware has appeared", "interface", i.Name)
}

// farewell gives the lease of an interface back while that is still up.
func (h *Host) farewell(name string) {
	if h.Leases == nil {
		return
	}
	l := &h.leases
	l.busy.Lock()
	defer l.busy.Unlock()
	left := slices.DeleteFunc(slices.Clone(l.wanted), func(w lessee) bool { return w.Link == name })
	if len(left) < len(l.wanted) {
		h.ask(left)
	}
}

// giveLeasedDNS registers the resolvers of a lease, with those of the definition, unless
// that does not want them.
func (h *Host) giveLeasedDNS(ctx context.Context, l lessee, lease *Lease) error {
	if h.LeaseDNS == nil || lease == nil && h.leases.told[l.Key] == "" {
		return nil
	}
	var servers []netip.Addr
	var domains []string
	if ip := l.defined.IPv4; ip != nil {
		servers, domains = append(servers, ip.DNS...), append(domains, ip.Search...)
		if ip.PeerDNS != nil && !*ip.PeerDNS {
			lease = nil
		}
	}
	if lease != nil {
		servers = append(servers, lease.DNS...)
		if lease.Domain != "" {
			domains = append(domains, lease.Domain)
		}
	}
	index, err := indexOf(h.NS, l.Link)
	if err != nil {
		return err
	}
	text := fmt.Sprint(index, servers, domains)
	if h.leases.told[l.Key] == text {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	if err := h.LeaseDNS(ctx, index, servers, domains); err != nil {
		return err
	}
	h.leases.told[l.Key] = text
	return nil
}
