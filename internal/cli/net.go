package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) netCommand() *cobra.Command {
	return a.group("net", "networks: list, add, define, start, stop, edit",
		`Net handles one network at a time. Those who know virsh find its own commands as
well, 'kvmnet net-list', 'kvmnet net-start': see 'kvmnet help virsh'.`,
		`  kvmnet net add lab --nat
  kvmnet net list --all
  kvmnet net info lab`, a.netCommands()...)
}

// netCommands makes the commands under net.
func (a *app) netCommands() []*cobra.Command {
	return []*cobra.Command{
		a.netListCommand(), a.netInfoCommand(), a.netAddCommand(),
		a.netDefineCommand(), a.netCreateCommand(), a.netEditCommand(), a.netUpdateCommand(), a.netDumpCommand(), a.netDumpXMLCommand(),
		a.netDescCommand(), a.netMetadataCommand(),
		a.netStartCommand(), a.netDestroyCommand(), a.netUndefineCommand(), a.netAutostartCommand(),
		a.netUUIDCommand(), a.netNameCommand(), a.netLeasesCommand(), a.netEventCommand(),
		a.netPortListCommand(), a.netPortCreateCommand(), a.netPortDumpXMLCommand(), a.netPortDeleteCommand(),
	}
}

func (a *app) netInfoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "info NAME", Short: "show one network",
		Long: `Info prints a network's settings and state, and, when it is not as its
definition wants it, why.`,
		Example: `  kvmnet net info lab
  kvmnet net info lab -o json | jq .status`,
		Args: one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := a.client().Network(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print(form.value, networkObject(n).alone(), func() error { return a.fields(netFields(n)...) })
	}
	return cmd
}

func netFields(n api.Network) []string {
	pending := ""
	if n.Status.Pending {
		pending = "the definition differs from what runs; it takes effect at the next start"
	}
	return []string{
		"Name", n.Name,
		"Title", n.Spec.Title,
		"Description", strings.TrimSpace(n.Spec.Description),
		"UUID", n.Spec.UUID,
		"State", n.Status.State,
		"Persistent", yesNo(n.Status.Persistent),
		"Autostart", yesNo(n.Status.Autostart),
		"Mode", string(n.Spec.Mode),
		"Bridge", bridgeText(n),
		"Direct", directText(n.Spec),
		"Guests", isolation(n.Spec),
		"Guard", string(n.Spec.Guard),
		"Storm", stormText(n.Spec.Storm),
		"Access", accessText(n.Spec),
		"Bandwidth", bandwidthText(n.Spec.Bandwidth),
		"Uplink", n.Spec.Uplink,
		"Subnets", subnetText(n.Spec),
		"Routes", routeText(n.Spec),
		"Policy", string(n.Spec.Policy),
		"Peers", strings.Join(n.Spec.Peers, ", "),
		"Domain", domainText(n.Spec),
		"Ports", strings.Join(n.Status.Ports, ", "),
		"Asked", counterText(n.Status.Counters),
		"Pending", pending,
		"Problems", strings.Join(n.Status.Problems, "\n"),
	}
}

// directText names the NICs of a network whose ports are macvtaps.
func directText(n *spec.Network) string {
	if n.Direct == nil {
		return ""
	}
	return string(n.Direct.OrBridge()) + " on " + strings.Join(n.Direct.Devices, ", ")
}

// isolation tells of guests that do not reach each other.
func isolation(n *spec.Network) string {
	if !n.Isolated {
		return ""
	}
	return "do not reach each other"
}

// accessText tells who may have ports without being root, each on a line.
func accessText(n *spec.Network) string {
	var lines []string
	for _, a := range n.Access {
		line := "user " + a.User
		if a.User == "" {
			line = "group " + a.Group
		}
		if a.Ports > 0 {
			line += ", " + count(a.Ports, "port")
		}
		if len(a.Guards) > 0 {
			line += ", guards " + join(a.Guards, " or ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func bridgeText(n api.Network) string {
	var more []string
	if n.Spec.Bridge.MTU > 0 {
		more = append(more, fmt.Sprintf("mtu %d", n.Spec.Bridge.MTU))
	}
	if n.Spec.Bridge.STP {
		more = append(more, "stp")
	}
	if !n.Spec.Bridge.MAC.IsZero() {
		more = append(more, n.Spec.Bridge.MAC.String())
	}
	if len(more) == 0 {
		return n.Status.Bridge
	}
	return n.Status.Bridge + " (" + strings.Join(more, ", ") + ")"
}

func subnetText(n *spec.Network) string {
	var lines []string
	for _, s := range n.Subnets {
		line := s.Address.String()
		if s.DHCP != nil && spec.Truth(s.DHCP.Enabled) {
			line += strings.TrimRight(" dhcp "+join(s.DHCP.Ranges, ", "), " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// counterText lists what was counted, a protocol a line.
func counterText(counters map[string]uint64) string {
	var lines []string
	last := ""
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		protocol, what, _ := strings.Cut(name, " ")
		if protocol != last {
			lines, last = append(lines, protocol+":"), protocol
		}
		lines[len(lines)-1] += fmt.Sprintf(" %s %d,", what, counters[name])
	}
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, ",")
	}
	return strings.Join(lines, "\n")
}

func domainText(n *spec.Network) string {
	if n.DNS == nil {
		return ""
	}
	return n.DNS.Domain
}

func routeText(n *spec.Network) string {
	var lines []string
	for _, r := range n.Routes {
		lines = append(lines, fmt.Sprintf("%s via %s", r.To, r.Via))
	}
	return strings.Join(lines, "\n")
}

func (a *app) netPortListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "port-list NAME", Short: "list the ports of a network",
		Long: `Port-list prints the ports of a network, and the interfaces somebody else
plugged into its bridge (state adopted).`,
		Example: `  kvmnet net port-list lab`,
		Args:    one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.listPorts(cmd.Context(), args[0], form.value)
	}
	return cmd
}

func (a *app) netEventCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "event [NAME]", Short: "print what happens to networks, as it happens",
		Long:    `Event prints a line for everything that happens to a network, or to any, until Ctrl-C.`,
		Example: `  kvmnet net event lab`,
		Args:    between(0, 1, ""), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := choose(cmd, "output", "o", "form of the output", asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.follow(cmd.Context(), form.value, func(object string) bool {
			name, network := strings.CutPrefix(object, "network/")
			return network && (len(args) == 0 || name == args[0])
		})
	}
	return cmd
}
