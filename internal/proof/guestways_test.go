package proof

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
)

// way is how people attach a virtual machine to a network.
type way struct {
	name string
	// boot starts the guest; what has to be there first it makes.
	boot   func(r *guestRig, g *visitor) (*qemuguest.Guest, error)
	queues int              // that the guest must see; 0 = 1
	rare   bool             // tried with -all-ways only: others take the same path
	only   string           // the one mode there is; "" = every
	after  func(g *visitor) // removes what outlives the guest by intention; nil = nothing does
}

// ways are all of them. Each has two guests on one network: the modes take turns. A
// guest costs seconds, so that the default is a few ways.
var ways = []way{
	{name: "script", boot: bootByEnvironment, rare: true},
	{name: "link", boot: bootByLink},
	{name: "owned", boot: bootByOwner, after: deletePort, rare: true},
	{name: "tap", boot: bootByTap, queues: 2, after: deletePort, rare: true},
	{name: "descriptor", boot: bootByDescriptor, after: deletePort, rare: true},
	{name: "run", boot: bootByRun, rare: true},
	{name: "queues", boot: bootByRunWithQueues, queues: 2},
	{name: "helper", boot: bootByHelper},
	{name: "libvirt", boot: bootByLibvirt, after: deletePort},
	{name: "macvtap", boot: bootByMacvtap, only: "direct", after: deletePort, rare: true},
}

var allWays = flag.Bool("all-ways", false, "attach guests to networks of every mode in every way, not to one mode in the most different ways")

var oneWay = flag.String("way", "", "attach guests in this way only")

// tried reports whether a way is asked for.
func (w way) tried() bool {
	if *oneWay != "" {
		return *oneWay == w.name
	}
	return *allWays || !w.rare
}

// TestGuestsComeInEveryWay boots virtual machines that are attached as people attach
// them, two in each way. They take leases, reach what the mode of their network
// promises, and nothing else. One is switched off and one is killed, and nothing is
// left of them.
func TestGuestsComeInEveryWay(t *testing.T) {
	assets := needGuests(t)
	nstest.Macvtaps(t)
	rounds := 1
	if *allWays {
		rounds = len(modesOfGuests)
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := newGuestRig(t, assets)
			before := r.view()
			guests := r.bootAll(round)
			if t.Failed() {
				return
			}
			r.checkAll(guests)
			r.endAll(guests)
			nstest.Eventually(t, patience, func() error { return differ(before, r.view()) })
			r.Settled()
		})
	}
}

// classic is QEMU's oldest way: a NIC and a tap on the hub of QEMU. QEMU makes the tap
// and has a script plug it in.
func classic(g *visitor, up, down string) *qemuguest.Way {
	// A dot in a name is where sysctl has a slash.
	g.iface = fmt.Sprintf("vnet%d.%d", g.number/2, g.number%2)
	return &qemuguest.Way{NIC: []string{
		"-net", "nic,model=virtio,macaddr=" + g.mac.String(),
		"-net", "tap,ifname=" + g.iface + ",script=" + up + ",downscript=" + down,
	}}
}

// bootByEnvironment has scripts of one line; the network is in the environment.
func bootByEnvironment(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := classic(g, r.bin.path("ifup"), r.bin.path("ifdown"))
	w.Env = r.bin.env("KVMNET_NETWORK="+g.on.network, "PATH="+r.bin.dir+":"+os.Getenv("PATH"))
	return r.start(g, w)
}

// bootByLink has links to kvmnet for scripts, which are called as the network.
func bootByLink(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := classic(g, r.bin.path("qemu-ifup.d", g.on.network), r.bin.path("qemu-ifdown.d", g.on.network))
	w.Env = r.bin.env()
	return r.start(g, w)
}

// bootByOwner has the same scripts for all; the port that has the interface says
// where it belongs.
func bootByOwner(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := classic(g, r.bin.path("ifup"), r.bin.path("ifdown"))
	w.Env = r.bin.env("PATH=" + r.bin.dir + ":" + os.Getenv("PATH"))
	r.bin.must("port", "add", g.on.network, "--name", g.name, "--interface", g.iface, "--mac", g.mac.String())
	return r.start(g, w)
}

