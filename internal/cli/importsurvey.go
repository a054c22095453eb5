package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirthost"
)

// importSurvey is what import libvirt prints.
type importSurvey struct {
	Networks []*candidate `json:"networks"`
}

// survey finds the networks that are meant, and what would become of each.
func (a *app) survey(ctx context.Context, i importing, names []string) ([]*candidate, error) {
	source := i.source()
	list, unread := source.Networks(ctx)
	if unread != nil && list == nil {
		return nil, unread
	}
	list, err := chosen(list, names)
	if err != nil {
		return nil, errors.Join(err, unread)
	}
	if len(names) > 0 {
		unread = nil // of others
	}
	known, err := a.client().Networks(ctx)
	if err != nil {
		return nil, err
	}
	var all []*candidate
	for _, n := range list {
		c := &candidate{Name: n.Name, Autostart: n.Autostart, Active: n.Active, from: n, Result: resultReady}
		if err := a.examine(ctx, i, source, c, known); err != nil {
			return nil, err
		}
		c.compare(all)
		all = append(all, c)
	}
	return all, unread
}

// chosen are the networks of these names; without names all.
func chosen(list []libvirthost.Network, names []string) ([]libvirthost.Network, error) {
	if len(names) == 0 {
		return list, nil
	}
	var found []libvirthost.Network
	for _, name := range names {
		k := slices.IndexFunc(list, func(n libvirthost.Network) bool { return n.Name == name })
		if k < 0 {
			return nil, fmt.Errorf("libvirt has no network %s; it has %s", name, namesOf(list))
		}
		found = append(found, list[k])
	}
	return found, nil
}

func namesOf(list []libvirthost.Network) string {
	var names []string
	for _, n := range list {
		names = append(names, n.Name)
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// examine has the daemon read a definition, and finds what is in its way. What the
// daemon refuses is a conflict; an error is one of the daemon itself.
func (a *app) examine(ctx context.Context, i importing, source libvirthost.Source, c *candidate, known []api.Network) error {
	n, err := a.client().Define(ctx, api.DefineRequest{File: c.from.XML, DryRun: true})
	if refused := declined(err); refused != nil {
		c.Result, c.Problems = resultConflict, reasons(refused)
		return nil
	}
	if err != nil {
		return err
	}
	c.take(n)
	if n.Spec.Mode.Managed() {
		c.leases, err = a.leasesOf(ctx, source, c)
		if err != nil {
			c.Differs = append(c.Differs, "its leases are not taken: "+err.Error())
		}
		c.Leases = len(c.leases)
	}
	k := slices.IndexFunc(known, func(k api.Network) bool { return k.Name == n.Name && k.Spec.UUID == n.Spec.UUID })
	if k >= 0 {
		c.Result, c.known, c.runs = resultKnown, true, known[k].Status.State == api.Running
	}
	if !c.known || i.start && !c.runs {
		c.hinder(i, n.Status.Problems)
	}
	return nil
}

func (a *app) leasesOf(ctx context.Context, source libvirthost.Source, c *candidate) ([]api.Lease, error) {
	list, notes, err := source.Leases(ctx, c.from.Name, c.Bridge)
	c.Differs = append(c.Differs, notes...)
	return list, err
}

// apiError is the error of the daemon that err is or wraps, nil when there is none.
func apiError(err error) *api.Error {
	var e *api.Error
	errors.As(err, &e)
	return e
}

// declined is an error by which the daemon refuses a definition, nil for others.
func declined(err error) *api.Error {
	if e := apiError(err); e != nil && e.Code != api.CodeInternal {
		return e
	}
	return nil
}

// reasons are the message of an error, or the problems it is about.
func reasons(e *api.Error) []string {
	if len(e.Problems) == 0 {
		return []string{e.Message}
	}
	var list []string
	for _, p := range e.Problems {
		list = append(list, placed(p))
	}
	return list
}

// placed prints a problem in a line, with its place in the file.
func placed(p api.Problem) string {
	text, _, _ := strings.Cut(p.Message, "\n") // below it libvirt repeats the line of the file
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, text)
	}
	return text
}
