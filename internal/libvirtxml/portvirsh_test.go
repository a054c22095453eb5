package libvirtxml

import (
	"strings"
	"testing"

	"kvmnet/internal/peers"
)

// TestVirshMakesPortsAsTheScriptsSay runs the scripts with libvirt itself.
func TestVirshMakesPortsAsTheScriptsSay(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	for _, s := range scripts(t, "port") {
		name := s.name()
		define(t, lv, name, lv.File(name+".xml", s.network), s.network)
		if said := lv.Virsh("net-start", name); said.Code != 0 {
			t.Fatalf("%s: %s", s.path, said.Err)
		}
		for _, step := range s.steps {
			step.heard(t, s.path, makePort(lv, name, step.line), false)
		}
		lv.Virsh("net-destroy", name)
		lv.Virsh("net-undefine", name)
		if *record {
			s.write(t)
		}
	}
}

// portUUID is that of every port in the scripts.
const portUUID = "aaaaaaaa-0000-0000-0000-000000000001"

// makePort makes a port, and deletes it when it is there.
func makePort(lv *peers.Libvirt, network, text string) string {
	if said := lv.Virsh("net-port-create", network, lv.File("port.xml", text)); said.Code != 0 {
		return "error: " + message(said) + "\n"
	}
	said := lv.Virsh("net-port-dumpxml", network, portUUID)
	lv.Virsh("net-port-delete", network, portUUID)
	return strings.TrimSpace(said.Out) + "\n"
}
