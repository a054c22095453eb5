package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"kvmnet/internal/spec"
)

// Kind names a kind of kernel object. The order of the constants is the order
// in which objects are added; deletions run the other way round.
type Kind int

// The kinds of objects.
const (
	KindNetns     Kind = iota // a network namespace
	KindProgram               // our nftables table: chains, rules, empty maps
	KindChain                 // a chain of ours that is made for one object, beside the program's
	KindElement               // an element of one of its maps or sets
	KindBridge                // a bridge
	KindPort                  // a link that can be enslaved: tap, veth, or a foreign device
	KindIsolation             // a port of a bridge that is kept from others
	KindSysctl
	KindAddr
	KindUp // the administrative state of a link, apart so that sysctls precede it
	KindRoute
	KindRule     // a rule of policy routing
	KindShape    // a limit on what a link sends
	KindRedirect // what a link receives or sends goes by way of another
)

// Key identifies an object within a host. NS is the network namespace, "" for
// the daemon's own.
type Key struct {
	NS   string
	Kind Kind
	ID   string
}

// Object is one kernel object, desired or observed. Objects are values,
// comparable with ==, and print as one line in the manner of ip and nft.
type Object interface {
	Key() Key
	// Owner is the spec object it serves, such as "network/lab"; "" is foreign.
	Owner() string
	String() string
}

// Mark is the spec object a kernel object serves, such as "network/lab",
// "port/vm1", "bridge/br0" or "host"; "" marks what is not ours.
type Mark string

// Owner returns the spec object the mark stands for.
func (m Mark) Owner() string { return string(m) }

// Link is a network device.
type Link struct {
	Mark
	NS     string
	Name   string   // ≤15 characters
	Type   string   // bridge, tap, veth, macvlan, macvtap, ifb; for foreign devices whatever the kernel calls it
	MAC    spec.MAC // of a tap or veth of a guest and the host's end of a pair: the other end's
	MTU    int      // bytes; 0 = not managed
	Master string   // bridge it is a port of, "" = none
	Index  int      // observed only
	Parent string   // observed only: veth peer in the same namespace, or the lower device
	Open   bool     // observed only, of a tap: a program has it open (the link has a carrier)

	// Foreign says that the device is somebody else's and only Master is ours
	// to set, because the spec names it, and of a guest's port MTU and MAC. It is
	// never created or deleted.
	Foreign bool
	// Release says that Master is the recorded one, being given back.
	Release bool

	// Bridges only.
	STP          bool
	ForwardDelay spec.Seconds

	// Taps, veths and macvlans only, used at creation and, but for Lower, not compared.
	Peer     string // name of the other end of a veth
	PeerNS   string // namespace of the other end, where that is another one
	Lower    string // macvlan, macvtap: the NIC below it, which is in the daemon's own namespace
	TapOwner string // user number that may open the tap, "" = root
	Queues   int    // pairs of queues the tap may be opened with; 0 = 1

	Sharing string // macvtap: who hears it, as spec.DirectMode; "" = not managed
}

// Key implements Object.
func (l Link) Key() Key {
	if l.Type == "bridge" && !l.Foreign {
		return Key{l.NS, KindBridge, l.Name}
	}
	return Key{l.NS, KindPort, l.Name}
}

// String prints the managed fields of the link.
func (l Link) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "link %s type %s", l.Name, l.Type)
	word(&b, "mac", l.MAC.String())
	if l.MTU > 0 {
		fmt.Fprintf(&b, " mtu %d", l.MTU)
	}
	word(&b, "master", l.Master)
	word(&b, "lower", l.Lower)
	word(&b, "mode", l.Sharing)
	if l.Type == "bridge" && l.STP {
		fmt.Fprintf(&b, " stp on forward_delay %s", l.ForwardDelay)
	}
	word(&b, "owner", l.Owner())
	return b.String()
}

func word(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, " %s %s", name, value)
	}
}

// Up is the administrative state of a link: the object exists while it is up.
type Up struct {
	Mark
	NS, Link string
	Down     bool // of a wanted one: the link, which is not ours, is to be down
}

// Key implements Object.
func (u Up) Key() Key { return Key{u.NS, KindUp, u.Link} }

