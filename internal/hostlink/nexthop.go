package hostlink

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Nexthop is a nexthop object: routes refer to it by its number.
type Nexthop struct{ Object }

const sizeofNexthop = 8 // struct nhmsg

func (n Nexthop) id() uint32 { return n.Attrs.number(unix.NHA_ID) }

// bare is the nexthop without its device. Its scope is the kernel's.
func (n Nexthop) bare() Nexthop {
	n = Nexthop{n.clone()}
	n.Head[1] = 0
	native.PutUint32(n.Head[4:], native.Uint32(n.Head[4:])&unix.RTNH_F_ONLINK)
	n.Attrs = n.Attrs.without(unix.NHA_OIF)
	return n
}

func (e everything) nexthopsOf(d device) (list []Nexthop) {
	for _, o := range e.nexthops {
		if n := (Nexthop{o}); int(o.Attrs.number(unix.NHA_OIF)) == d.index {
			list = append(list, n.bare())
		}
	}
	return list
}

// nexthopIDs are the numbers of nexthops, and of the groups that have one of them.
func (e everything) nexthopIDs(list []Nexthop) (ids []uint32) {
	for _, n := range list {
		ids = append(ids, n.id())
	}
	own := len(ids)
	for _, o := range e.nexthops {
		for member := o.Attrs.get(unix.NHA_GROUP); len(member) >= 8; member = member[8:] {
			if slices.Contains(ids[:own], native.Uint32(member)) {
				ids = append(ids, Nexthop{o}.id())
				break
			}
		}
	}
	return ids
}
