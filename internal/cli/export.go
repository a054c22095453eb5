package cli

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/spec"
)

func (a *app) exportCommand() *cobra.Command {
	return a.group("export", "give networks to libvirt",
		`Export prints what another program needs to use kvmnet's networks.`,
		`  kvmnet export libvirt lab > lab.xml`, a.exportLibvirtCommand())
}

func (a *app) exportLibvirtCommand() *cobra.Command {
	return &cobra.Command{Use: "libvirt NAME", Short: "print the network by which libvirt's guests use a bridge of kvmnet",
		Long: `Libvirt prints a network of mode bridge for libvirt: one of the same name that
puts guests on the bridge of a kvmnet network, and does nothing else. Addresses,
names, NAT, rules and guards stay kvmnet's, and hold for libvirt's guests, whose taps
it adopts; libvirt starts no process for it and writes no rule. Guests with
<source network='NAME'/> then work as before.`,
		Example: `  kvmnet export libvirt lab > lab.xml
  virsh net-define lab.xml && virsh net-start lab && virsh net-autostart lab`,
		Args: one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := a.client().Network(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprint(a.Stdout, thinXML(n.Name, n.Spec))
			return nil
		}}
}

// thinXML is the network by which libvirt uses one of ours. Guests that do not reach
// each other are so by a mark on their port, which libvirt makes.
func thinXML(name string, n *spec.Network) string {
	lines := []string{"<network>", "  <name>" + escaped(name) + "</name>"}
	if n.Direct != nil {
		mode := n.Direct.Mode
		if mode == "" {
			mode = spec.DirectBridge
		}
		lines = append(lines, "  <forward mode='"+string(mode)+"'>")
		for _, device := range n.Direct.Devices {
			lines = append(lines, "    <interface dev='"+escaped(device)+"'/>")
		}
		lines = append(lines, "  </forward>")
	} else {
		lines = append(lines, "  <forward mode='bridge'/>", "  <bridge name='"+escaped(n.Bridge.Name)+"'/>")
		if n.Isolated {
			lines = append(lines, "  <port isolated='yes'/>")
		}
	}
	return strings.Join(append(lines, "</network>", ""), "\n")
}

// escaped is text as XML has it.
func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder fails at nothing
	return b.String()
}
