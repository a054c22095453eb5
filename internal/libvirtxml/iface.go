package libvirtxml

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
	"kvmnet/internal/xmltree"
)

// interfaceLabel is what libvirt calls the document of an interface of the host.
const interfaceLabel = "(interface_definition)"

// InterfaceFile is an <interface> document: an interface of the host, as virsh
// iface-define takes it.
type InterfaceFile struct {
	Name      string
	Interface spec.HostInterface // without defaults; without the values that are at fault
	Notes     []specfile.Problem // what the document says in vain

	lines   *xmltree.Lines
	places  map[string]int // of values, by their path in the interface
	faults  []specfile.Problem
	refusal *Error
}

// ParseInterface reads the document of an interface in any order. Beyond what libvirt
// knows it takes routes that are not the default one, and resolvers; docs/interfaces.md
// has the list. What is wrong with it comes out of Validate, all at once.
func ParseInterface(name string, text []byte) *InterfaceFile {
	f := &InterfaceFile{Name: name, places: map[string]int{}}
	root, lines, err := xmltree.Parse(string(text))
	if err != nil {
		f.malformed(string(text), err)
		return f
	}
	f.lines = lines
	if root.Name != "interface" {
		f.refuse(root.At, "", "expecting root element of 'interface', not '%s'", root.Name)
		return f
	}
	f.Interface = f.device("", root, "")
	byPlace(f.Notes)
	return f
}

// Refusal is what libvirt says of the document, nil when it takes it. Of several
// mistakes it tells the first.
func (f *InterfaceFile) Refusal() *Error { return f.refusal }

// Validate returns everything that is wrong with the document, ordered by place.
func (f *InterfaceFile) Validate() []specfile.Problem {
	problems := append([]specfile.Problem(nil), f.faults...)
	if f.lines == nil || f.refusal != nil && f.Interface.Name == "" {
		return problems // there is no interface
	}
	for _, p := range f.Interface.Validate() {
		if !f.known(p.Path) {
			problems = append(problems, f.Locate(p))
		}
	}
	return byPlace(problems)
}

// known reports whether a fault of the value at a path, or of what is around it, has
// been found in reading.
func (f *InterfaceFile) known(path string) bool {
	for _, p := range f.faults {
		for at := path; at != ""; at = spec.Parent(at) {
			if p.Path == at {
				return true
			}
		}
	}
	return false
}

// Locate gives a problem of the interface its place in the document: that of the value
// or of what is around it.
func (f *InterfaceFile) Locate(p spec.Problem) specfile.Problem {
	path := p.Path
	for path != "" && f.places[path] == 0 {
		path = spec.Parent(path)
	}
	return f.problem(cmp.Or(f.places[path], f.places[""]), p.Path, p.Message, p.Hint)
}

// problem makes a problem at a byte of the text.
func (f *InterfaceFile) problem(at int, path, message, hint string) specfile.Problem {
	p := specfile.Problem{File: f.Name, Path: path, Message: message, Hint: hint}
	p.Line, p.Column = f.lines.Position(at)
	return p.Showing(f.lines.Line(p.Line))
}

// refuse notes a fault that libvirt finds, too, in its words.
func (f *InterfaceFile) refuse(at int, path, format string, values ...any) {
	message := classXML + fmt.Sprintf(format, values...)
	if f.refusal == nil {
		f.refusal = located(f.lines, &fault{at, message})
	}
	f.faults = append(f.faults, f.problem(at, path, message, ""))
}

// fault notes a fault that libvirt leaves to others to find.
func (f *InterfaceFile) fault(at int, path, hint, format string, values ...any) {
	f.faults = append(f.faults, f.problem(at, path, fmt.Sprintf(format, values...), hint))
}

// note tells of what the document says in vain.
func (f *InterfaceFile) note(at int, hint, format string, values ...any) {
	f.Notes = append(f.Notes, f.problem(at, "", fmt.Sprintf(format, values...), hint))
}

// malformed takes a text that is no document.
func (f *InterfaceFile) malformed(text string, err error) {
	f.refusal = malformed(interfaceLabel, err)
	p := specfile.Problem{File: f.Name, Line: f.refusal.Line, Column: f.refusal.Column, Message: err.Error()}
	var syntax *xmltree.Error
	if errors.As(err, &syntax) {
		p.Message = syntax.Message
	}
	if all := strings.Split(text, "\n"); p.Line > 0 && p.Line <= len(all) {
		p = p.Showing(strings.TrimSuffix(all[p.Line-1], "\r"))
	}
	f.faults = []specfile.Problem{p}
}
