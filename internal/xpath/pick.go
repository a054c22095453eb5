package xpath

import (
	"errors"
	"fmt"

	"github.com/antchfx/xpath"
)

// errNoNodes is an expression that has another value than nodes.
var errNoNodes = errors.New("the expression selects no nodes: it is a number, a text or a truth")

// Pick returns every node that an expression selects, as a text.
func Pick(document, expression string) ([]string, error) {
	d, places, err := selected(document, expression)
	var texts []string
	for _, p := range places {
		texts = append(texts, d.print(p))
	}
	return texts, err
}

// Wrapped returns every node that an expression selects, in one element.
func Wrapped(document, expression string) (string, error) {
	d, places, err := selected(document, expression)
	if err != nil {
		return "", err
	}
	return d.wrap(places), nil
}

// selected evaluates an expression. The engine panics on some that are not well
// formed.
func selected(text, expression string) (d *document, places []place, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			places, err = nil, fmt.Errorf("evaluate the expression: %v", fault)
		}
	}()
	compiled, err := xpath.Compile(expression)
	if err != nil {
		return nil, nil, fmt.Errorf("read the expression: %w", err)
	}
	if d, err = read(text); err != nil {
		return nil, nil, err
	}
	found, ok := compiled.Evaluate(&walker{document: d}).(*xpath.NodeIterator)
	if !ok {
		return nil, nil, errNoNodes
	}
	seen := map[place]bool{}
	for found.MoveNext() {
		seen[found.Current().(*walker).place] = true
	}
	return d, d.ordered(seen), nil
}
