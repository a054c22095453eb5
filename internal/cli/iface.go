package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// interfaces are the host's own. They are listed by the commands under iface only: no
// file of networks has them.
var interfaces = kind{name: "interfaces", head: []string{"TYPE", "STATE", "DEFINED", "ADDRESSES"}, wide: []string{"MAC", "MTU", "PORTS", "MANAGER"}}

// interfaceStatus is what is observed of an interface.
type interfaceStatus struct {
	State   string              `json:"state"`
	MAC     spec.MAC            `json:"mac,omitzero"`
	Manager string              `json:"manager,omitempty"`
	Live    *spec.HostInterface `json:"live,omitempty"` // where it is not as it is defined
}

// interfaceObject is an interface as listings print it: its definition, or how it runs
// where it has none.
func interfaceObject(i api.HostInterface) object {
	s := shape(i)
	status := interfaceStatus{State: stateOf(i), MAC: i.MAC, Manager: i.Manager}
	if i.Defined != nil {
		status.Live = i.Live
	}
	now := s
	if i.Live != nil {
		now = *i.Live
	}
	r := row{[]string{string(s.Type), status.State, yesNo(i.Defined != nil), join(addresses(now), ",")}, []string{macText(i.MAC), mtuText(now.MTU), portNames(now), i.Manager}}
	return object{name: i.Name, spec: s, status: status, about: string(s.Type) + ", " + status.State, rows: []row{r}}
}

func stateOf(i api.HostInterface) string {
	if i.Active {
		return "up"
	}
	return "down"
}

func mtuText(mtu int) string {
	if mtu == 0 {
		return ""
	}
	return strconv.Itoa(mtu)
}

func portNames(i spec.HostInterface) string {
	var names []string
	for _, p := range i.Ports() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ",")
}

// addresses are those of both families, and how others come.
func addresses(i spec.HostInterface) (list []string) {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip == nil {
			continue
		}
		if ip.DHCP {
			list = append(list, "dhcp")
		}
		if ip.Autoconf {
			list = append(list, "slaac")
		}
		for _, p := range ip.Addresses {
			list = append(list, p.String())
		}
	}
	return list
}

func (a *app) ifaceCommand() *cobra.Command {
	return a.group("iface", "the host's own interfaces: list, define, start, stop, bridge",
		`Iface handles the interfaces of the host itself: its NICs, bonds, VLANs and bridges.
Definitions are kept in the files of whoever has the configuration: systemd-networkd,
NetworkManager, netplan, ifupdown, the network scripts, or kvmnet itself.

Those who know virsh find its own commands as well, 'kvmnet iface-list',
'kvmnet iface-bridge': see 'kvmnet help virsh'.`,
		`  kvmnet iface list --all
  kvmnet iface info eth0
  kvmnet iface bridge eth0 br0`, a.ifaceCommands()...)
}

func (a *app) ifaceCommands() []*cobra.Command {
	return []*cobra.Command{
		a.ifaceListCommand(), a.ifaceInfoCommand(), a.ifaceMACCommand(), a.ifaceNameCommand(),
		a.ifaceDefineCommand(), a.ifaceUndefineCommand(), a.ifaceEditCommand(), a.ifaceDumpXMLCommand(),
		a.ifaceStartCommand(), a.ifaceDestroyCommand(), a.ifaceBridgeCommand(), a.ifaceUnbridgeCommand(),
		a.ifaceChangeCommand("begin", "remember how interfaces are configured, to go back to",
			`Begin keeps the configuration of all interfaces until 'kvmnet iface commit' or
'kvmnet iface rollback'. A reboot rolls back, too: nobody is locked out by a
configuration that does not come up.`, (*api.Client).BeginInterfaces, "begun"),
		a.ifaceChangeCommand("commit", "keep what was changed since begin",
			`Commit keeps all changes since 'kvmnet iface begin'.`, (*api.Client).CommitInterfaces, "committed"),
		a.ifaceChangeCommand("rollback", "go back to what was configured at begin",
			`Rollback brings files and interfaces back to what they were at 'kvmnet iface begin'.`, (*api.Client).RollbackInterfaces, "rolled back"),
	}
}

func (a *app) ifaceListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list the host's interfaces",
		Long: `List prints the interfaces that are up; --all adds those that are defined or there,
and down. Ports stand with their bridge or bond. What no file of a network manager
defines may be gone at the next boot.`,
		Example: `  kvmnet iface list --all
  kvmnet iface list --all -o wide
  kvmnet iface list -o json | jq '.interfaces | keys'`,
		Args: none}
	all := cmd.Flags().Bool("all", false, "also interfaces that are down")
	inactive := cmd.Flags().Bool("inactive", false, "only interfaces that are down")
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := exclusive(cmd, [][2]string{{"all", "inactive"}}); err != nil {
			return err
		}
		list, err := a.client().Interfaces(cmd.Context())
		if err != nil {
			return err
		}
		var shown []api.HostInterface
		for _, i := range list {
			if *all || i.Active != *inactive {
				shown = append(shown, i)
			}
		}
		return a.list(interfaces, objects(shown, interfaceObject), form.value)
	}
	return cmd
}

func anyInterface(api.HostInterface) bool { return true }

// completeInterfaces offers the interfaces that fit.
func (a *app) completeInterfaces(fits func(api.HostInterface) bool) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.interfaceNames(fits), cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) interfaceNames(fits func(api.HostInterface) bool) []cobra.Completion {
	return names(a.client().Interfaces, func(i api.HostInterface) (string, string) {
		if !fits(i) {
			return "", ""
		}
		return i.Name, interfaceObject(i).about
	}, nil)
}
