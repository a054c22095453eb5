package hostnet

import (
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// planInto works out how a NIC gets into a bridge, or why it must not.
func (h *Host) planInto(r api.ConvertBridge) (job, error) {
	if err := errors.Join(checkName(r.Interface), checkBridge(r)); err != nil {
		return job{}, err
	}
	j := job{nic: r.Interface, bridge: r.Bridge, into: true}
	var err error
	if j.bridge == "" {
		if j.bridge, err = h.freeBridge(); err != nil {
			return job{}, err
		}
	}
	if err := errors.Join(h.free(&j), h.unconverted(j.bridge), h.mayMoveLease(j.nic)); err != nil {
		return job{}, err
	}
	o := bridgeOptions{r.STP, r.Delay}
	if j.move, err = h.kernel.into(j.nic, j.bridge, o); err != nil {
		return job{}, err
	}
	j.warnings = append(j.warnings, j.move.Warnings...)
	if r.Volatile {
		j.warnings = append(j.warnings, "no files are written: after a reboot there is no bridge")
		return j, nil
	}
	return j, h.planFiles(&j, o)
}

// checkBridge checks the name of the bridge and its settings.
func checkBridge(r api.ConvertBridge) error {
	var errs []error
	if r.Bridge != "" {
		errs = append(errs, checkName(r.Bridge))
	}
	if r.Bridge == r.Interface {
		errs = append(errs, invalid("the bridge needs another name than the NIC %s, which stays in it: say --name br0", r.Interface))
	}
	if r.Delay > 0 && !r.STP {
		errs = append(errs, invalid("a forward delay is for bridges that speak the spanning tree protocol: say --stp, too, or no delay"))
	}
	return errors.Join(errs...)
}

func checkName(name string) error {
	if err := spec.CheckInterfaceName(name); err != nil {
		return invalid("%v", err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}

// freeBridge is the first of br0, br1, … that nobody has.
func (h *Host) freeBridge() (string, error) {
	for n := range 1000 {
		name := fmt.Sprintf("br%d", n)
		taken, err := h.kernel.exists(name)
		if err != nil {
			return "", err
		}
		refusals, _ := h.Claims(name)
		if !taken && len(refusals) == 0 && h.journal.Held(name) == nil {
			return name, nil
		}
	}
	return "", conflict("br0 to br999 are taken: name another bridge with --name")
}

// free refuses what others have: changes that wait, and definitions.
func (h *Host) free(j *job) error {
	if err := h.journal.Held(j.nic, j.bridge); err != nil {
		return err
	}
	var all []string
	for _, name := range []string{j.nic, j.bridge} {
		refusals, notes := h.Claims(name)
		all = append(all, refusals...)
		j.warnings = append(j.warnings, notes...)
	}
	if len(all) > 0 {
		return conflict(strings.Join(all, "\n"))
	}
	return nil
}

// unconverted refuses a bridge that took the place of another NIC: one record tells how
// to take one back.
func (h *Host) unconverted(bridge string) error {
	switch r, err := h.recorded(bridge); {
	case err == nil:
		return conflict(fmt.Sprintf("%s took the place of %s: 'kvmnet bridge unconvert %[1]s' first, or take another name", bridge, r.NIC))
	case isNotFound(err):
		return nil
	default:
		return err
	}
}

// refusal gives what netfiles refuses its code.
func refusal(err error) error {
	var r *netfiles.Refusal
	if errors.As(err, &r) {
		return conflict(err.Error())
	}
	return err
}

// planBack works out how the NIC gets all back from a bridge.
func (h *Host) planBack(bridge string) (job, error) {
	if err := checkName(bridge); err != nil {
		return job{}, err
	}
	if err := h.journal.Held(bridge); err != nil {
		return job{}, err
	}
	r, err := h.recorded(bridge)
	if err != nil {
		return job{}, err
	}
	j := job{nic: r.NIC, bridge: bridge, manager: r.Manager, files: netfiles.Undo(r.Files)}
	if err := h.free(&j); err != nil {
		return job{}, err
	}
	if j.move, err = h.kernel.back(bridge, r.NIC, r.Own); err != nil {
		return job{}, err
	}
	j.warnings = append(j.warnings, j.move.Warnings...)
	j.warnings = append(j.warnings, h.unconvertedLease(r)...)
	if j.manager == "" {
		return j, nil
	}
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return job{}, fmt.Errorf("read the files of network managers: %w", err)
	}
	// First, since the undoing removes directories that are empty.
	j.files = append(netfiles.KeepBack(tree, j.manager, j.files, j.nic), j.files...)
	j.shield = netfiles.ShieldBack(tree, j.manager, j.conversion(bridgeOptions{}))
	return j, nil
}
