package hostnet

import (
	"fmt"
	"slices"

	"kvmnet/internal/netfiles"
)

// planFiles works out what is written once the change is confirmed.
func (h *Host) planFiles(j *job, o bridgeOptions) error {
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return fmt.Errorf("read the files of network managers: %w", err)
	}
	if j.manager, err = netfiles.Detect(tree, j.nic, h.asker()); err != nil {
		return refusal(err)
	}
	write := netfiles.Bridge
	if defined, err := j.joins(tree); err != nil {
		return err
	} else if defined {
		write = netfiles.Join
	}
	if err := j.leased(); err != nil {
		return err
	}
	c := j.conversion(o)
	if j.files, err = write(tree, j.manager, c); err != nil {
		return refusal(err)
	}
	j.warnings = append(j.warnings, netfiles.Warnings(tree, j.manager, c)...)
	j.shield, err = netfiles.Shield(tree, j.manager, c)
	return refusal(err)
}

// joins reports whether files define the bridge already: then they are its manager's,
// whose the NIC must be, too, or nobody's.
func (j *job) joins(t netfiles.Tree) (bool, error) {
	all, _ := netfiles.AllDefined(t) // what cannot be read is told where it is written
	of := func(name string) *netfiles.Definition {
		if i := slices.IndexFunc(all, func(d netfiles.Definition) bool { return d.Interface.Name == name }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	bridge := of(j.bridge)
	switch {
	case j.move.Own == nil:
		return false, nil // one that is defined and not there is refused with its file
	case bridge == nil:
		j.warnings = append(j.warnings, fmt.Sprintf("no file of a network manager makes %s: those that are written make it with what %s has, and without what it has of its own", j.bridge, j.nic))
		return false, nil
	case j.manager == netfiles.Own && of(j.nic) == nil:
		j.manager = bridge.Manager
	case j.manager != bridge.Manager:
		return false, conflict(fmt.Sprintf("%s has the configuration of %s, and %s that of %s: give both to one of them, or convert with --no-persist", j.manager, j.nic, bridge.Manager, j.bridge))
	}
	return true, nil
}

// conversion is what netfiles needs to know.
func (j *job) conversion(o bridgeOptions) netfiles.Conversion {
	return netfiles.Conversion{NIC: j.nic, Bridge: j.bridge, MAC: j.move.Live.MAC, STP: o.STP, Delay: o.Delay, MTU: j.move.Live.MTU, Live: j.move.Live}
}
