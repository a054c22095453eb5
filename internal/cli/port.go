package cli

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) portCommand() *cobra.Command {
	return a.group("port", "ports: the NICs of guests",
		`A port is one NIC of a guest on a network: a tap for QEMU, Firecracker or Cloud
Hypervisor, or a veth pair for a network namespace.`,
		`  kvmnet port add lab --name vm1
  kvmnet port list lab
  kvmnet port del vm1`,
		a.portAddCommand(), a.portDelCommand(), a.portListCommand(), a.portShowCommand())
}

// portAdd are the flags of port add.
type portAdd struct {
	name, iface, peer, mac, owner, device, guest string
	ips                                          []string
	transient                                    bool
}

func (a *app) portAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NETWORK", Short: "add a port to a network",
		Long: `Add makes a port and prints what the guest needs: interface, MAC address,
gateway and MTU, and for a tap the arguments of QEMU. What is not given is
chosen. A network that runs on demand is started.`,
		Example: `  kvmnet port add lab
  kvmnet port add lab --name vm1 --mac 52:54:00:11:22:33 --ip 10.9.0.20
  kvmnet port add lab --name vm2 --owner alice
  kvmnet port add lab --name c1 --type veth --peer eth0
  kvmnet port add lan --device eth1
  kvmnet port add lab --transient -o json`,
		Args: one("NETWORK"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	var o portAdd
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "`name` of the port (default: the network's with a number)")
	kind := choose(cmd, "type", "", "how it appears on the host (default: a tap, or a macvtap where the network is on NICs)", string(spec.Tap), string(spec.Veth), string(spec.Macvtap))
	f.StringVar(&o.iface, "interface", "", "`name` of the host's interface, up to 15 characters (default: made from the port's)")
	f.StringVar(&o.peer, "peer", "", "veth: `name` of the other end (default: made)")
	f.StringVar(&o.mac, "mac", "", "the guest's MAC `address` (default: made)")
	f.StringSliceVar(&o.ips, "ip", nil, "the guest's fixed IP `address`; may be repeated")
	f.StringVar(&o.device, "device", "", "macvtap: `NIC` of the host to put it on (default: the one with the fewest)")
	f.StringVar(&o.guest, "guest", "", "`name` of the virtual machine it is for")
	f.StringVar(&o.owner, "owner", "", "tap: `user` who may open it without being root")
	f.BoolVar(&o.transient, "transient", false, "gone after a reboot")
	form := single(cmd)
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
		return a.print(form.value, portObject(p).alone(), func() error { return a.printNewPort(p) })
	}
	return cmd
}

func (a *app) printNewPort(p api.Port) error {
	if a.quiet {
		fmt.Fprintln(a.Stdout, p.Name)
		return nil
	}
	a.say("port/%s created", p.Name)
	return a.fields(portFields(p)...)
}

func (o portAdd) request(network string, kind spec.PortType) (api.AddPort, error) {
	p := &spec.Port{Network: network, Type: kind, Interface: o.iface, Peer: o.peer, Owner: o.owner, Device: o.device, Guest: o.guest}
	r := api.AddPort{Name: o.name, Port: p, Transient: o.transient}
	switch {
	case kind != spec.Veth && o.peer != "":
		return r, usage("--peer needs --type veth: a tap has no other end")
	case kind == spec.Veth && o.owner != "":
		return r, usage("--owner is for taps: nobody opens a veth")
	}
	if o.mac != "" {
		mac, err := spec.ParseMAC(o.mac)
		if err != nil {
			return r, usage(err.Error())
		}
		p.MAC = mac
	}
	for _, ip := range o.ips {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return r, usagef("%q is not an IP address such as 10.9.0.20", ip)
		}
		p.Addresses = append(p.Addresses, addr)
	}
	return r, nil
}

// portFields is what somebody who starts the guest wants to know.
func portFields(p api.Port) []string {
	qemu := ""
	if p.Spec.Type != spec.Veth {
		qemu = qemuArguments(p)
	}
	return []string{
		"Name", p.Name,
		"Network", p.Spec.Network,
		"State", p.Status.State,
		"Guest", p.Spec.Guest,
		"UUID", p.Spec.UUID,
		"Interface", p.Spec.Interface,
		"Device", p.Spec.Device,
		"Peer", p.Spec.Peer,
		"MAC", p.Spec.MAC.String(),
		"Addresses", join(p.Spec.Addresses, ", "),
		"Gateways", strings.Join(p.Status.Gateways, ", "),
		"MTU", number(p.Status.MTU),
		"Bridge", p.Status.Bridge,
		"Owner", p.Spec.Owner,
		"Problems", strings.Join(p.Status.Problems, "\n"),
		"QEMU", qemu,
	}
}

// qemuArguments are what QEMU has to be called with. The guest learns another
// MTU than 1500 from the virtio device.
func qemuArguments(p api.Port) string {
	id := qemuID(p.Name)
	device := fmt.Sprintf("virtio-net-pci,netdev=%s,mac=%s", id, p.Spec.MAC)
	if p.Status.MTU > 0 && p.Status.MTU != 1500 {
		device += fmt.Sprintf(",host_mtu=%d", p.Status.MTU)
	}
	if p.Spec.Type == spec.Macvtap { // which is opened by its number: the shell does, and QEMU inherits it
		return fmt.Sprintf("-netdev tap,id=%s,fd=3 -device %s 3<>/dev/tap$(cat /sys/class/net/%s/ifindex)", id, device, p.Spec.Interface)
	}
	return fmt.Sprintf("-netdev tap,id=%s,ifname=%s,script=no,downscript=no -device %s", id, p.Spec.Interface, device)
}

// qemuID makes an id of a name: QEMU wants a letter first, then letters, digits
// and -._ (id_wellformed in its util/id.c).
func qemuID(name string) string {
	letter := func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
	id := strings.Map(func(r rune) rune {
		if letter(r) || r >= '0' && r <= '9' || strings.ContainsRune("-._", r) {
			return r
		}
		return '-'
	}, name)
	if id == "" || !letter(rune(id[0])) {
		id = "net-" + id
	}
	return id
}
