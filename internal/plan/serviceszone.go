package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Zones are the zones whose names are the network's: its domain, if it has one, and
// the reverse zones of its prefixes.
func (d *DNS) Zones() []string {
	zones := d.ReverseZones()
	if d.Domain != "" {
		zones = append(zones, d.Domain)
	}
	return zones
}

// ReverseZones are the zones of the names of the network's addresses.
func (d *DNS) ReverseZones() []string {
	var zones []string
	for _, p := range d.Reverse {
		zones = append(zones, reverseZones(p)...)
	}
	return zones
}

// reverseZones are the zones that hold the names of a prefix's addresses and of no
// others: one where the prefix ends between octets (in IPv6 nibbles) of the name,
// else up to 128 (in IPv6 8) of the next length.
func reverseZones(p netip.Prefix) []string {
	step := 8
	if p.Addr().Is6() {
		step = 4
	}
	bits := (p.Bits() + step - 1) / step * step
	first := p.Masked().Addr().AsSlice()
	var zones []string
	for i := range 1 << (bits - p.Bits()) {
		b := slices.Clone(first)
		if bits > 0 {
			b[bits/8-1+bits%8/4] |= byte(i) << (bits % 8)
		}
		zones = append(zones, reverseZone(b, bits/step))
	}
	return zones
}

// reverseZone names the zone of the first labels of an address.
func reverseZone(address []byte, labels int) string {
	var b strings.Builder
	for i := labels - 1; i >= 0; i-- {
		if len(address) == 4 {
			fmt.Fprintf(&b, "%d.", address[i])
		} else {
			fmt.Fprintf(&b, "%x.", address[i/2]>>(4-i%2*4)&15)
		}
	}
	if len(address) == 4 {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
