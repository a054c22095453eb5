package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// together bounds how many links are deleted by one request. The kernel waits
// for its readers some 20 ms a request and, for bridges, once more a bridge
// (rcu_barrier in br_multicast_dev_del), which halves the time in a group. But
// it holds the lock of all rtnetlink the while, so a group must not be large.
const together = 16

// delLinks deletes links of ours, several by putting them in a group.
func (a *applier) delLinks(ops []plan.Op) []error {
	errs := make([]error, len(ops))
	doomed := map[int]int{} // op → index of the link
	for i, op := range ops {
		l := op.Object.(plan.Link)
		delete(a.indexes, l.Name)
		index, err := a.confirm(l)
		if errs[i] = unlessGone(err, unix.ENODEV); err == nil {
			doomed[i] = index
			if l.Type == "ifb" {
				a.drain(index)
			}
		}
	}
	if len(doomed) > 1 && a.delGroup(doomed) == nil {
		return errs
	}
	for i, index := range doomed {
		errs[i] = unlessGone(a.delIndex(index), unix.ENODEV)
	}
	return errs
}

// confirm finds the link to delete and makes sure, at the last moment, that it
// still belongs to the owner it was observed with.
func (a *applier) confirm(l plan.Link) (int, error) {
	have, err := a.k.device(l.Name)
	switch {
	case err != nil:
		return 0, err
	case have.mark() == "":
		return 0, fmt.Errorf("link of type %s is not kvmnet's", have.linkType())
	case have.mark() != l.Mark:
		return 0, fmt.Errorf("link belongs to %s, not to %q", have.mark(), l.Owner())
	}
	return have.index, nil
}

// delGroup deletes links together. On an error some of them may be left.
func (a *applier) delGroup(doomed map[int]int) error {
	group := doomedGroup()
	for _, index := range doomed {
		err := a.modify(index, []nl.NetlinkRequestData{attr32(unix.IFLA_GROUP, int(group))})
		if unlessGone(err, unix.ENODEV) != nil {
			return err
		}
	}
	return a.k.change(unix.RTM_DELLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC), attr32(unix.IFLA_GROUP, int(group)))
}

func (a *applier) delIndex(index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return a.k.change(unix.RTM_DELLINK, 0, msg)
}
