package cli

import (
	"kvmnet/internal/api"
)

var ifaceDumpXML = &verb{name: "iface-dumpxml", help: "interface information in XML", about: "Output the physical host interface information as an XML dump to stdout.",
	example: `  kvmnet iface-dumpxml eth0
  kvmnet iface-dumpxml br0 --inactive
  kvmnet iface-dumpxml eth0 --xpath //ip/@address`,
	params: []param{ifaceParam, {name: "inactive", help: "show inactive defined XML"}, xpathParam, wrapParam},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName|ifaceByMAC)
		if err != nil {
			return err
		}
		text, err := c.client().InterfaceXML(c.ctx, i.Name, c.has("inactive"))
		if err != nil {
			return virshError{c.whyInterface(err)}
		}
		return c.dump(text)
	}}

var ifaceDefine = &verb{name: "iface-define",
	help:  "define an inactive persistent physical host interface or modify an existing persistent one from an XML file",
	about: "Define or modify a persistent physical host interface.",
	example: `  kvmnet iface-define br0.xml
  kvmnet iface-define --file br0.xml --validate`,
	params: []param{{name: "file", help: "file containing an XML interface description", kind: aWord, required: true}, validateParam},
	run: func(c *call) error {
		f, err := c.file("file")
		if err != nil {
			return err
		}
		d, err := c.client().DefineInterface(c.ctx, api.DefineInterface{File: f, Strict: c.has("validate"), XML: true})
		if err != nil {
			return c.failInterface(err, "Failed to define interface from %s", f.Name)
		}
		c.warn(d.Notes)
		c.extra("Interface %s defined from %s\n", d.Name, f.Name)
		return nil
	}}

var ifaceUndefine = &verb{name: "iface-undefine", help: "undefine a physical host interface (remove it from configuration)", about: "undefine an interface.",
	example: `  kvmnet iface-undefine br0`,
	params:  []param{ifaceParam},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName|ifaceByMAC)
		if err != nil {
			return err
		}
		name := c.given[ifaceParam.name] // virsh repeats what it was given, be it a MAC
		if err := c.client().UndefineInterface(c.ctx, i.Name); err != nil {
			return c.failInterface(err, "Failed to undefine interface %s", name)
		}
		c.extra("Interface %s undefined\n", name)
		return nil
	}}

var ifaceEdit = &verb{name: "iface-edit", help: "edit XML configuration for a physical host interface", about: "Edit the XML configuration for a physical host interface.",
	example: `  kvmnet iface-edit br0
  EDITOR='code --wait' kvmnet iface-edit br0`,
	params: []param{ifaceParam},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName|ifaceByMAC)
		if err != nil {
			return err
		}
		name := i.Name
		changed, err := c.edit(editing{name: i.Name, suffix: ".xml", why: c.whyInterface,
			get: func() (string, error) { return c.client().InterfaceXML(c.ctx, i.Name, true) },
			put: func(f api.File) error {
				d, err := c.client().DefineInterface(c.ctx, api.DefineInterface{File: f, XML: true})
				name = d.Name
				return err
			}})
		switch {
		case err != nil:
			return err
		case changed:
			c.extra("Interface %s XML configuration edited.\n", name)
		default:
			c.extra("Interface %s XML configuration not changed.\n", name)
		}
		return nil
	}}
