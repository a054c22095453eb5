package cli

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirthost"
)

// What becomes of a network of libvirt.
const (
	resultReady    = "ready"
	resultKnown    = "already imported"
	resultConflict = "conflict"
	resultTaken    = "imported"
	resultStarted  = "started"
)

// candidate is a network of libvirt on its way here.
type candidate struct {
	Name      string   `json:"name"`
	Mode      string   `json:"mode,omitempty"`
	Bridge    string   `json:"bridge,omitempty"`
	Subnets   []string `json:"subnets,omitempty"`
	Autostart bool     `json:"autostart"`
	Active    bool     `json:"active"` // libvirt runs it
	Leases    int      `json:"leases"`
	Result    string   `json:"result"`
	Differs   []string `json:"differs,omitempty"`  // what is not as in libvirt
	Problems  []string `json:"problems,omitempty"` // why it is not taken, or cannot start

	from    libvirthost.Network
	leases  []api.Lease
	uuid    string
	managed bool // it makes its bridge
	known   bool // was imported before
	runs    bool // here
}

// compare finds what another file has, too, as in a folder that no libvirt wrote.
func (c *candidate) compare(before []*candidate) {
	for _, other := range before {
		if c.Result == resultReady && other.Result != resultConflict {
			if what := c.shares(other); what != "" {
				c.Result, c.Problems = resultConflict, []string{other.from.XML.Name + " defines a network of this " + what + ", too"}
			}
		}
	}
}

// shares tells what two networks have that only one may have.
func (c *candidate) shares(other *candidate) string {
	switch {
	case c.Name == other.Name:
		return "name"
	case c.uuid != "" && c.uuid == other.uuid:
		return "UUID"
	case c.managed && other.managed && c.Bridge == other.Bridge:
		return "bridge"
	}
	return ""
}

// take notes what the daemon made of the definition.
func (c *candidate) take(n api.Defined) {
	c.Name, c.Mode, c.Bridge = n.Name, string(n.Spec.Mode), n.Spec.Bridge.Name
	c.uuid, c.managed = n.Spec.UUID, n.Spec.Mode.Managed()
	if n.Spec.Direct != nil {
		c.Bridge = strings.Join(n.Spec.Direct.Devices, ",")
	}
	for _, s := range n.Spec.Subnets {
		c.Subnets = append(c.Subnets, s.Address.String())
	}
	for _, p := range n.Notes {
		c.Differs = append(c.Differs, placed(p))
	}
}

// hinder notes what keeps a network from starting here, and the way out where it is
// libvirt. It is a conflict only when it is to be started at once.
func (c *candidate) hinder(i importing, problems []string) {
	c.Problems = problems
	if len(problems) > 0 && i.start {
		c.Result = resultConflict
	}
	if !i.here() {
		return
	}
	var ways []string
	if c.Active && len(problems) > 0 {
		ways = append(ways, "virsh net-destroy "+c.from.Name)
	}
	if c.Autostart {
		ways = append(ways, "virsh net-autostart --disable "+c.from.Name)
	}
	if len(ways) > 0 {
		c.Problems = append(c.Problems, "before it starts here, have libvirt leave it alone: "+strings.Join(ways, "; "))
	}
}

// row is a line of the table, with so many subnets as a line has room for.
func (c *candidate) row(wide bool) []string {
	subnets := c.Subnets
	if !wide && len(subnets) > fewSubnets+1 {
		subnets = append(slices.Clone(subnets[:fewSubnets]), fmt.Sprintf("+%d", len(subnets)-fewSubnets))
	}
	return []string{c.Name, c.Mode, c.Bridge, strings.Join(subnets, ","), yesNo(c.Autostart), yesNo(c.Active), fmt.Sprint(c.Leases), c.Result}
}

// fewSubnets is how many of them a narrow table shows at least.
const fewSubnets = 2
