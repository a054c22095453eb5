package plan

import (
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// formerMAC is the map of addresses that bridges had: "vnet0 . old : port's own".
const formerMAC = "former"

// former wants rows by which a bridge goes on hearing to the address it had, when it
// gets another one: guests go on sending to what they remember. What is sent there is
// readdressed to the port itself, which the bridge takes in as well, at every instant.
// The kernel removes the rows after an hour, and what is gone is not wanted any more. A
// port that is plugged in later has none.
func (b *builder) former() {
	guests := map[string]bool{}
	for _, p := range b.live.Ports {
		guests[p.MAC.String()] = true
	}
	ports := b.pluggedIn()
	for name, n := range sorted(b.live.Networks) {
		if !n.Mode.Managed() {
			continue
		}
		now := b.networkMAC(name, n).String()
		for _, port := range ports[n.Bridge.Name] {
			bridge := b.facts.Links[b.facts.Links[port].Master]
			if bridge.Owner() != "network/"+name {
				continue
			}
			for _, mac := range append(slices.Clone(b.facts.Former[port]), bridge.MAC.String()) {
				if mac != "" && mac != now && !guests[mac] {
					b.hears(name, n, port, mac)
				}
			}
		}
	}
}

func (b *builder) hears(name string, n *spec.Network, port, mac string) {
	own := b.facts.Links[port].MAC
	if l, ours := b.want[Key{"", KindPort, port}].(Link); ours && l.Owner() != "" {
		own = portMAC(l)
	}
	if own.IsZero() {
		return
	}
	b.want.Add(Element{Mark: Mark("network/" + name), Map: formerMAC, ID: port + " . " + mac, Value: own.String()})
	if b.lay.hostForwards() {
		b.want.Add(Element{Mark: "host", Map: "own", ID: n.Bridge.Name + " . " + own.String()}) // see passing
	}
}

// formerOf reads the rows that are there.
func formerOf(have State) map[string][]string {
	list := map[string][]string{}
	for e := range Of[Element](have) {
		if port, mac, ok := strings.Cut(e.ID, " . "); ok && e.NS == "" && e.Map == formerMAC {
			list[port] = append(list[port], mac)
		}
	}
	for _, macs := range list {
		slices.Sort(macs)
	}
	return list
}
