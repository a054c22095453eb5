package hostlink

import (
	"encoding/json"
	"time"

	"kvmnet/internal/spec"
)

// State is all that an interface has in the kernel. Objects are as the kernel told
// them, but for their device: an index of 0, or a name that is empty, is the interface
// itself. It is kept as JSON within a boot; a secret may be in it.
type State struct {
	Name  string        `json:"name"`
	Index int           `json:"index"`
	Taken time.Duration `json:"taken"` // since the boot

	Link       Link              `json:"link"`
	Addresses  []Address         `json:"addresses,omitempty"`
	Routes     []Route           `json:"routes,omitempty"` // all of them but those that come with an address or a link of themselves
	Nexthops   []Nexthop         `json:"nexthops,omitempty"`
	Rules      []Rule            `json:"rules,omitempty"`
	Neighbours []Neighbour       `json:"neighbours,omitempty"`
	Groups     []Group           `json:"groups,omitempty"`
	Settings   map[string]string `json:"settings,omitempty"` // "ipv4/conf/rp_filter": below /proc/sys/net, without the name
	Defaults   map[string]string `json:"defaults,omitempty"` // the settings of an interface that comes next
	Ports      []string          `json:"ports,omitempty"`    // of a bridge
	Cables     []string          `json:"cables,omitempty"`   // those of them that are hardware

	// DNS is what the resolver holds for the interface. Whoever asks the resolver
	// fills it in; it travels with the rest.
	DNS json.RawMessage `json:"dns,omitempty"`

	// With is the bridge to which the interface is to move, or from which. Bridge is
	// that, nil while it is not there.
	With   string `json:"with,omitempty"`
	Bridge *State `json:"bridge,omitempty"`
}

// Link is the interface itself.
type Link struct {
	Kind      string   `json:"kind,omitempty"` // "" is hardware
	Hardware  uint16   `json:"hardware"`       // ARPHRD_…
	MAC       spec.MAC `json:"mac,omitzero"`
	Permanent spec.MAC `json:"permanent,omitzero"`
	MTU       int      `json:"mtu"`
	Queue     int      `json:"queue,omitempty"` // txqueuelen
	Flags     uint32   `json:"flags"`           // IFF_…
	Alias     string   `json:"alias,omitempty"`
	Group     uint32   `json:"group,omitempty"`
	Master    string   `json:"master,omitempty"`
	Lower     string   `json:"lower,omitempty"`  // of a VLAN
	Uppers    []Upper  `json:"uppers,omitempty"` // VLANs, macvlans and others on top
	Wireless  bool     `json:"wireless,omitempty"`
	Qdisc     string   `json:"qdisc,omitempty"`
	LRO       bool     `json:"lro,omitempty"`       // large receive offload, which no port of a bridge may have
	Ready     bool     `json:"ready,omitempty"`     // IPv6 has begun: there was a carrier since it came up
	Multicast bool     `json:"multicast,omitempty"` // it has the route of IPv6 for multicast
	Token     []byte   `json:"token,omitempty"`     // IPv6 (draft-chown-6man-tokenised-ipv6-identifiers)
	Details   Attrs    `json:"details,omitempty"`
}

// Upper is an interface on top of another, with what it loses when the MAC or the MTU
// of the other changes.
type Upper struct {
	Name       string            `json:"name"`
	Kind       string            `json:"kind"`
	MAC        spec.MAC          `json:"mac,omitzero"`
	MTU        int               `json:"mtu,omitempty"`
	Neighbours []Neighbour       `json:"neighbours,omitempty"`
	Announces  map[string]string `json:"announces,omitempty"` // whether it tells of a new MAC: settings
}

// Group is a multicast address an interface listens to.
type Group struct {
	Address string `json:"address"`          // an IP address, or a link-layer address
	Static  bool   `json:"static,omitempty"` // of the link layer, by hand
}

// up says whether somebody wants the interface to carry packets.
func (s State) up() bool { return s.Link.Flags&flagUp != 0 }

// of lists the addresses of one family.
func (s State) of(family uint8) (list []Address) {
	for _, a := range s.Addresses {
		if a.family() == family {
			list = append(list, a)
		}
	}
	return list
}
