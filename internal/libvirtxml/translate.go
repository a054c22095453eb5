package libvirtxml

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// translation is a document's network on the way to a spec. What it cannot say there
// it leaves, with a note, in the document.
type translation struct {
	from   *Network
	to     *spec.Network
	origin map[string]string // place in the document by path in the network: ip[0] by subnets[0]
	notes  []note
	tags   map[string]string // kinds of clients by the tags of dnsmasq
	byKey  map[string]string // names with addresses, as they are written, by what DNS knows them by
}

// translate says with libvirt's meaning what a document says: where libvirt has
// another default than kvmnet, the spec spells it out. Metadata has no part in it.
func translate(m *Network) *translation {
	t := &translation{from: m, origin: map[string]string{}}
	t.to = &spec.Network{Title: m.Title, Description: m.Description, UUID: m.UUID}
	t.put("title", "title")
	t.put("uuid", "uuid")
	t.forward()
	t.bridge()
	t.ips()
	t.routes()
	t.names()
	t.to.Bandwidth = t.bandwidth(m.Bandwidth)
	t.to.Isolated = m.Isolated == "yes"
	t.put("isolated", "port[0]@isolated")
	t.lines()
	t.unsupported()
	t.giveWay()
	t.tidy()
	return t
}

// put tells where a value comes from.
func (t *translation) put(path, place string) { t.origin[path] = place }

func (t *translation) forward() {
	f := t.from.Forward
	t.put("mode", "forward[0]@mode")
	switch {
	case f == nil:
		t.to.Mode = spec.Isolated
		return
	case f.Mode == "" || f.Mode == string(spec.NAT):
		t.to.Mode = spec.NAT
		t.nat(f.NAT)
	case f.Mode == string(spec.Route), f.Mode == string(spec.Open):
		t.to.Mode = spec.Mode(f.Mode)
	default:
		t.to.Mode = spec.Bridge
		t.onHost(f)
		return
	}
	if devices := f.devices(); len(devices) > 0 {
		t.to.Uplink = devices[0]
	}
	t.put("uplink", "forward[0]@dev")
}

// devices are the NICs that are named, in either way.
func (f *Forward) devices() []string {
	var list []string
	for _, d := range f.Interfaces {
		list = append(list, d.Name)
	}
	if f.Dev != "" && !slices.Contains(list, f.Dev) {
		list = append([]string{f.Dev}, list...)
	}
	return list
}

// onHost reads the modes in which guests are hosts of the LAN: on a bridge of the
// host, or by macvtap on its NICs.
func (t *translation) onHost(f *Forward) {
	devices := f.devices()
	switch {
	case t.from.Bridge != nil && t.from.Bridge.Name != "":
		t.to.Bridge.Name = t.from.Bridge.Name
		t.put("bridge.name", "bridge[0]@name")
	case f.Mode == "hostdev":
		t.lacking("forward[0]", "kvmnet passes no PCI devices to guests; mode hostdev cannot be started")
	case len(devices) > 0:
		t.to.Direct = &spec.Direct{Devices: devices}
		if f.Mode != string(spec.DirectBridge) {
			t.to.Direct.Mode = spec.DirectMode(f.Mode)
		}
		t.put("direct", "forward[0]")
		for i := range devices {
			t.put(spec.Index("direct.devices", i), at("forward[0]/interface", i)+"@dev")
		}
	case len(f.PFs) > 0:
		t.lacking("forward[0]/pf[0]", "kvmnet does not look for the virtual functions of a NIC; name them as <interface>")
	default:
		t.say("forward[0]", "", "the network names neither a bridge nor a NIC of the host, so it cannot be started")
	}
}

// at is the place of one of several elements.
func at(place string, i int) string { return place + "[" + strconv.Itoa(i) + "]" }

