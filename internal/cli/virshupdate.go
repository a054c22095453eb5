package cli

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
)

var netUpdate = &verb{name: "net-update", help: "update parts of an existing network's configuration",
	example: `  kvmnet net-update lab add ip-dhcp-host "<host name='vm1' ip='192.168.122.20'/>" --live --config
  kvmnet net-update lab delete dns-host host.xml --config
  kvmnet net-update lab modify forward "<forward mode='route'/>"`,
	params: []param{
		networkParam,
		{name: "command", help: "type of update (add-first, add-last (add), delete, or modify)", kind: aWord, required: true},
		{name: "section", help: "which section of network configuration to update", kind: aWord, required: true},
		{name: "xml", help: "name of file containing xml (or, if it starts with '<', the complete xml element itself) to add/modify, or to be matched for search", kind: aWord, required: true},
		{name: "parent-index", help: "which parent object to search through", kind: aNumber},
		{name: "config", help: "affect next network startup"},
		{name: "live", help: "affect running network"},
		{name: "current", help: "affect current state of network"},
	},
	run: (*call).update}

// updateCommands are what can be done with a section. "add" is add-last.
var updateCommands = []string{"modify", "delete", "add", "add-last", "add-first"}

// updateSections are those virsh knows, and behind them ours.
var updateSections = []string{
	"bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface", "forward-pf", "portgroup", "dns-host", "dns-txt", "dns-srv",
	"bandwidth", "dns", "dns-forwarder", "ip-dhcp-bootp", "ip-tftp", "mac", "mtu", "nat", "port", "route", "virtualport", "vlan",
}

func (c *call) update() error {
	live, config, err := c.copies()
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	u, err := c.updateWords()
	if err != nil {
		return err
	}
	u.Live, u.Config = live, config
	done, err := c.client().UpdateNetwork(c.ctx, n.Name, u)
	if err != nil {
		return c.fail(err, n, "Failed to update network %s", n.Name)
	}
	c.extra("Updated network %s %s", n.Name, copiesText(done.Copies))
	return nil
}

// updateWords reads what is to be done, in the order in which virsh looks at it.
func (c *call) updateWords() (u api.NetworkUpdate, err error) {
	if u.Command, err = c.oneOf("command", updateCommands); err != nil {
		return u, err
	}
	if u.Command == "add" {
		u.Command = "add-last"
	}
	if u.Section, err = c.oneOf("section", updateSections); err != nil {
		return u, err
	}
	if u.Parent, err = c.number("parent-index", -1); err != nil {
		return u, err
	}
	if u.XML, err = c.value("xml"); err == nil && !strings.HasPrefix(u.XML, "<") {
		var f api.File
		f, err = readVirshFile(u.XML)
		u.XML = f.Text
	}
	return u, err
}

func (c *call) oneOf(name string, words []string) (string, error) {
	word, err := c.value(name)
	if err == nil && !slices.Contains(words, word) {
		err = virshError{fmt.Sprintf("unrecognized %s name '%s'", name, word)}
	}
	return word, err
}

// copiesText names the copies that were changed.
func copiesText(c api.Copies) string {
	switch {
	case c.Live && c.Config:
		return "persistent config and live state"
	case c.Config:
		return "persistent config"
	}
	return "live state"
}
