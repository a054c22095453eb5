package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// addLink makes a link and finishes it. It is born in birthGroup, or, a tap,
// held by us alone, so that it is ours at every instant. One that is there
// already is finished if it is ours and of the wanted type.
func (a *applier) addLink(l plan.Link) error {
	if l.Mark == "" {
		return errors.New("link has no owner")
	}
	var err error
	switch l.Type {
	case "bridge":
		err = a.create(l, nil, bridgeInfo(l))
	case "macvlan":
		return a.addMacvlan(l)
	case "macvtap":
		return a.addMacvtap(l)
	case "ifb":
		info, _ := linkInfo("ifb")
		err = a.create(l, mtuAttr(l.MTU), info)
	case "veth":
		if l.PeerNS != l.NS {
			return a.addPair(l)
		}
		err = a.create(l, mtuAttr(l.MTU), vethInfo(l))
	case "tap":
		return a.addTap(l)
	default:
		return fmt.Errorf("type %s is not one to make", l.Type)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return a.finish(l, err)
}

// create asks for a link with what the kernel heeds at creation. A bridge gets
// its MAC here and not after: udev's MACAddressPolicy= leaves alone what was
// chosen at creation only. Its MTU is one off: the kernel takes an MTU for
// chosen only when it is changed later, and lets the ports move any other.
func (a *applier) create(l plan.Link, extra []nl.NetlinkRequestData, info *nl.RtAttr) error {
	data := append([]nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC),
		attrText(unix.IFLA_IFNAME, l.Name),
		attr32(unix.IFLA_GROUP, birthGroup),
		info,
	}, extra...)
	if l.Type == "bridge" {
		data = append(data, mtuAttr(beside(l.MTU))...)
	}
	if ownMAC := l.Type == "bridge" || l.Type == "ifb"; ownMAC && !l.MAC.IsZero() {
		data = append(data, attr(unix.IFLA_ADDRESS, l.MAC[:]))
	}
	err := a.k.change(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("the kernel makes no links of type %s (is its module there? try modprobe %[1]s): %w", l.Type, err)
	}
	return err
}

// beside is an MTU next to a given one and as valid; 0 stays 0.
func beside(mtu int) int {
	if mtu == 0 {
		return 0
	}
	return mtu ^ 1
}

func mtuAttr(mtu int) []nl.NetlinkRequestData {
	if mtu == 0 {
		return nil
	}
	return []nl.NetlinkRequestData{attr32(unix.IFLA_MTU, mtu)}
}

// finish gives a link that was just made, or was there, all that is wanted of
// it. The error is why it was not made, nil when it was.
func (a *applier) finish(l plan.Link, exists error) error {
	have, err := a.k.device(l.Name)
	switch {
	case err != nil && exists != nil:
		return exists // a veth's peer is in the way
	case err != nil:
		return err
	case have.mark() == "":
		return fmt.Errorf("link of type %s is there and not kvmnet's: %w", have.linkType(), unix.EEXIST)
	case have.linkType() != l.Type:
		return fmt.Errorf("link is there with type %s: %w", have.linkType(), unix.EEXIST)
	}
	a.indexes[l.Name] = have.index
	return a.alter(have, l)
}

// bridgeInfo says what a new bridge is like. A new bridge has STP off, and takes
// any delay while that is so. The IP hooks are off for frames between its ports,
// which counts only where net.bridge.bridge-nf-call-* of the namespace is off
// too: br_netfilter goes by either.
func bridgeInfo(l plan.Link) *nl.RtAttr {
	info, data := linkInfo("bridge")
	if !l.STP || l.ForwardDelay > 0 {
		data.AddRtAttr(nl.IFLA_BR_FORWARD_DELAY, nl.Uint32Attr(uint32(l.ForwardDelay)*userHz))
	}
	data.AddRtAttr(nl.IFLA_BR_STP_STATE, stpState(l.STP))
	for _, hook := range []int{nl.IFLA_BR_NF_CALL_IPTABLES, nl.IFLA_BR_NF_CALL_IP6TABLES, nl.IFLA_BR_NF_CALL_ARPTABLES} {
		data.AddRtAttr(hook, nl.Uint8Attr(0))
	}
	return info
}

// vethInfo describes the peer: it gets the guest's MAC, and its name is the
// kernel's choice when not given.
func vethInfo(l plan.Link) *nl.RtAttr {
	info, data := linkInfo("veth")
	peer := data.AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	if l.Peer != "" {
		peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(l.Peer))
	}
	if !l.MAC.IsZero() {
		peer.AddRtAttr(unix.IFLA_ADDRESS, l.MAC[:])
	}
	if l.MTU > 0 {
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(l.MTU)))
	}
	return info
}

func linkInfo(kind string) (info, data *nl.RtAttr) {
	info = attr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	return info, info.AddRtAttr(unix.IFLA_INFO_DATA, nil)
}

func stpState(on bool) []byte {
	if on {
		return nl.Uint32Attr(1)
	}
	return nl.Uint32Attr(0)
}
