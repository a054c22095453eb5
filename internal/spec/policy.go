package spec

// Policy says who may open connections to whom. Answers belong to a connection
// and need no policy. Of all policies that fit the one with the smallest priority
// decides, and of those with the same the first by name; in one policy deny comes
// before reject, and reject before allow. Where none fits the network's default
// decides (Network.Policy).
type Policy struct {
	Description string    `yaml:"description,omitempty" json:"description,omitempty"`
	From        Parties   `yaml:"from" json:"from"`
	To          Parties   `yaml:"to" json:"to"`
	Priority    int       `yaml:"priority,omitempty" json:"priority,omitempty"` // 1–10000; 0 = DefaultPriority
	Deny        []Traffic `yaml:"deny,omitempty" json:"deny,omitempty"`         // dropped in silence
	Reject      []Traffic `yaml:"reject,omitempty" json:"reject,omitempty"`     // refused with an answer
	Allow       []Traffic `yaml:"allow,omitempty" json:"allow,omitempty"`
	Log         bool      `yaml:"log,omitempty" json:"log,omitempty"` // to the kernel log as well, at most 10 a second
}

// DefaultPriority is the priority of policies that name none.
const DefaultPriority = 100

// Parties are one or several of: a network (lab), all addresses of its guests
// (lab/guests), its gateway (lab/gateway), a router (router/r1), a set
// (set/office), an address or prefix (10.0.0.0/8), everything that is not a network of
// ours (outside), and everything (any). Written as a word or as a list.
type Parties string

// Any is every party.
const Any = "any"

// Outside is every party that is no network of ours.
const Outside = "outside"

// Traffic is a kind of connection. Empty it is every kind.
type Traffic struct {
	Protocol Protocol   `yaml:"protocol,omitempty" json:"protocol,omitempty"` // "" = all; with ports tcp and udp
	Ports    PortRanges `yaml:"ports,omitempty" json:"ports,omitempty"`       // of the destination; none = all
	To       Prefixes   `yaml:"to,omitempty" json:"to,omitempty"`             // destinations; none = all
}

// AddressSet is a name for addresses, for policies.
type AddressSet struct {
	Description string   `yaml:"description,omitempty" json:"description,omitempty"`
	Addresses   Prefixes `yaml:"addresses" json:"addresses"` // addresses and prefixes of both families
}

// Stance is what becomes of connections that no policy decides.
type Stance string

// The stances.
const (
	StanceOpen     Stance = "open"     // guests open connections to the outside, and the outside to them
	StanceOutbound Stance = "outbound" // guests open connections to the outside, nobody to them
	StanceIsolated Stance = "isolated" // neither
)
