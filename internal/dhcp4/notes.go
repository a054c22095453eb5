package dhcp4

import (
	"cmp"
	"fmt"

	"kvmnet/internal/lease"
)

// occupied notes why a reserved address cannot be had.
func (d *desk) occupied(r *reservation) {
	text := fmt.Sprintf("%s is reserved for %s, which gets another address: ", r.Addr, cmp.Or(r.Name, d.q.chaddr.String()))
	switch l, _ := d.v.At(r.Addr); {
	case !l.Addr.IsValid():
		text += "it was offered to another client"
	case l.State == lease.Declined:
		text += "it is in quarantine because somebody else was seen to use it"
	default:
		text += fmt.Sprintf("it is leased to %s; end that lease or wait for its end", l.MAC)
	}
	d.notes = append(d.notes, note{"reserved " + r.Addr.String(), text})
}

// exhausted tells that a scope has nothing left.
func (d *desk) exhausted(s *scope) note {
	text := fmt.Sprintf("no free address in %s: all %d are leased", s.Prefix, s.size())
	if len(s.Ranges) == 0 {
		text = fmt.Sprintf("no address in %s for %s: only reserved ones are given", s.Prefix, d.q.chaddr)
	}
	return note{"exhausted " + s.Prefix.String(), text}
}

func portFull(port string, limit int) note {
	return note{"limit " + port, fmt.Sprintf("the guests behind port %s have %d addresses, as many as they may: raise perPort if that is too few", cmp.Or(port, "(not known)"), limit)}
}
