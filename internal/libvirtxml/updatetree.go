package libvirtxml

import (
	"maps"
	"slices"

	"kvmnet/internal/xmltree"
)

// place is where the elements of a section are. Such a section is changed in the
// dump, which is then read again: it is right when a definition of it is.
type place struct {
	inside string   // forward, dns, ip, dhcp; "" = the network itself
	keys   []string // attributes that tell several apart; none = there is at most one
	second string   // the attribute that tells those apart whose keys are the same
}

// edit changes a section by our own rules: what there is once is added when it is not
// there; modify puts the new element in the place of the old one; delete takes the
// only one away that has all attributes that are written.
func (c *change) edit() error {
	if err := c.expect(); err != nil {
		return err
	}
	if c.node.Space != "" {
		return refuse(c.node.At, classXML, "unexpected namespace '%s' of element <%s>, while updating network '%s'", c.node.Space, c.node.Name, c.Name)
	}
	root, _, err := readElement(c.Format(), networkLabel)
	if err != nil {
		return err
	}
	holder, err := c.holder(root)
	if err != nil {
		return err
	}
	if err := c.alter(holder); err != nil {
		return err
	}
	next, err := decodeNetwork(root)
	if err != nil {
		return refuse(c.node.At, "", "%s", err)
	}
	if c.vain(holder, next) {
		return c.invalid("%s would have no effect in network '%s'", tag(c.node), c.Name)
	}
	c.Network = next
	return nil
}

// vain reports whether an element is not in the dump of what the network becomes: it
// says nothing, or something else there makes it void.
func (c *change) vain(holder *xmltree.Node, next *Network) bool {
	root, _, err := readElement(next.Format(), networkLabel)
	if err != nil {
		return false // of which the final check tells
	}
	again, err := c.holder(root)
	return err == nil && len(again.Elements(c.section.element)) < len(holder.Elements(c.section.element))
}

// holder finds the element in which those of the section are, and makes it when it
// can be empty.
func (c *change) holder(root *xmltree.Node) (*xmltree.Node, error) {
	switch in := c.section.place.inside; in {
	case "":
		return root, nil
	case "forward":
		if f := root.Element(in); f != nil {
			return f, nil
		}
		return nil, c.invalid("network '%s' has no <forward>, add one first", c.Name)
	case "dns":
		return child(root, in), nil
	default:
		i, err := c.subnet()
		if err != nil {
			return nil, err
		}
		ip := root.Elements("ip")[i]
		if in == "dhcp" {
			return child(ip, in), nil
		}
		return ip, nil
	}
}

// child returns the first element of a name inside, and makes it when there is none.
func child(n *xmltree.Node, name string) *xmltree.Node {
	if c := n.Element(name); c != nil {
		return c
	}
	c := &xmltree.Node{Kind: xmltree.Element, Name: name, Parent: n, At: n.At}
	n.Children = append(n.Children, c)
	return c
}

// alter changes the elements of the section.
func (c *change) alter(holder *xmltree.Node) error {
	all := holder.Elements(c.section.element)
	if c.command.adds() {
		return c.insert(holder, all)
	}
	old, err := c.meant(all)
	if err != nil {
		return err
	}
	i := slices.Index(holder.Children, old)
	if c.command == remove {
		holder.Children = slices.Delete(holder.Children, i, i+1)
		return c.spared(old)
	}
	c.node.Parent = holder
	c.keep(old)
	holder.Children[i] = c.node
	return nil
}

// insert adds the element before or behind the others.
func (c *change) insert(holder *xmltree.Node, all []*xmltree.Node) error {
	if c.section.place.single() {
		if len(all) > 0 {
			return c.invalid("there is an existing %s entry in network '%s', modify it instead", c.section.element, c.Name)
		}
	} else if slices.ContainsFunc(all, func(old *xmltree.Node) bool { return c.alike(old, c.section.place.every()) }) {
		return c.invalid("there is an existing %s entry in network '%s' that matches \"%s\"", c.section.element, c.Name, tag(c.node))
	}
	at := len(holder.Children)
	if c.command == addFirst && len(all) > 0 {
		at = slices.Index(holder.Children, all[0])
	}
	c.node.Parent = holder
	holder.Children = slices.Insert(holder.Children, at, c.node)
	return nil
}

func (p *place) single() bool { return len(p.keys) == 0 }

// every is all attributes that tell entries apart.
func (p *place) every() []string {
	if p.second == "" {
		return p.keys
	}
	return append(slices.Clone(p.keys), p.second)
}

// meant finds the element to modify or to delete.
func (c *change) meant(all []*xmltree.Node) (*xmltree.Node, error) {
	p := c.section.place
	wanted := func(old *xmltree.Node) bool { return c.alike(old, p.keys) }
	switch {
	case c.command == modify && p.single():
		wanted = func(*xmltree.Node) bool { return true }
	case c.command == modify && c.chosen():
		wanted = func(*xmltree.Node) bool { return true }
	case c.command == remove:
		written := slices.Collect(maps.Keys(facts(c.node)))
		wanted = func(old *xmltree.Node) bool { return c.alike(old, written) }
	}
	var found []*xmltree.Node
	for i, old := range all {
		if wanted(old) && (!c.chosen() || i == c.parent) {
			found = append(found, old)
		}
	}
	if len(found) > 1 && c.command == modify && p.second != "" {
		found = slices.DeleteFunc(found, func(old *xmltree.Node) bool { return !c.alike(old, []string{p.second}) })
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return nil, c.invalid("couldn't locate a matching %s entry in network '%s'", c.section.element, c.Name)
	}
	return nil, c.invalid("multiple matching %s entries were found in network '%s'", c.section.element, c.Name)
}

// chosen reports whether it is an index that says which of the elements is meant.
func (c *change) chosen() bool { return c.section.element == "ip" && c.parent >= 0 }

// keep gives a bridge the name it has when the new element tells none: without a name
// it would be another bridge.
func (c *change) keep(old *xmltree.Node) {
	if c.section.element == "bridge" && c.node.Own("name") == "" {
		c.node.Attrs = append(slices.DeleteFunc(slices.Clone(c.node.Attrs), func(a xmltree.Attr) bool { return a.Name == "name" }), xmltree.Attr{Name: "name", Value: old.Own("name")})
	}
}

// spared refuses to take away what a network cannot be without.
func (c *change) spared(old *xmltree.Node) error {
	if old.Name == "bridge" && c.bridged() {
		return c.invalid("network '%s' cannot be without its bridge, modify it instead", c.Name)
	}
	return nil
}
