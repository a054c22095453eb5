package libvirtxml

import (
	"cmp"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// File is a document that was read: the network it defines, and where it says what.
// It is to the daemon what a specfile.File is.
type File struct {
	Name     string
	Spec     *spec.Spec         // the one network
	Notes    []specfile.Problem // what has no effect, or another than one may think, by place
	Template string             // of the bridge's name, which has a number for %d; "" where the name is written or the bridge is not ours

	network string
	said    *translation
	doc     *Document
}

// defaultTemplate is that of networks that do not name their bridge.
const defaultTemplate = "virbr%d"

// Parse reads the document of a network and translates it. An error is an *Error: the
// document is refused, as libvirt refuses it.
func Parse(name string, text []byte) (*File, error) {
	doc, err := Read(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Network.Check(); err != nil {
		return nil, err
	}
	f := &File{Name: name, network: doc.Network.Name, doc: doc, Template: templateOf(doc.Network)}
	f.said = translateWhole(doc.Network)
	f.Spec = &spec.Spec{Networks: map[string]*spec.Network{f.network: f.said.to}}
	for _, p := range doc.Notes {
		p.File = name
		f.Notes = append(f.Notes, f.shown(p))
	}
	for _, n := range f.said.notes {
		f.Notes = append(f.Notes, f.at(n.place, specfile.Problem{Message: n.message, Hint: n.hint}))
	}
	byPlace(f.Notes)
	return f, nil
}

// translateWhole translates a document with its metadata, and keeps of it what a spec
// cannot say.
func translateWhole(m *Network) *translation {
	t := translate(m)
	t.put("", "name[0]")
	var others []string
	for _, e := range m.Metadata {
		if e.Namespace == ownNamespace {
			t.addOwn(e)
			continue
		}
		others = append(others, e.Text)
	}
	hollow := t.to.Mode == spec.Bridge && t.to.Bridge.Name == "" && t.to.Direct == nil
	kept := keptOf(canonical(m), plainOf(m.Name, t.to, m.DnsmasqLines), hollow)
	if l := (spec.Libvirt{Metadata: metadataText(m, others), Kept: kept}); l != (spec.Libvirt{}) {
		t.to.Libvirt = &l
	}
	return t
}

// emptyMetadata stands for <metadata/>, which libvirt dumps again.
const emptyMetadata = "\n"

func metadataText(m *Network, others []string) string {
	if m.Metadata != nil && len(m.Metadata) == 0 {
		return emptyMetadata
	}
	return strings.Join(others, "\n")
}

func templateOf(m *Network) string {
	switch {
	case !managed(m.Forward):
		return ""
	case m.Bridge == nil || m.Bridge.Name == "":
		return defaultTemplate
	case strings.Contains(m.Bridge.Name, "%"):
		return m.Bridge.Name
	}
	return ""
}

// Validate checks the network together with what is already defined, which may be
// nil, and returns its problems, each at the element it comes from.
func (f *File) Validate(defined *spec.Spec) []specfile.Problem {
	merged := f.Spec
	if defined != nil {
		merged = defined.Merge(f.Spec)
	}
	var problems []specfile.Problem
	for _, p := range merged.Validate() {
		if f.Has(p) {
			problems = append(problems, f.Locate(p))
		}
	}
	return byPlace(problems)
}

// Has reports whether a problem is in the document's network.
func (f *File) Has(p spec.Problem) bool {
	kind, name := p.Object()
	return kind == "networks" && name == f.network
}

// Locate gives a problem of the Spec its place in the document: the element or the
// attribute that the value comes from, or what is around it. A problem of another
// object has no place: its Line is 0.
func (f *File) Locate(p spec.Problem) specfile.Problem {
	at := specfile.Problem{File: f.Name, Path: p.Path, Message: p.Message, Hint: p.Hint, Refers: p.Refers}
	if !f.Has(p) {
		return at
	}
	segments := spec.Split(p.Path)[2:]
	return f.at(cmp.Or(f.said.placeOf(segments), f.said.origin[""]), at)
}

// at puts a problem at a place of the document.
func (f *File) at(place string, p specfile.Problem) specfile.Problem {
	p.File = f.Name
	p.Line, p.Column = f.doc.Place(place)
	return f.shown(p)
}

// shown adds the line a problem is in.
func (f *File) shown(p specfile.Problem) specfile.Problem {
	if p.Line == 0 {
		return p
	}
	return p.Showing(f.doc.lines.Line(p.Line))
}

func byPlace(problems []specfile.Problem) []specfile.Problem {
	slices.SortStableFunc(problems, func(a, b specfile.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return problems
}
