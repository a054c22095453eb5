package cli

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// portSet are the flags of port set.
type portSet struct {
	network, guest, owner string
	link                  *choice
	ips                   []string
	limits                guestFlags
}

// asNetwork is how a guard is written that the network decides, and theirs how it is
// told of.
const (
	asNetwork = "network"
	theirs    = "the network's"
)

func (a *app) portSetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "set NAME", Short: "change a port, of a running guest, too",
		Long: `Set changes a port while its guest runs, and prints what is another then. What is
not said stays as it is.

With another --network the port is plugged in there as one plugs a cable: the guest
sees its link go and come, and asks for an address again. --link down takes the
cable out until --link up.

--guard network and --storm none leave the decision to the network. A limit of 0 or
none is no limit; --ip none takes the fixed addresses away. A tap belongs to another
--owner when it is made again.`,
		Example: `  kvmnet port set vm1 --network red
  kvmnet port set vm1 --link down
  kvmnet port set vm1 --bandwidth-in 100mbit --bandwidth-out none
  kvmnet port set vm1 --guard mac,address --storm broadcast=50
  kvmnet port set vm1 --ip 10.9.0.21 --guest web`,
		Args: one("NAME"), ValidArgsFunction: a.complete(ports, false)}
	var o portSet
	f := cmd.Flags()
	f.StringVar(&o.network, "network", "", "the `network` it is plugged into")
	o.link = choose(cmd, "link", "", "whether the cable is in", "up", "down")
	f.StringSliceVar(&o.ips, "ip", nil, "the guest's fixed IP `address`; may be repeated")
	f.StringVar(&o.guest, "guest", "", "`name` of the virtual machine it is for")
	f.StringVar(&o.owner, "owner", "", "tap: `user` who may open it without being root")
	o.limits.define(cmd, "the guest")
	cmd.RegisterFlagCompletionFunc("network", a.completeNetworks(anyNetwork, true))
	form := single(cmd)
	jsonFlag(cmd, form)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		before, after, err := a.setPort(cmd, args[0], o)
		if err != nil {
			return err
		}
		return a.print(form.value, portObject(after).alone(), func() error {
			a.sayChanges("port/"+after.Name, portChanges(before.Spec, after.Spec))
			return nil
		})
	}
	return cmd
}

// setPort changes a port, and returns what it was and is.
func (a *app) setPort(cmd *cobra.Command, name string, o portSet) (before, after api.Port, err error) {
	if before, err = a.portNamed(cmd.Context(), name); err != nil {
		return before, after, err
	}
	request, err := o.request(before.Spec, cmd.Flags().Changed)
	if err != nil {
		return before, after, err
	}
	if before.Status.State == adopted {
		return before, after, notOurs(before, "changes")
	}
	after, err = a.client().SetPort(cmd.Context(), name, request)
	return before, after, err
}

// portNamed finds a port.
func (a *app) portNamed(ctx context.Context, name string) (api.Port, error) {
	list, err := a.client().Ports(ctx)
	return named(list, err, "port", name, func(p api.Port) string { return p.Name })
}

// request asks for what is said. Both directions of the bandwidth are asked for, and
// both numbers of the storm: what is said of one keeps the other.
func (o portSet) request(p *spec.Port, said func(flag string) bool) (r api.SetPort, err error) {
	if said("network") {
		r.Network = &o.network
	}
	if said("link") {
		r.Unplugged = new(bool)
		*r.Unplugged = o.link.value == "down"
	}
	if said("guest") {
		r.Guest = &o.guest
	}
	if said("owner") {
		r.Owner = &o.owner
	}
	if said("ip") {
		if r.Addresses, err = o.addresses(); err != nil {
			return r, err
		}
	}
	if err := o.setLimits(&r, p, said); err != nil {
		return r, err
	}
	if r == (api.SetPort{}) {
		return r, usage("say what is to change: --network, --link, --guard, --storm, --bandwidth-in, --bandwidth-out, --ip, --guest or --owner")
	}
	return r, nil
}

func (o portSet) addresses() (*[]netip.Addr, error) {
	if slices.Equal(o.ips, []string{"none"}) || len(o.ips) == 0 {
		return &[]netip.Addr{}, nil
	}
	list, err := readIPs(o.ips)
	return &list, err
}

func (o portSet) setLimits(r *api.SetPort, p *spec.Port, said func(flag string) bool) (err error) {
	if said("guard") {
		r.Guard = new(spec.Guard)
		if o.limits.guard != asNetwork {
			if *r.Guard, err = readGuard(o.limits.guard); err != nil {
				return err
			}
		}
	}
	if said("storm") {
		s, err := readStorm(*cmp.Or(p.Storm, &spec.Storm{}), o.limits.storm)
		if err != nil {
			return err
		}
		r.Storm = &s
	}
	if !said("bandwidth-in") && !said("bandwidth-out") {
		return nil
	}
	b := *cmp.Or(p.Bandwidth, &spec.Bandwidth{})
	if said("bandwidth-in") {
		if b.In, err = readLimit("bandwidth-in", o.limits.in); err != nil {
			return err
		}
	}
	if said("bandwidth-out") {
		b.Out, err = readLimit("bandwidth-out", o.limits.out)
	}
	r.Bandwidth = &b
	return err
}

// sayChanges tells what is another than before.
func (a *app) sayChanges(object string, changes []string) {
	if len(changes) == 0 {
		a.say("%s unchanged", object)
	}
	for _, c := range changes {
		a.say("%s changed: %s", object, c)
	}
}

// portChanges are the settings that port set changes where they differ.
func portChanges(before, after *spec.Port) (changes []string) {
	for _, setting := range []struct {
		word string
		text func(*spec.Port) string
	}{
		{"network", func(p *spec.Port) string { return p.Network }},
		{"link", func(p *spec.Port) string { return map[bool]string{true: "down", false: "up"}[p.Unplugged] }},
		{"guard", func(p *spec.Port) string { return cmp.Or(string(p.Guard), theirs) }},
		{"storm", func(p *spec.Port) string { return cmp.Or(stormText(p.Storm), theirs) }},
		{"bandwidth-in", func(p *spec.Port) string { return cmp.Or(cmp.Or(p.Bandwidth, &spec.Bandwidth{}).In.String(), "none") }},
		{"bandwidth-out", func(p *spec.Port) string { return cmp.Or(cmp.Or(p.Bandwidth, &spec.Bandwidth{}).Out.String(), "none") }},
		{"ip", func(p *spec.Port) string { return cmp.Or(join(p.Addresses, ","), "none") }},
		{"guest", func(p *spec.Port) string { return cmp.Or(p.Guest, "none") }},
		{"owner", func(p *spec.Port) string { return cmp.Or(p.Owner, "none") }},
	} {
		if was, is := setting.text(before), setting.text(after); was != is {
			changes = append(changes, setting.word+" "+is+" (was "+was+")")
		}
	}
	return changes
}
