package hostlink

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// change is a request to rtnetlink about an object of a device, which is known by its
// name until the request is made: an earlier op may make the device.
type change struct {
	text        string // as ip(8) is told it
	kind, flags uint16
	object      Object
	dev         string
	master      string       // goes into IFLA_MASTER
	lower       string       // goes into IFLA_LINK
	makes       string       // the type of interface that is made
	fine        []unix.Errno // what it had to be done for already
}

func (c change) String() string { return "ip " + c.text }

// indexes finds the number of a device.
type indexes func(name string) (int, error)

// request completes the message with the numbers of devices.
func (c change) request(index indexes) (request, error) {
	o := c.object.clone()
	if c.dev != "" {
		n, err := index(c.dev)
		if err != nil {
			return request{}, err
		}
		o = c.on(o, n)
	}
	for kind, name := range map[uint16]string{unix.IFLA_MASTER: c.master, unix.IFLA_LINK: c.lower} {
		if name == "" {
			continue
		}
		n, err := index(name)
		if err != nil {
			return request{}, err
		}
		o.Attrs = o.Attrs.with(kind, bytes32(uint32(n)))
	}
	return request{c.kind, c.flags, o.body()}, nil
}

// on puts a device into a message, each kind of which has another place for it.
func (c change) on(o Object, index int) Object {
	switch c.kind {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		r := Route{Object: o}
		switch {
		case r.Attrs.has(attrNexthop):
		case r.Attrs.has(unix.RTA_MULTIPATH):
			o = r.reindexed(0, index).Object
		case !r.Attrs.has(unix.RTA_OIF):
			o.Attrs = append(o.Attrs, Attr{unix.RTA_OIF, bytes32(uint32(index))})
		}
	case unix.RTM_NEWNEXTHOP:
		o.Attrs = append(o.Attrs, Attr{unix.NHA_OIF, bytes32(uint32(index))})
	default: // the links, addresses and neighbours have it in their header
		native.PutUint32(o.Head[4:], uint32(index))
	}
	return o
}

// judge says whether a verdict of the kernel is a failure.
func (c change) judge(err error) error {
	for _, errno := range c.fine {
		if isErrno(err, errno) {
			return nil
		}
	}
	switch {
	case err == nil:
		return nil
	case c.makes != "" && isErrno(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%s: this kernel makes no interfaces of type %s: install its modules, then: modprobe %s: %w", c, c.makes, modules[c.makes], err)
	}
	return fmt.Errorf("%s: %w", c, err)
}

// modules are the kernel modules that know a type of interface.
var modules = map[string]string{"bridge": "bridge", "bond": "bonding", "vlan": "8021q"}

// What a deletion or an addition finds done.
var (
	gone  = []unix.Errno{unix.ESRCH, unix.ENOENT, unix.EADDRNOTAVAIL, unix.ENODEV, unix.ENXIO}
	there = []unix.Errno{unix.EEXIST}
)

func linkHead(flags, mask uint32) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(h[8:], flags)
	native.PutUint32(h[12:], mask)
	return h
}

// setLink changes a link.
func setLink(dev, text string, flags, mask uint32, attrs ...Attr) change {
	return change{
		text: "link set " + dev + " " + text, kind: unix.RTM_SETLINK, dev: dev,
		object: Object{linkHead(flags, mask), attrs},
	}
}

func setUp(dev string) change { return setLink(dev, "up", unix.IFF_UP, unix.IFF_UP) }

func setDown(dev string) change { return setLink(dev, "down", 0, unix.IFF_UP) }

func setMTU(dev string, mtu int) change {
	return setLink(dev, fmt.Sprint("mtu ", mtu), 0, 0, Attr{unix.IFLA_MTU, bytes32(uint32(mtu))})
}

func enslave(dev, master string) change {
	c := setLink(dev, "master "+master, 0, 0)
	c.master = master
	return c
}

func release(dev string) change {
	return setLink(dev, "nomaster", 0, 0, Attr{unix.IFLA_MASTER, bytes32(0)})
}

func deleteLink(dev string) change {
	return change{text: "link del " + dev, kind: unix.RTM_DELLINK, dev: dev, object: Object{Head: linkHead(0, 0)}, fine: gone}
}

func setToken(dev string, token []byte) change {
	six := Attrs{{unix.IFLA_INET6_TOKEN, token}}.appendTo(nil)
	spec := Attrs{{unix.AF_INET6, six}}.appendTo(nil)
	c := setLink(dev, "", 0, 0, Attr{unix.IFLA_AF_SPEC, spec})
	c.text = "token set " + addrText(token) + " dev " + dev
	return c
}

