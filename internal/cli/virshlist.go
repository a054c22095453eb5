package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
)

var netList = &verb{name: "net-list", help: "list networks", about: "Returns list of networks.",
	example: `  kvmnet net-list --all
  kvmnet net-list --name --autostart
  kvmnet net-list --all -o json`,
	params: []param{
		{name: "inactive", help: "list inactive networks"},
		{name: "all", help: "list inactive & active networks"},
		{name: "persistent", help: "list persistent networks"},
		{name: "transient", help: "list transient networks"},
		{name: "autostart", help: "list networks with autostart enabled"},
		{name: "no-autostart", help: "list networks with autostart disabled"},
		{name: "uuid", help: "list uuid's only"},
		{name: "name", help: "list network names only"},
		{name: "table", help: "list table (default)"},
		{name: "title", help: "show network title"},
		outputParam,
	},
	run: (*call).list}

func (c *call) list() error {
	if err := c.oneForm("table", "name", "uuid"); err != nil {
		return err
	}
	list, err := c.client().Networks(c.ctx)
	if err != nil {
		return virshError{"Failed to list networks", c.why(err, api.Network{})}
	}
	list = slices.DeleteFunc(list, func(n api.Network) bool { return !c.lists(n) })
	slices.SortStableFunc(list, func(a, b api.Network) int {
		return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return c.print(c.form, document{{networks, objects(list, networkObject)}}, func() error {
		c.printList(list)
		return nil
	})
}

// oneForm refuses several forms of a listing.
func (c *call) oneForm(forms ...string) error {
	n := 0
	for _, form := range forms {
		if c.has(form) {
			n++
		}
	}
	if n < 2 {
		return nil
	}
	words := make([]string, len(forms))
	for i, form := range forms {
		words[i] = "--" + form
	}
	return virshError{fmt.Sprintf("Only one argument from %s may be specified.", orList(words))}
}

// lists reports whether a network is asked for. Of two switches that exclude each
// other both mean that neither counts.
func (c *call) lists(n api.Network) bool {
	active := n.Status.State == api.Running
	return (c.has("all") || active != c.has("inactive")) &&
		c.either("persistent", "transient", n.Status.Persistent) &&
		c.either("autostart", "no-autostart", n.Status.Autostart)
}

func (c *call) either(yes, no string, is bool) bool {
	return c.has(yes) == c.has(no) || c.has(yes) == is
}

func (c *call) printList(list []api.Network) {
	if c.has("name") || c.has("uuid") {
		for _, n := range list {
			word := n.Name
			if c.has("uuid") {
				word = n.Spec.UUID
			}
			fmt.Fprintln(c.Stdout, word)
		}
		return
	}
	head := []string{"Name", "State", "Autostart", "Persistent"}
	if c.has("title") {
		head = append(head, "Title")
	}
	var rows [][]string
	for _, n := range list {
		rows = append(rows, append([]string{n.Name, active(n), yesNo(n.Status.Autostart), yesNo(n.Status.Persistent)}, n.Spec.Title)[:len(head)])
	}
	c.columns(head, rows)
}

func active(n api.Network) string {
	if n.Status.State == api.Running {
		return "active"
	}
	return "inactive"
}

var netInfo = &verb{name: "net-info", help: "network information", about: "Returns basic information about the network",
	example: `  kvmnet net-info lab
  kvmnet net-info lab -o json`,
	params: []param{networkParam, outputParam},
	run: func(c *call) error {
		n, err := c.network()
		if err != nil {
			return err
		}
		return c.print(c.form, networkObject(n).alone(), func() error {
			c.info("Name", n.Name)
			c.info("UUID", n.Spec.UUID)
			c.info("Active", yesNo(n.Status.State == api.Running))
			c.info("Persistent", yesNo(n.Status.Persistent))
			c.info("Autostart", yesNo(n.Status.Autostart))
			if n.Status.Bridge != "" {
				c.info("Bridge", n.Status.Bridge)
			}
			return nil
		})
	}}

func (c *call) info(name, value string) { fmt.Fprintf(c.Stdout, "%-15s %s\n", name+":", value) }

var netUUID = &verb{name: "net-uuid", help: "convert a network name to network UUID",
	example: `  kvmnet net-uuid lab`,
	params:  []param{{name: networkParam.name, help: "network name", kind: aWord, required: true}},
	run: func(c *call) error {
		n, err := c.networkBy(byName)
		if err == nil {
			fmt.Fprintln(c.Stdout, n.Spec.UUID)
		}
		return err
	}}

var netName = &verb{name: "net-name", help: "convert a network UUID to network name",
	example: `  kvmnet net-name 6f9c1f0e-3d5b-4c35-9c59-2f1d3a8c0b11`,
	params:  []param{{name: networkParam.name, help: "network uuid", kind: aWord, required: true}},
	run: func(c *call) error {
		n, err := c.networkBy(byUUID)
		if err == nil {
			fmt.Fprintln(c.Stdout, n.Name)
		}
		return err
	}}
