package specfile

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// InterfaceFile is a file that defines one interface of the host: what it says, and
// where.
type InterfaceFile struct {
	Interface spec.HostInterface // without defaults; without the values that are at fault
	file      *File
}

// ParseInterface reads the definition of an interface of the host. It returns what could
// be read and every problem of reading, ordered by place.
func ParseInterface(name string, text []byte) (*InterfaceFile, []Problem) {
	i := &InterfaceFile{file: &File{Name: name, places: map[string]place{}, faulty: map[string]bool{}}}
	i.file.read(text, &decoder{file: i.file, into: reflect.ValueOf(&i.Interface).Elem(), single: true})
	return i, i.file.problems
}

// Validate returns the problems of reading and the rules that the interface breaks,
// ordered by place. Of a file that could not be read at all there is nothing else to
// say.
func (i *InterfaceFile) Validate() []Problem {
	problems := append([]Problem(nil), i.file.problems...)
	if len(problems) > 0 && reflect.ValueOf(i.Interface).IsZero() {
		return problems
	}
	for _, p := range i.Interface.Validate() {
		if !i.file.followsFrom(p.Path) {
			problems = append(problems, i.Locate(p))
		}
	}
	return byPlace(problems)
}

// Locate gives a problem of the interface its place in the file.
func (i *InterfaceFile) Locate(p spec.Problem) Problem {
	path := p.Path
	for path != "" && i.file.places[path] == (place{}) {
		path = spec.Parent(path)
	}
	return i.file.problem(i.file.places[path], p.Path, p.Message, p.Hint)
}

// FormatInterface writes an interface as canonical YAML. ParseInterface reads it back
// as an equal one.
func FormatInterface(i *spec.HostInterface) []byte {
	text, err := yaml.Dump(node(reflect.ValueOf(i).Elem()), yaml.WithFlowSimpleCollections(), yaml.WithLineWidth(120), yaml.WithCompactSeqIndent(false))
	if err != nil {
		panic(fmt.Sprintf("format an interface: %v", err))
	}
	return text
}
