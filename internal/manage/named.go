package manage

import (
	"strings"

	"kvmnet/internal/spec"
)

// networkName finds the network that is meant: by its name, or, where none is called
// so, by its UUID. What names no network stays, and the verb says so.
func (w world) networkName(given string) string {
	if w.running.Networks[given] != nil || w.defined.Networks[given] != nil || w.fault("network/"+given) != nil {
		return given
	}
	if name := w.networkOf(given); name != "" {
		return name
	}
	return given
}

// networkOf names the network that has a UUID; "" when none has.
func (w world) networkOf(uuid string) string {
	if plainUUID(uuid) == "" {
		return ""
	}
	for _, s := range []*spec.Spec{w.defined, w.running} {
		for name, n := range s.Networks {
			if plainUUID(n.UUID) == plainUUID(uuid) {
				return name
			}
		}
	}
	return ""
}

// portName does the same for a port.
func (w world) portName(given string) string {
	if w.live().Ports[given] != nil {
		return given
	}
	if name := w.portOf(given); name != "" {
		return name
	}
	return given
}

// nameOf does the same for an object of any kind; others than those two have no UUID.
func (w world) nameOf(k kind, given string) string {
	switch k.name {
	case "networks":
		return w.networkName(given)
	case "ports":
		return w.portName(given)
	}
	return given
}

// portOf names the port that has a UUID; "" when none has.
func (w world) portOf(uuid string) string {
	if plainUUID(uuid) == "" {
		return ""
	}
	for name, p := range w.live().Ports {
		if plainUUID(p.UUID) == plainUUID(uuid) {
			return name
		}
	}
	return ""
}

// plainUUID is a UUID in small letters without its dashes, which libvirt does not
// need; "" when it is none.
func plainUUID(s string) string {
	plain := strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if len(plain) != 32 || strings.Trim(plain, "0123456789abcdef") != "" {
		return ""
	}
	return plain
}
