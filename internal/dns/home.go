package dns

import (
	"net/netip"
	"slices"
	"time"

	"kvmnet/internal/netns"
)

// Home is the namespace of the host, for a server that is in another one: that of
// a router. There are the host's resolvers, and its addresses may be the same as
// the router's.
type Home struct {
	NS      *netns.NS
	Local   func(netip.Addr) bool // whether an address is one of the host's own
	Gateway func(netip.Addr) bool // whether one is the gateway of a network there: its names are private
}

// Neighbour is where another network answers for its names.
type Neighbour struct {
	NS     *netns.NS
	Listen []netip.Addr
}

// neighbour is the way to the server of another network that shares a zone with
// us, nil when none does.
func (z *zone) neighbour(zone string) *route {
	if z.joined == nil {
		return nil
	}
	n, ok := z.joined(zone)
	if !ok || len(n.Listen) == 0 {
		return nil
	}
	r := &route{joined: n.NS}
	for _, a := range n.Listen {
		r.servers = append(r.servers, netip.AddrPortFrom(a, 53))
	}
	return r
}

// isHere tells whether servers are asked in the namespace in which we listen.
func (s *Server) isHere(to *route) bool { return to.joined == nil && (!to.host || s.o.Home == nil) }

// isLocalTo tells whether a server's address is one of the namespace in which it is
// asked.
func (s *Server) isLocalTo(to *route, a netip.Addr) bool {
	if to.host && s.o.Home != nil {
		return a.IsLoopback() || s.o.Home.Local(a)
	}
	return s.isLocal(a)
}

func (s *Server) allLocal(to *route, servers []netip.AddrPort) bool {
	return !slices.ContainsFunc(servers, func(a netip.AddrPort) bool { return !s.isLocalTo(to, a.Addr()) })
}

// isPrivateGateway tells whether a resolver of the host is the gateway of another
// network: it answers whatever the host asks. A router may have the same subnet,
// so that zones do not tell.
func (s *Server) isPrivateGateway(st *state, a netip.Addr) bool {
	if s.o.Home != nil {
		return s.o.Home.Gateway(a)
	}
	return s.isLocal(a) && st.zone.privateOf(reverseZone(netip.PrefixFrom(a, a.BitLen()))) != ""
}

// dial opens a socket to a server where it is asked. Resolvers that the host
// reaches by its loopback are asked from the daemon's own namespace.
func (s *Server) dial(to *route, a netip.AddrPort, stream bool, deadline time.Time) (conn, error) {
	ns := s.o.NS
	switch {
	case to.joined != nil:
		ns = to.joined
	case to.host && a.Addr().IsLoopback():
		ns = nil
	case to.host && s.o.Home != nil:
		ns = s.o.Home.NS
	}
	return dial(ns, a, stream, deadline)
}
