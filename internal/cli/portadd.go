package cli

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// portAdd are the flags of port add.
type portAdd struct {
	name, iface, peer, mac, owner, device, guest string
	ips                                          []string
	queues                                       int
	transient                                    bool
	limits                                       guestFlags
}

func (a *app) portAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NETWORK", Short: "add a port to a network",
		Long: `Add makes a port and prints what the guest needs: interface, MAC address,
gateway and MTU, and for a tap the arguments of programs that run guests. What is
not given is chosen. A network that runs on demand is started.

The guest may open a tap with as many pairs of queues as --queues says, and then
uses as many processors for what it sends and receives.`,
		Example: `  kvmnet port add lab
  kvmnet port add lab --name vm1 --mac 52:54:00:11:22:33 --ip 10.9.0.20
  kvmnet port add lab --name vm2 --owner alice --queues 4
  kvmnet port add lab --name vm3 --guard strict --bandwidth-in 100mbit --bandwidth-out 20mbit
  kvmnet port add lab --name c1 --type veth --peer eth0
  kvmnet port add lan --device eth1
  kvmnet port add lab --transient --json`,
		Args: one("NETWORK"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	var o portAdd
	kind := o.flags(cmd)
	vhost := choose(cmd, "vhost", "", "tap: whether the kernel moves the packets; it changes the printed arguments only", vhostAuto, vhostOn, vhostOff)
	form := single(cmd)
	jsonFlag(cmd, form)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var asked spec.PortType
		if cmd.Flags().Changed("type") {
			asked = spec.PortType(kind.value)
		}
		request, err := o.request(args[0], asked)
		if err != nil {
			return err
		}
		p, err := a.client().AddPort(cmd.Context(), request)
		if err != nil {
			return err
		}
		return a.print(form.value, portObject(p).alone(), func() error { return a.printNewPort(p, vhost.value) })
	}
	return cmd
}

func (o *portAdd) flags(cmd *cobra.Command) (kind *choice) {
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "`name` of the port (default: the network's with a number)")
	kind = choose(cmd, "type", "", "how it appears on the host (default: a tap, or a macvtap where the network is on NICs)", string(spec.Tap), string(spec.Veth), string(spec.Macvtap))
	f.StringVar(&o.iface, "interface", "", "`name` of the host's interface, up to 15 characters (default: made from the port's)")
	f.StringVar(&o.peer, "peer", "", "veth: `name` of the other end (default: made)")
	f.StringVar(&o.mac, "mac", "", "the guest's MAC `address` (default: made)")
	f.StringSliceVar(&o.ips, "ip", nil, "the guest's fixed IP `address`; may be repeated")
	f.StringVar(&o.device, "device", "", "macvtap: `NIC` of the host to put it on (default: the one with the fewest)")
	f.StringVar(&o.guest, "guest", "", "`name` of the virtual machine it is for")
	f.StringVar(&o.owner, "owner", "", "tap: `user` who may open it without being root")
	f.IntVar(&o.queues, "queues", 0, "tap: `number` of pairs of queues (default 1)")
	f.BoolVar(&o.transient, "transient", false, "gone after a reboot")
	o.limits.define(cmd, "the guest")
	return kind
}

func (a *app) printNewPort(p api.Port, vhost string) error {
	if a.quiet {
		a.nameAll(section{ports, []object{portObject(p)}}, false)
		return nil
	}
	a.say("port/%s created", p.Name)
	return a.fields(slices.Concat(portFields(p), pasteFields(p, vhost))...)
}

func (o *portAdd) request(network string, kind spec.PortType) (r api.AddPort, err error) {
	p := &spec.Port{Network: network, Type: kind, Interface: o.iface, Peer: o.peer, Owner: o.owner, Device: o.device, Guest: o.guest, Queues: o.queues}
	r = api.AddPort{Name: o.name, Port: p, Transient: o.transient}
	if err := o.check(kind); err != nil {
		return r, err
	}
	if o.mac != "" {
		mac, err := spec.ParseMAC(o.mac)
		if err != nil {
			return r, usage(err.Error())
		}
		p.MAC = mac
	}
	if p.Addresses, err = readIPs(o.ips); err != nil {
		return r, err
	}
	p.Guard, p.Storm, p.Bandwidth, err = o.limits.limits()
	return r, err
}

// check refuses flags of one type of port for another.
func (o *portAdd) check(kind spec.PortType) error {
	switch {
	case kind != spec.Veth && o.peer != "":
		return usage("--peer needs --type veth: a tap has no other end")
	case kind == spec.Veth && o.owner != "":
		return usage("--owner is for taps: nobody opens a veth")
	case o.queues < 0:
		return usagef("--queues: %d is not a number of queues", o.queues)
	case kind != "" && kind != spec.Tap && o.queues > 1:
		return usagef("--queues is for taps: a %s has no queues of its own", kind)
	}
	return nil
}

func readIPs(words []string) (list []netip.Addr, err error) {
	for _, word := range words {
		addr, err := netip.ParseAddr(strings.TrimSpace(word))
		if err != nil {
			return nil, usagef("%q is not an IP address such as 10.9.0.20", word)
		}
		list = append(list, addr)
	}
	return list, nil
}
