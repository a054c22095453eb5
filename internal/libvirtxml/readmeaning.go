package libvirtxml

import (
	"fmt"
	"slices"
	"strings"
)

// meanings finds values that libvirt takes for something else, or for nothing.
func (w *noter) meanings(root *node) {
	for _, look := range []func(*node){w.aboutNetwork, w.aboutDomain, w.aboutBridge, w.aboutForward, w.aboutMetadata} {
		look(root)
	}
	for _, ip := range root.elements("ip") {
		w.aboutIP(ip)
	}
	for _, g := range root.elements("portgroup") {
		if a, has := g.attribute("default"); has && !strings.EqualFold(a.value, "yes") && a.value != "no" {
			w.say(a.valueAt, "write yes or no", "default='%s' means no", a.value)
		}
	}
}

func (w *noter) aboutNetwork(root *node) {
	if title := first(root.elements("title")); strings.Contains(title.content(), "\n") {
		w.say(title.at, "put the rest into <description>", "the title is ignored: it has more than one line")
	}
	mac := first(root.elements("mac"))
	if address, ok := parseMAC(mac.own("address")); ok && address.IsZero() {
		w.say(mac.place("address"), "", "the address of zeros counts as none, another is made up")
	}
}

func (w *noter) aboutDomain(root *node) {
	domain := first(root.elements("domain"))
	if domain == nil {
		return
	}
	register, has := domain.attribute("register")
	switch {
	case !domain.has("name"):
		w.say(domain.at, "", "<domain> is ignored: it has no name")
	case has && register.value != "yes" && register.value != "no":
		w.say(register.valueAt, "write yes or no", "register='%s' is ignored", register.value)
	case register.value == "yes" && domain.value("localOnly") != "yes":
		w.say(register.valueAt, "add localOnly='yes'", "register='yes' is ignored: it needs localOnly='yes'")
	}
}

func (w *noter) aboutBridge(root *node) {
	bridge := first(root.elements("bridge"))
	if stp := bridge.own("stp"); stp != "" && stp != "on" && stp != "off" {
		w.say(bridge.place("stp"), "write on or off", "stp='%s' means on", stp)
	}
}

// aboutForward looks at devices of which another list counts, and at what a mode has
// no use for.
func (w *noter) aboutForward(root *node) {
	f := first(root.elements("forward"))
	if f == nil {
		return
	}
	lists := [][]*node{f.elements("interface"), f.elements("address"), f.elements("pf")}
	if f.own("dev") != "" && len(lists[0]) == 0 {
		lists[0] = []*node{f}
	}
	counts := slices.IndexFunc(lists, func(list []*node) bool { return len(list) > 0 })
	for i, list := range lists {
		for _, c := range list {
			if i > counts {
				w.say(c.at, "", "<%s> is ignored: devices are listed by <%s> already", c.name, lists[counts][0].name)
			}
		}
	}
	if f.own("mode") == "none" && counts >= 0 {
		w.say(f.at, "remove <forward> for an isolated network", "mode='none' makes no use of devices")
	}
	if a, has := f.attribute("managed"); has && f.own("mode") != "hostdev" {
		w.say(a.at, "", "managed is ignored: it is for mode hostdev")
	}
}

func (w *noter) aboutMetadata(root *node) {
	seen := map[string]bool{}
	m := first(root.elements("metadata"))
	for _, a := range append(m.allAttributes(), m.texts()...) {
		w.say(a.at, "", "%s in <metadata> is not kept", a.name)
	}
	for _, c := range m.inside(func(*node) bool { return true }) {
		name := fullName(c.prefix, c.name)
		switch {
		case c.space == "":
			w.say(c.at, fmt.Sprintf("write <%s xmlns='…'>", name), "<%s> in <metadata> is not kept: it has no namespace", name)
		case seen[c.space]:
			w.say(c.at, "put both into one element", "<%s> in <metadata> is not kept: there is an element of the namespace %s already", name, c.space)
		}
		seen[c.space] = true
	}
}

// allAttributes are the attributes of an element, each with a word for a note.
func (n *node) allAttributes() []attr {
	if n == nil {
		return nil
	}
	var found []attr
	for _, a := range n.attrs {
		found = append(found, attr{name: "the attribute " + fullName(a.prefix, a.name), at: a.at})
	}
	return found
}

// texts are the texts directly inside, each with a word for a note.
func (n *node) texts() []attr {
	if n == nil {
		return nil
	}
	var found []attr
	for _, c := range n.children {
		if c.isText() && strings.TrimSpace(c.text) != "" {
			found = append(found, attr{name: "text", at: c.at})
		}
	}
	return found
}

// aboutIP looks at an address and what it serves.
func (w *noter) aboutIP(ip *node) {
	if a, has := ip.attribute("prefix"); has && strings.Trim(a.value, "0 +") == "" {
		w.say(a.valueAt, "write the number of bits of the subnet", "prefix='%s' counts as none: the subnet is that of the address's class", a.value)
	}
	if tftp := first(ip.elements("tftp")); tftp != nil && tftp.own("root") == "" {
		w.say(tftp.at, "write <tftp root='/srv/tftp'/>", "<tftp> is ignored: it has no root")
	}
	dhcp := first(ip.elements("dhcp"))
	for _, b := range dhcp.named("bootp") {
		switch {
		case ip.own("family") == "ipv6":
			w.say(b.at, "", "<bootp> is ignored: it is for IPv4")
		case !b.has("file"):
			w.say(b.at, "write <bootp file='pxelinux.0'/>", "<bootp> is ignored: it names no file")
		case len(dhcp.named("range"))+len(dhcp.named("host")) == 0:
			w.say(b.at, "add a <range>", "<bootp> has no effect: nobody gets an address here")
		}
	}
	for _, c := range append(dhcp.named("range"), dhcp.named("host")...) {
		for _, lease := range c.named("lease") {
			if !lease.has("expiry") {
				w.say(lease.at, "write <lease expiry='…'/>", "<lease> is ignored: it has no expiry")
			}
		}
	}
}
