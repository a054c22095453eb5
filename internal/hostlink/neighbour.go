package hostlink

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Neighbour is who is known on a link: for good, by proxy, or as the kernel learnt.
type Neighbour struct{ Object }

const learnt = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE

func (n Neighbour) index() int { return int(native.Uint32(n.Head[4:])) }

func (n Neighbour) state() uint16 { return native.Uint16(n.Head[8:]) }

func (n Neighbour) proxy() bool { return n.Head[10]&unix.NTF_PROXY != 0 }

func (n Neighbour) learnt() bool { return !n.proxy() && n.state()&learnt != 0 }

// counts says whether there is something to move: the kernel knows groups and itself
// without being told.
func (n Neighbour) counts() bool {
	return n.proxy() || n.Attrs.has(unix.NDA_LLADDR) && n.state()&(learnt|unix.NUD_PERMANENT) != 0
}

func (n Neighbour) address() netip.Addr { return n.Attrs.addr(unix.NDA_DST) }

// bare is the neighbour without its device and its times. What was learnt is to be
// asked for again, but used meanwhile.
func (n Neighbour) bare() Neighbour {
	n = Neighbour{n.clone()}
	clear(n.Head[4:8])
	if n.learnt() {
		native.PutUint16(n.Head[8:], unix.NUD_STALE)
		n.Head[10] = 0
		n.Attrs = n.Attrs.without(ndaProtocol, ndaFlags)
	}
	n.Head[11] = 0 // the kind of address, which is for reading
	n.Attrs = n.Attrs.without(unix.NDA_PROBES, unix.NDA_CACHEINFO)
	return n
}

// Attributes of neighbours that are not part of what the kernel learns
// (linux/neighbour.h).
const (
	ndaProtocol = 12 // NDA_PROTOCOL
	ndaFlags    = 15 // NDA_FLAGS_EXT
)

func (n Neighbour) id() string {
	if n.proxy() {
		return "proxy " + n.address().String()
	}
	return n.address().String()
}

func (e everything) neighboursOf(d device) (list []Neighbour) {
	for _, o := range slices.Concat(e.neighbours, e.proxies) {
		if n := (Neighbour{o}); n.index() == d.index && n.counts() {
			list = append(list, n.bare())
		}
	}
	return list
}

// proxies lists the neighbours for whom we answer, which are in a list of their own.
func (s *socket) proxies() (list []Object, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		ask := make([]byte, unix.SizeofNdMsg)
		ask[0], ask[10] = family, unix.NTF_PROXY
		msgs, err := s.dump(unix.RTM_GETNEIGH, ask)
		if err != nil {
			return nil, err
		}
		list = append(list, parseObjects(msgs, unix.SizeofNdMsg, family)...)
	}
	return list, nil
}
