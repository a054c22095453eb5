package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
)

var portParam = param{name: "port", help: "port UUID", kind: aWord, required: true}

var netPortList = &verb{name: "net-port-list", help: "list network ports", about: "Returns list of network ports.",
	example: `  kvmnet net-port-list lab
  kvmnet net-port-list lab --uuid
  kvmnet net-port-list lab -o json`,
	params: []param{networkParam, {name: "uuid", help: "list uuid's only"}, {name: "table", help: "list table (default)"}, outputParam},
	run:    (*call).listPorts}

func (c *call) listPorts() error {
	if err := c.oneForm("table", "uuid"); err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	if n.Status.State != api.Running {
		return virshError{invalidOperation + c.inactive(n)}
	}
	list, err := c.ports(n)
	if err != nil {
		return virshError{c.why(err, n)}
	}
	return c.print(c.form, document{{ports, objects(list, portObject)}}, func() error {
		c.printPorts(list)
		return nil
	})
}

// ports are those of a network. What somebody else plugged into its bridge has no
// UUID and is none to virsh.
func (c *call) ports(n api.Network) ([]api.Port, error) {
	list, err := c.client().Ports(c.ctx)
	return slices.DeleteFunc(list, func(p api.Port) bool { return p.Spec.Network != n.Name || p.Spec.UUID == "" }), err
}

func (c *call) printPorts(list []api.Port) {
	var rows [][]string
	for _, p := range list {
		if c.has("uuid") {
			fmt.Fprintln(c.Stdout, p.Spec.UUID)
		}
		rows = append(rows, []string{p.Spec.UUID})
	}
	if !c.has("uuid") {
		c.columns([]string{"UUID"}, rows)
	}
}

var netPortCreate = &verb{name: "net-port-create", help: "create a network port from an XML file", about: "Create a network port.",
	example: `  kvmnet net-port-create lab port.xml`,
	params:  []param{networkParam, {name: "file", help: "file containing an XML network port description", kind: aWord, required: true}, validateParam},
	run:     (*call).createPort}

func (c *call) createPort() error {
	n, err := c.network()
	if err != nil {
		return err
	}
	f, err := c.file("file")
	if err != nil {
		return err
	}
	p, err := c.client().AddPortXML(c.ctx, n.Name, api.DefineRequest{File: f, Strict: c.has("validate")})
	if err != nil {
		return c.fail(err, n, "Failed to create network from %s", f.Name) // virsh says network, too
	}
	c.extra("Network port %s created from %s\n", p.Spec.UUID, f.Name)
	return nil
}

var netPortDumpXML = &verb{name: "net-port-dumpxml", help: "network port information in XML", about: "Output the network port information as an XML dump to stdout.",
	example: `  kvmnet net-port-dumpxml lab 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d`,
	params:  []param{networkParam, portParam, xpathParam, wrapParam},
	run: onPort(func(c *call, p api.Port) error {
		text, err := c.client().PortXML(c.ctx, p.Name)
		if err != nil {
			return virshError{c.why(err, api.Network{})}
		}
		return c.dump(text)
	})}

var netPortDelete = &verb{name: "net-port-delete", help: "delete the specified network port", about: "Delete the specified network port.",
	example: `  kvmnet net-port-delete lab 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d`,
	params:  []param{networkParam, portParam},
	run: onPort(func(c *call, p api.Port) error {
		if err := c.client().DeletePort(c.ctx, p.Name); err != nil {
			return c.fail(err, api.Network{}, "Failed to delete network port %s", p.Spec.UUID)
		}
		c.extra("Network port %s deleted\n", p.Spec.UUID)
		return nil
	})}

// onPort makes a verb that does something with one port of a network. virsh does not
// say of a network that is not there why it is not.
func onPort(do func(*call, api.Port) error) func(*call) error {
	return func(c *call) error {
		n, err := c.network()
		var said virshError
		if errors.As(err, &said) {
			return said[:1]
		}
		word, err := c.value("port")
		if err != nil {
			return err
		}
		list, err := c.ports(n)
		if err != nil {
			return virshError{c.why(err, n)}
		}
		i := slices.IndexFunc(list, func(p api.Port) bool { return plainUUID(p.Spec.UUID) == plainUUID(word) })
		if i < 0 {
			return virshError{fmt.Sprintf("failed to get network port '%s'", word)}
		}
		return do(c, list[i])
	}
}

// plainUUID is a UUID in small letters without its dashes, which libvirt does not need
// in the UUID of a port.
func plainUUID(uuid string) string { return strings.ToLower(strings.ReplaceAll(uuid, "-", "")) }
