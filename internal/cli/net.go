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
		`Net handles one network at a time, with the verbs of virsh. Each is there under
virsh's own name as well: 'kvmnet net-list', 'kvmnet net-start'.`,
		`  kvmnet net add lab --nat
  kvmnet net list --all
  kvmnet net info lab`, a.netCommands()...)
}

// netCommands makes the commands under net. They are made twice, because each
// is also a command of its own, see netAliases.
func (a *app) netCommands() []*cobra.Command {
	return []*cobra.Command{
		a.netListCommand(), a.netInfoCommand(), a.netAddCommand(),
		a.netDefineCommand(), a.netCreateCommand(), a.netEditCommand(), a.netDumpCommand(),
		a.netStartCommand(), a.netDestroyCommand(), a.netUndefineCommand(), a.netAutostartCommand(),
		a.netUUIDCommand(), a.netNameCommand(), a.netPortListCommand(), a.netLeasesCommand(), a.netEventCommand(),
	}
}

// netAliases are virsh's names: net-list for net list.
func (a *app) netAliases() []*cobra.Command {
	cmds := a.netCommands()
	for _, c := range cmds {
		c.Use, c.Hidden = "net-"+c.Use, true
		for i, alias := range c.Aliases {
			c.Aliases[i] = "net-" + alias
		}
	}
	return cmds
}

func (a *app) netListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list networks",
		Long: `List prints the networks that run or wait for their first port; --all adds
those that are defined and do not run.`,
		Example: `  kvmnet net list --all
  kvmnet net list -o wide
  for n in $(kvmnet net list -q); do kvmnet verify $n; done`,
		Args: none}
	all := cmd.Flags().Bool("all", false, "also networks that do not run")
	inactive := cmd.Flags().Bool("inactive", false, "only networks that do not run")
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *all && *inactive {
			return usage("--all and --inactive exclude each other")
		}
		list, err := a.client().Networks(cmd.Context())
		if err != nil {
			return err
		}
		var shown []api.Network
		for _, n := range list {
			if *all || *inactive == (n.Status.State == api.Inactive) {
				shown = append(shown, n)
			}
		}
		return a.list(networks, objects(shown, networkObject), form.value)
	}
	return cmd
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

func (a *app) netUUIDCommand() *cobra.Command {
	return &cobra.Command{Use: "uuid NAME", Short: "print the UUID of a network",
		Long:    `Uuid prints the UUID of the network with that name.`,
		Example: `  kvmnet net uuid lab`,
		Args:    one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := a.client().Network(cmd.Context(), args[0])
			if err == nil {
				fmt.Fprintln(a.Stdout, n.Spec.UUID)
			}
			return err
		}}
}

func (a *app) netNameCommand() *cobra.Command {
	return &cobra.Command{Use: "name UUID", Short: "print the name of a network",
		Long:    `Name prints the name of the network with that UUID.`,
		Example: `  kvmnet net name 6f9c1f0e-3d5b-4c35-9c59-2f1d3a8c0b11`,
		Args:    one("UUID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := a.client().Networks(cmd.Context())
			if err != nil {
				return err
			}
			for _, n := range list {
				if strings.EqualFold(n.Spec.UUID, args[0]) {
					fmt.Fprintln(a.Stdout, n.Name)
					return nil
				}
			}
			return fmt.Errorf("no network with UUID %s", args[0])
		}}
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
