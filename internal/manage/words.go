package manage

import (
	"context"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
)

// DescribeNetwork implements api.Service.
func (m *Manager) DescribeNetwork(ctx context.Context, network string, w api.NetworkWords) error {
	if w.Title != nil && strings.Contains(*w.Title, "\n") {
		return because(api.ReasonBadUpdate, invalid("metadata title can't contain newlines"))
	}
	var told []string
	if w.Title != nil {
		told = append(told, "title")
	}
	if w.Description != nil {
		told = append(told, "description")
	}
	return m.annotate(ctx, network, w.Copies, told, func(_ string, n *spec.Network) (*spec.Network, error) {
		next := *n
		if w.Title != nil {
			next.Title = *w.Title
		}
		if w.Description != nil {
			next.Description = *w.Description
		}
		return &next, nil
	})
}

// SetMetadata implements api.Service.
func (m *Manager) SetMetadata(ctx context.Context, network string, c api.MetadataChange) error {
	return m.annotate(ctx, network, c.Copies, []string{"element " + c.URI}, func(name string, n *spec.Network) (*spec.Network, error) {
		return throughXML(name, func(doc *libvirtxml.Network) error {
			if c.XML == nil {
				doc.RemoveMetadata(c.URI)
				return nil
			}
			return doc.SetMetadata(c.URI, c.Key, *c.XML)
		})(n)
	})
}

// annotate changes what people and tools write to a network, which changes nothing on
// the host, and tells of it in libvirt's way.
func (m *Manager) annotate(ctx context.Context, network string, c api.Copies, told []string, change func(string, *spec.Network) (*spec.Network, error)) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name := before.networkName(network)
	copies, err := before.chosen(name, c)
	if err != nil {
		return err
	}
	after, _, err := before.rework(name, copies, func(n *spec.Network) (*spec.Network, error) { return change(name, n) })
	if err != nil {
		return err
	}
	if err := m.record(partial(m.changes(before, after))); err != nil {
		return err
	}
	for _, what := range told {
		m.events.say("metadata-change", "network/"+name, what)
	}
	return nil
}

// Metadata implements api.Service.
func (m *Manager) Metadata(_ context.Context, network, uri string, c api.Copies) (string, error) {
	w, err := m.world()
	if err != nil {
		return "", internal(err)
	}
	name := w.networkName(network)
	if c, err = w.chosen(name, c); err != nil {
		return "", err
	}
	one := w.copies(name, c)[0]
	text, there := libvirtxml.Of(name, one.shelf[name]).MetadataOf(uri)
	if !there {
		return "", &api.Error{Code: api.CodeNotFound, Reason: api.ReasonNoMetadata, Message: "network " + name + " has no metadata of " + uri}
	}
	return text, nil
}
