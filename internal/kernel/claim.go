package kernel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// loopback is in every namespace, and its alias tells whose the namespace is.
const loopback = "lo"

// Owner tells whose the namespace is, "" when it is foreign.
func (k *Kernel) Owner() (plan.Mark, error) {
	lo, err := k.device(loopback)
	if err != nil {
		return "", fmt.Errorf("find link %s: %w", loopback, err)
	}
	return ownerOf(lo), nil
}

func ownerOf(lo device) plan.Mark {
	owner, ours := strings.CutPrefix(lo.alias, aliasPrefix)
	if !ours {
		return ""
	}
	return plan.Mark(owner)
}

// Claim makes the namespace ours.
func (k *Kernel) Claim(m plan.Mark) error {
	lo, err := k.device(loopback)
	if err == nil {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index = int32(lo.index)
		err = k.change(unix.RTM_NEWLINK, 0, msg, attr(unix.IFLA_IFALIAS, []byte(alias(m))))
	}
	if err != nil {
		return fmt.Errorf("mark network namespace %s: %w", k.name, err)
	}
	return nil
}

// Clear deletes the links of ours, for a namespace that is given up: a process
// that somebody left in there would keep them.
func (k *Kernel) Clear() error {
	return k.drop(func(d *device) bool { return d.mark() != "" })
}

// FreeNICs deletes those of our links that share a NIC, for a namespace that has a
// successor: two of them cannot be up with one address.
func (k *Kernel) FreeNICs() error {
	return k.drop(func(d *device) bool { return d.mark() != "" && d.kind == "macvlan" })
}

func (k *Kernel) drop(doomed func(*device) bool) error {
	devices, err := k.devices()
	if err != nil {
		return err
	}
	a, errs := applier{k: k, indexes: map[string]int{}}, []error(nil)
	for i := range devices {
		if doomed(&devices[i]) {
			errs = append(errs, unlessGone(a.delIndex(devices[i].index), unix.ENODEV))
		}
	}
	return errors.Join(errs...)
}