func (u Up) String() string {
	if u.Down {
		return "link " + u.Link + " down"
	}
	return "link " + u.Link + " up"
}

// Addr is an address on a link.
type Addr struct {
	Mark
	NS, Link string
	Prefix   netip.Prefix // address and length, host bits kept

	// Deprecated says that nobody is to take it for the source of what he sends: an
	// IPv6 address that is held for guests. Heeded at creation, and not compared.
	Deprecated bool
}

// Key implements Object.
func (a Addr) Key() Key { return Key{a.NS, KindAddr, a.Link + " " + a.Prefix.String()} }

func (a Addr) String() string {
	text := fmt.Sprintf("addr %s dev %s", a.Prefix, a.Link)
	if a.Deprecated {
		text += " deprecated"
	}
	return text
}

// Route is a route.
type Route struct {
	Mark
	NS     string
	Table  int          // 0 = main; others are seen in namespaces of routers only
	Type   string       // "" = unicast; blackhole, unreachable; local, of table 255
	Dst    netip.Prefix // 0.0.0.0/0 and ::/0 are the default routes
	Via    netip.Addr   // zero = on link
	Link   string       // "" for types that lead nowhere
	Metric int
}

// Key implements Object.
func (r Route) Key() Key {
	id := fmt.Sprintf("%s metric %d dev %s via %s", r.Dst, r.Metric, r.Link, r.Via)
	if r.Table != 0 || r.Type != "" {
		id += fmt.Sprintf(" table %d %s", r.Table, r.Type)
	}
	return Key{r.NS, KindRoute, id}
}

func (r Route) String() string {
	var b strings.Builder
	b.WriteString("route")
	if r.Type != "" {
		b.WriteString(" " + r.Type)
	}
	b.WriteString(" " + r.Dst.String())
	if r.Via.IsValid() {
		fmt.Fprintf(&b, " via %s", r.Via)
	}
	word(&b, "dev", r.Link)
	if r.Table != 0 {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.Metric > 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

// Sysctl is a kernel setting of one interface, or of all of a namespace.
type Sysctl struct {
	Mark
	NS     string
	Family string // ipv4 or ipv6
	Link   string // an interface, "all" or "default"
	Name   string // forwarding, arp_ignore, …
	Value  string

	// Foreign says that the interface is somebody else's: the value before is
	// recorded first (see Borrow) and given back when nobody needs ours any more.
	Foreign bool
	// Release says that Value is the recorded one, being given back.
	Release bool
}

// Key implements Object.
func (s Sysctl) Key() Key { return Key{s.NS, KindSysctl, s.Path()} }

// Path is the setting's path below /proc/sys. Slashes, because an interface
// name may contain dots.
func (s Sysctl) Path() string { return "net/" + s.Family + "/conf/" + s.Link + "/" + s.Name }

func (s Sysctl) String() string { return "sysctl " + s.Path() + " = " + s.Value }

// Program is our nftables table without its elements. Fingerprint is a digest of
// the rules as the kernel holds them, counters apart.
type Program struct {
	NS          string
	Fingerprint string
}

// Key implements Object.
func (p Program) Key() Key { return Key{p.NS, KindProgram, "inet kvmnet"} }

// Owner implements Object. The host's table is no network's; that of a namespace
// is its router's, which has the same name.
func (p Program) Owner() string {
	if p.NS != "" {
		return routerOwner(p.NS)
	}
	return "host"
}

func (p Program) String() string { return "table inet kvmnet program " + p.Fingerprint }

// Element is one element of a map or set of our table, in nft's own words:
// Map from, Key lab0, Value "jump from_nat" (empty in a set).
type Element struct {
	Mark
	NS, Map string
	ID      string // the element's key as nft prints it, concatenations with " . "
	Value   string
}

// Key implements Object.
func (e Element) Key() Key { return Key{e.NS, KindElement, e.Map + " " + e.ID} }

func (e Element) String() string {
	if e.Value == "" {
		return fmt.Sprintf("element %s { %s }", e.Map, e.ID)
	}
	return fmt.Sprintf("element %s { %s : %s }", e.Map, e.ID, e.Value)
}
