package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"kvmnet/internal/hostlink"
)

// site is which addresses of a lease are on which link, kept so that whoever comes
// after a daemon that was killed finds what is ours.
type site struct {
	Link      string         `json:"link"`
	Addresses []netip.Prefix `json:"addresses"` // the last one is in force
	Boot      string         `json:"boot"`
}

func (h *Host) sitesPath() string { return filepath.Join(h.StateDir, "interfaces-leased.json") }

func (h *Host) readSites() (map[string]site, error) {
	all := map[string]site{}
	data, err := os.ReadFile(h.sitesPath())
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read which interfaces have leases: %w; those of today are kept anew", err)
	}
	return all, nil
}

// sitesNow are those of a boot.
func (l *leases) sitesNow(boot string) map[string]site {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(l.sites)
	maps.DeleteFunc(all, func(_ string, p site) bool { return p.Boot != boot })
	return all
}

// note keeps where a lease is before the kernel is told, nil = nowhere any more.
func (h *Host) note(key string, p *site) error {
	h.leases.mu.Lock()
	defer h.leases.mu.Unlock()
	was, had := h.leases.sites[key]
	if p == nil && !had || p != nil && had && p.Link == was.Link && p.Boot == was.Boot && slices.Equal(p.Addresses, was.Addresses) {
		return nil
	}
	next := maps.Clone(h.leases.sites)
	if p == nil {
		delete(next, key)
	} else {
		next[key] = *p
	}
	data, err := json.Marshal(next)
	if err == nil {
		err = writeDurably(h.sitesPath(), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note which interface has the lease of %s: %w", key, err)
	}
	h.leases.sites = next
	return nil
}

// place gives an interface what its lease says, and takes away what the last one said.
func (h *Host) place(ctx context.Context, l lessee, lease *Lease) error {
	p := h.leases.sitesNow(h.journal.Boot)[l.Key]
	if p.Link != "" && p.Link != l.Link {
		if err := h.displace(ctx, p); err != nil {
			return err
		}
		p.Addresses = nil
	}
	if lease == nil && len(p.Addresses) == 0 {
		return h.note(l.Key, nil)
	}
	want, next := hostlink.Lease{}, site{Link: l.Link, Addresses: p.Addresses, Boot: h.journal.Boot}
	if lease != nil {
		want = l.wants(*lease)
		next.Addresses = append(slices.DeleteFunc(slices.Clone(p.Addresses), func(a netip.Prefix) bool { return a == want.Address }), want.Address)
		if err := h.note(l.Key, &next); err != nil {
			return err
		}
	}
	if err := h.setLease(ctx, l.Link, want, l.notStatic(next.Addresses)); err != nil {
		return err
	}
	if lease == nil {
		return h.note(l.Key, nil)
	}
	next.Addresses = []netip.Prefix{want.Address}
	return h.note(l.Key, &next)
}

// displace takes what a lease put on a link away from there. A link that is gone took it
// along.
func (h *Host) displace(ctx context.Context, p site) error {
	err := h.setLease(ctx, p.Link, hostlink.Lease{}, p.Addresses)
	if errors.Is(err, hostlink.ErrNoInterface) {
		return nil
	}
	return err
}

func (h *Host) setLease(ctx context.Context, link string, want hostlink.Lease, old []netip.Prefix) error {
	s, err := hostlink.Look(h.NS, link)
	if err != nil {
		return err
	}
	ops := hostlink.SetLease(s, want, old...)
	for _, op := range ops {
		h.Log.Info("lease of an interface", "interface", link, "op", op.String())
	}
	return hostlink.Apply(ctx, h.NS, ops, nil)
}
