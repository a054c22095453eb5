package doctor

import "fmt"

// mtu looks for links of one segment that take packets of different sizes: what one
// guest sends, the other never sees. And for networks whose packets do not fit through
// the uplink; where the outside hides that from the guest, its connections hang.
func (p *Patient) mtu(n *notes) {
	for _, r := range p.networks() {
		bridge := p.Facts.Links[r.Bridge.Name]
		if bridge.MTU == 0 {
			continue
		}
		for _, l := range p.links() {
			if l.Master == bridge.Name && l.MTU > 0 && l.MTU != bridge.MTU {
				f := n.broken(l.Name, "takes packets of %d bytes, and %s of network %s of %d", l.MTU, bridge.Name, r.name, bridge.MTU)
				f.Fix = fmt.Sprintf("ip link set %s mtu %d", l.Name, bridge.MTU)
				if l.Owner() != "" {
					f.Fix, f.Ours = byItself, true
				}
			}
		}
		for _, name := range p.uplinks() {
			if up := p.Facts.Links[name]; r.leaves() && up.MTU > 0 && up.MTU < bridge.MTU && (r.Uplink == "" || r.Uplink == name) {
				n.warn(r.name, "its guests send %d bytes, and the uplink %s takes %d", bridge.MTU, name, up.MTU).Fix =
					fmt.Sprintf("mtu: %d in the definition (kvmnet net edit %s)", up.MTU, r.name)
			}
		}
	}
}
