package libvirtxml

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/xmltree"
)

// meanings finds values that libvirt takes for something else, or for nothing.
func (w *noter) meanings(root *xmltree.Node) {
	for _, look := range []func(*xmltree.Node){w.aboutNetwork, w.aboutDomain, w.aboutBridge, w.aboutForward, w.aboutMetadata} {
		look(root)
	}
	for _, ip := range root.Elements("ip") {
		w.aboutIP(ip)
	}
	for _, g := range root.Elements("portgroup") {
		if a, has := g.Attribute("default"); has && !strings.EqualFold(a.Value, "yes") && a.Value != "no" {
			w.say(a.ValueAt, "write yes or no", "default='%s' means no", a.Value)
		}
	}
}

func (w *noter) aboutNetwork(root *xmltree.Node) {
	if title := root.Element("title"); strings.Contains(title.Content(), "\n") {
		w.say(title.At, "put the rest into <description>", "the title is ignored: it has more than one line")
	}
	mac := root.Element("mac")
	if address, ok := parseMAC(mac.Own("address")); ok && address.IsZero() {
		w.say(mac.Place("address"), "", "the address of zeros counts as none, another is made up")
	}
}

func (w *noter) aboutDomain(root *xmltree.Node) {
	domain := root.Element("domain")
	if domain == nil {
		return
	}
	register, has := domain.Attribute("register")
	switch {
	case !domain.Has("name"):
		w.say(domain.At, "", "<domain> is ignored: it has no name")
	case has && register.Value != "yes" && register.Value != "no":
		w.say(register.ValueAt, "write yes or no", "register='%s' is ignored", register.Value)
	case register.Value == "yes" && domain.Value("localOnly") != "yes":
		w.say(register.ValueAt, "add localOnly='yes'", "register='yes' is ignored: it needs localOnly='yes'")
	}
}

func (w *noter) aboutBridge(root *xmltree.Node) {
	bridge := root.Element("bridge")
	if stp := bridge.Own("stp"); stp != "" && stp != "on" && stp != "off" {
		w.say(bridge.Place("stp"), "write on or off", "stp='%s' means on", stp)
	}
}

// aboutForward looks at devices of which another list counts, and at what a mode has
// no use for.
func (w *noter) aboutForward(root *xmltree.Node) {
	f := root.Element("forward")
	if f == nil {
		return
	}
	lists := [][]*xmltree.Node{f.Elements("interface"), f.Elements("address"), f.Elements("pf")}
	if f.Own("dev") != "" && len(lists[0]) == 0 {
		lists[0] = []*xmltree.Node{f}
	}
	counts := slices.IndexFunc(lists, func(list []*xmltree.Node) bool { return len(list) > 0 })
	for i, list := range lists {
		for _, c := range list {
			if i > counts {
				w.say(c.At, "", "<%s> is ignored: devices are listed by <%s> already", c.Name, lists[counts][0].Name)
			}
		}
	}
	if f.Own("mode") == "none" && counts >= 0 {
		w.say(f.At, "remove <forward> for an isolated network", "mode='none' makes no use of devices")
	}
	if a, has := f.Attribute("managed"); has && f.Own("mode") != "hostdev" {
		w.say(a.At, "", "managed is ignored: it is for mode hostdev")
	}
}

func (w *noter) aboutMetadata(root *xmltree.Node) {
	seen := map[string]bool{}
	m := root.Element("metadata")
	for _, a := range append(allAttributes(m), texts(m)...) {
		w.say(a.At, "", "%s in <metadata> is not kept", a.Name)
	}
	for _, c := range m.Inside(func(*xmltree.Node) bool { return true }) {
		name := c.FullName()
		switch {
		case c.Space == "":
			w.say(c.At, fmt.Sprintf("write <%s xmlns='…'>", name), "<%s> in <metadata> is not kept: it has no namespace", name)
		case seen[c.Space]:
			w.say(c.At, "put both into one element", "<%s> in <metadata> is not kept: there is an element of the namespace %s already", name, c.Space)
		}
		seen[c.Space] = true
	}
}

// allAttributes are the attributes of an element, each with a word for a note.
func allAttributes(n *xmltree.Node) []xmltree.Attr {
	if n == nil {
		return nil
	}
	var found []xmltree.Attr
	for _, a := range n.Attrs {
		found = append(found, xmltree.Attr{Name: "the attribute " + a.FullName(), At: a.At})
	}
	return found
}

// texts are the texts directly inside, each with a word for a note.
func texts(n *xmltree.Node) []xmltree.Attr {
	if n == nil {
		return nil
	}
	var found []xmltree.Attr
	for _, c := range n.Children {
		if c.IsText() && strings.TrimSpace(c.Text) != "" {
			found = append(found, xmltree.Attr{Name: "text", At: c.At})
		}
	}
	return found
}

// aboutIP looks at an address and what it serves.
func (w *noter) aboutIP(ip *xmltree.Node) {
	if a, has := ip.Attribute("prefix"); has && strings.Trim(a.Value, "0 +") == "" {
		w.say(a.ValueAt, "write the number of bits of the subnet", "prefix='%s' counts as none: the subnet is that of the address's class", a.Value)
	}
	if tftp := ip.Element("tftp"); tftp != nil && tftp.Own("root") == "" {
		w.say(tftp.At, "write <tftp root='/srv/tftp'/>", "<tftp> is ignored: it has no root")
	}
	dhcp := ip.Element("dhcp")
	for _, b := range dhcp.Named("bootp") {
		switch {
		case ip.Own("family") == "ipv6":
			w.say(b.At, "", "<bootp> is ignored: it is for IPv4")
		case !b.Has("file"):
			w.say(b.At, "write <bootp file='pxelinux.0'/>", "<bootp> is ignored: it names no file")
		case len(dhcp.Named("range"))+len(dhcp.Named("host")) == 0:
			w.say(b.At, "add a <range>", "<bootp> has no effect: nobody gets an address here")
		}
	}
	for _, c := range append(dhcp.Named("range"), dhcp.Named("host")...) {
		for _, lease := range c.Named("lease") {
			if !lease.Has("expiry") {
				w.say(lease.At, "write <lease expiry='…'/>", "<lease> is ignored: it has no expiry")
			}
		}
	}
}
