package manage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"kvmnet/internal/spec"
)

// Boot starts what is to run at boot, once a boot, and what is on demand. It
// changes run marks only; the loop's first pass does the rest.
func (m *Manager) Boot() error {
	before, err := m.begin(context.Background())
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	first, err := m.store.FirstSinceBoot()
	if err != nil {
		return err
	}
	after := before.clone()
	for name, n := range before.defined.Networks {
		if first && spec.Truth(n.Autostart) && !n.OnDemand {
			after.running.Networks[name] = n
		}
	}
	after.demand()
	m.forgetGone(before)
	told := errors.Join(before.unreadable, after.spare(before))
	if err := m.commit(m.changes(before, after)); err != nil {
		return errors.Join(told, err)
	}
	return errors.Join(told, m.store.Booted()) // last: whatever stops us before, the next start tries again
}

// spare takes out the networks that would start now and break a rule: nobody
// checks what is written by hand before a boot. Of networks that cannot run together,
// as libvirt lets one define them, the first by name starts.
func (w world) spare(before world) error {
	errs := w.spareHollow()
	for {
		faults := w.faults(before)
		names := slices.Sorted(maps.Keys(faults))
		if len(names) == 0 {
			return errors.Join(errs...)
		}
		if len(names) < fewFaults {
			names = names[len(names)-1:]
		}
		for _, name := range names {
			delete(w.running.Networks, name)
			errs = append(errs, faults[name]...)
		}
	}
}

func (w world) spareHollow() (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(w.running.Networks)) {
		if w.running.Networks[name].Hollow() {
			delete(w.running.Networks, name)
			errs = append(errs, fmt.Errorf("network %s cannot be started: it names neither a bridge nor a NIC of the host", name))
		}
	}
	return errs
}

// faults are the rules that networks would break which would start now.
func (w world) faults(before world) map[string][]error {
	faults := map[string][]error{}
	for _, p := range alone(w.segments().Validate()) {
		if kind, name := p.Object(); kind == "networks" && before.running.Networks[name] == nil {
			faults[name] = append(faults[name], errors.New(p.String()))
		}
	}
	return faults
}

// fewFaults is how many networks with faults are thought over one by one at boot.
const fewFaults = 32
