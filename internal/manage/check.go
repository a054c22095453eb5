package manage

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// input is what a request wants defined, and where it stands in the user's files.
type input struct {
	spec     *spec.Spec
	files    []*specfile.File // none when the request is not a file
	problems []api.Problem    // found while reading
}

// read parses files. What is wrong with them comes out of complete, together
// with what is wrong with their objects.
func read(files []api.File) *input {
	in := &input{spec: &spec.Spec{}}
	from := map[string]string{}
	for _, f := range files {
		parsed, _ := specfile.Parse(f.Name, []byte(f.Text))
		for _, object := range objects(parsed.Spec) {
			if other, twice := from[object]; twice {
				in.problems = append(in.problems, plain(spec.Problem{Message: fmt.Sprintf("%s is in %s and in %s", object, other, f.Name)}))
			}
			from[object] = f.Name
		}
		in.spec, in.files = in.spec.Merge(parsed.Spec), append(in.files, parsed)
	}
	return in
}

func count(n int) string {
	if n == 1 {
		return "1 problem; nothing was changed"
	}
	return fmt.Sprintf("%d problems; nothing was changed", n)
}

// complete fills what the input leaves open, from the definitions that are
// replaced and then from the defaults, and checks it together with everything
// that is defined.
func (m *Manager) complete(in *input, all *spec.Spec) error {
	for name, n := range in.spec.Networks {
		keepNetwork(n, all.Networks[name])
	}
	for name, p := range in.spec.Ports {
		keepPort(p, all.Ports[name])
	}
	merged := all.Merge(in.spec)
	merged.Default()
	for name := range in.spec.Networks {
		in.spec.Networks[name] = merged.Networks[name]
	}
	for name := range in.spec.Ports {
		in.spec.Ports[name] = merged.Ports[name]
	}
	return in.check(all, merged)
}

// keepNetwork keeps what was generated for the network when it was first
// defined.
func keepNetwork(n, old *spec.Network) {
	if old != nil {
		n.UUID = cmp.Or(n.UUID, old.UUID)
		if n.Mode != spec.Bridge && old.Mode != spec.Bridge {
			n.Bridge.Name = cmp.Or(n.Bridge.Name, old.Bridge.Name)
		}
	}
	n.UUID = cmp.Or(n.UUID, newUUID())
}

// keepPort does the same for a port. A new one gets a random address: one made
// from its name would be the same on every host that has a port of that name.
func keepPort(p, old *spec.Port) {
	if old != nil && (p.Type == "" || p.Type == old.Type) {
		p.Interface, p.Peer, p.MAC = cmp.Or(p.Interface, old.Interface), cmp.Or(p.Peer, old.Peer), cmp.Or(p.MAC, old.MAC)
	}
	p.MAC = cmp.Or(p.MAC, spec.GenerateMAC(newUUID()))
}

// newUUID makes a random UUID (RFC 9562 section 5.4).
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// check returns every problem of the input: of reading, and of its objects beside
// everything that is defined.
func (in *input) check(all, merged *spec.Spec) error {
	problems := in.problems
	for _, f := range in.files {
		for _, p := range f.Validate(merged) {
			problems = append(problems, placed(p))
		}
	}
	if len(problems) == 0 {
		for _, p := range brought(all, merged) {
			problems = append(problems, in.place(p))
		}
	}
	for name, p := range in.spec.Ports {
		if _, err := uid(p.Owner); p.Owner != "" && err != nil {
			problems = append(problems, in.place(spec.Problem{Path: spec.Field(spec.Field("ports", name), "owner"), Message: err.Error()}))
		}
	}
	if len(problems) > 0 {
		return invalid(count(len(problems)), problems...)
	}
	return nil
}

// brought returns the problems that were not there before, in whatever object:
// an address may be promised to somebody else.
func brought(all, merged *spec.Spec) []spec.Problem {
	now := merged.Validate()
	if len(now) == 0 {
		return nil
	}
	before := map[spec.Problem]bool{}
	for _, p := range all.Validate() {
		before[p] = true
	}
	return slices.DeleteFunc(now, func(p spec.Problem) bool { return before[p] })
}

// place finds a problem's line in the user's files.
func (in *input) place(p spec.Problem) api.Problem {
	for _, f := range in.files {
		if at := f.Locate(p); at.Line > 0 {
			return placed(at)
		}
	}
	return plain(p)
}

func placed(p specfile.Problem) api.Problem {
	return api.Problem{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Message: p.Message, Hint: p.Hint,
		Excerpt: p.Excerpt, Text: p.String()}
}

func plain(p spec.Problem) api.Problem {
	return api.Problem{Path: p.Path, Message: p.Message, Hint: p.Hint, Text: p.String()}
}

// objects names the objects of a spec, such as network/lab, sorted.
func objects(s *spec.Spec) []string {
	var names []string
	for name := range s.Networks {
		names = append(names, "network/"+name)
	}
	for name := range s.Bridges {
		names = append(names, "bridge/"+name)
	}
	for name := range s.Ports {
		names = append(names, "port/"+name)
	}
	slices.Sort(names)
	return names
}

// free checks that the host does not use the subnets of the input's networks that
// are about to run.
func (m *Manager) free(ctx context.Context, in *input, runs func(name string) bool) error {
	have, err := m.engine.Have(ctx)
	if err != nil {
		return internal(err)
	}
	taken := plan.TakenBy(have)
	var problems []api.Problem
	for name, n := range in.spec.Networks {
		if !runs(name) {
			continue
		}
		for i, s := range n.Subnets {
			if t, hit := taken.Blocks(s.Address.Masked()); hit {
				path := spec.Field(spec.Index(spec.Field(spec.Field("networks", name), "subnets"), i), "address")
				problems = append(problems, in.place(spec.Problem{Path: path,
					Message: fmt.Sprintf("%s is in use on this host: %s", s.Address.Masked(), t.By),
					Hint:    m.freeHint(s.Address, taken)}))
			}
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b api.Problem) int { return cmp.Compare(a.Path, b.Path) })
		return &api.Error{Code: api.CodeConflict, Message: count(len(problems)), Problems: problems}
	}
	return nil
}

func (m *Manager) freeHint(p netip.Prefix, taken plan.TakenList) string {
	all, err := m.all()
	if err != nil || !p.Addr().Is4() {
		return "choose another prefix"
	}
	free, err := spec.FreeSubnet(append(taken.Prefixes(), subnets(all)...))
	if err != nil {
		return "choose another prefix"
	}
	return fmt.Sprintf("choose another, %s is free", free)
}

// subnets lists the prefixes of all networks and host bridges.
func subnets(s *spec.Spec) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range s.Networks {
		for _, sub := range n.Subnets {
			list = append(list, sub.Address.Masked())
		}
	}
	for _, b := range s.Bridges {
		list = append(list, b.Addresses...)
	}
	return list
}
