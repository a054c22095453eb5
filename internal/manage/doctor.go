package manage

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/doctor"
	"kvmnet/internal/spec"
)

// Doctor implements api.Service.
func (m *Manager) Doctor(ctx context.Context) ([]api.Finding, error) {
	p, err := m.patient(ctx)
	if err != nil {
		return nil, err
	}
	return doctor.Examine(p), nil
}

// Heal implements api.Service. What it repaired is told beside what is left.
func (m *Manager) Heal(ctx context.Context) ([]api.Finding, error) {
	before, err := m.patient(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := m.Collect(ctx); err != nil {
		return nil, err
	}
	if _, err := m.engine.Sync(ctx); err != nil {
		return nil, internal(err)
	}
	if err := doctor.Remove(before.Litter); err != nil {
		return nil, internal(err)
	}
	after, err := m.patient(ctx)
	return doctor.Healed(doctor.Examine(before), doctor.Examine(after)), err
}

// patient gathers what the checks look at.
func (m *Manager) patient(ctx context.Context) (p doctor.Patient, err error) {
	v, err := m.look(ctx)
	if err != nil {
		return p, err
	}
	live, _ := m.Live() // what cannot be read is among the problems
	p = doctor.Patient{Spec: live, Facts: v.report.Facts, Have: v.report.Have, Ops: v.report.Ops, Problems: v.report.Problems, Blocked: v.report.Blocked}
	if p.Neighbours, err = m.insight.Neighbours(ctx, ""); err != nil {
		return p, internal(err)
	}
	if p.Leases, err = m.Leases(ctx, ""); err != nil {
		return p, err
	}
	if p.Ports, err = m.portHolders(ctx, live); err != nil {
		return p, internal(err)
	}
	if err = m.insight.Surroundings(ctx, &p); err != nil {
		return p, internal(err)
	}
	p.Litter, err = doctor.LookForLitter(m.configDir, v.all)
	return p, internal(err)
}

// services are those of which guests of a network ask the host.
var services = []struct {
	name  string
	port  uint16
	wants func(n *spec.Network) bool
}{
	{"DHCP", 67, func(n *spec.Network) bool {
		return slices.ContainsFunc(n.Subnets, func(s spec.Subnet) bool { return s.DHCP != nil && spec.Truth(s.DHCP.Enabled) })
	}},
	{"DNS", 53, func(n *spec.Network) bool {
		return len(n.Subnets) > 0 && (n.DNS == nil || spec.Truth(n.DNS.Enabled))
	}},
}

// portHolders finds who else listens on the ports of our servers.
func (m *Manager) portHolders(ctx context.Context, live *spec.Spec) (list []doctor.PortHolder, err error) {
	holder, err := m.insight.Listeners(ctx, "", spec.UDP)
	if err != nil {
		return nil, err
	}
	// Ours are among them; the DHCP server is none: it has a packet socket.
	self := fmt.Sprintf("(pid %d)", os.Getpid())
	for _, name := range slices.Sorted(maps.Keys(live.Networks)) {
		n := live.Networks[name]
		for _, s := range services {
			if !n.Mode.Managed() || !s.wants(n) {
				continue
			}
			who := holder(spec.Listen{Ports: spec.PortRange{From: s.port, To: s.port}})
			if who != "" && !strings.Contains(who, self) {
				list = append(list, doctor.PortHolder{Network: name, Service: s.name, Holder: who})
			}
		}
	}
	return list, nil
}
