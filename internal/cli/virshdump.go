package cli

import (
	"fmt"
	"strings"

	"kvmnet/internal/xpath"
)

var netDumpXML = &verb{name: "net-dumpxml", help: "network information in XML", about: "Output the network information as an XML dump to stdout.",
	example: `  kvmnet net-dumpxml lab
  kvmnet net-dumpxml lab --inactive
  kvmnet net-dumpxml lab --xpath //ip/@address`,
	params: []param{networkParam, {name: "inactive", help: "show inactive defined XML"}, xpathParam, wrapParam},
	run: func(c *call) error {
		n, err := c.network()
		if err != nil {
			return err
		}
		text, err := c.client().NetworkXML(c.ctx, n.Name, c.has("inactive"))
		if err != nil {
			return virshError{c.why(err, n)}
		}
		return c.dump(text)
	}}

// dump prints a document, or what --xpath picks of it.
func (c *call) dump(document string) error {
	expression, err := c.value(xpathParam.name)
	if err != nil {
		return err
	}
	text, err := pick(document, expression, c.has(wrapParam.name))
	if err == nil {
		fmt.Fprint(c.Stdout, text)
	}
	return err
}

// pick returns what an XPath expression selects of a document, a node a line; all of
// the document when there is no expression.
func pick(document, expression string, wrap bool) (string, error) {
	if expression == "" {
		return document, nil
	}
	var nodes []string
	var err error
	if wrap {
		nodes = make([]string, 1)
		nodes[0], err = xpath.Wrapped(document, expression)
	} else {
		nodes, err = xpath.Pick(document, expression)
	}
	if err != nil {
		return "", virshError{fmt.Sprintf("internal error: Incorrect xpath '%s'", expression)}
	}
	return strings.Join(append(nodes, ""), "\n"), nil
}
