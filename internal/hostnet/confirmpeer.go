package hostnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
)

// peerEvery is how often new connections are looked for.
const peerEvery = 200 * time.Millisecond

// session is the SSH session that a command came by.
type session struct {
	client netip.AddrPort
	server netip.AddrPort
}

// readSession reads a peer; none is no error, since most commands come by none.
func readSession(p api.Peer) (s session, found bool) {
	client, err1 := readEnd(p.Client)
	server, err2 := readEnd(p.Server)
	return session{client, server}, err1 == nil && err2 == nil
}

// readEnd reads one end. sshd writes the zone of a link-local address, which changes
// with the interface.
func readEnd(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, "%")
	if port != "" {
		_, port, _ = strings.Cut(port, "]")
		host += "]" + port
	}
	a, err := netip.ParseAddrPort(host)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), err
}

func (s session) String() string {
	return fmt.Sprintf("%s to port %d", s.client.Addr(), s.server.Port())
}

// watchPeer confirms the change when the session's client opens another connection to
// the same port over the interface, any if that is "", and has acknowledged data on it: then the host
// can be reached from there, in both directions. Connections that there are already
// prove nothing.
func (h *Host) watchPeer(e confirm.Entry, s session, iface string) {
	known := map[flow]bool{}
	for _, f := range h.flows(e) {
		known[f.flow] = true
	}
	over := h.journal.Over(e.ID)
	h.watches.Go(func() {
		tick := time.NewTicker(peerEvery)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if f, found := h.proof(e, s, iface, known); found {
				h.confirmBy(e, f)
			}
		}
	})
}

// proof is a new connection that shows that the host can be reached.
func (h *Host) proof(e confirm.Entry, s session, iface string, known map[flow]bool) (flow, bool) {
	for _, f := range h.flows(e) {
		if f.proves(s) && !known[f.flow] && (iface == "" || h.wayTo(f.flow) == iface) {
			return f.flow, true
		}
	}
	return flow{}, false
}

// proves reports whether the connection is of the session's client, to the same port,
// with data acknowledged.
func (f liveFlow) proves(s session) bool {
	return f.remote.Addr() == s.client.Addr() && f.remote.Port() != s.client.Port() && f.local.Port() == s.server.Port() && f.acknowledged > 0
}

func (h *Host) confirmBy(e confirm.Entry, f flow) {
	_, err := h.journal.Confirm(context.Background(), e.ID, fmt.Sprintf("a new connection from %s to %s", f.remote, f.local))
	if err != nil && !errors.Is(err, confirm.ErrUnknown) && !errors.Is(err, confirm.ErrState) {
		h.Log.Warn("confirm by a new connection", "change", e.ID, "from", f.remote.String(), "error", err)
	}
}

func (h *Host) flows(e confirm.Entry) []liveFlow {
	list, err := flows(h.NS)
	if err != nil {
		h.Log.Warn("look for new connections", "change", e.ID, "error", err)
	}
	return list
}