// bootByTap opens the tap of a port by its name, with two queues.
func bootByTap(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	g.iface = g.name
	r.bin.must("port", "add", g.on.network, "--name", g.name, "--interface", g.iface, "--mac", g.mac.String(), "--queues", "2")
	return r.start(g, &qemuguest.Way{Processors: 2, NIC: []string{
		"-netdev", "tap,id=nic,ifname=" + g.iface + ",script=no,downscript=no,queues=2",
		"-device", "virtio-net-pci,netdev=nic,mq=on,vectors=6,mac=" + g.mac.String(),
	}})
}

// bootByDescriptor hands QEMU the tap of a port, opened, as a launcher of its own
// would.
func bootByDescriptor(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	g.iface = g.name
	r.bin.must("port", "add", g.on.network, "--name", g.name, "--interface", g.iface, "--mac", g.mac.String())
	f, err := openGuestTap(r, "/dev/net/tun", g.iface)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return r.start(g, byDescriptor(g, f))
}

// byDescriptor is a NIC on a tap that QEMU inherits.
func byDescriptor(g *visitor, f *os.File) *qemuguest.Way {
	return &qemuguest.Way{Files: []*os.File{f}, NIC: []string{
		"-netdev", "tap,id=nic,fd=4", "-device", "virtio-net-pci,netdev=nic,mac=" + g.mac.String(),
	}}
}

// bootByRun lets kvmnet add the arguments, for a user without privileges.
func bootByRun(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := &qemuguest.Way{Env: r.bin.env(), User: r.user}
	w.Wrap = []string{r.bin.path("kvmnet"), "run", "--net", g.on.network + ",mac=" + g.mac.String(), "--"}
	return r.start(g, w)
}

func bootByRunWithQueues(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := &qemuguest.Way{Env: r.bin.env(), User: r.user, Processors: 2}
	w.Wrap = []string{r.bin.path("kvmnet"), "run", "--net", g.on.network + ",mac=" + g.mac.String() + ",queues=2", "--"}
	return r.start(g, w)
}

// bootByHelper has QEMU, of a user without privileges, ask kvmnet in the place of its
// own setuid helper: in both forms that there are.
func bootByHelper(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	w := &qemuguest.Way{Env: r.bin.env(), User: r.user}
	w.NIC = []string{"-nic", "bridge,br=" + g.on.bridge + ",model=virtio,mac=" + g.mac.String() + ",helper=" + r.bin.path("qemu-bridge-helper")}
	if g.number%2 == 1 {
		w.NIC = []string{
			"-netdev", "bridge,id=nic,br=" + g.on.bridge + ",helper=" + r.bin.path("kvmnet") + " qemu-bridge-helper",
			"-device", "virtio-net-pci,netdev=nic,mac=" + g.mac.String(),
		}
	}
	return r.start(g, w)
}

// bootByLibvirt has libvirt make a tap on our bridge, or open one of ours.
func bootByLibvirt(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	kind, inside := "bridge", "<source bridge='"+g.on.bridge+"'/>"
	if g.number%2 == 1 {
		g.iface = g.name
		r.bin.must("port", "add", g.on.network, "--name", g.name, "--interface", g.iface, "--mac", g.mac.String())
		kind, inside = "ethernet", "<target dev='"+g.iface+"' managed='no'/>"
	} else {
		g.adopted = true
	}
	vm, err := r.libvirt().Boot(r.assets, g.name, g.mac, kind, inside)
	if err != nil {
		return nil, err
	}
	g.pid = vm.PID
	return vm.Guest, nil
}

// bootByMacvtap opens the device of a port that is on a NIC.
func bootByMacvtap(r *guestRig, g *visitor) (*qemuguest.Guest, error) {
	g.iface = g.name
	r.bin.must("port", "add", g.on.network, "--name", g.name, "--interface", g.iface, "--mac", g.mac.String())
	f, err := openGuestTap(r, "/dev/tap"+indexOf(r.t, r.world, g.iface), g.iface)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return r.start(g, byDescriptor(g, f))
}

func deletePort(g *visitor) {
	if !g.adopted {
		g.rig.bin.must("port", "del", g.name)
	}
}
