package libvirtxml

import "slices"

// forwardInterface updates the devices by which guests leave, or on which they are.
// Libvirt takes one, too, for a network that has no <forward>, or has its devices from
// a <pf>, and forgets it.
func (c *change) forwardInterface() error {
	if err := c.expect(); err != nil {
		return err
	}
	if c.command == modify {
		return c.refused("forward interface entries cannot be modified, only added or deleted")
	}
	dev := c.node.Own("dev")
	if dev == "" {
		return refuse(c.node.At, classXML, "missing dev attribute in <interface> element")
	}
	f := c.Forward
	switch {
	case f == nil && c.command.adds():
		return c.invalid("network '%s' has no <forward>, add one first", c.Name)
	case f == nil:
		f = &Forward{}
	case c.command.adds() && len(f.PFs) > 0:
		return c.invalid("the interfaces of network '%s' are the functions of <pf dev='%s'>, delete that first", c.Name, f.PFs[0].Name)
	}
	i := slices.IndexFunc(f.Interfaces, func(d Device) bool { return d.Name == dev })
	if c.command.adds() {
		return c.addInterface(f, dev, i >= 0)
	}
	return c.deleteInterface(f, dev, i)
}

func (c *change) addInterface(f *Forward, dev string, there bool) error {
	if there {
		return c.invalid("there is an existing interface entry in network '%s' that matches \"<interface dev='%s'>\"", c.Name, dev)
	}
	f.Interfaces = put(c.command, f.Interfaces, Device{Name: dev})
	f.lead()
	return nil
}

func (c *change) deleteInterface(f *Forward, dev string, i int) error {
	if i < 0 {
		return c.invalid("couldn't find an interface entry in network '%s' matching <interface dev='%s'>", c.Name, dev)
	}
	if users := f.Interfaces[i].Connections; users > 0 {
		return c.invalid("unable to delete interface '%s' in network '%s'. It is currently being used  by %d domains.", dev, c.Name, users)
	}
	f.Interfaces = slices.Delete(f.Interfaces, i, i+1)
	f.lead()
	return nil
}

// lead gives <forward> the device of the first interface, as it has in every dump.
func (f *Forward) lead() {
	f.Dev = ""
	if len(f.Interfaces) > 0 {
		f.Dev = f.Interfaces[0].Name
	}
}

// portGroup updates the classes of ports, which are told apart by name; one may be
// the default.
func (c *change) portGroup() error {
	if err := c.expect(); err != nil {
		return err
	}
	g, err := c.decoder().portGroup(c.node)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.PortGroups, func(old PortGroup) bool { return old.Name == g.Name })
	standard := slices.IndexFunc(c.PortGroups, func(old PortGroup) bool { return old.Default == "yes" })
	switch {
	case i < 0 && !c.command.adds():
		return c.invalid("couldn't find a portgroup entry in network '%s' matching <portgroup name='%s'>", c.Name, g.Name)
	case i >= 0 && c.command.adds():
		return c.invalid("there is an existing portgroup entry in network '%s' that matches \"<portgroup name='%s'>\"", c.Name, g.Name)
	case c.command != remove && g.Default == "yes" && standard >= 0 && standard != i:
		return c.invalid("a different portgroup entry in network '%s' is already set as the default. Only one default is allowed.", c.Name)
	}
	switch c.command {
	case modify:
		c.PortGroups[i] = g
	case remove:
		c.PortGroups = slices.Delete(c.PortGroups, i, i+1)
	default:
		c.PortGroups = put(c.command, c.PortGroups, g)
	}
	return nil
}
