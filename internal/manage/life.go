package manage

import (
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// announce tells the listeners, once for an object whose definition and run mark
// change alike.
func (m *Manager) announce(list []change) {
	told := map[string]bool{}
	for _, c := range list {
		verb := c.verb()
		if told[c.object] && verb != "started" && verb != "stopped" {
			continue
		}
		told[c.object] = true
		m.events.send(api.Event{Time: time.Now(), Type: verb, Object: c.object, Life: c.life()})
	}
}

// life tells what libvirt's lifecycle event of a change is; "" = there is none. It
// has none of a network that only runs in another way, and none of autostart.
func (c change) life() string {
	if c.within || !strings.HasPrefix(c.object, "network/") {
		return ""
	}
	switch verb := c.verb(); {
	case verb == "started":
		return "Started"
	case verb == "stopped":
		return "Stopped"
	case verb == "deleted":
		return "Undefined"
	case !c.marks && !same(besideAutostart(c.old), besideAutostart(c.now)):
		return "Defined"
	}
	return ""
}

// besideAutostart is a spec of one network without what libvirt keeps beside the
// definition.
func besideAutostart(s *spec.Spec) *spec.Spec {
	one := &spec.Spec{Networks: map[string]*spec.Network{}}
	for name, n := range s.Networks {
		plain := *n
		plain.Autostart = nil
		one.Networks[name] = &plain
	}
	return one
}
