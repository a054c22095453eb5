package kernel

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// sharings are the modes of a macvtap in the kernel's numbers.
var sharings = map[string]uint32{
	string(spec.DirectPrivate):     nl.MACVLAN_MODE_PRIVATE,
	string(spec.DirectVEPA):        nl.MACVLAN_MODE_VEPA,
	string(spec.DirectBridge):      nl.MACVLAN_MODE_BRIDGE,
	string(spec.DirectPassthrough): nl.MACVLAN_MODE_PASSTHRU,
}

// sharing is a mode in the words of plan.
func sharing(mode uint32) string {
	for name, number := range sharings {
		if number == mode {
			return name
		}
	}
	return ""
}

// addMacvtap makes a tap on a NIC, or changes the one that is there. One on another
// NIC is made anew, and one that gets the whole NIC or gives it up: that is settled
// when it is made.
func (a *applier) addMacvtap(l plan.Link) error {
	nic, err := a.k.device(l.Lower)
	if err != nil {
		return fmt.Errorf("find NIC %s: %w", l.Lower, err)
	}
	have, err := a.k.device(l.Name)
	switch {
	case err == nil && have.mark() != "" && have.kind == "macvtap" && !have.keeps(l, nic.index):
		if err := unlessGone(a.delIndex(have.index), unix.ENODEV); err != nil {
			return err
		}
	case err == nil:
		return a.finishMacvtap(have, l)
	case !errors.Is(err, unix.ENODEV):
		return err
	}
	if err := a.createMacvtap(l, nic.index); err != nil {
		return err
	}
	if err := a.finish(l, nil); err != nil {
		return err
	}
	return a.handOver(l)
}

// keeps reports whether a macvtap can be what is wanted.
func (d *device) keeps(l plan.Link, nic int) bool {
	whole := string(spec.DirectPassthrough)
	return d.lower == nic && (l.Sharing == "" || (d.sharing == whole) == (l.Sharing == whole))
}

func (a *applier) finishMacvtap(have device, l plan.Link) error {
	if err := a.finish(l, unix.EEXIST); err != nil {
		return err
	}
	if l.Sharing == "" || l.Sharing == have.sharing {
		return nil
	}
	return a.modify(have.index, []nl.NetlinkRequestData{macvtapInfo(l)})
}

func (a *applier) createMacvtap(l plan.Link, nic int) error {
	data := []nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC),
		attrText(unix.IFLA_IFNAME, l.Name),
		attr32(unix.IFLA_GROUP, birthGroup),
		attr32(unix.IFLA_LINK, nic),
		macvtapInfo(l),
	}
	if !l.MAC.IsZero() {
		data = append(data, attr(unix.IFLA_ADDRESS, l.MAC[:]))
	}
	return a.k.change(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, data...)
}

func macvtapInfo(l plan.Link) *nl.RtAttr {
	info, data := linkInfo("macvtap")
	data.AddRtAttr(nl.IFLA_MACVLAN_MODE, nl.Uint32Attr(sharings[l.Sharing]))
	return info
}

// handOver gives the device of a new macvtap to its owner. Its number is that of the
// link, which the links of other namespaces have, too, so the device is asked whose
// it is. Nobody has opened it yet: a second opening would take frames from a guest.
func (a *applier) handOver(l plan.Link) error {
	owner, err := tapOwner(l)
	if err != nil || owner == 0 {
		return err
	}
	node := (plan.Link{Type: l.Type, Index: a.indexes[l.Name]}).Node()
	return a.k.ns.Do(func() error {
		f, err := os.OpenFile(node, os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("hand the tap over to user %d: %w", owner, err)
		}
		defer f.Close()
		ifr, _ := unix.NewIfreq("x") // the name is the kernel's to fill in
		if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNGETIFF, ifr); err != nil || ifr.Name() != l.Name {
			return fmt.Errorf("hand the tap over to user %d: %s is not the device of this link (%q, %v)", owner, node, ifr.Name(), err)
		}
		return f.Chown(owner, -1)
	})
}
