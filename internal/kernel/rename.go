package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// rename gives a link of ours another name in place, unless it has that already.
func (a *applier) rename(from string, l plan.Link) error {
	have, err := a.k.device(from)
	switch {
	case errors.Is(err, unix.ENODEV):
		return nil // done, or gone: what follows tells
	case err != nil:
		return fmt.Errorf("find link %s: %w", from, err)
	case have.mark() != l.Mark:
		return fmt.Errorf("link %s belongs to %q, not to %s", from, have.mark(), l.Owner())
	}
	delete(a.indexes, from)
	err = a.k.call(have.index, l.Name)
	if errors.Is(err, unix.EBUSY) {
		err = a.renameDown(have, l.Name)
	}
	return err
}

// renameDown is for kernels before 6.2, which rename what is down only: the link
// loses its routes, and addresses of IPv6, for as long as the next pass takes.
func (a *applier) renameDown(d device, name string) error {
	if err := a.k.raise(d.index, false); err != nil {
		return err
	}
	return errors.Join(a.k.call(d.index, name), a.k.raise(d.index, true))
}

func (k *Kernel) call(index int, name string) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return k.change(unix.RTM_NEWLINK, 0, msg, attrText(unix.IFLA_IFNAME, name))
}

func (k *Kernel) raise(index int, up bool) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index, msg.Change = int32(index), unix.IFF_UP
	if up {
		msg.Flags = unix.IFF_UP
	}
	return k.change(unix.RTM_NEWLINK, 0, msg)
}
