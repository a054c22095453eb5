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

var routers = kind{name: "routers",
	head: []string{"STATE", "UPLINKS", "OUTSIDE", "NETWORKS", "INSIDE"},
	wide: []string{"EGRESS", "GATEWAYS", "FORWARDS", "NAMESPACE", "TITLE", "PROBLEMS"},
	list: listed(api.Service.Routers, routerObject)}

func routerObject(r api.Router) object {
	onward := func(l api.RouterLink) string { return strings.ReplaceAll(l.On, " ", "/") }
	network := func(l api.RouterLink) string { return strings.TrimPrefix(l.On, "network ") }
	egress := func(i spec.Interface) string { return string(i.Egress) }
	addresses := func(l api.RouterLink) string { return join(l.Addresses, ",") }
	gateways := func(l api.RouterLink) string { return join(l.Gateways, ",") }
	st := r.Status
	return object{name: r.Name, spec: r.Spec, status: st, about: st.State, rows: []row{{
		cells: []string{st.State, commas(st.Uplinks, onward), commas(st.Uplinks, addresses), commas(st.Interfaces, network), commas(st.Interfaces, addresses)},
		wide: []string{commas(r.Spec.Interfaces, egress), commas(st.Uplinks, gateways), number(len(st.Forwards)), st.Namespace, r.Spec.Title,
			strings.Join(st.Problems, "; ")}}}}
}

// commas prints what is to be told of each, without empty words.
func commas[T any](list []T, text func(T) string) string {
	var words []string
	for _, v := range list {
		if word := text(v); word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}

func (a *app) routerCommand() *cobra.Command {
	return a.group("router", "virtual routers: list, show, add, exec",
		`A router joins networks with each other and with the outside. It has a network
namespace of its own, interfaces on networks, whose gateway it is, and uplinks by
which they leave: each network by its own rule.`,
		`  kvmnet router add r1 --bridge br0 --dhcp --net red=10.8.0.1/24,egress=masquerade,dhcp
  kvmnet router show r1
  kvmnet router exec r1 ip addr`,
		a.routerListCommand(), a.routerShowCommand(), a.routerAddCommand(), a.routerDelCommand(), a.routerExecCommand())
}

func (a *app) routerListCommand() *cobra.Command {
	return a.listCommand(routers, &cobra.Command{Short: "list routers",
		Long: `List prints the routers with what they are joined to and the addresses they have
there.`,
		Example: `  kvmnet router list
  kvmnet router list -o wide`})
}

func (a *app) routerDelCommand() *cobra.Command {
	return a.delCommand(routers, &cobra.Command{Short: "delete routers",
		Long: `Del removes a router, its namespace and all in it, and forgets it. The networks
stay, without a gateway. A router that a forward or a policy names stays until that
is deleted.`,
		Example: `  kvmnet router del r1`})
}

func (a *app) routerShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "show one router",
		Long: `Show prints all of a router: uplinks and interfaces with their addresses and
counters, how networks leave, routes, rules of policy routing, what was refused,
neighbours, and, when it is not as its definition wants it, why.`,
		Example: `  kvmnet router show r1
  kvmnet router show r1 -o json | jq .status.neighbours`,
		Args: one("NAME"), ValidArgsFunction: a.complete(routers, false)}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.client().Router(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print(form.value, routerObject(r).alone(), func() error { return a.fields(routerFields(r)...) })
	}
	return cmd
}

func routerFields(r api.Router) []string {
	st := r.Status
	return []string{
		"Name", r.Name,
		"Title", r.Spec.Title,
		"Description", strings.TrimSpace(r.Spec.Description),
		"State", st.State,
		"Namespace", st.Namespace,
		"Uplinks", lines(st.Uplinks, linkText),
		"Interfaces", lines(st.Interfaces, linkText),
		"NAT", lines(st.NAT, natText),
		"Routes", strings.Join(st.Routes, "\n"),
		"Rules", strings.Join(st.Rules, "\n"),
		"Forwards", strings.Join(st.Forwards, ", "),
		"Refused", refusedText(st.Refused),
		"Neighbours", lines(st.Neighbours, neighbourText),
		"Problems", strings.Join(st.Problems, "\n"),
	}
}

// refusedText lists the packets that were refused, by reason.
func refusedText(refused map[string]uint64) string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		all = append(all, fmt.Sprintf("%s %d", reason, refused[reason]))
	}
	return strings.Join(all, ", ")
}

// lines prints a line for each.
func lines[T any](list []T, text func(T) string) string {
	var all []string
	for _, v := range list {
		all = append(all, text(v))
	}
	return strings.Join(all, "\n")
}

// linkText is an interface or uplink on one line, and its counters on another.
func linkText(l api.RouterLink) string {
	words := []string{l.Name, "on", l.On, l.State}
	if !l.MAC.IsZero() {
		words = append(words, l.MAC.String())
	}
	for _, p := range l.Addresses {
		words = append(words, p.String())
	}
	if l.Acquired {
		words = append(words, "(acquired)")
	}
	for _, g := range l.Gateways {
		words = append(words, "via", g.String())
	}
	if l.Egress != "" {
		words = append(words, "egress", l.Egress)
	}
	if len(l.Allow) > 0 {
		words = append(words, "to", commas(l.Allow, ruleText))
	}
	if l.MTU > 0 && l.MTU != 1500 {
		words = append(words, "mtu", fmt.Sprint(l.MTU))
	}
	text := strings.Join(words, " ")
	if t := l.Traffic; t != nil {
		text += fmt.Sprintf("\n  received %s, %s; sent %s, %s", count(int(t.RxPackets), "packet"), size(t.RxBytes), count(int(t.TxPackets), "packet"), size(t.TxBytes))
	}
	return text
}

// ruleText is a rule with what it counted: tcp/443 (12).
func ruleText(r api.PolicyRule) string {
	if r.Counter == nil {
		return trafficText(r.Traffic)
	}
	return trafficText(r.Traffic) + " (" + hits(r.Counter) + ")"
}

func natText(n api.RouterNAT) string {
	text := fmt.Sprintf("network %s (%s) leaves with ", n.Network, n.Interface)
	if n.Source == "" {
		text += "the uplink's address"
	} else {
		text += n.Source
	}
	if n.Uplink != "" {
		text += " by " + n.Uplink
	}
	if n.Counter != nil {
		text += ", " + count(int(n.Counter.Packets), "connection")
	}
	return text
}

func neighbourText(n api.Neighbour) string {
	return fmt.Sprintf("%s dev %s %s %s", n.Address, n.Link, n.MAC, n.State)
}

// size prints a number of bytes as people say it.
func size(bytes uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	n, i := float64(bytes), 0
	for ; n >= 1024 && i < len(units)-1; i++ {
		n /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", n, units[i])
}
