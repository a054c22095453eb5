package dhcp4

import (
	"net/netip"
	"strings"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
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

// relayPort begins the port of clients behind a trusted relay agent.
const relayPort = "relay "

func isRelayPort(port string) bool { return strings.HasPrefix(port, relayPort) }

// Port tells where a message came from. The frame's source decides rather than
// the hardware address inside, which is only the client's word. The clients of a
// relay that is not trusted count as what they come through: a guest.
func (v sight) Port(q *query, trusted bool) string {
	if trusted {
		return relayPort + q.giaddr.String()
	}
	port := v.s.o.PortOf(q.frame)
	if port == "" && q.frame != q.chaddr {
		port = v.s.o.PortOf(q.chaddr)
	}
	if port == "" && q.giaddr.IsValid() {
		port = relayPort + q.giaddr.String()
	}
	return port
}
