package cli

import (
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// routerAdd are the flags of router add.
type routerAdd struct {
	uplink                          spec.Uplink
	host                            string
	addresses, gateways, interfaces []string
	title                           string
}

func (a *app) routerAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME [--bridge|--network|--nic|--host WHERE] [--net NETWORK=ADDRESS,...]", Short: "add a router without writing a file",
		Long: `Add defines a router and makes it. Its uplink is on one of four things:

  --bridge BR       a bridge of the host, such as br0
  --network NAME    a network of kvmnet
  --nic NIC         a NIC of the host, which the host goes on using
  --host nat|route  the host itself, by a link of two ends

and has an address: --address, --dhcp or --slaac. Without any the router joins its
networks only. Each --net is an interface on a network, with commas between:

  NETWORK=ADDRESS/LENGTH   the gateway of its guests; several with more commas
  egress=none|route|masquerade|snat
                           how the network leaves; none unless it is said
  snat=ADDRESS[-ADDRESS]   leaves with that one (egress=snat)
  dhcp, dhcp=FROM-TO       guests get addresses, of all or of that range
  killswitch               leaves by nothing else when the uplink is down

More than one uplink and further settings are for a file and 'kvmnet apply'.`,
		Example: `  kvmnet router add r1 --bridge br0 --dhcp --net red=10.8.0.1/24,egress=masquerade,dhcp
  kvmnet router add r2 --nic eth1 --address 192.0.2.7/24 --gateway 192.0.2.1 --net db=10.8.1.1/24
  kvmnet router add r3 --host nat --address 10.255.0.2/30 --gateway 10.255.0.1
  kvmnet router add r4 --net red=10.1.0.1/24,egress=route --net blue=10.2.0.1/24,egress=route`,
		Args: one("NAME")}
	var o routerAdd
	f := cmd.Flags()
	f.StringVar(&o.uplink.Bridge, "bridge", "", "uplink on this host `bridge`")
	f.StringVar(&o.uplink.Network, "network", "", "uplink on this `network`")
	f.StringVar(&o.uplink.NIC, "nic", "", "uplink on this `NIC` of the host")
	f.StringVar(&o.host, "host", "", "uplink to the host, which treats it as `nat or route`")
	f.StringArrayVar(&o.addresses, "address", nil, "the uplink's `address` with prefix length; may be repeated")
	f.StringArrayVar(&o.gateways, "gateway", nil, "next hop for the rest of the world, an `address`; may be repeated")
	f.BoolVar(&o.uplink.DHCP, "dhcp", false, "the uplink's address and gateway by DHCP")
	f.BoolVar(&o.uplink.SLAAC, "slaac", false, "the uplink's IPv6 address and gateway by router advertisements")
	f.StringArrayVar(&o.interfaces, "net", nil, "an interface on a network, `NETWORK=ADDRESS,...`; may be repeated")
	f.StringVar(&o.title, "title", "", "a few `words` about it")
	cmd.RegisterFlagCompletionFunc("network", a.completeNetworks(anyNetwork, true))
	cmd.RegisterFlagCompletionFunc("host", cobra.FixedCompletions([]string{"nat", "route"}, cobra.ShellCompDirectiveNoFileComp))
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := o.router()
		if err != nil {
			return err
		}
		made, err := a.client().AddRouter(cmd.Context(), api.Definition[spec.Router]{Name: args[0], Spec: r})
		if err != nil {
			return err
		}
		return a.added(form.value, routers, routerObject(made), made.Status.Problems)
	}
	return cmd
}

// added prints an object that was made, and what it still waits for.
func (a *app) added(form string, k kind, o object, problems []string) error {
	return a.print(form, o.alone(), func() error {
		a.say("%s/%s created", k.word(), o.name)
		for _, problem := range problems {
			a.say("note: %s/%s %s", k.word(), o.name, problem)
		}
		return nil
	})
}

