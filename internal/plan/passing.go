package plan

import "kvmnet/internal/spec"

// passing tells the program the bridges of a host that forwards, and their own
// addresses: what is sent to another one there is not sent to the host.
func (b *builder) passing() {
	if !b.lay.hostForwards() {
		return
	}
	bridges := map[string]spec.MAC{}
	for name, l := range b.facts.Links {
		if l.Type == "bridge" {
			bridges[name] = l.MAC
		}
	}
	for l := range Of[Link](b.want) {
		if l.NS == "" && l.Type == "bridge" && !l.MAC.IsZero() {
			bridges[l.Name] = l.MAC
		}
	}
	for name, mac := range bridges {
		if !mac.IsZero() {
			b.want.Add(Element{Mark: "host", Map: "switches", ID: name}, Element{Mark: "host", Map: "own", ID: name + " . " + mac.String()})
		}
	}
}

// hostForwards reports whether the host listens for a forward.
func (l *layout) hostForwards() bool {
	for _, f := range sorted(l.live.Forwards) {
		if e := l.listens(f); e != nil && e.ns == "" {
			return true
		}
	}
	return false
}
