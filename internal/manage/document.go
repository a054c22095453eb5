package manage

import (
	"errors"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// document is a file that was read, in whatever language it is written.
type document interface {
	Validate(defined *spec.Spec) []specfile.Problem
	Locate(p spec.Problem) specfile.Problem
}

// isXML reports whether a text is libvirt's XML: YAML does not begin with <.
func isXML(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t\r\n"), "<")
}

// read parses files. What is wrong with them comes out of complete, together
// with what is wrong with their objects.
func read(files []api.File) *input {
	in := &input{spec: &spec.Spec{}, libvirt: map[string]*libvirtxml.File{}}
	from := map[string]string{}
	for _, f := range files {
		parsed := in.parse(f)
		for _, object := range objects(parsed) {
			if other, twice := from[object]; twice {
				in.problems = append(in.problems, plain(spec.Problem{Message: object + " is in " + other + " and in " + f.Name}))
			}
			from[object] = f.Name
		}
		in.spec = in.spec.Merge(parsed)
	}
	return in
}

// parse reads one file.
func (in *input) parse(f api.File) *spec.Spec {
	if !isXML(f.Text) {
		parsed, _ := specfile.Parse(f.Name, []byte(f.Text))
		in.files = append(in.files, parsed)
		in.refuseHeld(parsed)
		return parsed.Spec
	}
	parsed, err := libvirtxml.Parse(f.Name, []byte(f.Text))
	if err != nil {
		in.problems = append(in.problems, placed(misread(f, err)))
		in.refusal = err
		return &spec.Spec{}
	}
	in.files = append(in.files, parsed)
	for name := range parsed.Spec.Networks {
		in.libvirt[name] = parsed
	}
	for _, note := range parsed.Notes {
		in.notes = append(in.notes, placed(note))
	}
	return parsed.Spec
}

// refuseHeld refuses ports that live as long as a program uses them: a file is there
// for what is to last.
func (in *input) refuseHeld(f *specfile.File) {
	for name, p := range f.Spec.Ports {
		if p != nil && p.Held != "" {
			in.problems = append(in.problems, placed(f.Locate(spec.Problem{Path: spec.Field(spec.Field("ports", name), "held"),
				Message: "a port in a file is not held by a program; kvmnet writes this of ports it makes for one", Hint: "remove it"})))
		}
	}
}

// misread is a fault of an XML file as a problem with its place.
func misread(f api.File, err error) specfile.Problem {
	p := specfile.Problem{File: f.Name, Message: err.Error()}
	var at *libvirtxml.Error
	if !errors.As(err, &at) || at.Line == 0 {
		return p
	}
	p.Line, p.Column = at.Line, at.Column
	if lines := strings.Split(f.Text, "\n"); p.Line <= len(lines) {
		p = p.Showing(strings.TrimSuffix(lines[p.Line-1], "\r"))
	}
	return p
}

// faulty is the error of an input that has problems. What libvirt would refuse, too,
// is said in its words, and then where it stands.
func (in *input) faulty(problems []api.Problem) error {
	err := invalid(count(len(problems)), problems...)
	if in.refusal != nil && len(problems) == 1 {
		e := because(api.ReasonXML, err).(*api.Error)
		e.Message = in.refusal.Error()
		e.Problems = slices.Clone(problems)
		e.Problems[0].Text = strings.Replace(problems[0].Text, ": "+e.Message, "", 1)
		return e
	}
	return err
}

// strictly refuses a file that says something in vain.
func (in *input) strictly() error {
	if len(in.notes) == 0 {
		return nil
	}
	return invalid(count(len(in.notes)), in.notes...)
}
