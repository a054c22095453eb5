package daemon

import (
	"kvmnet/internal/conntrack"
	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// sever ends the stale connections of one namespace.
func sever(ns *netns.NS, name string, stale func(plan.Flow) bool) error {
	c, err := conntrack.Open(ns, name)
	if err != nil {
		return err
	}
	defer c.Close()
	flows, err := c.List()
	if err != nil {
		return err
	}
	for _, f := range flows {
		if !stale(f) {
			continue
		}
		if err := c.Delete(f); err != nil {
			return err
		}
	}
	return nil
}
