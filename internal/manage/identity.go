package manage

import (
	"crypto/sha256"
	"fmt"

	"kvmnet/internal/spec"
)

// identity gives a UUID to networks and ports that were written by hand without one:
// one that follows from the host and the name, so that it is the same each time they
// are read, until a request writes it down.
type identity struct {
	in, out *spec.Spec // of the last time
	objects map[any]any
}

// of returns a spec whose networks and ports all have a UUID. The same spec comes out as
// the same, and so does the same object of two: what has changed is told by pointers.
func (i *identity) of(s *spec.Spec, host func() (string, error)) (*spec.Spec, error) {
	if s == i.in {
		return i.out, nil
	}
	nameless := &spec.Spec{Networks: lacking(s.Networks, func(n *spec.Network) string { return n.UUID }),
		Ports: lacking(s.Ports, func(p *spec.Port) string { return p.UUID })}
	out, objects := s, map[any]any{}
	if !nameless.Empty() {
		id, err := host()
		if err != nil {
			return nil, err
		}
		for name, n := range nameless.Networks {
			nameless.Networks[name] = once(i.objects, objects, n, func(c *spec.Network) { c.UUID = namedUUID(id, "network/"+name) })
		}
		for name, p := range nameless.Ports {
			nameless.Ports[name] = once(i.objects, objects, p, func(c *spec.Port) { c.UUID = namedUUID(id, "port/"+name) })
		}
		out = join(s, nameless)
	}
	i.in, i.out, i.objects = s, out, objects
	return out, nil
}

// lacking are the objects without a UUID.
func lacking[T any](all map[string]*T, uuid func(*T) string) map[string]*T {
	some := map[string]*T{}
	for name, object := range all {
		if object != nil && uuid(object) == "" {
			some[name] = object
		}
	}
	return some
}

// once is the copy that was made of an object before, or a new one.
func once[T any](before, now map[any]any, object *T, name func(*T)) *T {
	made, there := before[object].(*T)
	if !there {
		c := *object
		made = &c
		name(made)
	}
	now[object] = made
	return made
}

// namedUUID makes a UUID of a host and a name (RFC 9562 section 5.8).
func namedUUID(host, name string) string {
	sum := sha256.Sum256([]byte(host + " " + name))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
