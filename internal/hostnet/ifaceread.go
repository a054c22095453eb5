package hostnet

import (
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// readInterface reads the definition of an interface, in whatever language it is
// written, or tells all that is wrong with it.
func readInterface(r api.DefineInterface) (spec.HostInterface, []api.Problem, error) {
	var i spec.HostInterface
	var problems, notes []specfile.Problem
	var refusal *libvirtxml.Error
	if r.XML || isXML(r.Text) {
		f := libvirtxml.ParseInterface(r.Name, []byte(r.Text))
		i, problems, notes, refusal = f.Interface, f.Validate(), f.Notes, f.Refusal()
	} else {
		f, _ := specfile.ParseInterface(r.Name, []byte(r.Text))
		i, problems = f.Interface, f.Validate()
	}
	switch {
	case len(problems) > 0:
		return i, nil, faulty(problems, refusal)
	case r.Strict && len(notes) > 0:
		return i, nil, faulty(notes, nil)
	}
	i.Default()
	return i, placed(notes), nil
}

// isXML reports whether a text is libvirt's XML: YAML does not begin with <.
func isXML(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t\r\n"), "<")
}

// faulty is the error of a file that has problems. What libvirt would refuse, too, is
// said in its words first.
func faulty(problems []specfile.Problem, refusal *libvirtxml.Error) error {
	e := &api.Error{Code: api.CodeInvalid, Problems: placed(problems), Message: "1 problem; nothing changed"}
	if len(problems) > 1 {
		e.Message = fmt.Sprintf("%d problems; nothing changed", len(problems))
	}
	if refusal != nil {
		e.Reason, e.Message = api.ReasonXML, refusal.Message
	}
	return e
}

func placed(problems []specfile.Problem) (list []api.Problem) {
	for _, p := range problems {
		list = append(list, api.Problem{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Message: p.Message, Hint: p.Hint, Excerpt: p.Excerpt, Text: p.String()})
	}
	return list
}
