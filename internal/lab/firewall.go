package lab

import (
	"context"
	"fmt"
	"strings"

	"kvmnet/internal/spec"
)

// hostFirewall is what an administrator might have: nothing is forwarded from or
// to the given interfaces.
const hostFirewall = `table inet demo_host_firewall {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname { %[1]s } ct state new drop
		oifname { %[1]s } ct state new drop
	}
}
`

// decided proves that the host's firewall decides for networks of mode open: they
// were open without one, and are shut with one.
func (d *demo) decided(ctx context.Context) (cells []*cell, err error) {
	s := &sheet{d: d}
	var bridges []string
	for _, n := range d.networks {
		if n.spec.Mode == spec.Open {
			bridges = append(bridges, fmt.Sprintf("%q", n.spec.Bridge.Name))
		}
	}
	if len(bridges) == 0 {
		return nil, nil
	}
	d.step("let a host firewall decide about mode open")
	d.each(func(n *network, f family) {
		if n.spec.Mode == spec.Open {
			s.put("host firewall: guest → outside", n, f, no, d.outbound(n, f))
		}
	})
	d.each(func(n *network, f family) {
		if n.spec.Mode == spec.Open {
			s.put("host firewall: outside → guest", n, f, no, d.inward(n, f))
		}
	})
	if err := d.nft(ctx, fmt.Sprintf(hostFirewall, strings.Join(bridges, ", "))); err != nil {
		return nil, err
	}
	err = prove(ctx, s.cells)
	if gone := d.nft(context.WithoutCancel(ctx), "delete table inet demo_host_firewall"); err == nil {
		err = gone
	}
	return s.cells, err
}

// nft loads rules into the machine.
func (d *demo) nft(ctx context.Context, rules string) error {
	cmd := d.world.machine.Command(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if _, err := cmd.Output(); err != nil {
		return fmt.Errorf("load the host firewall: %w", err)
	}
	return nil
}
