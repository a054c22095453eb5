package spec

import "net/netip"

// Forward leads connections from outside to a guest: those to a port, or a range
// of ports, of the host or a router; or, as a floating address, all those to an
// address, which is then the guest's own outside.
type Forward struct {
	Description string     `yaml:"description,omitempty" json:"description,omitempty"`
	Network     string     `yaml:"network" json:"network"`                       // the guest's
	Router      string     `yaml:"router,omitempty" json:"router,omitempty"`     // that listens; "" = the one with an interface on the network, or the host
	Protocol    Protocol   `yaml:"protocol,omitempty" json:"protocol,omitempty"` // tcp, udp or sctp; "" = tcp
	Listen      Listen     `yaml:"listen,omitempty" json:"listen,omitzero"`      // 8080, 2000-2999, 192.0.2.5:8080
	Floating    netip.Addr `yaml:"floating,omitempty" json:"floating,omitzero"`  // in place of protocol and listen
	To          Target     `yaml:"to" json:"to,omitzero"`                        // vm1:80, 10.9.0.5:443, vm1
}

// Protocol is a transport protocol, or what policies treat as one.
type Protocol string

// The protocols.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp"
	ICMP Protocol = "icmp" // of both families; policies only
)

// Listen is where a forward waits: ports, of one address or of all that the host
// or router has. Written "8080", "2000-2999", "192.0.2.5:8080" or "[2001:db8::5]:80".
type Listen struct {
	Addr  netip.Addr // zero = all
	Ports PortRange
}

// Target is where a forward leads: a guest by name or address, and the port that
// the first of the ports it listens on is there. Written "vm1", "vm1:80",
// "10.9.0.5:80" or "[fd00::5]:80".
type Target struct {
	Name string     // host name of a guest on the network; "" = Addr
	Addr netip.Addr // zero = Name
	Port uint16     // 0 = the same as outside
}
