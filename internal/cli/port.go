package cli

import (
	"os"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) portCommand() *cobra.Command {
	return a.group("port", "ports: the NICs of guests",
		`A port is one NIC of a guest on a network: a tap for QEMU, Firecracker or Cloud
Hypervisor, or a veth pair for a network namespace.`,
		`  kvmnet port add lab --name vm1
  kvmnet port list lab
  kvmnet port set vm1 --network red
  kvmnet port del vm1`,
		a.portAddCommand(), a.portDelCommand(), a.portListCommand(), a.portShowCommand(), a.portSetCommand())
}

// How --vhost is answered.
const (
	vhostAuto = "auto" // on where the host has it
	vhostOn   = "on"
	vhostOff  = "off"
)

// vhostNet is there where the kernel can move a guest's packets.
var vhostNet = "/dev/vhost-net"

// pasteFields are the arguments with which programs that run guests use a port. What
// others made has its program already.
func pasteFields(p api.Port, vhost string) []string {
	if p.Status.State == adopted || p.Spec.Held == spec.HeldOutside {
		return nil
	}
	if vhost == vhostAuto {
		vhost = ""
		if _, err := os.Stat(vhostNet); err == nil { // QEMU goes on without it when it may not open it
			vhost = vhostOn
		}
	}
	return vmmFields(p, vhost)
}