func (o routerAdd) router() (*spec.Router, error) {
	r := &spec.Router{Title: o.title}
	on := 0
	for _, where := range []string{o.uplink.Bridge, o.uplink.Network, o.uplink.NIC, o.host} {
		if where != "" {
			on++
		}
	}
	addressed := len(o.addresses)+len(o.gateways) > 0 || o.uplink.DHCP || o.uplink.SLAAC
	switch {
	case on > 1:
		return nil, usage("an uplink is on one of --bridge, --network, --nic and --host")
	case on == 0 && addressed:
		return nil, usage("say where the uplink is: --bridge, --network, --nic or --host")
	case on == 1 && !addressed:
		return nil, usage("the uplink needs an address: --address, --dhcp or --slaac")
	case on == 0 && len(o.interfaces) == 0:
		return nil, usage("a router needs an uplink (--bridge, --network, --nic, --host) or an interface (--net)")
	}
	if on == 1 {
		u, err := o.way()
		if err != nil {
			return nil, err
		}
		r.Uplink = u
	}
	for _, text := range o.interfaces {
		i, err := readInterface(text)
		if err != nil {
			return nil, err
		}
		r.Interfaces = append(r.Interfaces, i)
	}
	return r, nil
}

// way is the uplink of the flags.
func (o routerAdd) way() (*spec.Uplink, error) {
	u := o.uplink
	u.Host = spec.HostLink(o.host)
	if u.Host != "" && u.Host != spec.HostNAT && u.Host != spec.HostRoute {
		return nil, usagef("--host is nat or route, not %q", o.host)
	}
	for _, word := range o.addresses {
		if _, err := netip.ParsePrefix(word); err != nil {
			return nil, usagef("%q is not an address with a prefix length, such as 192.168.1.100/24", word)
		}
	}
	for _, word := range o.gateways {
		if _, err := netip.ParseAddr(word); err != nil {
			return nil, usagef("%q is not an address, such as 192.168.1.1", word)
		}
	}
	u.Address, u.Gateway = spec.Prefixes(strings.Join(o.addresses, ", ")), spec.Addresses(strings.Join(o.gateways, ", "))
	return &u, nil
}

// readInterface reads NETWORK=ADDRESS,egress=…,dhcp.
func readInterface(text string) (spec.Interface, error) {
	network, rest, found := strings.Cut(text, "=")
	i := spec.Interface{Network: network}
	if !found || network == "" {
		return i, usagef("%q is not NETWORK=ADDRESS/LENGTH, such as red=10.8.0.1/24", text)
	}
	var addresses []string
	for word := range strings.SplitSeq(rest, ",") {
		if p, err := netip.ParsePrefix(word); err == nil {
			addresses = append(addresses, p.String())
			continue
		}
		if err := setInterface(&i, word); err != nil {
			return i, err
		}
	}
	i.Address = spec.Prefixes(strings.Join(addresses, ", "))
	if i.SNAT != nil && i.Egress == "" {
		i.Egress = spec.EgressSNAT
	}
	return i, nil
}

// interfaceWords are the words of --net beside addresses.
var interfaceWords = []string{"egress", "snat", "dhcp", "uplink", "killswitch"}

func setInterface(i *spec.Interface, word string) error {
	key, value, valued := strings.Cut(word, "=")
	switch {
	case key == "egress" && valued:
		i.Egress = spec.Egress(value)
	case key == "snat" && valued:
		r, err := readSource(value)
		if err != nil {
			return err
		}
		if i.SNAT == nil {
			i.SNAT = &spec.SNAT{}
		}
		if r.From.Is4() {
			i.SNAT.Address = r
		} else {
			i.SNAT.IPv6 = r
		}
	case key == "dhcp":
		i.DHCP = &spec.DHCP{}
		if valued {
			r, err := spec.ParseLeaseRange(value)
			if err != nil {
				return usage(err.Error())
			}
			i.DHCP.Ranges = []spec.LeaseRange{r}
		}
	case key == "uplink" && valued:
		i.Uplink = value
	case key == "killswitch" && !valued:
		i.KillSwitch = true
	default:
		return wrongInterfaceWord(word, key)
	}
	return nil
}

// readSource reads an address, or a range of them.
func readSource(text string) (spec.AddrRange, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return spec.AddrRange{From: a, To: a}, nil
	}
	r, err := spec.ParseAddrRange(text)
	if err != nil {
		return r, usagef("snat=%s: %v", text, err)
	}
	return r, nil
}

func wrongInterfaceWord(word, key string) error {
	if near := spec.Nearest(key, interfaceWords); near != "" && near != key {
		return usagef("--net does not know %q; did you mean %s?", word, near)
	}
	return usagef("--net does not know %q; there are an address with its length, egress=, snat=, dhcp, uplink= and killswitch", word)
}
