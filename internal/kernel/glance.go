package kernel

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Glance returns of a few links what Observe does of all: the links, their up state,
// their settings, and whether their bridges keep them apart. One that is not there is
// left out. It takes a request a link, however many there are.
func (k *Kernel) Glance(ctx context.Context, links []string) (plan.State, error) {
	v := view{ns: k.name, home: Host, state: plan.State{}, release: k.release}
	var devices []device
	for _, name := range links {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := k.device(name)
		switch {
		case errors.Is(err, unix.ENODEV):
			continue
		case err != nil:
			return nil, fmt.Errorf("look at link %s: %w", name, err)
		}
		devices = append(devices, d)
	}
	v.addLinks(devices)
	for _, d := range devices {
		if d.master == 0 || v.names[d.master] != "" {
			continue
		}
		var err error
		if v.names[d.master], err = k.nameOf(d.master); err != nil {
			return nil, fmt.Errorf("name the bridge of %s: %w", d.name, err)
		}
		v.state.Add(d.link(k.name, v.names))
	}
	return v.state, nil
}
