package cli

import (
	"fmt"
	"os"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// Which copy of a network is meant, of what people read.
var (
	liveParam    = param{name: "live", help: "modify/get running state"}
	configParam  = param{name: "config", help: "modify/get persistent configuration"}
	currentParam = param{name: "current", help: "modify/get current state configuration"}
)

var netDesc = &verb{name: "net-desc", help: "show or set network's description or title", about: "Show or modify description or title of a network.",
	example: `  kvmnet net-desc lab
  kvmnet net-desc lab --title the lab
  kvmnet net-desc lab --config --edit`,
	params: []param{networkParam, liveParam, configParam, currentParam,
		{name: "title", help: "modify/get the title instead of description"},
		{name: "edit", help: "open an editor to modify the description"},
		{name: "new-desc", help: "message", kind: theRest}},
	run: (*call).describe}

func (c *call) describe() error {
	live, config, err := c.copies()
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	of, err := c.copyOf(n, live, config)
	if err != nil {
		return err
	}
	what, old := "description", of.Description
	if c.has("title") {
		what, old = "title", of.Title
	}
	if !c.has("edit") && len(c.rest) == 0 {
		if old == "" {
			c.extra("No %s for network: %s", what, n.Name)
		}
		fmt.Fprint(c.Stdout, old)
		return nil
	}
	words, err := c.words(n, what, old)
	if err != nil {
		return err
	}
	if c.has("edit") && words == old {
		c.extra("Network %s not changed\n", what)
		return nil
	}
	change := api.NetworkWords{Copies: api.Copies{Live: live, Config: config}, Description: &words}
	if c.has("title") {
		change.Title, change.Description = &words, nil
	}
	if err := c.client().DescribeNetwork(c.ctx, n.Name, change); err != nil {
		return c.fail(err, n, "Failed to set new network %s", what)
	}
	c.extra("Network %s updated successfully", what)
	return nil
}

// copyOf is the copy of a network that is asked for: the running one, if it runs, or
// its definition.
func (c *call) copyOf(n api.Network, live, config bool) (*spec.Network, error) {
	switch {
	case live && n.Status.State != api.Running:
		return nil, virshError{invalidOperation + c.inactive(n)}
	case config && !n.Status.Persistent:
		return nil, virshError{invalidOperation + c.transient()}
	case config && n.Definition != nil:
		return n.Definition, nil
	}
	return n.Spec, nil
}

// words are the new ones: those of the command line, or of the editor.
func (c *call) words(n api.Network, what, old string) (string, error) {
	words := old
	if len(c.rest) > 0 {
		words = strings.TrimRight(strings.Join(c.rest, " "), " ")
	}
	if !c.has("edit") {
		return words, nil
	}
	file, err := keep(n.Name, ".txt", words)
	if err != nil {
		return "", err
	}
	defer os.Remove(file)
	text, err := c.runEditor(file)
	if what == "title" { // many editors end every file with a newline
		text = strings.TrimSuffix(text, "\n")
	}
	return text, err
}

var netMetadata = &verb{name: "net-metadata", help: "show or set network's custom XML metadata", about: "Shows or modifies the XML metadata of a network.",
	example: `  kvmnet net-metadata lab http://example.org/owner
  kvmnet net-metadata lab http://example.org/owner --key own --set '<owner>alice</owner>'
  kvmnet net-metadata lab http://example.org/owner --remove`,
	params: []param{networkParam, {name: "uri", help: "URI of the namespace", kind: aWord, required: true}, liveParam, configParam, currentParam,
		{name: "edit", help: "use an editor to change the metadata"},
		{name: "key", help: "key to be used as a namespace identifier", kind: aWord},
		{name: "set", help: "new metadata to set", kind: aWord},
		{name: "remove", help: "remove the metadata corresponding to an uri"}},
	run: (*call).metadata}

func (c *call) metadata() error {
	live, config, err := c.copies()
	for _, pair := range [][2]string{{"edit", "set"}, {"remove", "set"}, {"remove", "edit"}} {
		if err == nil {
			err = c.apart(pair[0], pair[1])
		}
	}
	if err != nil {
		return err
	}
	n, err := c.network()
	if err != nil {
		return err
	}
	m := api.MetadataChange{Copies: api.Copies{Live: live, Config: config}}
	var set string
	for _, p := range []struct {
		name string
		to   *string
	}{{"uri", &m.URI}, {"key", &m.Key}, {"set", &set}} {
		if *p.to, err = c.value(p.name); err != nil {
			return err
		}
	}
	if (c.has("set") || c.has("edit")) && m.Key == "" {
		return virshError{"namespace key is required when modifying metadata"}
	}
	return c.changeMetadata(n, m, set)
}

// changeMetadata does what is asked for: to set, remove, edit or show the element.
func (c *call) changeMetadata(n api.Network, m api.MetadataChange, set string) error {
	send := func() error { return c.client().SetMetadata(c.ctx, n.Name, m) }
	show := func() (string, error) { return c.client().Metadata(c.ctx, n.Name, m.URI, m.Copies) }
	done, changed := "Metadata modified", true
	var err error
	switch {
	case c.has("set"):
		m.XML = &set
		err = send()
	case c.has("remove"):
		done, err = "Metadata removed", send()
	case c.has("edit"):
		changed, err = c.editMetadata(n, show, func(f api.File) error { m.XML = &f.Text; return send() })
	default:
		text, err := show()
		if err != nil {
			return virshError{c.why(err, n)}
		}
		fmt.Fprintln(c.Stdout, text)
		return nil
	}
	switch {
	case err != nil:
		return c.plainly(err, n)
	case changed:
		c.extra("%s\n", done)
	default:
		c.extra("Metadata not changed")
	}
	return nil
}

// editMetadata begins with an empty line where there is no such element.
func (c *call) editMetadata(n api.Network, show func() (string, error), put func(api.File) error) (bool, error) {
	get := func() (string, error) {
		text, err := show()
		if err != nil {
			text = "\n"
		}
		return text, nil
	}
	return c.edit(editing{n.Name, ".xml", get, put, func(err error) string { return c.why(err, n) }})
}
