package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var (
	ifaceParam  = param{name: "interface", help: "interface name or MAC address", kind: aWord, required: true}
	bridgeParam = param{name: "bridge", help: "current bridge device name", kind: aWord, required: true}
	forceParam  = param{name: "force", help: "stop it even if your session comes by it"} // ours
)

// ifaceVerbs are those about the host's own interfaces, in the order of virsh's help.
func ifaceVerbs() []*verb {
	return []*verb{ifaceBegin, ifaceBridge, ifaceCommit, ifaceDefine, ifaceDestroy, ifaceDumpXML, ifaceEdit, ifaceList,
		ifaceMAC, ifaceName, ifaceRollback, ifaceStart, ifaceUnbridge, ifaceUndefine}
}

// Ways to name an interface.
const (
	ifaceByName = 1 << iota
	ifaceByMAC
)

// iface finds the interface that the call is about.
func (c *call) iface(param string, ways int) (api.HostInterface, error) {
	word, err := c.value(param)
	if err != nil {
		return api.HostInterface{}, err
	}
	failed := fmt.Sprintf("failed to get interface '%s'", word)
	way := ifaceByName
	if isMAC(word) {
		way = ifaceByMAC
	}
	if ways&way == 0 {
		return api.HostInterface{}, virshError{failed} // virsh does not ask then
	}
	i, err := c.client().Interface(c.ctx, fullMAC(word))
	if err != nil {
		return i, virshError{failed, c.whyInterface(err)}
	}
	return i, nil
}

// isMAC reports whether a word is an Ethernet address to libvirt: six numbers between
// colons, of one digit or two.
func isMAC(word string) bool {
	parts := strings.Split(word, ":")
	return len(parts) == 6 && !slices.ContainsFunc(parts, func(p string) bool {
		return p == "" || len(p) > 2 || strings.Trim(p, "0123456789abcdefABCDEF") != ""
	})
}

// fullMAC writes an Ethernet address with two digits for each number; other words stay.
func fullMAC(word string) string {
	if !isMAC(word) {
		return word
	}
	parts := strings.Split(word, ":")
	for i, p := range parts {
		parts[i] = "00"[len(p):] + p
	}
	return strings.Join(parts, ":")
}

// whyInterface words an error of the daemon as libvirt does, where libvirt has it.
func (c *call) whyInterface(err error) string {
	var e *api.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	switch e.Reason {
	case api.ReasonNoInterface:
		return unknownInterface(c.given[c.subject()])
	case api.ReasonManyInterfaces:
		return "multiple matching interfaces found"
	case api.ReasonInterfaceActive:
		return invalidOperation + "interface is already running"
	case api.ReasonInterfaceInactive:
		return invalidOperation + "interface is not running"
	case api.ReasonBegun:
		return invalidOperation + "there is another transaction running."
	case api.ReasonNotBegun:
		return invalidOperation + "no transaction running, nothing to " + map[bool]string{true: "be committed.", false: "rollback."}[c.verb.name == "iface-commit"]
	}
	return c.inFull(e)
}

// subject is the parameter that names what the verb is about.
func (c *call) subject() string {
	if c.verb.name == "iface-unbridge" {
		return bridgeParam.name
	}
	return ifaceParam.name
}

func unknownInterface(word string) string {
	way := "name"
	if isMAC(word) {
		way = "mac"
	}
	return fmt.Sprintf("Interface not found: no interface with matching %s '%s'", way, word)
}

// failInterface words an error of the daemon: what failed, and why.
func (c *call) failInterface(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return virshError{fmt.Sprintf(format, args...), c.whyInterface(err)}
}

var ifaceList = &verb{name: "iface-list", help: "list physical host interfaces", about: "Returns list of physical host interfaces.",
	example: `  kvmnet iface-list --all
  kvmnet iface-list --inactive -o json`,
	params: []param{{name: "inactive", help: "list inactive interfaces"}, {name: "all", help: "list inactive & active interfaces"}, outputParam},
	run:    (*call).listInterfaces}

func (c *call) listInterfaces() error {
	if err := c.apart("all", "inactive"); err != nil {
		return err
	}
	list, err := c.client().Interfaces(c.ctx)
	if err != nil {
		return virshError{"Failed to list interfaces", c.whyInterface(err)}
	}
	list = slices.DeleteFunc(list, func(i api.HostInterface) bool { return !c.has("all") && i.Active == c.has("inactive") })
	slices.SortStableFunc(list, func(a, b api.HostInterface) int {
		return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return c.print(c.form, document{{interfaces, objects(list, interfaceObject)}}, func() error {
		var rows [][]string
		for _, i := range list {
			rows = append(rows, []string{i.Name, map[bool]string{true: "active", false: "inactive"}[i.Active], macText(i.MAC)})
		}
		c.columns([]string{"Name", "State", "MAC Address"}, rows)
		return nil
	})
}

// macText is a MAC as it is written, "" when there is none.
func macText(m spec.MAC) string {
	if m.IsZero() {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

var ifaceMAC = &verb{name: "iface-mac", help: "convert an interface name to interface MAC address",
	example: `  kvmnet iface-mac eth0`,
	params:  []param{{name: ifaceParam.name, help: "interface name", kind: aWord, required: true}},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByName)
		if err == nil {
			fmt.Fprintln(c.Stdout, macText(i.MAC))
		}
		return err
	}}

var ifaceName = &verb{name: "iface-name", help: "convert an interface MAC address to interface name",
	example: `  kvmnet iface-name 52:54:00:12:34:56`,
	params:  []param{{name: ifaceParam.name, help: "interface mac", kind: aWord, required: true}},
	run: func(c *call) error {
		i, err := c.iface(ifaceParam.name, ifaceByMAC)
		if err == nil {
			fmt.Fprintln(c.Stdout, i.Name)
		}
		return err
	}}
