package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"kvmnet/internal/api"
)

var netDefine = &verb{name: "net-define",
	help:  "define an inactive persistent virtual network or modify an existing persistent one from an XML file",
	about: "Define or modify a persistent virtual network.",
	example: `  kvmnet net-define lab.xml
  kvmnet net-define --file lab.xml --validate`,
	params: []param{{name: "file", help: "file containing an XML network description", kind: aWord, required: true}, validateParam},
	run:    func(c *call) error { return c.define(false, "define", "Network %s defined from %s\n") }}

var netCreate = &verb{name: "net-create", help: "create a network from an XML file", about: "Create a network.",
	example: `  kvmnet net-create lab.xml`,
	params:  []param{{name: "file", help: "file containing an XML network description", kind: aWord, required: true}, validateParam},
	run:     func(c *call) error { return c.define(true, "create", "Network %s created from %s\n") }}

func (c *call) define(transient bool, verb, done string) error {
	f, err := c.file("file")
	if err != nil {
		return err
	}
	n, err := c.client().Define(c.ctx, api.DefineRequest{File: f, Transient: transient, Strict: c.has("validate"), XML: true})
	if err != nil {
		return c.fail(err, api.Network{}, "Failed to %s network from %s", verb, f.Name)
	}
	c.warn(n.Notes)
	c.extra(done, n.Name, f.Name)
	return nil
}

// file reads the file that a parameter names.
func (c *call) file(param string) (api.File, error) {
	name, err := c.value(param)
	if err != nil {
		return api.File{}, err
	}
	return readVirshFile(name)
}

// readVirshFile reads a file, and says as libvirt does why not.
func readVirshFile(name string) (api.File, error) {
	text, err := os.ReadFile(name)
	if err == nil {
		return api.File{Name: name, Text: string(text)}, nil
	}
	what := "open"
	var failed *fs.PathError
	if errors.As(err, &failed) && failed.Op == "read" {
		what = "read"
	}
	return api.File{}, virshError{fmt.Sprintf("Failed to %s file '%s': %s", what, name, cause(err))}
}

// cause is what the system calls an error: "No such file or directory".
func cause(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	text := number.Error()
	return string(text[0]-'a'+'A') + text[1:]
}

// warn prints what a file says in vain, for a person. virsh says nothing of it, and
// whoever reads its standard error in a script expects nothing.
func (c *call) warn(notes []api.Problem) {
	if isTerminal(c.Stderr) {
		c.caution(notes)
	}
}

// caution prints what a file says in vain.
func (a *app) caution(notes []api.Problem) {
	for _, n := range notes {
		fmt.Fprintf(a.Stderr, "warning: %s\n", n.Text)
	}
}
