package dhcp4

import (
	"net/netip"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// sight is the server's view for decide.
type sight struct{ s *Server }

func (v sight) Find(c lease.Client) (lease.Lease, bool) { return v.s.table.Find(c) }
func (v sight) At(a netip.Addr) (lease.Lease, bool)     { return v.s.table.At(a) }
func (v sight) Clear(a netip.Addr) bool                 { return v.s.pool.clear(a) }
func (v sight) Stock(s *scope) []plan.Range             { return v.s.pool.stock(s) }

func (v sight) Propose(c lease.Client, w lease.Want) (netip.Addr, error) {
	return v.s.table.Propose(c, w)
}

func (v sight) Hold(c lease.Client, a netip.Addr, d time.Duration) error {
	return v.s.table.Hold(c, a, d)
}

func (v sight) Behind(m spec.MAC) string { return v.s.o.PortOf(m) }
