package hostlink

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// tolerance is by how many seconds two lifetimes may differ and be the same.
const tolerance = 5

// addresses gives the new device its addresses, and takes what it is not to have.
func (m *move) addresses() {
	m.addresses4()
	m.addresses6()
}

// addresses4 keeps the order of addresses: the first one of a subnet is the primary,
// from which the kernel picks, and the others are secondary to it. What follows after
// the first difference is done anew.
func (m *move) addresses4() {
	have, want := m.to.of(unix.AF_INET), m.want.of(unix.AF_INET)
	n := 0
	for n < len(have) && n < len(want) && have[n].content() == want[n].content() {
		n++
	}
	for _, a := range slices.Backward(have[n:]) {
		m.takeAddress(m.to.Name, a)
		m.lose(a)
	}
	for i, a := range want[:n] {
		if !have[i].lastsAs(a) {
			m.add(setAddress("change", m.to.Name, a))
		}
	}
	for _, a := range want[n:] {
		m.add(setAddress("add", m.to.Name, a))
		m.gain(a)
	}
}

// addresses6 begins with the last: the kernel lists the newest first. An address needs
// no duplicate address detection on its way, which would make it unusable for a second
// (RFC 4862, section 5.4): nobody but us has it.
func (m *move) addresses6() {
	for _, a := range m.to.of(unix.AF_INET6) {
		if _, wanted := findAddress(m.want.Addresses, a.id()); !wanted && !a.linkLocal() && !a.kernelOnly() {
			m.add(deleteAddress(m.to.Name, a))
			m.lose(a)
			for _, r := range a.connected() { // perhaps gone; if it is wanted it is given again
				m.add(deleteRoute(m.to.Name, r))
			}
		}
	}
	var fresh []netip.Addr
	for _, a := range slices.Backward(m.want.of(unix.AF_INET6)) {
		have, there := findAddress(m.to.Addresses, a.id())
		switch {
		case a.failed():
		case !there:
			m.addAddress6(a)
			fresh = append(fresh, a.local())
		case have.kernelOnly():
		case have.content() != a.content() || !have.lastsAs(a):
			m.add(setAddress("change", m.to.Name, a.flagged(a.flags()&given)))
			m.gain(a) // the kernel makes its route anew
		}
	}
	if len(fresh) > 0 {
		m.add(settle{m.to.Name, fresh})
	}
}

func (m *move) addAddress6(a Address) {
	if a.kernelOnly() {
		a = a.plain()
	}
	a = a.flagged(a.flags() & given)
	quick := a.flagged(a.flags() | unix.IFA_F_NODAD)
	m.add(setAddress("add", m.to.Name, quick))
	if a.flags() != quick.flags() {
		m.add(setAddress("change", m.to.Name, a)) // which does not begin the detection
	}
	m.gain(a)
}

// plain is what a user can make of an address that only the kernel can make: connections
// go on with it until it ends. A temporary one has no route of its own.
func (a Address) plain() Address {
	flags := a.flags() & given
	if a.temporary() {
		flags |= unix.IFA_F_NOPREFIXROUTE
	}
	return a.flagged(flags)
}

// lastsAs says whether two copies of an address end at the same time.
func (a Address) lastsAs(b Address) bool {
	preferredA, validA := a.lifetimes()
	preferredB, validB := b.lifetimes()
	return near(preferredA, preferredB) && near(validA, validB)
}

func near(a, b uint32) bool {
	if a == forever || b == forever {
		return a == b
	}
	return max(a, b)-min(a, b) <= tolerance
}

// gain and lose note what the kernel does to routes with an address.
func (m *move) gain(a Address) {
	for _, r := range a.connected() {
		m.made.add(r)
	}
}

func (m *move) lose(a Address) {
	for _, r := range a.connected() {
		m.has.remove(r)
	}
}
