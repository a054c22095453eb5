package kernel

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// addPair makes a veth whose other end is in another namespace. Both ends have
// their names and are ours from the first instant; this one is finished here, the
// other by an op of its own. When only half of the pair is there, such as after
// somebody deleted the other namespace, it is deleted and the pair made anew.
func (a *applier) addPair(l plan.Link) error {
	far, err := a.k.peer(l.PeerNS)
	if err != nil {
		return err
	}
	err = a.createPair(l, far)
	if errors.Is(err, unix.EEXIST) {
		return a.mendPair(l, far, err)
	}
	if err != nil {
		return err
	}
	return a.finish(l, nil)
}

// mendPair finishes a pair that is whole, and makes one anew of which a part is in
// the way.
func (a *applier) mendPair(l plan.Link, far *Kernel, exists error) error {
	near, isNear, err := a.k.end(l.Name)
	if err != nil {
		return err
	}
	other, isOther, err := far.end(l.Peer)
	if err != nil {
		return err
	}
	if isNear && isOther && a.joined(near, other, far) {
		return a.finish(l, exists)
	}
	err = errors.Join(a.k.dropEnd(near, isNear), far.dropEnd(other, isOther))
	if err == nil {
		err = a.createPair(l, far)
	}
	if err != nil {
		return err
	}
	if isOther {
		if err := far.restore(l.Peer, other); err != nil {
			return err
		}
	}
	return a.finish(l, nil)
}

// end finds one end of a pair of ours. What is not ours is an error.
func (k *Kernel) end(name string) (d device, there bool, err error) {
	d, err = k.device(name)
	switch {
	case errors.Is(err, unix.ENODEV):
		return d, false, nil
	case err == nil && (d.mark() == "" || d.kind != "veth"):
		err = fmt.Errorf("link %s of type %s is there%s and not kvmnet's: %w", name, d.linkType(), k.in(), unix.EEXIST)
	}
	return d, err == nil, err
}

// in names the namespace in an error that is told in another.
func (k *Kernel) in() string {
	if k.name == "" {
		return ""
	}
	return " in network namespace " + k.name
}

// joined says whether two ends are each other's. Numbers of links are not enough:
// each namespace counts its own.
func (a *applier) joined(near, other device, far *Kernel) bool {
	id, err := a.k.numberOf(far)
	return err == nil && near.beyond && near.lower == other.index && near.far == id
}

func (k *Kernel) dropEnd(d device, there bool) error {
	if !there {
		return nil
	}
	a := applier{k: k}
	return unlessGone(a.delIndex(d.index), unix.ENODEV)
}

// restore gives the new other end what the one had that was deleted with its half
// of the pair, so that its own namespace does not miss it until the next pass.
func (k *Kernel) restore(name string, old device) error {
	now, err := k.device(name)
	if err != nil {
		return err
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Flags, msg.Change = int32(now.index), old.flags&unix.IFF_UP, unix.IFF_UP
	data := []nl.NetlinkRequestData{msg}
	if old.alias != "" {
		data = append(data, attr(unix.IFLA_IFALIAS, []byte(old.alias)), attr32(unix.IFLA_GROUP, 0))
	}
	if old.master != 0 {
		data = append(data, attr32(unix.IFLA_MASTER, old.master))
	}
	return k.change(unix.RTM_NEWLINK, 0, data...)
}

// createPair asks for both ends, each with its address: a link that gets its
// address at creation is left alone by udev's MACAddressPolicy=.
func (a *applier) createPair(l plan.Link, far *Kernel) error {
	info, data := linkInfo("veth")
	peer := data.AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(l.Peer))
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(far.ns.Fd())))
	peer.AddRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(birthGroup))
	near, other := pairMACs(l)
	if !other.IsZero() {
		peer.AddRtAttr(unix.IFLA_ADDRESS, other[:])
	}
	if l.MTU > 0 {
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(l.MTU)))
	}
	extra := mtuAttr(l.MTU)
	if !near.IsZero() {
		extra = append(extra, attr(unix.IFLA_ADDRESS, near[:]))
	}
	return a.create(l, extra, info)
}

// pairMACs are the addresses of a new link and of its other end. The end in the
// daemon's namespace begins with fe: a bridge that was given no address takes its
// lowest port's, and a host bridge must not change its own for a router. The
// address of the router's end is the one that is wanted; zero is the kernel's
// choice.
func pairMACs(l plan.Link) (near, other spec.MAC) {
	if l.NS != "" {
		if l.PeerNS == "" {
			other = highMAC()
		}
		return l.MAC, other
	}
	if near = hostMAC(l); near.IsZero() {
		near = highMAC()
	}
	return near, l.MAC
}

// highMAC is a random address that is higher than those of NICs and guests.
func highMAC() (m spec.MAC) {
	rand.Read(m[:])
	m[0] = 0xfe
	return m
}
