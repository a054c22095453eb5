package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// Judge tells which connections that go on would not begin any more.
type Judge struct {
	lay   *layout
	index endIndex
	want  State
	now   leading // what forwards and floating addresses do
	gone  leading // what those did that the ops removed or changed
	held  map[string]map[netip.Addr]bool
}

// NewJudge prepares for judging by what is wanted, which Build made of the same
// spec and facts, and by the ops that led there.
func NewJudge(live *spec.Spec, facts Facts, want State, ops []Op) *Judge {
	lay := newLayout(live, facts)
	j := &Judge{lay, newEndIndex(lay.order), want, newLeading(want), newLeading(removed(ops)), map[string]map[netip.Addr]bool{}}
	for a := range Of[Addr](want) {
		j.hold(a)
	}
	for _, a := range facts.Addresses {
		j.hold(a)
	}
	return j
}

func (j *Judge) hold(a Addr) {
	if j.held[a.NS] == nil {
		j.held[a.NS] = map[netip.Addr]bool{}
	}
	j.held[a.NS][a.Prefix.Addr()] = true
}

// Stale reports whether a connection would not begin any more as it is: a forward
// that is gone led it, or one that leads elsewhere by now; it leaves with a source
// that is not wanted, belongs to a network that is gone, or no policy permits it.
// Connections that have nothing to do with our networks are never stale.
func (j *Judge) Stale(f Flow) bool {
	p := j.packet(f)
	switch {
	case f.DNAT && (f.Permitted || p.out != nil || j.gone.leads(f)) && j.astray(f):
		return true
	case !f.Permitted:
		return false
	case !j.lay.permits(p).permitted, p.in == nil && p.out == nil:
		return true
	case p.in != nil && p.out == nil:
		return !j.source(f, p.in) || f.NS != "" && f.Mark >= firstTable && !j.enters(f)
	}
	return false
}

// astray reports whether a forward of ours led the connection that does not any
// more. On the host others do destination NAT, too, into our networks as well, and
// the label does not tell theirs from ours; in a router nobody else does.
func (j *Judge) astray(f Flow) bool {
	guest, ours := j.now.guest(f)
	if ours {
		return guest != f.Reply.Src
	}
	return f.NS != "" || j.gone.leads(f)
}

// packet is the first of a flow as the program judged it.
func (j *Judge) packet(f Flow) packet {
	p := packet{ns: f.NS, src: f.Orig.Src.Addr(), dst: f.Reply.Src.Addr(), port: f.Reply.Src.Port(), dnat: f.DNAT, protocol: protocolOf(f.Protocol)}
	p.in, p.out = j.index.of(f.NS, p.src), j.index.of(f.NS, p.dst)
	return p
}

func protocolOf(number uint8) spec.Protocol {
	switch number {
	case 1, 58:
		return spec.ICMP
	case 6:
		return spec.TCP
	case 17:
		return spec.UDP
	case 132:
		return spec.SCTP
	}
	return spec.Protocol(fmt.Sprint(number))
}

func (j *Judge) element(ns, set, id string) (string, bool) {
	e, ok := j.want[Element{NS: ns, Map: set, ID: id}.Key()].(Element)
	return e.Value, ok
}

// source reports whether a connection to the outside has the source it is to have.
// On the host somebody else may rewrite what we do not, and addresses that the
// kernel gave itself are not known.
func (j *Judge) source(f Flow, in *end) bool {
	src, seen := f.Orig.Src.Addr(), f.Reply.Dst
	fam := family(src)
	if to, ok := j.element(f.NS, "floating_source"+fam, src.String()); ok {
		return seen.Addr().String() == to
	}
	if in.i == nil && src.Is4() && in.n.NAT != nil && !in.n.NAT.Address.IsZero() {
		// The range may change under a connection: the old source still leads back here.
		return f.SNAT || f.Orig.Dst.Addr().IsMulticast()
	}
	if chosen := in.chosen(src); !chosen.IsZero() {
		ports := in.i.SNAT.Ports
		transport := slices.Contains([]uint8{6, 17, 132}, f.Protocol)
		return chosen.Contains(seen.Addr()) && (ports.IsZero() || !transport || ports.From <= seen.Port() && seen.Port() <= ports.To)
	}
	_, masked := j.element(f.NS, "masquerade"+fam, in.link)
	switch {
	case f.Orig.Dst.Addr().IsMulticast():
		return true
	case masked:
		return f.SNAT && (src.Is6() || len(j.held[f.NS]) == 0 || j.held[f.NS][seen.Addr()])
	}
	return f.NS == "" || !f.SNAT
}

// chosen is the range of sources of a family that an interface leaves with, zero
// for none.
func (e *end) chosen(src netip.Addr) spec.AddrRange {
	switch {
	case e.egress() != spec.EgressSNAT || e.i.SNAT == nil:
		return spec.AddrRange{}
	case src.Is4():
		return e.i.SNAT.Address
	}
	return e.i.SNAT.IPv6
}

// enters reports whether the uplink is there by whose mark answers find their way.
func (j *Judge) enters(f Flow) bool {
	for e := range Of[Element](j.want) {
		if e.NS == f.NS && e.Map == "entered" && e.Value == markText(int(f.Mark)) {
			return true
		}
	}
	return false
}
