package manage

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// AddRouter implements api.Service.
func (m *Manager) AddRouter(ctx context.Context, d api.Definition[spec.Router]) (api.Router, error) {
	if _, err := m.add(ctx, "router/"+d.Name, &spec.Spec{Routers: map[string]*spec.Router{d.Name: d.Spec}}); err != nil {
		return api.Router{}, err
	}
	return m.Router(ctx, d.Name)
}

// AddForward implements api.Service.
func (m *Manager) AddForward(ctx context.Context, d api.Definition[spec.Forward]) (api.Forward, error) {
	if d.Name == "" {
		w, err := m.world()
		if err != nil {
			return api.Forward{}, internal(err)
		}
		d.Name = w.forwardName(d.Spec)
	}
	v, err := m.add(ctx, "forward/"+d.Name, &spec.Spec{Forwards: map[string]*spec.Forward{d.Name: d.Spec}})
	if err != nil {
		return api.Forward{}, err
	}
	return v.forward(d.Name), nil
}

// forwardName makes a name of what a forward does: nextcloud-tcp-443.
func (w world) forwardName(f *spec.Forward) string {
	words := []string{cmp.Or(f.To.Name, f.To.Addr.String()), cmp.Or(string(f.Protocol), string(spec.TCP)), f.Listen.Ports.String()}
	if f.Floating.IsValid() {
		words = []string{words[0], "floating"}
	}
	base := strings.Trim(strings.ReplaceAll(strings.Join(words, "-"), ":", "-"), "-")
	base = base[:min(len(base), spec.MaxName-4)]
	name := base
	for i := 2; w.defined.Forwards[name] != nil || w.fault("forward/"+name) != nil; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name
}

// AddPolicy implements api.Service.
func (m *Manager) AddPolicy(ctx context.Context, d api.Definition[spec.Policy]) (api.Policy, error) {
	v, err := m.add(ctx, "policy/"+d.Name, &spec.Spec{Policies: map[string]*spec.Policy{d.Name: d.Spec}})
	if err != nil {
		return api.Policy{}, err
	}
	return v.policy(d.Name, nil), nil
}

// AddSet implements api.Service.
func (m *Manager) AddSet(ctx context.Context, d api.Definition[spec.AddressSet]) (api.Set, error) {
	v, err := m.add(ctx, "set/"+d.Name, &spec.Spec{Sets: map[string]*spec.AddressSet{d.Name: d.Spec}})
	if err != nil {
		return api.Set{}, err
	}
	return v.set(d.Name), nil
}

// add defines a new object and makes it so, and returns what there is then, but for
// what the kernel made of it. When the host refuses, it is forgotten.
func (m *Manager) add(ctx context.Context, object string, one *spec.Spec) (*view, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer m.changing.Unlock()
	word := strings.Replace(object, "/", " ", 1)
	if !pick(before.all(), object).Empty() {
		return nil, conflict("%s exists; change it with 'kvmnet apply -f', or delete it first", word)
	}
	in := &input{spec: one}
	if err := in.complete(before); err != nil {
		return nil, err
	}
	after := before.clone()
	merge(after.defined, in.spec)
	if err := m.fits(ctx, in, before, after); err != nil {
		return nil, err
	}
	r, err := m.attempt(ctx, m.changes(before, after), "add "+word)
	if err != nil {
		return nil, err
	}
	r.Ops = nil // they are done
	return viewOf(after, r), nil
}

// Delete implements api.Service: it deletes an object whichever half of the store
// it is in.
func (m *Manager) Delete(ctx context.Context, word, name string) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	k := kindOf(word)
	name = before.nameOf(k, name)
	object := word + "/" + name
	switch {
	case k.name == "":
		return errKind(word)
	case k.name == "networks":
		return invalid("a network is stopped and undefined")
	case pick(before.all(), object).Empty():
		return cmp.Or(before.legible(object), notFound(word, name))
	}
	if err := before.unused(object); err != nil {
		return err
	}
	after := before.clone()
	k.drop(after.defined, name)
	k.drop(after.running, name)
	after.demand()
	return m.remove(ctx, fmt.Sprintf("delete %s %s", word, name), before, after)
}
