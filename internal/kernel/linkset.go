package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// setLink changes a link in place. What differs is judged by the link as it is
// now rather than as it was observed, so that nothing is set twice.
func (a *applier) setLink(l plan.Link) error {
	have, err := a.k.device(l.Name)
	switch {
	case err != nil:
		return err
	case l.Foreign:
		return a.borrow(have, l)
	case have.mark() == "":
		return fmt.Errorf("link of type %s is not kvmnet's", have.linkType())
	case l.Type == "macvlan" && l.Lower != "":
		return a.addMacvlan(l) // the NIC below it may be another one
	case l.Type == "macvtap" && l.Lower != "":
		return a.addMacvtap(l)
	}
	return a.alter(have, l)
}

// borrow changes what is ours to set of a link that is not: its bridge, and what
// frames of that need.
func (a *applier) borrow(have device, l plan.Link) error {
	var data []nl.NetlinkRequestData
	if l.MTU > 0 && have.mtu != l.MTU {
		data = append(data, attr32(unix.IFLA_MTU, l.MTU))
	}
	if !l.MAC.IsZero() && string(have.mac) != string(l.MAC[:]) {
		data = append(data, attr(unix.IFLA_ADDRESS, l.MAC[:]))
	}
	if err := a.modify(have.index, data); err != nil {
		return err
	}
	return a.enslave(have, l.Master)
}

// alter gives a link of ours every managed field that differs. A port of a guest gets
// all of them, its bridge too, by one request.
func (a *applier) alter(have device, l plan.Link) error {
	master, err := a.masterOf(have, l.Master)
	if err != nil {
		return err
	}
	var data []nl.NetlinkRequestData
	if have.alias != alias(l.Mark) {
		data = append(data, attr(unix.IFLA_IFALIAS, []byte(alias(l.Mark))))
	}
	if have.group == birthGroup {
		data = append(data, attr32(unix.IFLA_GROUP, 0))
	}
	if l.MTU > 0 && have.mtu != l.MTU {
		data = append(data, attr32(unix.IFLA_MTU, l.MTU))
	}
	if mac := hostMAC(l); !mac.IsZero() && mac != spec.MAC(have.mac) {
		data = append(data, attr(unix.IFLA_ADDRESS, mac[:]))
	}
	refits := l.MTU > have.mtu && have.qdisc == tokenBucket
	if l.Type != "bridge" && !refits {
		return a.modify(have.index, append(data, master...))
	}
	if err := a.modify(have.index, data); err != nil {
		return err
	}
	if refits {
		if err := a.refit(have.index, l.MTU); err != nil {
			return err
		}
	}
	if l.Type == "bridge" {
		if err := a.setSTP(have, l); err != nil {
			return err
		}
	}
	return a.modify(have.index, master)
}

// hostMAC is the address of the link itself. That of a port is the guest's with
// the first byte fe: a bridge that was given no address takes its lowest port's,
// and must not take a guest's, nor another one each time a guest comes or goes.
//
// In the namespace of a router there are no ports of guests: a MAC is the link's. A
// macvtap is what the LAN sees of the guest, and an ifb cannot be given another one.
func hostMAC(l plan.Link) spec.MAC {
	if l.Type == "ifb" {
		return spec.MAC{}
	}
	if l.NS == "" && l.Type != "bridge" && l.Type != "macvtap" && !l.MAC.IsZero() {
		l.MAC[0] = 0xfe
	}
	return l.MAC
}

// enslave makes a link a port of a bridge, or of none.
func (a *applier) enslave(have device, master string) error {
	data, err := a.masterOf(have, master)
	if err != nil {
		return err
	}
	return a.modify(have.index, data)
}

// masterOf is what makes a link a port of a bridge, or of none; nothing when it is.
func (a *applier) masterOf(have device, master string) ([]nl.NetlinkRequestData, error) {
	index := 0
	if master != "" {
		var err error
		if index, err = a.index(master); err != nil {
			return nil, err
		}
	}
	if index == have.master {
		return nil, nil
	}
	return []nl.NetlinkRequestData{attr32(unix.IFLA_MASTER, index)}, nil
}

// setSTP switches STP and sets its delay. A bridge without STP takes any delay,
// one with STP 2 to 30 s, so the delay goes with the switch when that is turned
// on, and after it when it is turned off.
func (a *applier) setSTP(have device, l plan.Link) error {
	info, data := linkInfo("bridge")
	if have.stp && !l.STP {
		data.AddRtAttr(nl.IFLA_BR_STP_STATE, stpState(false))
		if err := a.modify(have.index, []nl.NetlinkRequestData{info}); err != nil {
			return err
		}
		have.stp = false
		info, data = linkInfo("bridge")
	}
	changed := have.stp != l.STP
	if changed {
		data.AddRtAttr(nl.IFLA_BR_STP_STATE, stpState(l.STP))
	}
	if delay := int(l.ForwardDelay) * userHz; have.delay != delay && (!l.STP || delay > 0) {
		data.AddRtAttr(nl.IFLA_BR_FORWARD_DELAY, nl.Uint32Attr(uint32(delay)))
		changed = true
	}
	if !changed {
		return nil
	}
	return a.modify(have.index, []nl.NetlinkRequestData{info})
}

// modify changes attributes of a link; none is no request.
func (a *applier) modify(index int, data []nl.NetlinkRequestData) error {
	if len(data) == 0 {
		return nil
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return a.k.change(unix.RTM_NEWLINK, 0, append([]nl.NetlinkRequestData{msg}, data...)...)
}

// setUp sets the administrative state. A link that is gone is not up.
func (a *applier) setUp(u plan.Up, up bool) error {
	index, err := a.index(u.Link)
	if err == nil {
		err = a.k.raise(index, up)
	}
	if up {
		return err
	}
	return unlessGone(err, unix.ENODEV)
}
