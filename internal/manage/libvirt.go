package manage

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// asLibvirt checks a network that is defined by XML as libvirt does, in its order and
// in its words: its bridge, then its UUID, then its name.
func (w world) asLibvirt(name string, n *spec.Network, transient bool) error {
	if bridge := n.Bridge.Name; bridge != "" && n.Mode.Managed() && other(w.bridgeUsers()[bridge], name) {
		return because(api.ReasonBridgeTaken, conflict("internal error: bridge name '%s' already in use.", n.Bridge.Name))
	}
	if owner := w.networkOf(n.UUID); owner != "" {
		switch {
		case owner != name:
			return because(api.ReasonUUIDTaken, conflict("operation failed: network '%s' is already defined with uuid %s", owner, w.uuid(owner)))
		case transient && w.running.Networks[name] != nil:
			return because(api.ReasonUUIDTaken, conflict("Requested operation is not valid: network is already active as '%s'", name))
		}
		return nil
	}
	if w.uuid(name) != "" {
		return because(api.ReasonNameTaken, conflict("operation failed: network '%s' already exists with uuid %s", name, w.uuid(name)))
	}
	return nil
}

// uuid is that of a network, "" when there is no such network.
func (w world) uuid(name string) string {
	for _, s := range []*spec.Spec{w.running, w.defined} {
		if n := s.Networks[name]; n != nil {
			return n.UUID
		}
	}
	return ""
}

// bridgeUsers names the networks that have a bridge, now or when they start next.
func (w world) bridgeUsers() map[string][]string {
	users := map[string][]string{}
	for _, s := range []*spec.Spec{w.defined, w.running} {
		for name, n := range s.Networks {
			users[n.Bridge.Name] = append(users[n.Bridge.Name], name)
		}
	}
	return users
}

// other reports whether a list has another name than one.
func other(list []string, than string) bool {
	return slices.ContainsFunc(list, func(name string) bool { return name != than })
}

// dress gives networks that are defined by XML what libvirt would: a bridge of the
// first free number, and a random MAC. What is applied again keeps its bridge.
func (m *Manager) dress(ctx context.Context, w world, in *input) error {
	if len(in.libvirt) == 0 {
		return nil
	}
	have, err := m.engine.Have(ctx)
	if err != nil {
		return internal(err)
	}
	users, all := w.bridgeUsers(), w.all()
	for name, n := range in.spec.Networks {
		users[n.Bridge.Name] = append(users[n.Bridge.Name], name)
	}
	for _, name := range in.spec.Names("networks") {
		n, old := in.spec.Networks[name], all.Networks[name]
		if in.libvirt[name] == nil || !n.Mode.Managed() {
			continue
		}
		if old != nil && old.Mode.Managed() {
			n.Bridge.MAC = cmp.Or(n.Bridge.MAC, old.Bridge.MAC)
			if !in.alone {
				n.Bridge.Name = cmp.Or(n.Bridge.Name, old.Bridge.Name)
			}
		}
		n.Bridge.MAC = cmp.Or(n.Bridge.MAC, randomMAC())
		if n.Bridge.Name == "" {
			n.Bridge.Name = freeBridge(in.libvirt[name].Template, name, users, have)
		}
		if n.Bridge.Name == "" {
			return because(api.ReasonBridgeTaken, conflict("internal error: Bridge generation exceeded max id %d", lastBridge))
		}
		users[n.Bridge.Name] = append(users[n.Bridge.Name], name)
	}
	return nil
}

// lastBridge is the highest number that libvirt gives to a bridge.
const lastBridge = 256

// freeBridge makes a bridge name of a template: the first that no other network has
// and no interface of the host. It is "" when all are taken.
func freeBridge(template, network string, users map[string][]string, have plan.State) string {
	for i := range lastBridge + 1 {
		name := strings.Replace(template, "%d", fmt.Sprint(i), 1)
		if _, there := have.Link("", name); !there && !other(users[name], network) {
			return name
		}
	}
	return ""
}

// randomMAC makes an address as libvirt makes them, so that the bridge of the same
// network has another one on another host.
func randomMAC() spec.MAC {
	mac := spec.MAC{0x52, 0x54}
	rand.Read(mac[3:])
	return mac
}
