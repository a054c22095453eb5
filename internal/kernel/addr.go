package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// ifaProto is IFA_PROTO, the origin of an address.
const ifaProto = 11

// address is an address as the kernel tells it.
type address struct {
	index  int
	prefix netip.Prefix
	flags  uint32 // IFA_F_*
	proto  int
}

// addresses lists the addresses of all links.
func (k *Kernel) addresses() ([]address, error) {
	msgs, err := k.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return parsed(msgs, parseAddress), nil
}

// parseAddress reads one address; ok is false when it is of neither family.
func parseAddress(m []byte) (a address, ok bool) {
	if len(m) < unix.SizeofIfAddrmsg {
		return a, false
	}
	a.flags, a.index = uint32(m[2]), number(m[4:])
	var local, prefix netip.Addr
	for kind, v := range attrs(m[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case unix.IFA_ADDRESS: // the peer's where there is one, and then IFA_LOCAL is ours
			prefix, _ = netip.AddrFromSlice(v)
		case unix.IFA_FLAGS:
			a.flags = uint32(number(v))
		case ifaProto:
			if len(v) > 0 {
				a.proto = int(v[0])
			}
		}
	}
	if !local.IsValid() {
		local = prefix
	}
	a.prefix = netip.PrefixFrom(local, int(m[1]))
	return a, a.prefix.IsValid()
}

func (k *Kernel) observeAddrs(v *view) error {
	list, err := k.addresses()
	if err != nil {
		return err
	}
	for _, a := range list {
		if name, there := v.names[a.index]; there && !a.passing(v.marks[a.index]) {
			v.state.Add(plan.Addr{Mark: v.markAddr(a), NS: v.ns, Link: name, Prefix: a.prefix})
		}
	}
	return nil
}

// passing reports whether the kernel made the address itself and will take it
// away: temporary ones, and the link-local ones of our links. The bit of a
// temporary IPv6 address means secondary in IPv4.
func (a address) passing(link plan.Mark) bool {
	if a.prefix.Addr().Is4() {
		return false
	}
	return a.flags&unix.IFA_F_TEMPORARY != 0 || link != "" && a.proto != protocol && a.prefix.Addr().IsLinkLocalUnicast()
}

// markAddr tells whose an address is. A kernel that does not keep the origin
// leaves us to take every address on our own links for ours.
func (v *view) markAddr(a address) plan.Mark {
	switch {
	case a.proto == protocol:
		return v.markOn(a.index)
	case v.release.marksAddrs() || a.prefix.Addr().IsLinkLocalUnicast():
		return ""
	}
	return v.marks[a.index]
}

func (a *applier) addAddr(addr plan.Addr) error {
	index, err := a.index(addr.Link)
	if err != nil {
		return err
	}
	request := addrRequest(index, addr.Prefix)
	if addr.Deprecated {
		request = append(request, attr(unix.IFA_CACHEINFO, deprecated()))
	}
	err = a.k.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, request...)
	if errors.Is(err, unix.EEXIST) {
		return a.resizeAddr(index, addr.Prefix)
	}
	return err
}

// resizeAddr gives an address that exists the wanted prefix length. IPv4 keeps
// one address a length, so existing means done; IPv6 keeps an address once.
func (a *applier) resizeAddr(index int, want netip.Prefix) error {
	if want.Addr().Is4() {
		return nil
	}
	list, err := a.k.addresses()
	if err != nil {
		return err
	}
	for _, have := range list {
		switch {
		case have.index != index || have.prefix.Addr() != want.Addr() || have.prefix == want:
			continue
		case have.proto != protocol:
			return fmt.Errorf("%s is there and not kvmnet's: %w", have.prefix, unix.EEXIST)
		}
		if err := a.k.change(unix.RTM_DELADDR, 0, addrRequest(index, have.prefix)...); err != nil {
			return err
		}
		return a.k.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, addrRequest(index, want)...)
	}
	return nil
}

func (a *applier) delAddr(addr plan.Addr) error {
	index, err := a.index(addr.Link)
	if err == nil {
		err = a.k.change(unix.RTM_DELADDR, 0, addrRequest(index, addr.Prefix)...)
	}
	return unlessGone(err, unix.ENODEV, unix.EADDRNOTAVAIL)
}

// addrRequest describes an address. Duplicate detection is off: it would keep
// the address of a new bridge without ports unusable, and nobody else on our own
// segment may hold the gateway's address.
func addrRequest(index int, p netip.Prefix) []nl.NetlinkRequestData {
	msg := nl.NewIfAddrmsg(familyOf(p.Addr()))
	msg.Index, msg.Prefixlen = uint32(index), uint8(p.Bits())
	ip := p.Addr().AsSlice()
	data := []nl.NetlinkRequestData{
		msg,
		attr(unix.IFA_LOCAL, ip),
		attr(unix.IFA_ADDRESS, ip),
		attr(ifaProto, []byte{protocol}),
	}
	if p.Addr().Is6() {
		msg.Flags = unix.IFA_F_NODAD
	}
	return data
}

// deprecated is struct ifa_cacheinfo of an address that is valid for ever and
// preferred never.
func deprecated() []byte {
	const preferred, valid, forever = 0, 4, 1<<32 - 1
	b := make([]byte, unix.SizeofIfaCacheinfo)
	native.PutUint32(b[preferred:], 0)
	native.PutUint32(b[valid:], forever)
	return b
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
