package doctor

import (
	"kvmnet/internal/api"
	"kvmnet/internal/plan"
)

// drift tells each op that a pass would do now although nobody asked for a change.
func (p *Patient) drift(n *notes) {
	for _, op := range p.Ops {
		var f *api.Finding
		if op.Verb == plan.Del {
			f = n.warn("", "left over: %s", op.Object)
		} else {
			f = n.broken(op.Object.Owner(), "not as wanted: %s", op)
		}
		f.Fix, f.Ours = byItself, true
	}
}

// byItself is the way out of what we can repair.
const byItself = "kvmnet doctor --fix"

// uplink looks for a way out for networks that are to have one. A network that names
// its uplink waits for that one.
func (p *Patient) uplink(n *notes) {
	for _, r := range p.networks() {
		if !r.leaves() {
			continue
		}
		if r.serves(true) && len(p.Facts.Uplinks4) == 0 {
			n.warn(r.name, "the host has no default route for IPv4; guests reach no further than the host").Fix =
				"give the host a default route; kvmnet follows it at once"
		}
		if r.Uplink == "" {
			continue
		}
		if _, there := p.Facts.Links[r.Uplink]; !there {
			n.warn(r.name, "its uplink %s does not exist", r.Uplink).Fix = "kvmnet net edit " + r.name + ", or plug in " + r.Uplink
		}
	}
}

// forwarding looks whether the settings by which packets of guests are forwarded are
// in force, on the bridge and where they leave. The loop sets them; whoever sets them
// back in between is named by the loop's events.
func (p *Patient) forwarding(n *notes) {
	for _, r := range p.networks() {
		if !r.leaves() || !r.serves(true) {
			continue
		}
		for _, link := range append([]string{r.Bridge.Name}, p.Facts.Uplinks4...) {
			if p.setting("ipv4", link, "forwarding") == "0" && !p.Facts.Forwards4 {
				f := n.broken(link, "net.ipv4.conf.%s.forwarding is 0: packets of %s are not forwarded", link, r.name)
				f.Fix, f.Ours = byItself+"; who switches it off is often a line in /etc/sysctl.d", true
			}
		}
	}
}