// addLink makes a device of a kind, with attributes of any, and with details of the
// kind.
func addLink(dev, kind, text string, attrs, details Attrs) change {
	info := Attrs{{unix.IFLA_INFO_KIND, bytesText(kind)}, {unix.IFLA_INFO_DATA, details.appendTo(nil)}}
	attrs = append(Attrs{{unix.IFLA_IFNAME, bytesText(dev)}}, attrs...)
	return change{
		text: "link add " + dev + " " + text, makes: kind, kind: unix.RTM_NEWLINK, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL,
		object: Object{linkHead(0, 0), append(attrs, Attr{unix.IFLA_LINKINFO, info.appendTo(nil)})},
	}
}

// setDetails changes what a device of a kind has beyond others.
func setDetails(dev, kind, text string, details ...Attr) change {
	info := Attrs{{unix.IFLA_INFO_KIND, bytesText(kind)}, {unix.IFLA_INFO_DATA, Attrs(details).appendTo(nil)}}
	c := setLink(dev, "type "+kind+" "+text, 0, 0, Attr{unix.IFLA_LINKINFO, info.appendTo(nil)})
	c.kind = unix.RTM_NEWLINK
	return c
}

// setAddress gives an address, or new flags and lifetimes to one that is there.
func setAddress(verb, dev string, a Address) change {
	o := a.clone()
	if len(o.Attrs.get(unix.IFA_CACHEINFO)) == sizeofLifetime {
		if preferred, valid := a.lifetimes(); valid == forever && preferred == forever {
			o.Attrs = o.Attrs.without(unix.IFA_CACHEINFO)
		}
	}
	return change{
		text: "addr " + verb + " " + a.text(dev), kind: unix.RTM_NEWADDR, flags: unix.NLM_F_CREATE | unix.NLM_F_REPLACE,
		object: o, dev: dev,
	}
}

func deleteAddress(dev string, a Address) change {
	o := a.clone()
	o.Attrs = slices.DeleteFunc(o.Attrs, func(at Attr) bool { return at.Type != unix.IFA_LOCAL && at.Type != unix.IFA_ADDRESS })
	return change{text: "addr del " + a.short() + " dev " + dev, kind: unix.RTM_DELADDR, object: o, dev: dev, fine: gone}
}

// routeFlags by the verb of ip-route(8).
var routeFlags = map[string]uint16{
	"append": unix.NLM_F_CREATE | unix.NLM_F_APPEND, "replace": unix.NLM_F_CREATE | unix.NLM_F_REPLACE, "prepend": unix.NLM_F_CREATE,
}

func setRoute(verb, dev string, r Route) change {
	return change{
		text: routeText(verb, dev, r), kind: unix.RTM_NEWROUTE, flags: routeFlags[verb], object: r.Object, dev: dev, fine: there,
	}
}

func deleteRoute(dev string, r Route) change {
	o := r.clone()
	o.Attrs = o.Attrs.without(attrExpires, unix.RTA_PREF)
	return change{text: routeText("del", dev, r), kind: unix.RTM_DELROUTE, object: o, dev: dev, fine: gone}
}

func addRule(dev string, r Rule) change {
	return change{
		text: r.text("add", dev), kind: unix.RTM_NEWRULE, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, object: r.on(dev).Object, fine: there,
	}
}

func deleteRule(dev string, r Rule) change {
	return change{text: r.text("del", dev), kind: unix.RTM_DELRULE, object: r.on(dev).Object, fine: gone}
}

func setNeighbour(dev string, n Neighbour) change {
	return change{
		text: n.text("replace", dev), kind: unix.RTM_NEWNEIGH, flags: unix.NLM_F_CREATE | unix.NLM_F_REPLACE, object: n.Object, dev: dev,
	}
}

func deleteNeighbour(dev string, n Neighbour) change {
	return change{text: n.text("del", dev), kind: unix.RTM_DELNEIGH, object: n.Object, dev: dev, fine: gone}
}

func setNexthop(dev string, n Nexthop) change {
	return change{
		text: n.text(dev), kind: unix.RTM_NEWNEXTHOP, flags: unix.NLM_F_CREATE | unix.NLM_F_REPLACE, object: n.Object, dev: dev,
	}
}
