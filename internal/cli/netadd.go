package cli

import (
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// netAdd are the flags of net add.
type netAdd struct {
	isolated, nat, route, open bool
	bridge                     string   // host bridge of mode bridge
	direct                     []string // NICs of mode bridge
	isolate                    bool
	limits                     guestFlags
	addresses                  []string
	ipv6, onDemand, noStart    bool
	noDHCP                     bool
	bridgeName, uplink, title  string
	domain                     string
	mtu                        int
}

func (a *app) netAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME --isolated|--nat|--route|--open [ADDRESS...] | --bridge BR | --direct NIC", Short: "add a network without writing a file",
		Long: `Add defines a network and starts it. Say whom its guests reach:

  --isolated   each other, and the host's address if the network has one
  --nat        the outside, with the host's address; nobody comes in
  --route      the outside, with their own address; the outside comes in
  --open       as route, but your own firewall decides
  --bridge BR  the LAN behind the host bridge BR, as hosts of it
  --direct NIC the LAN behind the NIC, by macvtap and without a bridge

--isolate keeps the guests apart from each other, whatever else they reach.

ADDRESS is the gateway address with its prefix length, 10.9.0.1/24; of a whole
prefix, 10.9.0.0/24, the first address is taken. "auto" chooses a free prefix.
Without any, nat, route and open choose one, and isolated has none.

Guests get addresses by DHCP, of IPv6 by router advertisements, and names by DNS.`,
		Example: `  kvmnet net add lab --nat
  kvmnet net add lab --nat 10.9.0.0/24 fd00:9::/64
  kvmnet net add red --isolated --bridge-name red0
  kvmnet net add dmz --route auto --ipv6 --uplink eth0
  kvmnet net add lan --bridge br0
  kvmnet net add rent --nat --isolate --guard strict --bandwidth-out 100mbit`,
		Args: some("NAME")}
	var o netAdd
	f := cmd.Flags()
	f.BoolVar(&o.isolated, "isolated", false, "guests reach each other")
	f.BoolVar(&o.nat, "nat", false, "guests reach the outside with the host's address")
	f.BoolVar(&o.route, "route", false, "guests reach the outside with their own address")
	f.BoolVar(&o.open, "open", false, "as --route, without rules of ours")
	f.StringVar(&o.bridge, "bridge", "", "guests are on the LAN of this host `bridge`")
	f.StringSliceVar(&o.direct, "direct", nil, "guests are on the LAN of this `NIC` of the host; may be repeated")
	f.BoolVar(&o.isolate, "isolate", false, "guests do not reach each other")
	f.StringArrayVar(&o.addresses, "address", nil, "gateway `address`, as the argument ADDRESS; may be repeated")
	f.BoolVar(&o.ipv6, "ipv6", false, "choose a free IPv6 prefix, too")
	f.BoolVar(&o.onDemand, "on-demand", false, "run only while the network has a port")
	f.BoolVar(&o.noDHCP, "no-dhcp", false, "guests have fixed addresses")
	f.StringVar(&o.domain, "domain", "", "guests are named below this `domain`, such as lab.internal")
	f.BoolVar(&o.noStart, "no-start", false, "define only")
	f.StringVar(&o.bridgeName, "bridge-name", "", "`name` of the network's bridge, up to 15 characters (default: made from the network's)")
	f.StringVar(&o.uplink, "uplink", "", "nat, route: the only host `interface` guests leave by")
	f.StringVar(&o.title, "title", "", "a few `words` about it")
	f.IntVar(&o.mtu, "mtu", 0, "largest packet in `bytes` (default: the kernel's 1500)")
	o.limits.define(cmd, "guests")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.addresses = append(args[1:], o.addresses...)
		request, err := o.request(args[0])
		if err != nil {
			return err
		}
		n, err := a.client().AddNetwork(cmd.Context(), request)
		if err != nil {
			return err
		}
		return a.print(form.value, networkObject(n).alone(), func() error {
			a.say("network/%s created: %s", n.Name, netSummary(n))
			a.noteProblems(n)
			return nil
		})
	}
	return cmd
}

func (a *app) noteProblems(n api.Network) {
	for _, problem := range n.Status.Problems {
		a.say("note: network/%s %s", n.Name, problem)
	}
}

// netSummary tells in a line what was made, of which some was chosen.
func netSummary(n api.Network) string {
	words := []string{string(n.Spec.Mode)}
	if n.Status.Bridge != "" {
		words = append(words, "bridge "+n.Status.Bridge)
	}
	for _, s := range n.Spec.Subnets {
		words = append(words, s.Address.String())
	}
	return strings.Join(append(words, n.Status.State), ", ")
}

