package cli

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) ifaceInfoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "info NAME", Short: "show one interface",
		Long: `Info prints how an interface is defined, and how it runs where that is something
else. -o yaml prints what 'kvmnet iface define' takes, but for the status; -o xml
is the definition in libvirt's form.`,
		Example: `  kvmnet iface info eth0
  kvmnet iface info 52:54:00:12:34:56 -o yaml
  kvmnet iface info br0 -o xml`,
		Args: one("NAME"), ValidArgsFunction: a.completeInterfaces(anyInterface)}
	form := choose(cmd, "output", "o", "form of the output", asTable, asJSON, asYAML, "xml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		i, err := a.client().Interface(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if form.value == "xml" {
			text, err := a.client().InterfaceXML(cmd.Context(), i.Name, i.Defined != nil)
			fmt.Fprint(a.Stdout, text)
			return err
		}
		o := interfaceObject(i)
		o.name = "" // the definition has it
		return a.print(form.value, o.alone(), func() error { return a.fields(interfaceFields(i)...) })
	}
	return cmd
}

func interfaceFields(i api.HostInterface) []string {
	s, now := shape(i), shape(i)
	if i.Live != nil {
		now = *i.Live
	}
	defined := ""
	if i.Defined != nil && i.Live != nil && join(addresses(*i.Defined), "\n") != join(addresses(now), "\n") {
		defined = join(addresses(*i.Defined), "\n")
	}
	vlan := ""
	if s.VLAN != nil {
		vlan = fmt.Sprintf("%d on %s", s.VLAN.Tag, s.VLAN.On)
	}
	return []string{
		"Name", i.Name, "Type", string(s.Type), "State", stateOf(i), "Start", string(s.Start), "MAC", macText(i.MAC), "MTU", mtuText(now.MTU),
		"VLAN", vlan, "Ports", portNames(now), "Addresses", join(addresses(now), "\n"), "Defined", defined,
		"Routes", strings.Join(routesOf(now), "\n"), "Manager", i.Manager,
	}
}

// routesOf tells routes as ip(8) does.
func routesOf(i spec.HostInterface) (lines []string) {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip == nil {
			continue
		}
		for _, r := range ip.Routes {
			line := r.To.String()
			if r.To.Bits() == 0 {
				line = "default"
			}
			lines = append(lines, line+viaText(r.Via)+metricText(r.Metric))
		}
	}
	return lines
}

func viaText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return " via " + a.String()
}

func metricText(metric int) string {
	if metric == 0 {
		return ""
	}
	return fmt.Sprintf(" metric %d", metric)
}
