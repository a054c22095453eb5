package socket

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Watch notes who says on a bridge that it has which address: by ARP and by
// neighbour discovery, which every guest needs before it can reach anybody.
type Watch struct {
	link *Link

	mu   sync.Mutex
	seen map[claim]time.Time
}

// Claim is what somebody said: this MAC has this address.
type Claim struct {
	MAC  spec.MAC
	Addr netip.Addr
	At   time.Time // the last time
}

type claim struct {
	mac  spec.MAC
	addr netip.Addr
}

// mostClaims bounds what a LAN full of hosts, or one guest that makes claims up,
// can cost. Half of them, those unheard of the longest, go when it is reached.
const mostClaims = 4096

// OpenWatch watches a bridge until Close, or until the bridge is gone.
func OpenWatch(ns *netns.NS, bridge string) (*Watch, error) {
	w := &Watch{link: &Link{done: make(chan struct{})}, seen: map[claim]time.Time{}}
	w.link.hear = w.hear
	if err := w.link.open(ns, bridge, claims); err != nil {
		return nil, err
	}
	return w, nil
}

// Alive says whether the watch has not ended.
func (w *Watch) Alive() bool { return w.link.Alive() }

// Close ends the watch.
func (w *Watch) Close() error { return w.link.Close() }

// Claims lists what was said so far, the latest first.
func (w *Watch) Claims() []Claim {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Claim
	for c, at := range w.seen {
		list = append(list, Claim{c.mac, c.addr, at})
	}
	slices.SortFunc(list, func(a, b Claim) int {
		return cmp.Or(b.At.Compare(a.At), a.Addr.Compare(b.Addr), slices.Compare(a.MAC[:], b.MAC[:]))
	})
	return list
}

func (w *Watch) hear(f frame, whole bool) {
	c, sound := f.claim()
	if !whole || !sound {
		w.link.tally.malformed.Add(1)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) >= mostClaims {
		w.forget()
	}
	w.seen[c] = time.Now()
}

// forget drops the older half.
func (w *Watch) forget() {
	times := make([]time.Time, 0, len(w.seen))
	for _, at := range w.seen {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	middle := times[len(times)/2]
	for c, at := range w.seen {
		if !at.After(middle) {
			delete(w.seen, c)
		}
	}
}

// Kinds of neighbour discovery messages (RFC 4861 sections 4.3 and 4.4).
const (
	icmpNeighbourSolicit   = 135
	icmpNeighbourAdvertise = 136
	sizeNeighbour          = 24 // with the target
)

// claim reads who says to have which address, if the frame does.
func (f frame) claim() (c claim, ok bool) {
	if f.status&unix.TP_STATUS_VLAN_VALID != 0 && f.vlan&maskVLAN != 0 {
		return c, false
	}
	switch f.etherType {
	case unix.ETH_P_ARP:
		c, ok = f.claimARP()
	case unix.ETH_P_IPV6:
		c, ok = f.claimND()
	}
	a := c.addr
	return c, ok && !c.mac.IsZero() && !c.mac.IsMulticast() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// claimARP takes the sender's address, of requests and replies alike. A probe
// (RFC 5227) has none: what it asks for is not its own yet.
func (f frame) claimARP() (c claim, ok bool) {
	b := f.body
	if len(b) < sizeARP || binary.BigEndian.Uint64(b)>>16 != arpIPv4>>16 {
		return c, false
	}
	return claim{spec.MAC(b[8:14]), netip.AddrFrom4([4]byte(b[14:]))}, true
}

// claimND takes the source of a solicitation and the target of an advertisement.
// A solicitation from :: asks whether an address is free (RFC 4862 section 5.4.2).
func (f frame) claimND() (c claim, ok bool) {
	b := f.body
	if len(b) < sizeIPv6+sizeNeighbour || b[0]>>4 != 6 || b[6] != unix.IPPROTO_ICMPV6 || b[7] != neighbour {
		return c, false
	}
	from := netip.AddrFrom16([16]byte(b[8:]))
	switch message := b[sizeIPv6:]; message[0] {
	case icmpNeighbourSolicit:
		return claim{f.mac, from}, true
	case icmpNeighbourAdvertise:
		return claim{f.mac, netip.AddrFrom16([16]byte(message[8:]))}, true
	}
	return c, false
}

// claims takes ARP and neighbour discovery.
var claims = assembleLabels([]step{
	{ins: bpf.LoadExtension{Num: bpf.ExtProto}},
	{eq: unix.ETH_P_ARP, els: "six"},
	{to: "yes"},
	{label: "six", eq: unix.ETH_P_IPV6, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 6, Size: 1}},
	{eq: unix.IPPROTO_ICMPV6, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 40, Size: 1}},
	{eq: icmpNeighbourSolicit, els: "advertise"},
	{to: "yes"},
	{label: "advertise", eq: icmpNeighbourAdvertise, els: "no"},
	{label: "yes", ins: bpf.RetConstant{Val: slotSize}},
	{label: "no", ins: bpf.RetConstant{Val: 0}},
})
