package manage

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// input is what a request wants defined, and where it stands in the user's files.
type input struct {
	spec     *spec.Spec
	files    []document    // none when the request is not a file
	problems []api.Problem // found while reading

	// Of files that are XML:
	libvirt map[string]*libvirtxml.File // by the network
	notes   []api.Problem               // what is said in vain
	refusal error                       // why libvirt would not take one
	whole   bool                        // says all of its objects, so that nothing is kept of those they replace
	alone   bool                        // may be at odds with networks that do not run, as libvirt lets them
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
func (in *input) complete(w world) error {
	for _, object := range objects(in.spec) {
		if err := w.legible(object); err != nil {
			return err
		}
	}
	all := w.all()
	for name, n := range in.spec.Networks {
		keepNetwork(n, all.Networks[name])
		if in.libvirt[name] != nil {
			keepAutostart(n, w.defined.Networks[name])
		}
	}
	for name, p := range in.spec.Ports {
		if in.whole {
			break
		}
		if old := all.Ports[name]; old != nil && old.Held != "" {
			return conflict("port %s is held by a program that uses it; choose another name, or stop that program first", name)
		}
		keepPort(p, all.Ports[name])
	}
	for name, r := range in.spec.Routers {
		keepRouter(r, all.Routers[name])
	}
	return in.fill(in.scope(all))
}

// fill fills in the defaults and checks. Ports alone are looked at beside those near
// them only, as long as these tell all.
func (in *input) fill(all *spec.Spec) error {
	if len(in.spec.Ports) == in.spec.Count() {
		near, written := nearPorts(all, in.spec.Ports), in.spec.Ports
		in.spec.Ports = maps.Clone(written)
		if merged := in.defaults(near); clearOf(all, near, in.spec.Ports) {
			return in.check(near, merged)
		}
		in.spec.Ports = written
	}
	return in.check(all, in.defaults(all))
}

// defaults gives the input its defaults, and returns it with all else.
func (in *input) defaults(all *spec.Spec) *spec.Spec {
	merged := all.Merge(in.spec)
	merged.Default()
	for _, object := range objects(in.spec) {
		k, name := cut(object)
		k.put(in.spec, k.pick(merged, name))
	}
	return merged
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

// keepAutostart keeps whether a network starts at boot, which libvirt has beside the
// definition. A new one does not.
func keepAutostart(n, old *spec.Network) {
	on := old != nil && spec.Truth(old.Autostart)
	n.Autostart = &on
}

// keepPort does the same for a port. A new one gets a random address: one made
// from its name would be the same on every host that has a port of that name.
func keepPort(p, old *spec.Port) {
	if old != nil {
		p.MAC, p.UUID, p.Guest = cmp.Or(p.MAC, old.MAC), cmp.Or(p.UUID, old.UUID), cmp.Or(p.Guest, old.Guest)
		if cmp.Or(p.Type, spec.Tap) == old.Type {
			p.Interface, p.Peer = cmp.Or(p.Interface, old.Interface), cmp.Or(p.Peer, old.Peer)
		}
	}
	if p.Held != spec.HeldOutside {
		p.MAC = cmp.Or(p.MAC, spec.GenerateMAC(newUUID()))
	}
	p.UUID = cmp.Or(p.UUID, newUUID())
}

// keepRouter keeps the names of a router's interfaces, and with them their MACs:
// otherwise those behind one that goes would be renamed.
func keepRouter(r, old *spec.Router) {
	if old == nil {
		return
	}
	taken := map[string]bool{}
	for _, i := range r.Interfaces {
		taken[i.Name] = true
	}
	for k := range r.Interfaces {
		i := &r.Interfaces[k]
		same := slices.IndexFunc(old.Interfaces, func(o spec.Interface) bool { return o.Network == i.Network })
		if i.Name == "" && same >= 0 && !taken[old.Interfaces[same].Name] {
			i.Name = old.Interfaces[same].Name
		}
	}
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
			if !in.alone || !p.Refers {
				problems = append(problems, placed(p))
			}
		}
	}
	if len(problems) == 0 {
		for _, p := range brought(all, merged) {
			if !in.alone || !p.Refers {
				problems = append(problems, in.place(p))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.spec.Ports)) {
		owner := in.spec.Ports[name].Owner
		if _, err := uid(owner); owner != "" && err != nil {
			problems = append(problems, in.place(spec.Problem{Path: spec.Field(spec.Field("ports", name), "owner"), Message: err.Error()}))
		}
	}
	if len(problems) > 0 {
		return in.faulty(problems)
	}
	return nil
}

// scope is what the input must go together with.
func (in *input) scope(all *spec.Spec) *spec.Spec {
	if !in.alone {
		return all
	}
	near := *all
	near.Networks = map[string]*spec.Network{}
	for name := range in.spec.Networks {
		if n := all.Networks[name]; n != nil {
			near.Networks[name] = n
		}
	}
	return &near
}

// brought returns the problems that were not there before, in whatever object:
// an address may be promised to somebody else. A hint may change without a new
// problem: it names what is there.
func brought(all, merged *spec.Spec) []spec.Problem {
	now := merged.Validate()
	if len(now) == 0 {
		return nil
	}
	type known struct{ path, message string }
	before := map[known]bool{}
	for _, p := range all.Validate() {
		before[known{p.Path, p.Message}] = true
	}
	return slices.DeleteFunc(now, func(p spec.Problem) bool { return before[known{p.Path, p.Message}] })
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
