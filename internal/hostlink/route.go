package hostlink

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Route is a route of any table.
type Route struct{ Object }

func (r Route) protocol() uint8 { return r.Head[5] }

func (r Route) scope() uint8 { return r.Head[6] }

func (r Route) kind() uint8 { return r.Head[7] }

func (r Route) flags() uint32 { return native.Uint32(r.Head[8:]) }

// table is RTA_TABLE; the header has eight bits of it only.
func (r Route) table() uint32 {
	if t := r.Attrs.get(unix.RTA_TABLE); t != nil {
		return number(t)
	}
	return uint32(r.Head[4])
}

// device is the index of the device of a route with one hop, 0 without.
func (r Route) device() int { return int(r.Attrs.number(unix.RTA_OIF)) }

func (r Route) destination() netip.Prefix {
	to := r.Attrs.addr(unix.RTA_DST)
	if !to.IsValid() {
		to = netip.IPv4Unspecified()
		if r.family() == unix.AF_INET6 {
			to = netip.IPv6Unspecified()
		}
	}
	return netip.PrefixFrom(to, int(r.Head[1]))
}

// byUser says whether somebody gave the route, rather than the kernel made it with an
// address or a link.
func (r Route) byUser() bool {
	return r.protocol() != unix.RTPROT_KERNEL && r.flags()&unix.RTM_F_CLONED == 0
}

// attrNexthop is RTA_NH_ID: the route goes where a nexthop object says.
const attrNexthop = 30