// nat reads how addresses are translated. libvirt leaves the source of IPv6 as it is
// unless asked, and gives guests no port below 1024.
func (t *translation) nat(from *NAT) {
	f := NAT{}
	if from != nil {
		f = *from
	}
	nat := &spec.NATSettings{Ports: libvirtPorts}
	v6 := slices.ContainsFunc(t.from.IPs, func(ip IP) bool { return strings.Contains(ip.Address, ":") })
	if on := f.IPv6 == "yes"; on != v6 {
		nat.IPv6 = &on
	}
	if f.PortStart > 0 || f.PortEnd > 0 {
		nat.Ports = spec.PortRange{From: uint16(max(1, f.PortStart)), To: uint16(f.PortEnd)}
	}
	if nat.Ports == allPorts {
		nat.Ports = spec.PortRange{}
	}
	nat.Address.From, _ = netip.ParseAddr(f.Start)
	nat.Address.To, _ = netip.ParseAddr(cmp.Or(f.End, f.Start))
	t.put("nat", "forward[0]/nat[0]")
	t.put("nat.address", "forward[0]/nat[0]/address[0]")
	t.put("nat.ports", "forward[0]/nat[0]/port[0]")
	if *nat != (spec.NATSettings{}) {
		t.to.NAT = nat
	}
}

// bridge reads what holds for bridges that are made for a network. A name with %d in
// it is a template, which the daemon fills in.
func (t *translation) bridge() {
	b := Bridge{}
	if t.from.Bridge != nil {
		b = *t.from.Bridge
	}
	if b.Zone != "" {
		t.lacking("bridge[0]@zone", "kvmnet puts no bridge into a zone of firewalld")
	}
	if b.MACTableManager == "libvirt" {
		t.lacking("bridge[0]@macTableManager", "the bridge learns the addresses of its guests itself")
	}
	if !t.to.Mode.Managed() {
		return
	}
	if !strings.Contains(b.Name, "%") {
		t.to.Bridge.Name = b.Name
	}
	t.to.Bridge.MTU, t.to.Bridge.MAC = t.from.MTU, t.from.MAC
	if t.to.Bridge.STP = b.STP != "off"; t.to.Bridge.STP {
		t.to.Bridge.ForwardDelay = forwardDelay(b.Delay)
	}
	t.put("bridge", "bridge[0]")
	t.put("bridge.name", "bridge[0]@name")
	t.put("bridge.stp", "bridge[0]@stp")
	t.put("bridge.forwardDelay", "bridge[0]@delay")
	t.put("bridge.mtu", "mtu[0]@size")
	t.put("bridge.mac", "mac[0]@address")
}

// forwardDelay makes of a delay what the kernel makes of it when STP begins.
func forwardDelay(written string) spec.Seconds {
	n, _ := strconv.ParseInt(cmp.Or(written, "0"), 10, 64)
	return min(max(spec.Seconds(n), shortestDelay), longestDelay)
}

func (t *translation) bandwidth(b *Bandwidth) *spec.Bandwidth {
	if b == nil {
		return nil
	}
	t.put("bandwidth.in", "bandwidth[0]/inbound[0]")
	t.put("bandwidth.out", "bandwidth[0]/outbound[0]")
	w := spec.Bandwidth{In: limitOf(b.In), Out: limitOf(b.Out)}
	if w == (spec.Bandwidth{}) {
		return nil
	}
	return &w
}

// The most that a limit can say.
const (
	highestRate  = 1e12
	longestBurst = 4<<20 - 1 // kibibytes
)

func limitOf(l *Limit) spec.Limit {
	if l == nil || l.Average <= 0 {
		return spec.Limit{}
	}
	rate := func(kilobytes int) spec.Rate {
		return spec.Rate(min(max(0, kilobytes), highestRate/bitsOfKilobyte) * bitsOfKilobyte)
	}
	return spec.Limit{Rate: rate(l.Average), Peak: rate(l.Peak), Burst: int64(min(max(0, l.Burst), longestBurst)) * kibibyte}
}
