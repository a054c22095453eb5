package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// skipStats is RTEXT_FILTER_SKIP_STATS: counters are half of a link message.
const skipStats = 1 << 3

// userHz is the unit of a bridge's timers as the kernel tells them, in parts of
// a second. It is 100 on every architecture that runs guests.
const userHz = 100

// device is a link as the kernel tells it, with numbers instead of names.
type device struct {
	index  int
	name   string
	alias  string
	kind   string // IFLA_INFO_KIND, "" for physical devices
	arp    uint16 // ARPHRD_*
	flags  uint32 // IFF_*
	mac    []byte
	mtu    int
	group  uint32
	master int
	lower  int  // IFLA_LINK: veth peer or lower device
	beyond bool // lower is an index of another namespace
	far    int  // the number of that namespace, as this one counts them
	qdisc  string
	tap    bool // kind tun only
	signal bool // somebody is at the other end, whether the link is up or not
	stp    bool // bridges only
	vlans  bool // bridges only: they filter by VLAN
	delay  int  // bridges only, in parts of userHz

	isolated bool   // ports of bridges only
	sharing  string // macvtaps only

	conf4 []byte
	conf6 []byte
}

// devices lists all links of the namespace.
func (k *Kernel) devices() ([]device, error) {
	msgs, err := k.dump(unix.RTM_GETLINK, unix.RTM_NEWLINK,
		nl.NewIfInfomsg(unix.AF_UNSPEC), attr32(unix.IFLA_EXT_MASK, skipStats))
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	devices := make([]device, len(msgs))
	for i, m := range msgs {
		devices[i] = parseDevice(m)
	}
	return devices, nil
}

// device looks a link up by name. The error is ENODEV when there is none.
func (k *Kernel) device(name string) (device, error) {
	msgs, err := k.request(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		attr32(unix.IFLA_EXT_MASK, skipStats), attrText(unix.IFLA_IFNAME, name)).
		Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	switch {
	case err != nil:
		return device{}, err
	case len(msgs) != 1:
		return device{}, unix.ENODEV
	}
	return parseDevice(msgs[0]), nil
}

func parseDevice(m []byte) (d device) {
	if len(m) < unix.SizeofIfInfomsg {
		return d
	}
	d.arp, d.index, d.flags = native.Uint16(m[2:]), number(m[4:]), native.Uint32(m[8:])
	for kind, v := range attrs(m[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			d.name = unix.ByteSliceToString(v)
		case unix.IFLA_IFALIAS:
			d.alias = unix.ByteSliceToString(v)
		case unix.IFLA_ADDRESS:
			d.mac = v
		case unix.IFLA_MTU:
			d.mtu = number(v)
		case unix.IFLA_CARRIER:
			d.signal = len(v) > 0 && v[0] != 0
		case unix.IFLA_GROUP:
			d.group = uint32(number(v))
		case unix.IFLA_MASTER:
			d.master = number(v)
		case unix.IFLA_LINK:
			d.lower = number(v)
		case unix.IFLA_LINK_NETNSID:
			d.beyond, d.far = true, number(v)
		case unix.IFLA_QDISC:
			d.qdisc = unix.ByteSliceToString(v)
		case unix.IFLA_LINKINFO:
			d.parseInfo(v)
		case unix.IFLA_AF_SPEC:
			d.parseFamilies(v)
		}
	}
	return d
}

// parseInfo reads what is particular to the kind, and to that of the master. The
// kernel puts a kind before its data.
func (d *device) parseInfo(info []byte) {
	slave := ""
	for kind, v := range attrs(info) {
		switch kind {
		case unix.IFLA_INFO_KIND:
			d.kind = unix.ByteSliceToString(v)
		case unix.IFLA_INFO_DATA:
			d.parseKind(v)
		case nl.IFLA_INFO_SLAVE_KIND:
			slave = unix.ByteSliceToString(v)
		case nl.IFLA_INFO_SLAVE_DATA:
			if slave == "bridge" {
				d.parseSlave(v)
			}
		}
	}
}

func (d *device) parseKind(data []byte) {
	for kind, v := range attrs(data) {
		switch {
		case d.kind == "bridge" && kind == nl.IFLA_BR_STP_STATE:
			d.stp = number(v) != 0
		case d.kind == "bridge" && kind == nl.IFLA_BR_VLAN_FILTERING:
			d.vlans = len(v) > 0 && v[0] != 0
		case d.kind == "bridge" && kind == nl.IFLA_BR_FORWARD_DELAY:
			d.delay = number(v)
		case d.kind == "tun" && kind == nl.IFLA_TUN_TYPE:
			d.tap = len(v) > 0 && v[0] == unix.IFF_TAP
		case d.kind == "macvtap" && kind == nl.IFLA_MACVLAN_MODE:
			d.sharing = sharing(uint32(number(v)))
		}
	}
}

// parseFamilies finds the settings of the link, a family a block.
func (d *device) parseFamilies(families []byte) {
	for family, v := range attrs(families) {
		for kind, v := range attrs(v) {
			switch {
			case family == unix.AF_INET && kind == unix.IFLA_INET_CONF:
				d.conf4 = v
			case family == unix.AF_INET6 && kind == unix.IFLA_INET6_CONF:
				d.conf6 = v
			}
		}
	}
}

// mark tells whose the link is. What stands on the loopback interface tells whose
// the namespace is; nobody makes or deletes the interface itself.
func (d *device) mark() plan.Mark {
	if d.arp == unix.ARPHRD_LOOPBACK {
		return ""
	}
	return markOf(d.alias, d.group)
}

// linkType is the kind in the words of plan.
func (d *device) linkType() string {
	switch {
	case d.kind == "tun" && d.tap:
		return "tap"
	case d.kind != "":
		return d.kind
	case d.arp == unix.ARPHRD_LOOPBACK:
		return "loopback"
	}
	return "device"
}

// link is the device as an object of plan. Of our links in the daemon's namespace
// only bridges and macvtaps tell their MAC: what is wanted of a tap or veth is the
// guest's, which is not on this end.
func (d *device) link(ns string, names map[int]string) plan.Link {
	l := plan.Link{
		Mark:   d.mark(),
		NS:     ns,
		Name:   d.name,
		Type:   d.linkType(),
		MTU:    d.mtu,
		Master: names[d.master],
		Index:  d.index,
	}
	if d.lower != d.index && !d.beyond {
		l.Parent = names[d.lower]
	}
	if len(d.mac) == len(l.MAC) && (l.Mark == "" || l.Type == "bridge" || l.Type == "macvtap" || ns != "") {
		l.MAC = spec.MAC(d.mac)
	}
	l.Open = d.tap && d.signal // tun_detach drops the carrier with the last queue
	if l.Type == "macvtap" {
		l.Lower, l.Sharing = l.Parent, d.sharing
	}
	if l.Type == "bridge" {
		l.STP, l.ForwardDelay = d.stp, spec.Seconds(d.delay/userHz)
	}
	return l
}
