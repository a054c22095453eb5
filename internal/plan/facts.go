package plan

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Facts are what Build must know about the host besides the spec. They are
// plain data, so that a decision can be replayed from a printed copy.
type Facts struct {
	HostID   string            // seeds generated addresses; stable on one machine
	Program  string            // fingerprint of our nftables program on this kernel
	Routers  string            // the same in the namespaces of routers
	Borrowed Borrowed          // values before ours, of what is not ours
	Kept     State             // what must stay although its definition cannot be read, see Keep
	UIDs     map[string]string // user name → number, for the owners of taps

	Guests   map[string]map[string][]netip.Addr // network → host name, lower case → addresses
	Acquired map[string]Acquired                // "r1/uplink" → what it got by DHCP
	Leases   map[string][]Leased                // network → the leases of its guests, where a guard asks for them

	Links     map[string]Link     // every link, by name
	Addresses []Addr              // those on links that are not ours, sorted
	Uplinks4  []string            // links with an IPv4 default route, or half of one, that are no network's bridge
	Uplinks6  []string            // the same for IPv6
	LocalNet  map[string]bool     // links on which route_localnet is on
	Isolated  map[string]bool     // ports of bridges that are kept from others
	Former    map[string][]string // port → addresses that its bridge had within the last hour
	Settings  map[string]string   // sysctl path → value, of links that are no network's bridge
	Forwards4 bool                // the whole host forwards IPv4
	Forwards6 bool                // the whole host forwards IPv6
	IPv6      bool                // the kernel has IPv6
	ForceIPv6 bool                // the kernel can forward IPv6 per interface (6.17 and later)
}

// Leased is an address that a guest has by DHCP.
type Leased struct {
	MAC  spec.MAC
	Addr netip.Addr
	Port string // the port it is behind, by its name, or the interface of an adopted one
}

// Borrowed records, for every setting of a foreign object that we changed, the
// value it had before: sysctl paths, "master/<link>" for enslaved links,
// "plugged/<link>" for those that are the port of a guest, and "isolated/<link>" for
// ports of our bridges.
type Borrowed map[string]string

// Learn fills the facts that follow from an observed state. They are those of the
// daemon's own namespace: what is in a router's is ours.
func (f Facts) Learn(have State) Facts {
	f.Links, f.Settings, f.LocalNet = map[string]Link{}, map[string]string{}, map[string]bool{}
	f.Addresses, f.Isolated, f.Former = nil, map[string]bool{}, formerOf(have)
	for i := range Of[Isolation](have) {
		if i.NS == "" {
			f.Isolated[i.Link] = i.On
		}
	}
	for l := range Of[Link](have) {
		if l.NS == "" {
			f.Links[l.Name] = l
		}
	}
	for s := range Of[Sysctl](have) {
		if s.NS == "" {
			f.learnSetting(s)
		}
	}
	for a := range Of[Addr](have) {
		if a.NS == "" && a.Owner() == "" {
			f.Addresses = append(f.Addresses, a)
		}
	}
	slices.SortFunc(f.Addresses, func(a, b Addr) int { return compareKeys(a.Key(), b.Key()) })
	up4, up6 := map[string]bool{}, map[string]bool{}
	for r := range Of[Route](have) {
		switch {
		case r.NS != "":
		case r.Dst.Bits() > 1 || r.Link == "" || f.ofNetwork(r.Link): // VPNs lay two halves over the default route
		case r.Dst.Addr().Is4():
			up4[r.Link] = true
		default:
			up6[r.Link] = true
		}
	}
	f.Uplinks4, f.Uplinks6 = slices.Sorted(maps.Keys(up4)), slices.Sorted(maps.Keys(up6))
	return f
}

func (f *Facts) learnSetting(s Sysctl) {
	if s.Name == "force_forwarding" {
		f.ForceIPv6 = true
	}
	if s.Link == "all" && s.Name == "forwarding" {
		if s.Family == "ipv4" {
			f.Forwards4 = s.Value != "0"
		} else {
			f.IPv6, f.Forwards6 = true, s.Value != "0"
		}
	}
	if s.Name == "route_localnet" && s.Value != "0" {
		f.LocalNet[s.Link] = true
	}
	if !f.ofNetwork(s.Link) {
		f.Settings[s.Path()] = s.Value
	}
}

// ofNetwork reports whether the link is the bridge or a port of a network of
// ours, or a router's end. A host bridge of ours is not: it may well be an uplink.
func (f *Facts) ofNetwork(link string) bool {
	kind, _, _ := strings.Cut(f.Links[link].Owner(), "/")
	return kind == "network" || kind == "port" || kind == "router"
}

// before is the value a foreign sysctl had before we came.
func (f *Facts) before(path string) string {
	if v, ok := f.Borrowed[path]; ok {
		return v
	}
	return f.Settings[path]
}

// Borrow returns the record as it must be on disk before ops of the wanted state
// are applied: what it held, and the present value of every foreign setting the
// wanted state changes for the first time.
func (f Facts) Borrow(want State) Borrowed {
	next := maps.Clone(f.Borrowed)
	if next == nil {
		next = Borrowed{}
	}
	for _, o := range want {
		key, borrows, _ := lent(o)
		if value, known := next[key]; borrows && (!known || f.renewed(key, value)) {
			next[key] = f.current(o)
		}
	}
	return next
}

// Return drops from the record what the wanted state does not borrow any more;
// to be written after its ops succeeded.
func (b Borrowed) Return(want State) Borrowed {
	wanted := map[string]bool{}
	for _, o := range want {
		if key, borrows, _ := lent(o); borrows {
			wanted[key] = true
		}
	}
	kept := Borrowed{}
	for key, v := range b {
		if wanted[key] {
			kept[key] = v
		}
	}
	return kept
}

// lent tells under which key an object is recorded and whether it borrows or
// gives back; both are false for what is ours.
func lent(o Object) (key string, borrows, releases bool) {
	switch o := o.(type) {
	case Sysctl:
		return o.Path(), o.Foreign && !o.Release, o.Release
	case Link:
		if strings.HasPrefix(o.Owner(), "port/") {
			return pluggedKey(o.Name), o.Foreign, false
		}
		return masterKey(o.Name), o.Foreign && !o.Release, o.Release
	case Isolation:
		return isolationKey(o.Link), o.Foreign && !o.Release, o.Release
	}
	return "", false, false
}

func (f *Facts) current(o Object) string {
	switch o := o.(type) {
	case Sysctl:
		return f.Settings[o.Path()]
	case Link:
		if strings.HasPrefix(o.Owner(), "port/") {
			return beforeOf(f.Links[o.Name]).String()
		}
		return f.Links[o.Name].Master
	case Isolation:
		if f.Isolated[o.Link] {
			return "on"
		}
		return "off"
	}
	return ""
}

func masterKey(link string) string { return "master/" + link }