// request turns the flags into a network.
func (o netAdd) request(name string) (api.AddNetwork, error) {
	mode, err := o.mode()
	if err != nil {
		return api.AddNetwork{}, err
	}
	r := api.AddNetwork{Name: name, IPv6: o.ipv6, Start: !o.noStart, DHCP: !o.noDHCP, Network: &spec.Network{
		Title: o.title, Mode: mode, Uplink: o.uplink, OnDemand: o.onDemand,
		Bridge: spec.BridgeSettings{Name: o.bridgeName, MTU: o.mtu}}}
	if err := o.share(r.Network); err != nil {
		return r, err
	}
	if mode == spec.Bridge {
		r.DHCP = false
		o.onLAN(r.Network)
		return r, o.checkBridge()
	}
	if o.domain != "" {
		r.Network.DNS = &spec.DNS{Domain: o.domain}
	}
	for _, word := range o.addresses {
		if word == "auto" {
			r.Choose = true
			continue
		}
		p, err := gateway(word)
		if err != nil {
			return r, err
		}
		r.Network.Subnets = append(r.Network.Subnets, spec.Subnet{Address: p})
	}
	if len(o.addresses) == 0 && mode != spec.Isolated {
		r.Choose = true
	}
	return r, nil
}

// share sets what guests may send, to each other and at all.
func (o netAdd) share(n *spec.Network) (err error) {
	n.Isolated = o.isolate
	n.Guard, n.Storm, n.Bandwidth, err = o.limits.limits()
	return err
}

// onLAN puts guests on the LAN of a bridge or of NICs. On NICs macvtap keeps them
// apart by its mode private.
func (o netAdd) onLAN(n *spec.Network) {
	n.Bridge.Name = o.bridge
	if len(o.direct) == 0 {
		return
	}
	n.Direct = &spec.Direct{Devices: o.direct}
	if o.isolate {
		n.Isolated, n.Direct.Mode = false, spec.DirectPrivate
	}
}

// mode is the one mode asked for.
func (o netAdd) mode() (spec.Mode, error) {
	var modes []spec.Mode
	for _, m := range []struct {
		asked bool
		mode  spec.Mode
	}{{o.isolated, spec.Isolated}, {o.nat, spec.NAT}, {o.route, spec.Route}, {o.open, spec.Open}, {o.bridge != "" || len(o.direct) > 0, spec.Bridge}} {
		if m.asked {
			modes = append(modes, m.mode)
		}
	}
	switch len(modes) {
	case 0:
		return "", usage("say whom the guests reach: --isolated, --nat, --route, --open, --bridge BR or --direct NIC")
	case 1:
		return modes[0], nil
	}
	return "", usagef("a network has one mode, not %s", join(modes, " and "))
}

// checkBridge refuses what a network of mode bridge has from the LAN.
func (o netAdd) checkBridge() error {
	by := "--bridge"
	if len(o.direct) > 0 {
		by = "--direct"
	}
	switch {
	case o.bridge != "" && len(o.direct) > 0:
		return usage("--bridge and --direct exclude each other: guests are on a bridge or on NICs")
	case o.limits.in != "" || o.limits.out != "":
		return usagef("%s takes no limit: its guests reach the LAN past the host; limit their ports", by)
	case len(o.direct) > 0 && (o.limits.guard != "" || o.limits.storm != ""):
		return usage("--direct takes no guard: its guests reach the LAN past the host; use --bridge")
	case len(o.addresses) > 0 || o.ipv6:
		return usagef("%s takes no address: its guests have those of the LAN", by)
	case o.bridgeName != "":
		return usagef("%s and --bridge-name exclude each other: the network has no bridge of its own", by)
	case o.noDHCP || o.domain != "":
		return usagef("%s takes neither --no-dhcp nor --domain: addresses and names are the LAN's", by)
	case o.mtu != 0:
		return usagef("%s and --mtu exclude each other: the MTU is the LAN's", by)
	}
	return nil
}

// gateway reads a gateway address; of a prefix it takes the first address.
func gateway(word string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(word)
	if err != nil {
		return p, usagef("%q is not an address with a prefix length, such as 10.9.0.1/24, nor auto", word)
	}
	if p == p.Masked() && p.Addr().BitLen()-p.Bits() > 1 {
		p = netip.PrefixFrom(p.Addr().Next(), p.Bits())
	}
	return p, nil
}
