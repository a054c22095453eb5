package cli

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// defaultName is the network that guests are on when nobody chose one, as in libvirt.
const defaultName = "default"

// defaultFrom is where its subnet begins: 192.168.122.0/24.
const defaultFrom = 122

func (a *app) importDefaultCommand() *cobra.Command {
	return &cobra.Command{Use: "default", Short: "define the network that every libvirt installation has",
		Long: `Default defines the network that tools written for libvirt expect: its name is
default, it is a NAT network with the subnet 192.168.122.0/24 on the bridge virbr0,
and its guests get addresses from .2 to .254. Where these are in use, on the host or
by another definition, it takes the next subnet and the next bridge that are free.

It does not run and does not start at boot. A network of that name that is there
already is left alone, so that the command can be run again.`,
		Example: `  kvmnet import default && kvmnet net autostart default && kvmnet net start default`,
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := a.client()
			_, err := c.Network(cmd.Context(), defaultName)
			if err == nil {
				a.say("network/%s exists and is left alone", defaultName)
				return nil
			}
			if e := apiError(err); e == nil || e.Code != api.CodeNotFound {
				return err
			}
			subnet, err := c.FreeSubnet(cmd.Context(), defaultFrom)
			if err != nil {
				return err
			}
			n, err := c.Define(cmd.Context(), api.DefineRequest{File: api.File{Name: "default.xml", Text: defaultXML(subnet)}})
			if err == nil {
				a.say("network/%s defined: %s on %s; start it with 'kvmnet net start %s', at every boot with 'kvmnet net autostart %s'",
					n.Name, subnet.Masked(), n.Spec.Bridge.Name, n.Name, n.Name)
			}
			return err
		}}
}

// defaultXML is the network on a /24 whose gateway is the first address.
func defaultXML(subnet netip.Prefix) string {
	b := subnet.Addr().As4()
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{b[0], b[1], b[2], last}) }
	return fmt.Sprintf(`<network>
  <name>%s</name>
  <forward mode='nat'/>
  <ip address='%s' netmask='255.255.255.0'>
    <dhcp>
      <range start='%s' end='%s'/>
    </dhcp>
  </ip>
</network>
`, defaultName, subnet.Addr(), at(2), at(254))
}
