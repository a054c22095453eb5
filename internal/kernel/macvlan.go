package kernel

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// addMacvlan makes a link that shares a NIC of the daemon's namespace, and
// finishes it. One on another NIC is made anew.
func (a *applier) addMacvlan(l plan.Link) error {
	home, err := a.k.peer("")
	if err != nil {
		return err
	}
	nic, err := home.device(l.Lower)
	if err != nil {
		return fmt.Errorf("find NIC %s of the host: %w", l.Lower, err)
	}
	have, err := a.k.device(l.Name)
	switch {
	case err == nil && have.mark() != "" && have.kind == "macvlan" && have.lower != nic.index:
		if err := unlessGone(a.delIndex(have.index), unix.ENODEV); err != nil {
			return err
		}
	case err == nil:
		return a.finish(l, unix.EEXIST)
	case !errors.Is(err, unix.ENODEV):
		return err
	}
	err = a.createMacvlan(home, l, l.Name, nic.index)
	if errors.Is(err, unix.EEXIST) {
		err = a.moveMacvlan(home, l, nic.index)
	}
	if err != nil {
		return err
	}
	return a.finish(l, nil)
}

// createMacvlan asks in the NIC's namespace for a link in ours. Mode bridge lets
// the routers on one NIC reach each other.
func (a *applier) createMacvlan(home *Kernel, l plan.Link, name string, nic int) error {
	info, data := linkInfo("macvlan")
	data.AddRtAttr(nl.IFLA_MACVLAN_MODE, nl.Uint32Attr(nl.MACVLAN_MODE_BRIDGE))
	request := append([]nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC),
		attrText(unix.IFLA_IFNAME, name),
		attr32(unix.IFLA_GROUP, birthGroup),
		attr32(unix.IFLA_LINK, nic),
		info,
	}, mtuAttr(l.MTU)...)
	if name == l.Name {
		request = append(request, attr32(unix.IFLA_NET_NS_FD, a.k.ns.Fd()))
	}
	if !l.MAC.IsZero() {
		request = append(request, attr(unix.IFLA_ADDRESS, l.MAC[:]))
	}
	return home.change(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, request...)
}

// moveMacvlan makes the link under a name nobody has and moves it. Kernels before
// 6.13 look for the wanted name in the NIC's namespace, where the NIC itself may
// have it.
func (a *applier) moveMacvlan(home *Kernel, l plan.Link, nic int) error {
	born := fmt.Sprintf("kvmnet%08x", rand.Uint32())
	if err := a.createMacvlan(home, l, born, nic); err != nil {
		return err
	}
	d, err := home.device(born)
	if err != nil {
		return err
	}
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(d.index)
	err = home.change(unix.RTM_NEWLINK, 0, msg, attrText(unix.IFLA_IFNAME, l.Name), attr32(unix.IFLA_NET_NS_FD, a.k.ns.Fd()))
	if err != nil {
		return errors.Join(err, home.dropName(born), a.k.dropName(born)) // it moves before it is named
	}
	return nil
}

func (k *Kernel) dropName(name string) error {
	d, err := k.device(name)
	if err == nil {
		err = (&applier{k: k}).delIndex(d.index)
	}
	return unlessGone(err, unix.ENODEV)
}
